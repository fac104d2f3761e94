#!/usr/bin/env python3
"""Measure Shoal beside llama.cpp, both in turn, and write docs/benchmarks.md.

Needs a release build of Shoal, cmake, a C++ compiler, taskset, and `pip install gguf numpy` for the models.

  cluster/bench/run.py                     # everything; llama.cpp and the models go to ~/.cache/shoal-bench
  cluster/bench/run.py --only decode demo --output some.md
  cluster/bench/run.py --other 'ik_llama.cpp=/path/to/llama-bench -rtr 1'
"""
import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import cases
import peers
import report

ROOT = Path(__file__).resolve().parents[2]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shoal-bench"
    parser.add_argument("--folder", type=Path, default=cache, help="where llama.cpp and the models are kept")
    parser.add_argument("--shoal", type=Path, default=ROOT / ".build/release/shoal")
    parser.add_argument("--rounds", type=int, default=9, help="pairs of each case")
    parser.add_argument("--only", nargs="+", choices=list(cases.ALL), default=list(cases.ALL))
    parser.add_argument("--other", help="NAME=PROGRAM ARGUMENTS: another llama-bench, for decode and prefill")
    parser.add_argument("--output", type=Path, help="the page to write; without it, and with all cases, docs/benchmarks.md")
    arguments = parser.parse_args()
    if not arguments.output:
        if arguments.only != list(cases.ALL):
            parser.error("--only needs an --output: docs/benchmarks.md has all cases")
        arguments.output = ROOT / "docs/benchmarks.md"
    return arguments


def make_model(path, *options):
    if not path.exists():
        peers.log(f"making {path}")
        part = path.with_suffix(".part")
        peers.run([sys.executable, Path(__file__).with_name("make_model.py"), part, *options])
        part.rename(path)
    return path


def other_peer(text):
    name, command = text.split("=", 1)
    program, *extra = shlex.split(command)
    return peers.LlamaCpp(name, Path(program).parent, extra=extra)


def main():
    arguments = parse_arguments()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    native, narrow, version = peers.prepare(folder)
    bench = cases.Bench(
        shoal=arguments.shoal.resolve(), native=native, narrow=narrow,
        other=other_peer(arguments.other) if arguments.other else None, rounds=arguments.rounds, folder=folder,
        qwen=lambda: make_model(folder / "qwen3-30b.gguf", "--preset", "qwen3-30b"),
        deepseek=lambda: make_model(folder / "deepseek-v3.gguf", "--preset", "deepseek-v3"),
        kimi=lambda: make_model(folder / "kimi-k2.gguf", "--preset", "kimi-k2"),
        demo=ROOT / "cluster/models/fairytales-moe-Q4_K_M.gguf")
    sections = []
    for name in arguments.only:
        peers.log(f"{time.strftime('%H:%M:%S')} {name}")
        sections.append(cases.ALL[name](bench))
        report.write(arguments.output, sections, version, revision(), arguments.rounds)


def revision():
    return subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
