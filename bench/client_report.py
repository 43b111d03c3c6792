"""Turns the figures of bench/clients into a table (Markdown) and a picture (SVG), beside the JSON that holds them all.

What is promised: berth ahead of every other client on every line, and for the large blob at most 1.15 times the processor
time of curl and SHA-256 together.
"""

import json
from html import escape

from report import COLUMNS, GAP, PANEL_WIDTH, number, short, text

OTHERS = ("crane", "oras", "regctl", "skopeo")
ORDER = ("berth", "berth, one each", *OTHERS, "curl")
COLOURS = {"berth": "#0b6e4f", "berth, one each": "#7fb8a4", "crane": "#3b6fb6", "oras": "#8e5bb0", "regctl": "#d98324",
           "skopeo": "#b3261e", "curl": "#8a8d91"}
FIGURES = (("s", "s", 3), ("cpu_s", "s of CPU", 3), ("peak_mib", "MiB at the peak", 1))
ROWS = ("head-1000", "head-cold", "blob-down", "blob-up", "many-down", "many-up")
CURL_SHARE = 1.15


def title(scale, row):
    return {"head-1000": f"{scale['heads']:,} manifest HEADs",
            "head-cold": f"one HEAD from a cold start, {scale['colds']} times",
            "blob-down": f"a blob of {short(scale['big'], 'bytes')} down", "blob-up": "the same up",
            "many-down": f"{scale['many']} blobs of {short(scale['small'], 'bytes')} down",
            "many-up": "the same up"}[row]


def verdict(results, row, figure):
    """(ratio, met): the best other's figure, or the share of curl's, by berth's; above 1 berth is ahead."""
    found = results["rows"].get(row, {})
    if "berth" not in found or not found["berth"][figure]:
        return None, None
    others = [found[n][figure] for n in OTHERS if n in found]
    if row in ("blob-down", "blob-up") and figure == "cpu_s" and "curl" in found:
        others.append(CURL_SHARE * found["curl"]["cpu_s"])
    if not others:
        return None, None
    ratio = min(others) / found["berth"][figure]
    return ratio, ratio > 1


def table(results):
    names = [n for n in ORDER if n in results["versions"]]
    lines = ["| | " + " | ".join(names) + " | ratio | |", "|---|" + "---:|" * (len(names) + 1) + "---|"]
    for row in ROWS:
        if not results["rows"].get(row):
            continue
        for figure, unit, digits in FIGURES:
            cells = [number(results["rows"][row].get(n, {}).get(figure), digits) for n in names]
            ratio, met = verdict(results, row, figure)
            what = f"{title(results['scale'], row)}, {unit}" if figure == "s" else f"… {unit}"
            lines.append(f"| {what} | " + " | ".join(cells) + f" | {'' if ratio is None else f'{ratio:.2f}'} | "
                         f"{'' if met is None else 'met' if met else 'missed'} |")
    return lines


def markdown(results, picture):
    m = results["machine"]
    judged = [verdict(results, row, figure)[1] for row in ROWS for figure, _, _ in FIGURES]
    lines = [
        f"# Figures: {results['name']}", "",
        f"<!-- Written by bench/clients from {results['name']}.json. -->", "",
        f"{results['date']}, {results['seconds']:.0f} s. {m['processor']}, {m['cores']} cores, {m['memory_gib']} GiB, "
        f"Linux {m['kernel']}, {m['file_system']}; load {m['load_at_start']} before the start. "
        f"{results['scale']['rounds']} round(s), all clients in turn in each; the median counts.", "",
        "The registry is berth, over HTTP on the same machine. Time, processor and memory are the client's own: user and "
        "system time of its processes, and the most that one of them had resident. Each starts in a new home, an upload "
        "finds an empty registry.", "",
        "| | version |", "|---|---|", *[f"| {n} | {v} |" for n, v in results["versions"].items()], "",
        f"{sum(j is True for j in judged)} met, {sum(j is False for j in judged)} missed. The ratio is that of the best of "
        "crane, oras, regctl and skopeo to berth; above 1 berth is ahead. For the processor time of the large blob it is "
        f"also held against {CURL_SHARE} times curl's with SHA-256 by openssl.", "",
        *table(results), "",
        "- crane, oras, regctl and skopeo have no command for many HEADs: they are run once for each. *berth, one each* is "
        "berth used like that, as skopeo's `inspect --raw` gets the manifest, having no HEAD.",
        "- crane and skopeo push a blob as the only layer of an image, and skopeo pulls it so; the others have a command "
        "for a blob.",
        "- Many blobs are the layers of an image for crane, regctl and skopeo, the files of an artifact for berth and oras.",
        "", f"![bars of the same figures]({picture})", ""]
    if results["failed"]:
        lines += ["## Not measured", "", *[f"- {escape(f)}" for f in results["failed"]], ""]
    return "\n".join(lines)


def panel(results, row, figure, unit, digits):
    values = [(n, results["rows"].get(row, {}).get(n, {}).get(figure)) for n in ORDER]
    values = [(n, v) for n, v in values if v]
    if not values:
        return None
    left, width = 105, PANEL_WIDTH - 105 - 70
    most = max(v for _, v in values)
    out = [text(0, 14, f"{title(results['scale'], row)}, {unit}", 12, weight="bold")]
    for i, (n, v) in enumerate(values):
        y = 24 + 18 * i
        out.append(text(left - 6, y + 11, n, 11, "end"))
        out.append(f'<rect x="{left}" y="{y}" width="{max(width * v / most, 1):.1f}" height="14" fill="{COLOURS[n]}"/>')
        out.append(text(left + width * v / most + 4, y + 11, number(v, digits), 11))
    return out, 24 + 18 * len(values) + 8


def svg(results):
    heights, placed = [0.0] * COLUMNS, []
    for row in ROWS:
        for figure in FIGURES:
            found = panel(results, row, *figure)
            if not found:
                continue
            column = heights.index(min(heights))
            placed.append(f'<g transform="translate({20 + column * (PANEL_WIDTH + GAP)},{70 + heights[column]:.1f})">'
                          + "".join(found[0]) + "</g>")
            heights[column] += found[1] + 16
    width, total = 40 + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP, 90 + max(heights)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total:.0f}" '
        f'viewBox="0 0 {width} {total:.0f}" font-family="system-ui, sans-serif">',
        f'<rect width="{width}" height="{total:.0f}" fill="#ffffff"/>',
        text(20, 30, f"berth and other clients, {results['date']}", 18, weight="bold"),
        text(20, 50, "Less is better. Client and registry share "
                     f"{results['machine']['cores']} cores.", 12, fill="#57606a"),
        *placed, "</svg>", ""])


def write(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    name = results["name"]
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / f"{name}.svg").write_text(svg(results))
    page = folder / f"{name}.md"
    page.write_text(markdown(results, f"{name}.svg"))
    return page
