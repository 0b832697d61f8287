"""The workloads of steps.c: name, or SIZES:BATCH[:OPTIMIZER] -> sizes, batch, optimizer, weight decay, dropout, norm to clip at; what
a step of them costs at least; and what the scripts of the peers share."""
import collections
import statistics
import sys
import time

Workload = collections.namedtuple("Workload", "sizes batch optimizer decay dropout clip")
TABLE = {
    "w1": Workload([4, 16, 3], 16, "sgd", 0, 0, 0),
    "w2": Workload([784, 512, 256, 10], 128, "adam", 0, 0, 0),
    "w3": Workload([2048] * 5, 512, "sgd", 0, 0, 0),
    "w2-1": Workload([784, 512, 256, 10], 1, "adam", 0, 0, 0),
    "w2-8": Workload([784, 512, 256, 10], 8, "adam", 0, 0, 0),
    "w2-32": Workload([784, 512, 256, 10], 32, "adam", 0, 0, 0),
    "w2-1024": Workload([784, 512, 256, 10], 1024, "adam", 0, 0, 0),
    "w2-odd": Workload([784, 500, 250, 10], 100, "adamw", 0.01, 0.2, 1),
}
# So small that every step is the same work: nothing diverges, no moment decays to a subnormal number.
RATE = 1e-9
LEAST, MOST, SECONDS = 3, 256, 0.3  # as in steps.c


def workload(name):
    if name in TABLE:
        return TABLE[name]
    sizes, batch, *rest = name.split(":")
    return Workload([int(s) for s in sizes.split("-")], int(batch), rest[0] if rest else "adam", 0, 0, 0)


def flops(name):
    """Of the products: forward, weight gradient, and input gradient but of the first layer."""
    w = workload(name)
    pairs = [a * b for a, b in zip(w.sizes, w.sizes[1:])]
    return 2 * w.batch * (3 * sum(pairs) - pairs[0])


def update_bytes(name):
    """The optimiser reads the gradient, reads and writes weights and moments."""
    w = workload(name)
    weights = sum((a + 1) * b for a, b in zip(w.sizes, w.sizes[1:]))
    return weights * 4 * (1 + 2 * (1 if w.optimizer == "sgd" else 3))


def median_ms(step):
    """A measurement takes about a third of a second, or three steps, and some before. step(n) makes n steps and waits for the last."""

    def each(n):
        start = time.perf_counter()
        step(n)
        return (time.perf_counter() - start) / n

    one = each(1)
    if one < SECONDS:  # the first is slow: memory is new
        one = each(1)
    if one < 1e-3:
        one = each(int(1e-3 / one) + 1)
    inner = 1 if one > 1e-3 else int(1e-3 / one) + 1
    return statistics.median(each(inner) for _ in range(min(max(int(SECONDS / (one * inner)), LEAST), MOST))) * 1e3


def serve(make, names):
    """make(name) gives the step of a workload. Prints name and milliseconds for each name; without names they come from standard
    input, line by line, and what was made is kept, so that start-up and compilation are paid once; `?NAME` only makes it."""
    made = {}
    for line in names or sys.stdin:
        name = line.strip().lstrip("?")
        try:
            if name not in made:
                if len(made) > 16:
                    made.clear()
                made[name] = make(name)
                made[name](2)
            print(name, "ready" if line.startswith("?") else f"{median_ms(made[name]):.6f}", flush=True)
        except Exception as problem:  # said, and the others go on
            print(name, "fails", str(problem).strip().split("\n")[0], flush=True)
