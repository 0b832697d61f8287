"""The systems that bench.py compares: our programs, and the peers as child processes that answer the name of a workload with a time.
Every system runs on the same cores with as many threads."""
import datetime
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT = ROOT / os.environ.get("BUILD", "build/release")
LOGS = ROOT / "build" / "bench"
PEERS = ["torch==2.13.0", "jax==0.10.2", "optax==0.2.8", "scikit-learn==1.9.1"]
KEEP = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TOP_PAD_": "100000000"}


def say(words):
    print(words, file=sys.stderr, flush=True)


# ---- Where things run ------------------------------------------------------------------------------------------------


def cores(threads):
    """So many of the cores that we may use: one hardware thread of each first, the others where cores do not suffice."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    first, other, seen = [], [], set()
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            core = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
        except OSError:
            core = cpu
        (other if core in seen else first).append(cpu)
        seen.add(core)
    return (first + other)[:threads]


def pinned(threads, more=None):
    """Arguments for subprocess: so many threads on as many cores."""
    chosen = cores(threads)
    names = ("BP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
    env = {**os.environ, **{name: str(threads) for name in names}, **(more or {})}
    return {"env": env, "cwd": ROOT, "preexec_fn": (lambda: os.sched_setaffinity(0, chosen)) if chosen else None}


def program(name):
    """One of ours in bench/, or None."""
    path = BUILT / "bench" / f"bench_{name}"
    return path if os.access(path, os.X_OK) else None


# ---- Peers -----------------------------------------------------------------------------------------------------------


def interpreter():
    """$PYTHON, or an environment of our own that is made at the first need (about 1 GB)."""
    if os.environ.get("PYTHON"):
        return os.environ["PYTHON"]
    own = ROOT / "build" / "bench-peers"
    if not (own / "complete").exists():
        say(f"bench: making {own.relative_to(ROOT)} with {', '.join(PEERS)}")
        try:
            subprocess.run([sys.executable, "-m", "venv", str(own)], check=True, stdout=sys.stderr)
            subprocess.run([str(own / "bin/python"), "-m", "pip", "-q", "install", *PEERS], check=True, stdout=sys.stderr)
            (own / "complete").touch()
        except (OSError, subprocess.CalledProcessError) as problem:
            say(f"bench: {problem}; measuring without peers that are missing")
    return str(own / "bin/python")


def versions():
    """Package -> version of those that the interpreter has; said what it lacks."""
    names = {"PyTorch": "torch", "JAX": "jax", "optax": "optax", "scikit-learn": "scikit-learn"}
    code = (
        "import importlib.metadata as m, sys\nfor n in sys.argv[1:]:\n try: print(m.version(n))\n except m.PackageNotFoundError: print()"
    )
    try:
        done = subprocess.run([interpreter(), "-c", code, *names.values()], capture_output=True, text=True, check=True)
        answers = done.stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        answers = [""] * len(names)
    found = {package: version for package, version in zip(names, answers) if version}
    for package in names:
        if package not in found:
            say(f"bench: no {package} in {interpreter()}: measuring without it")
    return found


class Peer:
    """A script of this folder, started once."""

    def __init__(self, name, script, threads, more=None):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name, self.log = name, LOGS / f"{name.replace(' ', '-')}.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.child = subprocess.Popen(
                [interpreter(), *script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, **pinned(threads, more)
            )

    def ask(self, workload):
        """Milliseconds of a step; None where it can't do it; "ready" for `?workload`."""
        try:
            self.child.stdin.write(workload + "\n")
            self.child.stdin.flush()
            name, _, answer = self.child.stdout.readline().partition(" ")
        except OSError:
            return None
        if not name or answer.startswith("fails"):
            return None
        return answer.strip() if answer.startswith("ready") else float(answer)

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Ours:
    """bench_steps, a process for each measurement."""

    def __init__(self, threads):
        self.threads = threads

    def ask(self, workload):
        if workload.startswith("?"):
            return "ready"
        done = subprocess.run([program("steps"), workload], capture_output=True, text=True, check=True, **pinned(self.threads))
        return float(done.stdout.split()[-1])

    def close(self):
        pass


def systems(wanted, threads, have):
    """Name -> what answers ask(workload); ours first."""
    every = {
        "ours": lambda: Ours(threads),
        "PyTorch": lambda: Peer("PyTorch", ["bench/steps_torch.py", "plain"], threads),
        "tuned": lambda: Peer("tuned", ["bench/steps_torch.py", "tuned"], threads, KEEP),
        "compiled": lambda: Peer("compiled", ["bench/steps_torch.py", "compiled"], threads, KEEP),
        "JAX": lambda: Peer("JAX", ["bench/steps_jax.py"], threads, KEEP),
        "scikit-learn": lambda: Peer("scikit-learn", ["bench/steps_sklearn.py"], threads, KEEP),
    }
    packages = {"tuned": "PyTorch", "compiled": "PyTorch", "ours": None}
    needs = {name: packages.get(name, name) for name in every}
    return {name: every[name]() for name in wanted if needs[name] is None or needs[name] in have}


# ---- The machine -----------------------------------------------------------------------------------------------------


def machine(threads):
    """What bench_machine says: isa, peak (GFLOP/s) and bandwidth (GB/s)."""
    done = subprocess.run([program("machine"), str(threads)], capture_output=True, text=True, check=True, **pinned(threads))
    said = dict(line.split() for line in done.stdout.splitlines())
    return {"isa": said["isa"], "peak": float(said["peak"]), "bandwidth": float(said["bandwidth"])}


def processor_flags():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "flags":
                return set(value.split())
    except OSError:
        pass
    return set()


def processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    import platform

    return platform.processor() or platform.machine()


def commit():
    """Of what is measured, and whether its sources are changed."""

    def git(*words):
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)

    name = git("rev-parse", "--short", "HEAD").stdout.strip() or "of an unknown commit"
    return name + (" with changes" if git("diff", "--quiet", "HEAD", "--", "src", "include", "cmake").returncode == 1 else "")


def today():
    return datetime.date.today().isoformat()
