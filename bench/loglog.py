"""Pictures of step times as SVG: two panels with logarithmic axes, the times themselves and how many times ours they are."""
import html
import math

FRAME, GRID, FAINT, INK, SOFT = "#8c959f", "#dfe4ea", "#f1f4f7", "#30363d", "#656d76"
TOP, PANEL, LEFT, GAP = 62, (400, 300), 74, 92


class Panel:
    def __init__(self, left, x, y):
        """x, y: (low, high) of the data"""
        self.left, self.x, self.y = left, x, y

    def at_x(self, v):
        return self.left + PANEL[0] * math.log(v / self.x[0]) / math.log(self.x[1] / self.x[0])

    def at_y(self, v):
        return TOP + PANEL[1] - PANEL[1] * math.log(v / self.y[0]) / math.log(self.y[1] / self.y[0])


def text(x, y, words, anchor="middle", size=11, color=INK, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{color}" {more}>{html.escape(words)}</text>'


def milliseconds(v):
    for unit, scale in (("s", 1e3), ("ms", 1), ("µs", 1e-3)):
        if v >= scale * 0.999:
            return f"{v / scale:g} {unit}"
    return f"{v * 1e6:g} ns"


def ticks(low, high, times):
    """So many times powers of ten, within the axis."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [round(t * 10.0**d, 9) for d in decades for t in times]
    return [v for v in found if low * 0.999 <= v <= high * 1.001]


def limits(values, margin):
    return min(values) / margin, max(values) * margin


def axes(p, xs, x_label, y_label, write):
    bottom, out = TOP + PANEL[1], []
    decades = math.log10(p.y[1] / p.y[0])
    lines = (1, 1.2, 1.5, 2, 3, 5, 7) if decades < 1.1 else (1, 1.5, 2, 3, 5, 7) if decades < 1.6 else (1, 2, 5)
    labels = lines if decades < 2.5 else (1,)
    for v in ticks(*p.y, lines):
        named = v in ticks(*p.y, labels)
        out.append(f'<path d="M{p.left} {p.at_y(v):.1f}h{PANEL[0]}" stroke="{GRID if named else FAINT}"/>')
        if named:
            out.append(text(p.left - 7, p.at_y(v) + 4, write(v), "end"))
    for v in xs:
        out.append(f'<path d="M{p.at_x(v):.1f} {bottom}v4" stroke="{FRAME}"/>')
        out.append(text(p.at_x(v), bottom + 17, f"{v:g}"))
    out.append(f'<rect x="{p.left}" y="{TOP}" width="{PANEL[0]}" height="{PANEL[1]}" fill="none" stroke="{FRAME}"/>')
    out.append(text(p.left + PANEL[0] / 2, bottom + 36, x_label, size=12))
    out.append(text(p.left, TOP - 10, y_label, "start", 12))
    return out


def line(p, points, color, width, dash):
    path = "L".join(f"{p.at_x(x):.1f} {p.at_y(y):.1f}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    out = [f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round"{dashes}/>']
    if not dash:
        out += [f'<circle cx="{p.at_x(x):.1f}" cy="{p.at_y(y):.1f}" r="3" fill="{color}" stroke="#fff"/>' for x, y in points]
    return out


def picture(path, title, below, x_label, series, limit):
    """series: label -> [(x, milliseconds)], ours first; limit: [(x, milliseconds)]."""
    colors = ["#0969da", "#cf222e", "#8250df", "#1a7f37"]
    (ours, own), *others = series.items()
    own_at, xs = dict(own), [x for x, _ in own]
    ratios = {label: [(x, y / own_at[x]) for x, y in points if x in own_at] for label, points in others}
    best = [(x, y / own_at[x]) for x, y in limit if x in own_at]
    span = (min(xs) / 1.25, max(xs) * 1.25)
    times = Panel(LEFT, span, limits([y for points in [*series.values(), limit] for _, y in points], 1.4))
    times_ours = Panel(LEFT + PANEL[0] + GAP, span, limits([1] + [y for points in [*ratios.values(), best] for _, y in points], 1.2))
    width, height = LEFT + 2 * PANEL[0] + GAP + 24, TOP + PANEL[1] + 72
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="Helvetica, Arial, sans-serif"><title>{html.escape(title)}</title>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        text(LEFT, 24, title, "start", 15, more='font-weight="bold"'),
        text(LEFT, height - 12, below, "start", 11, SOFT),
    ]
    out += axes(times, xs, x_label, "time of a step", milliseconds)
    out += axes(times_ours, xs, x_label, "time / ours (above 1: slower than ours)", lambda v: f"{v:g}")
    out += line(times, limit, SOFT, 1.5, "5 4") + line(times_ours, best, SOFT, 1.5, "5 4")
    out += line(times_ours, [(x, 1) for x in xs], colors[0], 2.4, None)
    for (label, points), color in reversed(list(zip(series.items(), colors))):
        out += line(times, points, color, 2.4 if label == ours else 1.7, None)
        if label != ours:
            out += line(times_ours, ratios[label], color, 1.7, None)
    for i, (label, color) in enumerate([*zip(series, colors), ("limit of the machine", SOFT)]):
        y = TOP + 20 + 19 * i
        dash = ' stroke-dasharray="5 4"' if color == SOFT else ""
        out.append(f'<path d="M{LEFT + 14} {y - 4}h26" stroke="{color}" stroke-width="{2.4 if i == 0 else 1.7}"{dash}/>')
        out.append(text(LEFT + 48, y, label, "start", 12))
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n</svg>\n")
