"""All benchmarks, or some: bench.py [SECTION …]. Measures what is built in $BUILD (build/release) beside the peers of $PYTHON, else of
an environment made for them, and writes bench/RESULTS.md: a section that runs replaces itself there, the others stay. A SECTION is
a name or its beginning (`steps` is steps-1 and steps-2). ROUNDS says how often everything is measured, interleaved. Peers that are
missing are said and left out. Needs Python 3.8 alone."""
import os
import pathlib
import statistics
import subprocess
import sys
import time

import loglog
import products
import small
import systems
from steps_workloads import flops, update_bytes
from systems import ROOT, machine, pinned, program, say

RESULTS = ROOT / "bench" / "RESULTS.md"
PICTURES = ROOT / "docs" / "pictures"
STEPS = ["w1", "w2", "w3", "w2-1", "w2-8", "w2-32", "w2-1024", "w2-odd"]
HAVE = {}  # package -> version
INTRODUCTION = """# Results

Written by `make bench`. A section says where and when it was measured; figures of different sections may come from different runs.
All systems of a section ran in the same run, interleaved, on the same cores with as many threads, with equal shapes, data and types
(f32); nobody's start-up or compilation is in a figure. The peak (multiply-adds from registers) and the bandwidth (`x += c·g` over arrays
larger than any cache) were measured between the rounds. What is absent was not there: `-`.
"""


def rounds(default):
    return int(os.environ.get("ROUNDS", default))


def number(v):
    return "-" if v is None else f"{v:.4g}"


def quotient(a, b):
    """a / b, or what stands for it."""
    if not a or not b:
        return "-"
    return f"{a / b:.2f}" if a / b < 10 else f"{a / b:.0f}"


def table(head, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def able(system, workload):
    return system != "scikit-learn" or workload.startswith(("w1", "w2")) and workload != "w2-odd"


def measure(workloads, wanted, threads, times):
    """Medians of so many rounds: {workload: {system: milliseconds or None}}, and of the machine's peak and bandwidth."""
    every = systems.systems(wanted, threads, HAVE)
    got = {w: {s: [] for s in every} for w in workloads}
    machines = []
    for w in workloads:
        for s in every:
            if able(s, w):
                every[s].ask("?" + w)
    for r in range(times):
        machines.append(machine(threads))
        for w in workloads:
            order = list(every)
            for s in order[r % len(order) :] + order[: r % len(order)]:
                got[w][s].append(every[s].ask(w) if able(s, w) else None)
    for system in every.values():
        system.close()
    middle = {w: {s: None if None in v else statistics.median(v) for s, v in row.items()} for w, row in got.items()}
    return middle, {key: statistics.median(m[key] for m in machines) for key in ("peak", "bandwidth")}


def limit_ms(workload, m):
    return flops(workload) / m["peak"] * 1e-6 + update_bytes(workload) / m["bandwidth"] * 1e-6


# ---- Sections --------------------------------------------------------------------------------------------------------


def aims(got, m):
    """What is aimed at, and whether it was reached."""
    rows = []

    def aim(words, seen, reached):
        rows.append([words, seen, "reached" if reached else "**not reached**"])

    def against(w, peer, least):
        if peer in got[w] and got[w][peer]:
            ratio = got[w][peer] / got[w]["ours"]
            aim(f"{w}: {least} times {peer}", quotient(ratio, 1), ratio >= least)

    for w, torch_least, jax_least in (("w1", 50, 5), ("w2", 1.5, 1.15), ("w3", 1.1, 1.1)):
        if w not in got:
            continue
        near = got[w]["ours"] / limit_ms(w, m)
        if w == "w3" and got[w].get("PyTorch's best"):
            if flops(w) / got[w]["PyTorch's best"] * 1e-6 > 0.8 * m["peak"]:
                torch_least = 1.05
        against(w, "PyTorch's best", torch_least)
        against(w, "JAX", jax_least)
        if w == "w2":
            aim("w2, enough where one of them is not reached: at most 1.1 times the limit", quotient(near, 1), near <= 1.1)
    return table(["aim", "seen", ""], rows) if rows else ""


def steps(threads):
    times = rounds(5)
    peers = ["PyTorch", "tuned", "compiled", "JAX", "scikit-learn"]
    got, m = measure(STEPS, ["ours", *peers], threads, times)
    rows = []
    for w, row in got.items():
        of_torch = [row[s] for s in ("PyTorch", "tuned", "compiled") if row.get(s)]
        row["PyTorch's best"] = min(of_torch) if of_torch else None
        ratios = [quotient(row.get(s), row["ours"]) for s in ("PyTorch's best", "JAX", "scikit-learn")]
        limit = limit_ms(w, m) if flops(w) > 1e6 else None
        rows.append([w, number(row["ours"]), *(number(row.get(s)) for s in peers), *ratios, number(limit), quotient(row["ours"], limit)])
    head = ["ms a step", "ours", *peers, "PyTorch's best / ours", "JAX / ours", "scikit-learn / ours", "limit", "ours / limit"]
    return m, [
        f"Medians of {times} round{'s' * (times > 1)}. w1: MLP 4-16-3, batch 16, SGD. w2: 784-512-256-10, batch 128, Adam;\n"
        "w2-1 … w2-1024: with that batch; w2-odd: 784-500-250-10, batch 100, AdamW with decay, dropout 0.2, clipping of the norm at 1.\n"
        "w3: 2048 wide, 4 layers, batch 512, SGD.\n"
        "PyTorch: as it comes; tuned: fused optimiser, gradients set to None, glibc told to keep memory; compiled: tuned, and\n"
        "`torch.compile` of network and loss. JAX: one jit for the whole step, donated buffers. scikit-learn: `MLPClassifier.partial_fit` of one batch.\n"
        "Limit: the products' flops at the measured peak, then the optimiser's bytes (gradient read; weights, moments read and written) at\n"
        "the measured bandwidth, and nothing else; w1, whose step is other work, has none.",
        table(head, rows),
        aims(got, m),
    ]


def growth(name, title, workload, values, x_label, below):
    shown = {"ours": "backprop", "tuned": "PyTorch, tuned", "JAX": "JAX, jit"}
    names = {v: workload(v) for v in values}
    got, m = measure(list(names.values()), list(shown), 1, rounds(3))
    series = {
        label: [(v, got[w][s]) for v, w in names.items() if got[w].get(s)] for s, label in shown.items() if s in got[names[values[0]]]
    }
    limit = [(v, limit_ms(w, m)) for v, w in names.items()]
    below = f"{below} {systems.processor()}, one thread, {systems.today()}."
    loglog.picture(PICTURES / f"{name}.svg", title, below, x_label, {k: v for k, v in series.items() if v}, limit)
    rows = []
    for v, w in names.items():
        row, bound = got[w], limit_ms(w, m)
        ratios = [quotient(row.get(s), row["ours"]) for s in ("tuned", "JAX")]
        rows.append([str(v), *(number(row.get(s)) for s in shown), *ratios, number(bound), quotient(row["ours"], bound)])
    head = [x_label, "ours, ms", "PyTorch (tuned), ms", "JAX, ms", "PyTorch / ours", "JAX / ours", "limit, ms", "ours / limit"]
    return m, [f"![{title}](../docs/pictures/{name}.svg)", table(head, rows)]


def growth_width():
    widths = [64, 128, 256, 512, 1024, 2048, 4096]
    below = "A network of N inputs, one hidden layer of N and N outputs; batch 128, Adam."
    return growth("growth-width", "Step time over width", lambda n: f"{n}-{n}-{n}:128", widths, "width N", below)


def growth_batch():
    batches = [1, 4, 16, 64, 256, 1024, 4096]
    below = "784-512-256-10, Adam."
    return growth("growth-batch", "Step time over batch", lambda n: f"784-512-256-10:{n}", batches, "rows of a batch", below)


def bfloat16():
    """Steps with products of rounded numbers beside ours in full; only where the processor has the instruction."""
    lines = [
        "Ours alone: `dtype: bfloat16` beside float32, medians. The instruction VDPBF16PS makes two multiply-adds at once; rounding and",
        "packing what is multiplied is in the figures, and the optimiser's pass is the same for both.\n",
    ]
    if "avx512_bf16" not in systems.processor_flags():
        say("bench: bfloat16 is SKIPPED: this processor has no AVX512_BF16")
        return machine(1), [*lines, "**Skipped: this processor has no AVX512_BF16.**\n"]
    names, seen = ["w2", "w2-bfloat16", "w3", "w3-bfloat16"], {}
    for _ in range(rounds(5)):
        done = subprocess.run([program("steps"), *names], capture_output=True, text=True, check=True, **pinned(1))
        for line in done.stdout.splitlines():
            name, milliseconds = line.split()
            seen.setdefault(name, []).append(float(milliseconds))
    middle = {name: statistics.median(v) for name, v in seen.items()}
    table = ["| ms a step | float32 | bfloat16 | float32 / bfloat16 |", "|---|---|---|---|"]
    for name in ("w2", "w3"):
        full, half = middle[name], middle[name + "-bfloat16"]
        table.append(f"| {name} | {full:.4g} | {half:.4g} | {full / half:.2f} |")
    return machine(1), [*lines, "\n".join(table) + "\n"]


def small_section():
    return machine(1), small.start_and_memory(rounds(21))


def output_of(words, threads, command, more=None):
    """What a program prints, as it is: a table stays one, other lines are quoted."""
    done = subprocess.run(command, capture_output=True, text=True, **pinned(threads, more))
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ends with status {done.returncode}")
    printed = done.stdout.rstrip("\n")
    return [*([words] if words else []), printed + "\n" if printed.startswith("|") or "\n|" in printed else f"```text\n{printed}\n```\n"]


def of_program(name, threads=1):
    """bench/NAME.sh, where there is one, else bench_NAME itself."""
    if not program(name):
        return None
    script = ROOT / "bench" / f"{name}.sh"
    command = ["sh", str(script)] if script.exists() else [str(program(name))]
    return machine(threads), output_of("", threads, command, {"BENCH": str(systems.BUILT / "bench"), "PYTHON": systems.interpreter()})


def matrix_products():
    if not program("products"):
        return None
    threads = min(2, len(systems.cores(2) or [0, 0]))
    done = subprocess.run([program("products"), "beside", str(threads)], capture_output=True, text=True, **pinned(threads))
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        raise RuntimeError(f"bench_products ends with status {done.returncode}")
    return machine(1), products.report(done.stdout, table)


def optimizers():
    before = machine(1)
    told = {"PYTHON": systems.interpreter(), "BENCH": str(systems.BUILT / "bench"), "CORE": str((systems.cores(1) or [0])[0])}
    times = rounds(1)
    return before, output_of(
        f"A matrix of 4096 by 4096 in f32, one thread; medians of {times} round{'s' * (times > 1)} of five updates; processor time.\n"
        "All options at their defaults. PyTorch: which of its paths is in brackets. optax: under jit with donated buffers. Empty: there is\n"
        "no such optimiser. State and bytes moved (by all loops of the update): for each weight. The pass: weights and state read and\n"
        "written once, gradients read once, in the same run; `update / bytes moved`: beside a pass that moves as many bytes as the update.\n"
        "sophia's number contains the product with the Hessian, which runs in every step. muon and soap, which multiply matrices, are\n"
        "not in this table.",
        1,
        ["sh", "bench/optimizers.sh", str(times)],
        told,
    )


# name, title, what gives (machine, paragraphs), or None where it can't run; threads
SECTIONS = [
    ("steps-1", "Whole training steps, one thread", lambda: steps(1), 1),
    ("steps-2", "Whole training steps, two threads", lambda: steps(2), 2),
    ("growth-width", "Growth with the width", growth_width, 1),
    ("growth-batch", "Growth with the batch", growth_batch, 1),
    ("bfloat16", "Products of bfloat16 numbers", bfloat16, 1),
    ("start", "Start and memory", small_section, 1),
    ("products", "Matrix products", matrix_products, 1),
    ("kernel_steps", "One product, step by step", lambda: of_program("kernel_steps"), 1),
    ("bandwidth", "Passes over memory", lambda: of_program("bandwidth"), 1),
    ("threads", "Threads", lambda: of_program("threads", 2), 2),
    ("convolutions", "Convolutions", lambda: of_program("convolutions"), 1),
    ("optimizers", "One update of 16.8 million weights", optimizers, 1),
]


# ---- The page --------------------------------------------------------------------------------------------------------


def read_sections():
    """Title -> text of the page as it is."""
    found = {}
    if RESULTS.exists():
        for part in RESULTS.read_text(encoding="utf-8").split("\n## ")[1:]:
            title, _, text = part.partition("\n")
            found[title.strip()] = text.strip("\n")
    return found


def write_section(title, text):
    found = read_sections()
    found[title] = text
    order = [t for _, t, _, _ in SECTIONS]
    page = INTRODUCTION + "".join(f"\n## {t}\n\n{found[t]}\n" for t in order if t in found)
    temporary = RESULTS.with_suffix(".new")
    temporary.write_text(page, encoding="utf-8")
    os.replace(temporary, RESULTS)


def heading(name, m, threads, seconds):
    peers = name.startswith(("steps", "growth", "optimizers"))
    used = " ".join(f"{package} {version}," for package, version in HAVE.items() if peers)
    where = f"{systems.processor()}, {os.cpu_count()} cores, instruction set {machine(threads)['isa']}"
    rates = f"{m['peak']:.1f} GFLOP/s and {m['bandwidth']:.1f} GB/s with {threads} thread{'s' * (threads > 1)}"
    return f"{where}; {rates}.\n{used} backprop {systems.commit()}; {systems.today()}, {seconds:.0f} s.".replace("\n ", "\n")


def main():
    wanted = sys.argv[1:]
    chosen = [s for s in SECTIONS if not wanted or any(s[0].startswith(w) for w in wanted)]
    for w in wanted:
        if not any(s[0].startswith(w) for s in SECTIONS):
            say(f"bench: there is no section {w}; there are {', '.join(s[0] for s in SECTIONS)}")
            return 2
    if not program("steps") or not program("machine"):
        say(f"bench: nothing is built in {systems.BUILT}/bench; run make bench")
        return 1
    HAVE.update(systems.versions())
    failed, begin = 0, time.monotonic()
    for name, title, run, threads in chosen:
        if threads > len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)):
            say(f"== {name}: needs {threads} cores, left out")
            continue
        start = time.monotonic()
        try:
            made = run()
        except (RuntimeError, OSError, subprocess.CalledProcessError) as problem:
            say(f"== {name}: {problem}")
            failed = 1
            continue
        if made is None:
            say(f"== {name}: its program is not built, left out")
            continue
        m, paragraphs = made
        seconds = time.monotonic() - start
        text = "\n\n".join(p.strip("\n") for p in [heading(name, m, threads, seconds), *paragraphs] if p)
        write_section(title, text)
        print(f"## {title}\n\n{text}\n", flush=True)
        say(f"== {name}: {seconds:.0f} s")
    say(f"== all: {time.monotonic() - begin:.0f} s, in {RESULTS.relative_to(ROOT)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
