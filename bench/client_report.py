"""Turns the figures of bench/clients into a table (Markdown) and a picture (SVG), beside the JSON that holds them all.

What is promised: berth ahead of every other client on every line, and for the large blob at most 1.15 times the processor
time of curl and SHA-256 together.
"""

import figures
from figures import bars, number, short

OTHERS = ("crane", "oras", "regctl", "skopeo")
ORDER = ("berth", "berth, one each", "berth, told", *OTHERS, "curl")
COLOURS = {"berth": "#0b6e4f", "berth, one each": "#7fb8a4", "berth, told": "#7fb8a4", "crane": "#3b6fb6", "oras": "#8e5bb0", "regctl": "#d98324",
           "skopeo": "#b3261e", "curl": "#8a8d91"}
FIGURES = (("s", "s", 3), ("cpu_s", "s of CPU", 3), ("peak_mib", "MiB at the peak", 1))
ROWS = ("head-1000", "head-cold", "blob-down", "blob-up", "many-down", "many-up")
CURL_SHARE = 1.15
LAYOUTS = ("crane", "skopeo")      # they push what lies in a layout, under the digest that is written there


def title(scale, row):
    return {"head-1000": f"{scale['heads']:,} manifest HEADs",
            "head-cold": f"one HEAD from a cold start, {scale['colds']} times",
            "blob-down": f"a blob of {short(scale['big'], 'bytes')} down",
            "blob-up": f"a blob of {short(scale['big'], 'bytes')} up",
            "many-down": f"{scale['many']} blobs of {short(scale['small'], 'bytes')} down",
            "many-up": f"{scale['many']} blobs of {short(scale['small'], 'bytes')} up"}[row]


def rival(results, row, figure, name):
    """What of ours stands beside it: who is told the digest of a blob is compared with us when we are, too."""
    told = row == "blob-up" and name in LAYOUTS
    return results["rows"][row].get("berth, told" if told else "berth", {}).get(figure)


def verdict(results, row, figure):
    """(ratio, met): the least of the others' figures, or of the share of curl's, by ours; above 1 berth is ahead."""
    found = results["rows"].get(row, {})
    wanted = {n: found[n][figure] for n in OTHERS if n in found}
    if row in ("blob-down", "blob-up") and figure == "cpu_s" and "curl" in found:
        wanted["curl"] = CURL_SHARE * found["curl"]["cpu_s"]
    ratios = [value / rival(results, row, figure, n) for n, value in wanted.items() if rival(results, row, figure, n)]
    return (min(ratios), min(ratios) > 1) if ratios else (None, None)


def table(results):
    names = [n for n in ORDER if n in results["versions"]]
    lines = ["| | " + " | ".join(names) + " | ratio | |", "|---|" + "---:|" * (len(names) + 1) + "---|"]
    for row in ROWS:
        if not results["rows"].get(row):
            continue
        for figure, unit, digits in FIGURES:
            cells = [number(results["rows"][row].get(n, {}).get(figure), digits) for n in names]
            what = f"{title(results['scale'], row)}, {unit}" if figure == "s" else f"… {unit}"
            lines.append(f"| {what} | " + " | ".join(cells)
                         + f" | {figures.judged(verdict(results, row, figure))} |")
    return lines


def rounds(results):
    """Which lines had more than the others."""
    had = {row: len(found["berth"]["rounds"]) for row, found in results["rows"].items() if "berth" in found}
    more = [f"{title(results['scale'], row)} {n}" for row, n in had.items() if n > results["scale"]["rounds"]]
    return f"Where a turn is short, each comes first once; rounds: {', '.join(more)}. " if more else ""


def markdown(results, picture):
    lines = [
        *figures.head(results, "bench/clients", "clients"),
        "The registry is berth, over HTTP on the same machine. Time, processor and memory are the client's own: user and "
        "system time of its processes, and the most that one of them had resident. Each starts in a new home, an upload "
        "finds an empty registry.", "",
        f"Another one comes first in each round. {rounds(results)}All is synced to the disk before each turn. "
        "What was written stays to the end, where the disk has room: a file system avoids inodes that were deleted a moment "
        "ago, and whoever came later would pay for it. Only large blobs are removed after each turn.", "",
        "| | version |", "|---|---|", *[f"| {n} | {v} |" for n, v in results["versions"].items()], "",
        f"{figures.count(verdict(results, row, figure) for row in ROWS for figure, _, _ in FIGURES)} The ratio is the "
        "least of that of crane, oras, regctl and skopeo to berth; above 1 berth is ahead. The processor time of the large "
        "blob is "
        f"also held against {CURL_SHARE} times curl's with SHA-256 by openssl.", "",
        *table(results), "",
        "- crane, oras, regctl and skopeo have no command for many HEADs: they are run once for each. *berth, one each* is "
        "berth used like that, as skopeo's `inspect --raw` gets the manifest, having no HEAD.",
        "- crane and skopeo push a blob as the only layer of an image, and skopeo pulls it so; the others have a command "
        "for a blob.",
        "- *berth, told* is given the digest of the blob, as crane and skopeo find it in the layout; it is compared with "
        "them. berth, oras, regctl and curl are given a file, and compute it.",
        "- Many blobs are the layers of an image for crane, regctl and skopeo, the files of an artifact for berth and oras.",
        "", f"![bars of the same figures]({picture})", ""]
    return "\n".join(lines + figures.not_measured(results))


def panel(results, row, figure, unit, digits):
    values = [(n, results["rows"].get(row, {}).get(n, {}).get(figure)) for n in ORDER]
    values = [(n, v) for n, v in values if v]
    if not values:
        return None
    most = max(v for _, v in values)
    return bars(f"{title(results['scale'], row)}, {unit}", values, lambda v: v / most, digits, COLOURS)


def svg(results):
    panels = [panel(results, row, *figure) for row in ROWS for figure in FIGURES]
    return figures.picture(results, "berth and other clients", "Less is better.", panels)


def write(results, folder):
    return figures.write(results, folder, f"{results['name']}.md", markdown, svg)
