"""Turns the figures of bench/run into a table (Markdown) and a picture (SVG), beside the JSON that holds them all.

TARGETS is what is promised; a target is a number, or a share of nginx in the same run.
"""

import math
from dataclasses import dataclass

import figures
from figures import PANEL_WIDTH, bars, number, short, text

ORDER = ("berth", "nginx", "distribution", "docker-registry", "olareg", "zot", "ceiling")
COLOURS = {"berth": "#0b6e4f", "nginx": "#8a8d91", "distribution": "#3b6fb6", "docker-registry": "#7fa7d8",
           "olareg": "#d98324", "zot": "#8e5bb0", "ceiling": "#c9ccd1"}


@dataclass
class Target:
    title: str
    row: str
    figure: str                # rate, gib, cpu_us, cpu_s_per_gib, p99, ms, mib, flat
    sign: str                  # ">=" or "<="
    value: float
    of: str = ""               # "nginx": value is a share of its figure; "push": see bound()
    digits: int = 0


TARGETS = [
    Target("manifest GET by tag, req/s (64 connections)", "get-manifest", "rate", ">=", 1.0, "nginx"),
    Target("… server CPU, µs each", "get-manifest", "cpu_us", "<=", 1.2, "nginx", 1),
    Target("… p99, ms", "get-manifest", "p99", "<=", 1.0, "nginx", 2),
    Target("manifest HEAD, req/s", "head-manifest", "rate", ">=", 0.9, "nginx"),
    Target("… server CPU, µs each", "head-manifest", "cpu_us", "", 0, "", 1),
    Target("blob GET 1 KiB, req/s", "get-blob-1k", "rate", ">=", 1.0, "nginx"),
    Target("… server CPU, µs each", "get-blob-1k", "cpu_us", "", 0, "", 1),
    Target("blob GET 100 MiB, 1 client, GiB/s", "get-blob-1", "gib", ">=", 1.0, "nginx", 2),
    Target("… server CPU, s for each GiB", "get-blob-1", "cpu_s_per_gib", "<=", 0.9, "nginx", 3),
    Target("blob GET 100 MiB, 4 clients, GiB/s", "get-blob-4", "gib", ">=", 1.0, "nginx", 2),
    Target("… server CPU, s for each GiB", "get-blob-4", "cpu_s_per_gib", "<=", 0.9, "nginx", 3),
    Target("push 1 GiB, monolithic, GiB/s", "push-big", "gib", ">=", 1.0, "push", 2),
    Target("… server CPU, s for each GiB", "push-big", "cpu_s_per_gib", "", 0, "", 2),
    Target("push 1 GiB, chunks of 16 MiB, GiB/s", "push-big-chunks", "gib", ">=", 1.0, "push", 2),
    Target("blobs of 4 KiB, 16 clients, per s", "put-blobs", "rate", ">=", 5000),
    Target("… server CPU, µs each", "put-blobs", "cpu_us", "", 0, ""),
    Target("small images, 16 clients, 50 repositories, per s", "push-images-50", "rate", ">=", 1800),
    Target("… server CPU, µs each", "push-images-50", "cpu_us", "", 0, ""),
    Target("small images, 16 clients, 1 repository, per s", "push-images-1", "rate", ">=", 1500),
    Target("tags into one repository, towards 100,000, per s", "push-tags", "rate", ">=", 4000),
    Target("… last quarter's rate by the first's", "push-tags", "flat", ">=", 0.8, "", 2),
    Target("page of 100 tags of 10,000, ms", "page-tags-10k", "ms", "<=", 1.0, "", 3),
    Target("page of 100 tags of 1,000,000, ms", "page-tags-1m", "ms", "<=", 1.0, "", 3),
    Target("page of 100 of the catalogue, ms", "page-catalog", "ms", "<=", 1.0, "", 3),
    Target("page of 10,000 referrers, ms", "page-referrers", "ms", "<=", 1.0, "", 3),
    Target("resident memory, idle, MiB", "memory-idle", "mib", "<=", 8, "", 1),
    Target("resident memory, peak over all rows, MiB", "memory-peak", "mib", "<=", 32, "", 1),
    Target("start to first answer, empty, ms", "start-empty", "ms", "<=", 10, "", 1),
    Target("start to first answer, 1M manifests, ms", "start-1m", "ms", "<=", 10, "", 1),
]

SHOWN = [
    Target("TLS: manifest GET, req/s (64 connections)", "tls-get-manifest", "rate", "", 0),
    Target("… server CPU, µs each", "tls-get-manifest", "cpu_us", "", 0, "", 1),
    Target("TLS: blob GET 100 MiB, 4 clients, GiB/s", "tls-get-blob-4", "gib", "", 0, "", 2),
    Target("… server CPU, s for each GiB", "tls-get-blob-4", "cpu_s_per_gib", "", 0, "", 2),
]


def figure(results, row, server, key):
    return results["rows"].get(row, {}).get(server, {}).get(key)


def bound(results, target):
    """The number that the figure is held against; None where it is not known."""
    if not target.sign:
        return None
    if target.of == "nginx":
        base = figure(results, target.row, "nginx", target.figure)
        return base * target.value if base is not None else None
    if target.of == "push":
        limits = results["limits"]
        return min(target.value, 0.7 * min(limits["sha256_gib"], limits["write_gib"]))
    return target.value


def verdict(results, target):
    """(ratio, met): above 1 is better than promised, whichever way the figure counts."""
    ours, wanted = figure(results, target.row, "berth", target.figure), bound(results, target)
    if ours is None or wanted is None or not ours or not wanted:
        return None, None
    ratio = ours / wanted if target.sign == ">=" else wanted / ours
    return ratio, ratio >= 1


def promise(results, target):
    if not target.sign:
        return ""
    wanted = bound(results, target)
    sign = {">=": "≥", "<=": "≤"}[target.sign]
    why = f" ({target.value:g} × nginx)" if target.of == "nginx" else ""
    if target.of == "push" and wanted is not None and wanted < target.value:
        why = " (0.7 × the slower of SHA-256 and synced write)"
    return f"{sign} {number(wanted, target.digits)}{why}"


def table(results, targets, names):
    lines = ["| | " + " | ".join(names) + " | promised | ratio | |",
             "|---|" + "---:|" * len(names) + "---|---:|---|"]
    for t in targets:
        if t.row not in results["rows"]:
            continue
        cells = [number(figure(results, t.row, n, t.figure), t.digits) for n in names]
        lines.append(f"| {t.title} | " + " | ".join(cells) + f" | {promise(results, t)} | "
                     f"{figures.judged(verdict(results, t))} |")
    return lines


def names_in(results):
    seen = {n for row in results["rows"].values() for n in row}
    return [n for n in ORDER if n in seen]


def markdown(results, picture):
    limits, names = results["limits"], names_in(results)
    lines = [
        *figures.head(results, "bench/run", "servers"),
        "Client and server share the cores: a rate is what both together allow, and **server CPU for each request "
        "is the figure to trust**. *ceiling* is a responder that does nothing: what the load generators reach.", "",
        "| | version |", "|---|---|",
        *[f"| {n} | {v}{own(results) if n == 'berth' else ''} |" for n, v in results["versions"].items()], "",
        f"Limits in this run: SHA-256 {limits['sha256_gib']:.2f} GiB/s on one core, synced write "
        f"{limits['write_gib']:.2f} GiB/s, one append with its sync {limits['sync_ms']:.2f} ms. GET under 64 "
        f"connections is loaded by {results['generator']}, everything else by bench/driver.", "",
        "## What is promised", "",
        f"{figures.count(verdict(results, t) for t in TARGETS)} A ratio of 1 or more meets the promise.", "",
        *table(results, TARGETS, names), ""]
    if "memory-peak" in results["rows"] and "berth" in results["rows"]["memory-peak"]:
        lines += [f"berth's peak of memory came in: {results['rows']['memory-peak']['berth']['in']}. Other registries list "
                  "a tenth of the referrers, those that have them at all, and a catalogue of few repositories.", ""]
    if any(t.row in results["rows"] for t in SHOWN):
        lines += ["## Also shown", "", *table(results, SHOWN, names), ""]
    lines += collector(results)
    lines += growth(results)
    if picture:
        lines += [f"![bars and lines of the same figures]({picture})", ""]
    return "\n".join(lines + figures.not_measured(results))


def own(results):
    """What else tells one berth from another: its commit, and flags beyond the defaults."""
    return "".join(f", {what} `{results[key]}`" for what, key in (("commit", "commit"), ("with", "berth_flags"))
                   if results.get(key))


def collector(results):
    rows = [("manifest GET, req/s", "collector-get-manifest", "rate", 0),
            ("… p99, ms", "collector-get-manifest", "p99", 2),
            ("small images pushed, per s", "collector-push-images", "rate", 0),
            ("… p99, ms", "collector-push-images", "p99", 2),
            ("objects left of the heap", "collector-push-images", "objects_left", 0)]
    if "collector-get-manifest" not in results["rows"]:
        return []
    names = ("berth, quiet", "berth, collecting")
    return ["The collector at work on a heap of blobs that nothing names, beside the same without it:", "",
            "| | quiet | collecting |", "|---|---:|---:|",
            *[f"| {title} | " + " | ".join(number(figure(results, row, n, key), digits) for n in names) + " |"
              for title, row, key, digits in rows], ""]


def growth(results):
    lines = []
    for line in results["growth"].values():
        lines += [f"### {line['title'][0].upper()}{line['title'][1:]}", ""]
        at = sorted({x for points in line["series"].values() for x, _ in points})
        names = [n for n in ORDER if n in line["series"]]
        lines += ["| " + line["x"] + " | " + " | ".join(f"{n}, {line['y']}" for n in names) + " |",
                  "|---:|" + "---:|" * len(names)]
        for x in at:
            cells = [dict(map(tuple, line["series"][n])).get(x) for n in names]
            lines.append(f"| {short(x, line['x'])} | " + " | ".join(
                number(c, 0 if c is not None and c >= 100 else 3) for c in cells) + " |")
        lines.append("")
    return lines


# --- The picture ----------------------------------------------------------------------------------------------------

def bar_panel(results, target, names):
    """One row: a bar for each server, on a logarithmic scale, and a mark where the promise lies."""
    values = [(n, figure(results, target.row, n, target.figure)) for n in names]
    values = [(n, v) for n, v in values if v]
    if not values:
        return None
    wanted = bound(results, target)
    every = [v for _, v in values] + ([wanted] if wanted else [])
    low, high = math.log10(min(every)) - 0.4, math.log10(max(every)) + 0.05
    return bars(target.full, values, lambda v: (math.log10(v) - low) / (high - low), target.digits, COLOURS, wanted)


def line_panel(line):
    """Lines over two logarithmic axes."""
    series = [(n, sorted(map(tuple, line["series"][n]))) for n in ORDER if n in line["series"]]
    series = [(n, [(x, y) for x, y in points if x > 0 and y > 0]) for n, points in series]
    series = [(n, points) for n, points in series if points]
    if not series:
        return None
    xs = [math.log10(x) for _, points in series for x, _ in points]
    ys = [math.log10(y) for _, points in series for _, y in points]
    x0, x1, y0, y1 = min(xs), max(max(xs), min(xs) + 0.1), math.floor(min(ys)), math.ceil(max(ys) + 1e-9)
    y1 = max(y1, y0 + 1)
    left, top, width, height = 60, 26, PANEL_WIDTH - 60 - 90, 150

    def place(x, y):
        return (left + width * (math.log10(x) - x0) / (x1 - x0), top + height * (y1 - math.log10(y)) / (y1 - y0))

    out = [text(0, 14, f"{line['title']}, {line['y']}", 12, weight="bold")]
    for decade in range(y0, y1 + 1):
        y = place(10 ** x0, 10.0 ** decade)[1]
        out.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e1e4e8"/>')
        out.append(text(left - 6, y + 4, f"{10.0 ** decade:,g}", 10, "end", fill="#57606a"))
    at = sorted({x for _, points in series for x, _ in points})
    for x in at[::max(1, math.ceil(len(at) / 5))]:
        out.append(text(place(x, 10.0 ** y0)[0], top + height + 14, short(x, line["x"]), 10, "middle", fill="#57606a"))
    labels = []
    for n, points in series:
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(x, y) for x, y in points))
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[n]}" stroke-width="2"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="{COLOURS[n]}"/>'
                for a, b in (place(x, y) for x, y in points)]
        labels.append((place(*points[-1])[1], n))
    last = -100.0
    for y, n in sorted(labels):      # names at the lines' ends, pushed apart
        last = max(y, last + 12)
        out.append(text(left + width + 6, last + 4, n, 11, fill=COLOURS[n]))
    return out, top + height + 26


def full_titles(targets):
    """'… server CPU' needs the row it belongs to when it stands alone."""
    head = ""
    for t in targets:
        head = t.title if not t.title.startswith("…") else head
        t.full = t.title if not t.title.startswith("…") else head.rpartition(",")[0] + ": " + t.title[2:]
    return targets


def svg(results):
    names = names_in(results)
    panels = [bar_panel(results, t, names) for t in full_titles(TARGETS) + full_titles(SHOWN)]
    panels += [line_panel(line) for line in results["growth"].values()]
    return figures.picture(results, "berth and others", "Logarithmic scales. The dashed line is what is promised.", panels)


def write(results, folder):
    """README.md is the page of the full run, <name>.md that of any other."""
    page = "README.md" if results["name"] == "full" else f"{results['name']}.md"
    return figures.write(results, folder, page, markdown, svg)
