"""What is measured, and what it is held against."""
import json
import statistics
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import peers
from report import Row, Section, spread

PORTS = (7471, 7472, 7473, 7474)


@dataclass
class Bench:
    shoal: Path
    native: peers.LlamaCpp
    narrow: peers.LlamaCpp
    other: Any
    rounds: int
    folder: Path
    qwen: Callable
    deepseek: Callable
    kimi: Callable
    demo: Path

    def interleave(self, *runs):
        """Runs everything in turn, as often as there are rounds: for each run its figures by name."""
        figures = [defaultdict(list) for _ in runs]
        for number in range(self.rounds):
            for result, measure in zip(figures, runs):
                for name, value in measure().items():
                    result[name].append(value)
            peers.log(f"  {number + 1}/{self.rounds}")
        return figures

    def topology(self, name, model, nodes, stages, context=1024):
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(
            {"model": str(model), "context": context, "sequences": 4,
             "nodes": {node: {"address": f"127.0.0.1:{port}"} for node, port in nodes.items()}, "stages": stages}))
        return path


def compare(section, bench, model, rows, peer, prompts, tokens, extra=(), **options):
    """Prefill of each prompt and decode, next to a peer."""
    shoal = peers.Shoal(bench.shoal, extra=extra)
    ours, theirs = bench.interleave(
        lambda: shoal.measure(model, (8, *prompts), tokens, **options),
        lambda: peer.measure(model, prompts, tokens, **options))
    for what, name, target in rows:
        section.rows.append(Row(what, ours[name], peer.name, theirs[name], target))


def qwen(bench):
    section = Section(
        "One process, a model larger than the caches",
        "Shapes of Qwen3-30B-A3B, 8 of its 48 layers, Q4_K and Q6_K, 3.05 GB; 2 threads. Decode begins behind a prompt of 8 "
        "tokens (llama.cpp: of none).")
    shoal = peers.Shoal(bench.shoal)
    model = bench.qwen()
    runs = [lambda: shoal.measure(model, (8, 256, 512), 64),
            lambda: bench.native.measure(model, (256, 512), 64)]
    if bench.other:
        runs.append(lambda: bench.other.measure(model, (256, 512), 64))
    ours, *others = bench.interleave(*runs)
    for peer, figures, targets in zip((bench.native, bench.other), others, ((1.1, 2.0, 2.0), (0.95, 1.0, 1.0))):
        for name, what, target in zip(
                ("tg", "pp256", "pp512"), ("decode", "prefill of 256", "prefill of 512"), targets):
            section.rows.append(Row(what, ours[name], peer.name, figures[name], target))
    return section


def bandwidth(bench):
    section = Section(
        "Share of the read bandwidth",
        "What decode reads of the weights, over what plain reads reach in the same process right afterwards: 1 GiB in pages of "
        "2 MB, best of 10 passes. Target: 0.85.")
    shoal = peers.Shoal(bench.shoal)
    reports = [shoal.measure(bench.qwen(), (8,), 128, whole=True)["report"] for _ in range(bench.rounds)]
    shares = [report["read_bandwidth_share"] for report in reports]
    rates = [report["read_bandwidth"] / 1e9 for report in reports]
    section.notes.append(
        f"share {spread(shares, 2)}; bandwidth {spread(rates)} GB/s; "
        f"{reports[0]['weight_bytes_per_token'] / 1e6:.0f} MB of weights a token")
    parts = {
        name: statistics.median(report["decode"]["seconds_per_token"][name] for report in reports)
        for name in reports[0]["decode"]["seconds_per_token"]}
    total = sum(parts.values())
    section.notes.append("time by part: " + ", ".join(f"{name} {100 * value / total:.0f} %" for name, value in parts.items()))
    return section


def avx2(bench):
    section = Section("Without AVX-512", "`--kernels avx2`, and llama.cpp built for AVX2; the same model.")
    compare(
        section, bench, bench.qwen(), [("decode", "tg", 1.0), ("prefill of 256", "pp256", 1.3)], bench.narrow, (256,), 64,
        extra=["--kernels", "avx2"])
    return section


def demo(bench):
    section = Section("The demo model", "12 MB, within the caches; 2 threads.")
    compare(section, bench, bench.demo, [("decode of 400", "tg", 1.5), ("prefill of 256", "pp256", None)], bench.native, (256,), 400)
    return section


def busy(bench):
    section = Section(
        "One of two cores kept busy", "Another process computes on one core all the time; 2 threads; decode. Target: 0.4 of "
        "the same without it.")
    shoal, model = peers.Shoal(bench.shoal), bench.qwen()

    def beside(peer):
        with peers.busy_loop(1):
            return peer.measure(model, (), 32)
    alone, disturbed, theirs, theirs_disturbed = bench.interleave(
        lambda: shoal.measure(model, (), 32), lambda: beside(shoal), lambda: bench.native.measure(model, (), 32),
        lambda: beside(bench.native))
    section.rows.append(Row("decode", disturbed["tg"], "undisturbed", alone["tg"], 0.4))
    section.rows.append(Row("llama.cpp, the same", theirs_disturbed["tg"], "undisturbed", theirs["tg"]))
    return section


def remote(bench):
    section = Section(
        "One remote worker", "All experts and layers on one worker of 2 threads behind TCP on this machine; decode. Target: 0.97 "
        "of the path within one process.")
    shoal, model = peers.Shoal(bench.shoal), bench.qwen()
    topology = bench.topology(
        "one-worker", model, {"reef": PORTS[0]}, [{"layers": "0-7", "host": "reef"}])

    def behind_tcp():
        # Started anew each time, as the one process is: what memory it gets decides more than the path.
        with shoal.serve(PORTS[0], model.parent, threads=2):
            return shoal.measure(model, (), 96, extra=["--topology", topology])
    far, near = bench.interleave(behind_tcp, lambda: shoal.measure(model, (), 96))
    section.rows.append(Row("decode", far["tg"], "one process", near["tg"], 0.97))
    return section


def two_workers(bench):
    section = Section(
        "Two workers of one core each",
        "Every worker, and every server of llama.cpp's RPC, has one thread and is pinned to a core of its own; experts are split "
        "between the workers, layers between the servers; decode.")
    shoal, model = peers.Shoal(bench.shoal), bench.qwen()
    topology = bench.topology(
        "two-workers", model, {"reef": PORTS[0], "cove": PORTS[1]},
        [{"layers": "0-7", "host": "reef", "experts": {"reef": "0-63", "cove": "64-127"}}])
    servers = ",".join(f"127.0.0.1:{port}" for port in PORTS[2:])

    # Workers and servers start anew each time, as the one process does: what memory they get decides more than the rest.
    def workers():
        with two_shoals(shoal, model):
            return shoal.measure(model, (), 96, threads=1, extra=["--topology", topology])

    def rpc():
        with one_a_core(lambda core: bench.native.serve(PORTS[2 + core], core)):
            return bench.native.measure(model, (), 96, threads=1, extra=["--rpc", servers, "-ngl", 99])
    two, one, theirs = bench.interleave(workers, lambda: shoal.measure(model, (), 96), rpc)
    section.rows.append(Row("decode", two["tg"], "llama.cpp's RPC", theirs["tg"], 1.6))
    section.rows.append(Row("decode", two["tg"], "one process of 2 threads", one["tg"], 0.8))
    return section


def two_stages(bench):
    section = Section(
        "Two stages", "Two workers of one thread, each pinned to a core and host of four layers; four sequences side by side. "
        "Target: each computes at least 85 % of the time.")
    shoal, model = peers.Shoal(bench.shoal), bench.qwen()
    topology = bench.topology(
        "two-stages", model, {"reef": PORTS[0], "cove": PORTS[1]},
        [{"layers": "0-3", "host": "reef"}, {"layers": "4-7", "host": "cove"}])

    def stages():
        with two_shoals(shoal, model):
            return shoal.measure(
                model, (), 96, threads=1, extra=["--topology", topology, "--sequences", 4], whole=True)["report"]
    reports = [stages() for _ in range(bench.rounds)]
    for number, name in enumerate(node["name"] for node in reports[0]["nodes"]):
        shares = [100 * report["nodes"][number]["computing_share"] for report in reports]
        section.notes.append(f"{name} computes {spread(shares, 0)} % of the time")
    speeds = [report["decode"]["tokens_per_second"]["median"] for report in reports]
    section.notes.append(f"{spread(speeds)} tokens/s of all four")
    return section


def wire_bytes(bench):
    section = Section(
        "Bytes and time of a hop", "All experts on another worker than the rest; one round trip a layer, prompt of 8 tokens, "
        "decode of 65. Bytes are held against the formula of docs/wire.md, of which only the widths of sums depend on the "
        "numbers. Time: the demo model, on top of the same with all on one worker. Target: 50 us beyond a raw round trip.")
    shoal, tokens = peers.Shoal(bench.shoal), 65
    shapes = {"nodes": {"reef": PORTS[0], "cove": PORTS[1]}}
    for model, layers, hidden, chosen in ((bench.qwen(), 8, 2048, 8), (bench.demo, 6, 256, 2)):
        topology = bench.topology("apart", model, **shapes, stages=[
            {"layers": f"0-{layers - 1}", "host": "reef", "experts": {"cove": "0-127" if layers == 8 else "0-15"}}])
        with two_shoals(shoal, model):
            report = shoal.measure(
                model, (), tokens, threads=1, extra=["--topology", topology], whole=True)["report"]["decode"]
        steps = tokens - 1
        fixed = layers * ((60 + 4 + 6 * chosen + hidden + hidden // 64) + (56 + 1))
        widths, rest = divmod(round(report["wire_bytes_per_token"] * steps) - fixed * steps, hidden)
        if not 2 <= widths / steps / layers <= 8:
            raise SystemExit(f"{report['wire_bytes_per_token']} bytes a token are not what docs/wire.md says")
        section.notes.append(
            f"{model.name}: {report['wire_bytes_per_token']:.0f} bytes a token in {report['round_trips_per_token']:.0f} round "
            f"trips: {fixed} and sums of {widths / steps / layers:.2f} bytes an element; {rest} bytes unexplained")
    section.notes.append(hop(bench, shoal, shapes))
    return section


def hop(bench, shoal, shapes):
    """How much longer the demo model takes for a layer whose experts are on the other worker."""
    apart, together = (
        bench.topology(name, bench.demo, **shapes, stages=[{"layers": "0-5", "host": "reef", **experts}])
        for name, experts in (("apart", {"experts": {"cove": "0-15"}}), ("together", {})))
    with two_shoals(shoal, bench.demo):
        far, near = bench.interleave(*(
            lambda where=where: shoal.measure(bench.demo, (), 400, threads=1, extra=["--topology", where])
            for where in (apart, together)))
    hops = [1e6 * (1 / a - 1 / b) / 6 for a, b in zip(far["tg"], near["tg"])]
    return (
        f"a hop takes {spread(hops, 0)} us, {bench.rounds} pairs; a raw round trip {peers.round_trip():.0f} us (both sides look "
        "without sleeping)")


def warm_start(bench):
    section = Section(
        "Warm start", "From the start of the program to its end with one token, 3 GB of weights in one local worker whose store has "
        "them. Target: 5 s, and no weights moved.")
    model = bench.qwen()
    topology = bench.folder / "local.json"
    topology.write_text(json.dumps({
        "model": str(model), "context": 1024, "nodes": {"reef": {"address": "local"}},
        "stages": [{"layers": "0-7", "host": "reef"}]}))

    def start():
        began = time.monotonic()
        answer = json.loads(peers.run(
            [bench.shoal, "generate", "--topology", topology, "--max-tokens", 1, "--store", bench.folder / "store", "--json",
             "hello"]))
        return time.monotonic() - began, answer["wire"]["weight_bytes"]
    start()
    starts = [start() for _ in range(bench.rounds)]
    times, moved = [t for t, _ in starts], max(b for _, b in starts)
    section.notes.append(f"{spread(times)} s; {moved} bytes moved")
    return section


def two_shoals(shoal, model):
    """Two workers of one thread, each on a core of its own."""
    return one_a_core(lambda core: shoal.serve(PORTS[core], model.parent, core=core))


def one_a_core(serve):
    """Starts what `serve` makes for each of the two cores; both end with the `with`, or at once when one cannot start."""
    with ExitStack() as stack:
        for core in (0, 1):
            stack.enter_context(serve(core))
        return stack.pop_all()


def long_contexts(bench):
    section = Section(
        "Long contexts", "Prefill of a long prompt, then decode behind it; also with keys and values as Q8_0. The latent models "
        "have the shapes of DeepSeek-V3 and Kimi K2, 3 layers with 64 experts.", rounds=min(2, bench.rounds))
    for what, model in (
            ("grouped-query", bench.qwen()), ("latent, 128 heads", bench.deepseek()), ("latent, 64 heads", bench.kimi())):
        # Each round takes minutes: fewer of them.
        length, all_rounds = 8000 if what == "grouped-query" else 2000, bench.rounds
        bench.rounds = section.rounds
        shoal, small = peers.Shoal(bench.shoal), peers.Shoal(bench.shoal, extra=["--kv", "q8_0"])
        options = dict(extra=["--context", "8192"])
        ours, ours_small, theirs, behind = bench.interleave(
            lambda: shoal.measure(model, (length,), 32, **options),
            lambda: small.measure(model, (length,), 32, **options),
            lambda: bench.native.measure(model, (length,), 0),
            lambda: bench.native.measure(model, (), 32, depth=length))
        bench.rounds = all_rounds
        for kv, figures in (("f16", ours), ("q8_0", ours_small)):
            section.rows.append(Row(
                f"{what}, {kv}, prefill of {length}", figures[f"pp{length}"], "llama.cpp, f16", theirs[f"pp{length}"]))
            section.rows.append(Row(
                f"{what}, {kv}, decode behind {length}", figures["tg"], "llama.cpp, f16", behind["tg"]))
    return section


ALL = {"decode": qwen, "bandwidth": bandwidth, "avx2": avx2, "demo": demo, "busy": busy, "remote": remote,
       "workers": two_workers, "stages": two_stages, "hop": wire_bytes, "start": warm_start, "contexts": long_contexts}
