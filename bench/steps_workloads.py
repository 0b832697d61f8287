"""The workloads of steps.c: name, or SIZES:BATCH[:OPTIMIZER] -> sizes, batch, optimizer, lr, weight decay, dropout, norm to clip at."""

TABLE = {
    "w1": ([4, 16, 3], 16, "sgd", 1e-2, 0, 0, 0),
    "w2": ([784, 512, 256, 10], 128, "adam", 1e-3, 0, 0, 0),
    "w3": ([2048] * 5, 512, "sgd", 1e-2, 0, 0, 0),
    "w2-1": ([784, 512, 256, 10], 1, "adam", 1e-3, 0, 0, 0),
    "w2-8": ([784, 512, 256, 10], 8, "adam", 1e-3, 0, 0, 0),
    "w2-32": ([784, 512, 256, 10], 32, "adam", 1e-3, 0, 0, 0),
    "w2-1024": ([784, 512, 256, 10], 1024, "adam", 1e-3, 0, 0, 0),
    "w2-odd": ([784, 500, 250, 10], 100, "adamw", 1e-3, 0.01, 0.2, 1),
}


def workload(name):
    if name in TABLE:
        return TABLE[name]
    sizes, batch, *rest = name.split(":")
    return [int(s) for s in sizes.split("-")], int(batch), rest[0] if rest else "adam", 1e-3, 0, 0, 0


def median_ms(step):
    """A measurement takes about a third of a second, or nine steps; steps.c does the same."""
    import statistics
    import time

    start = time.perf_counter()
    for _ in range(3):
        step(1)
    each = (time.perf_counter() - start) / 3 * 1e3
    inner = 1 if each > 1 else int(1 / each) + 1
    times = []
    for _ in range(min(max(int(300 / (each * inner)), 9), 256)):
        start = time.perf_counter()
        step(inner)
        times.append((time.perf_counter() - start) / inner * 1e3)
    return statistics.median(times)
