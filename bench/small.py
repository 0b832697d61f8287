"""What a small run costs beside its steps: the time from the start of a process to its first step, memory, the size of the program."""
import json
import os
import pathlib
import random
import statistics
import struct
import subprocess
import tempfile
import time

from systems import BUILT, pinned, program

ROWS = 6000
W2 = "linear 512, relu, linear 256, relu, linear"


def npy(path, descr, shape, data):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (63 - (10 + len(head)) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)


def first_steps(times):
    """Of bench_steps, which is linked with the static library: (milliseconds to the first step, to its end, peak KiB). They
    are not pinned: Python would have to be forked for that, which takes longer than what is measured."""
    got = []
    for _ in range(times):
        began = time.monotonic() * 1e3
        command = [str(program("steps")), "start", f"{began:.6f}", "w2"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=pinned(1)["env"])
        got.append([float(v) for v in done.stdout.split()[1:]])
    return [statistics.median(v) for v in zip(*got)]


def train(folder, data, more):
    """Milliseconds of the whole program, and its record."""
    out = pathlib.Path(folder) / f"run-{random.random()}"
    command = [str(BUILT / "backprop"), "train", *data, "--out", str(out), "--threads", "1", "-q", "--json", *more]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True, **pinned(1))
    return (time.monotonic() - began) * 1e3, json.loads(done.stdout)


def program_memory(folder, kind):
    """MB beyond the data of `backprop train` with w2's network, for rows of bytes or of floats."""
    drawn = random.Random(0)
    files = [pathlib.Path(folder) / f"{name}.npy" for name in ("x", "y")]
    if kind == "|u1":
        data = bytes(drawn.randrange(256) for _ in range(784)) * ROWS
    else:
        data = struct.pack("<784f", *(drawn.random() for _ in range(784))) * ROWS
    npy(files[0], kind, (ROWS, 784), data)
    npy(files[1], "|u1", (ROWS,), bytes(i % 10 for i in range(ROWS)))
    more = ["--model", W2, "--optimizer", "adam", "--batch-size", "128", "--epochs", "1", "--validation", "0", "--test", "0"]
    _, record = train(folder, [str(files[0]), "--target", str(files[1])], more)
    return (record["peak_rss_bytes"] - len(data)) / 1e6, len(data) / 1e6


def reached(yes):
    return "reached" if yes else "**not reached**"


def start_and_memory(times):
    ready, first, peak = first_steps(times)
    lines = [
        f"Medians of {times} processes; files in the system's cache. Megabytes are 10^6 bytes.\n",
        "| what | seen | aim | |\n|---|---|---|---|",
        f"| process start to the first step of w2 (library) | {ready:.1f} ms | 20 ms | {reached(ready < 20)} |",
        f"| process start to the end of the first step of w2 (library) | {first:.1f} ms | | |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        whole = statistics.median(train(folder, ["builtin:digits"], ["--set", "train.steps=1"])[0] for _ in range(times))
        words = "`backprop train builtin:digits` with one step, start to end: evaluations, a run directory of synced files"
        lines.append(f"| {words} | {whole:.0f} ms | | |")
        batch = 128 * (784 * 4 + 8) / 1e6
        mb = peak * 1024 / 1e6 - batch
        lines.append(f"| peak memory of w2 beyond the {batch:.1f} MB of a batch (library) | {mb:.1f} MB | 40 MB | {reached(mb < 40)} |")
        for kind, words in (("|u1", "bytes"), ("<f4", "floats")):
            mb, size = program_memory(folder, kind)
            lines.append(f"| the same of `backprop train`, beyond {size:.1f} MB of {words} | {mb:.1f} MB | 40 MB | {reached(mb < 40)} |")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("backprop", "libbackprop.so"):
            if (BUILT / name).exists():
                stripped = os.path.join(folder, name)
                subprocess.run(["strip", "-o", stripped, str(BUILT / name)], check=True)
                lines.append(f"| size of `{name}`, stripped | {os.path.getsize(stripped) / 1e6:.2f} MB | | |")
    return ["\n".join(lines)]
