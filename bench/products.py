"""The table of bench_products beside libraries, and what is aimed at: report(output, table) gives paragraphs."""
import re

LINE = re.compile(
    r"(?P<name>.*?)\s+f32\s+(?P<m>\d+)\s+(?P<n>\d+)\s+(?P<k>\d+) (?P<layout>\w{3})\s+(?P<us>[0-9.]+) us, (?P<threads>\d+) threads, "
    r"peak (?P<peak>[0-9.]+) GFLOP/s(?P<libraries>.*)"
)
LARGE = 50e6  # multiply-adds times two, from which on a product should be shared well


class Product:
    def __init__(self, found):
        self.name, self.layout = found["name"], found["layout"]
        self.m, self.n, self.k, self.threads = (int(found[key]) for key in ("m", "n", "k", "threads"))
        self.us, self.peak = float(found["us"]), float(found["peak"])
        self.flop = 2.0 * self.m * self.n * self.k
        self.libraries = {name: float(us) for name, us in re.findall(r"; (\w+) ([0-9.]+)", found["libraries"])}
        self.best = min(self.libraries, key=self.libraries.get) if self.libraries else None
        self.ratio = self.libraries[self.best] / self.us if self.best else None
        self.of_peak = self.flop / self.us * 1e-3 / self.peak
        self.batch = int(self.name.split(", ")[1])


def figures(some, words):
    """How many, then those, as `name .93`."""
    return f"{len(some)}" + (": " + "; ".join(words(p) for p in some) if some else "")


def aim_rows(one, two):
    rows = []

    def aim(what, seen, reached):
        rows.append([what, seen, "reached" if reached else "**not reached**"])

    def ratio(p):
        return f"{p.name} {p.ratio:.2f} ({p.best})"

    by_threads = [(one, "1 thread"), (two, "2 threads")]
    for some, threads in by_threads:
        some = [p for p in some if p.best]
        if not some:
            continue
        below = sorted((p for p in some if p.ratio < 0.95), key=lambda p: p.ratio)
        better = sum(p.ratio > 1 for p in some)
        aim(f"{threads}: every product at least .95 of the best library", f"{len(some) - len(below)} of {len(some)}", not below)
        if below:
            rows.append(["below that", figures(below, ratio), ""])
        aim(f"{threads}: better than the best library on most", f"{better} of {len(some)}", better > len(some) / 2)
        thin = [p for p in some if 10 in (p.m, p.n, p.k)]
        behind = [p for p in thin if p.ratio <= 1]
        aim(f"{threads}: 10 columns, above the best library", f"{len(thin) - len(behind)} of {len(thin)}", not behind)
        if behind:
            rows.append(["not above it", figures(behind, ratio), ""])
    full = [p for p in one if min(p.m, p.n, p.k) >= 32 and p.batch >= 128]
    low = sorted((p for p in full if p.of_peak < 0.9), key=lambda p: p.of_peak)
    aim("all dimensions >= 32, batch >= 128: 90 % of the peak", f"{len(full) - len(low)} of {len(full)}", not low)
    if low:
        rows.append(["below that", figures(low, lambda p: f"{p.name} {100 * p.of_peak:.0f} %"), ""])
    pairs = [(a, b) for a, b in zip(one, two) if a.flop >= LARGE]
    if pairs:
        slow = sorted(((a.us / b.us, a) for a, b in pairs if a.us / b.us < 1.85), key=lambda x: x[0])
        aim(
            f"from {LARGE / 1e6:.0f} MFLOP on: 2 threads 1.85 times as fast as one",
            f"{len(pairs) - len(slow)} of {len(pairs)}" + (": " + "; ".join(f"{p.name} {r:.2f}" for r, p in slow) if slow else ""),
            not slow,
        )
    return rows


def report(output, table):
    """Paragraphs from what `bench_products beside 2` printed."""
    head, *lines = output.splitlines()
    products = [Product(found) for found in map(LINE.match, lines) if found]
    one = [p for p in products if p.threads == 1]
    two = [p for p in products if p.threads == 2]
    libraries = sorted({name for p in products for name in p.libraries}, key=lambda name: list(products[0].libraries).index(name))
    busy = sum(b.peak < 1.7 * a.peak for a, b in zip(one, two))
    about = [
        f"{'; '.join(head.split('; ')[1:]) or 'No library is here'}. Microseconds, medians of 3 to 9 interleaved rounds of 2 ms or one product.\n"
        "`in -> out, batch`: a linear layer's forward product (x W), gradient of its input (dy W') and of its weights (x' dy). Ours keeps\n"
        "weights and their gradients in panels, as a training step does (10 columns: rows of [out, in]), and turns the panels for the\n"
        "input gradient within the time shown; the libraries have plain row-major matrices. Ratio: the best library's time over ours,\n"
        "above 1 where ours is faster. Peak: of multiply-adds from registers, measured in every round."
    ]
    if two:
        about.append(
            "OpenBLAS and the OpenMP of oneDNN let idle threads spin for half a millisecond at most, so that nobody's spinning is in the next one's time.\n"
            f"Two threads' peak beside one's says whether there were two free cores: it was below 1.7 times in {busy} of {len(two)} products."
        )
    columns = ["product", "m, n, k", "ours", *libraries, "ratio", "of peak, %"]
    columns += ["2: ours", *(f"2: {name}" for name in libraries), "2: ratio", "1 / 2"] if two else []
    rows = []
    for i, p in enumerate(one):

        def times(q):
            ratio = f"{q.ratio:.2f}" if q.ratio else "-"
            return [f"{q.us:.4g}", *(f"{q.libraries[name]:.4g}" for name in libraries), ratio]

        row = [p.name, f"{p.m}, {p.n}, {p.k}", *times(p), f"{100 * p.of_peak:.0f}"]
        rows.append(row + ([*times(two[i]), f"{p.us / two[i].us:.2f}"] if two else []))
    return [*about, table(columns, rows), table(["aim", "seen", ""], aim_rows(one, two))]
