"""What the reports of bench/run and bench/clients have in common: how figures are printed, the head of a page, panels of
bars, and the files that a report is.
"""

import json
from html import escape

PANEL_WIDTH, COLUMNS, GAP = 420, 2, 30
LEFT, WIDTH = 105, PANEL_WIDTH - 105 - 70       # of the bars in a panel


# --- Pages ----------------------------------------------------------------------------------------------------------

def number(value, digits):
    return "–" if value is None else f"{value:,.{digits}f}"


def short(n, unit):
    """1024 bytes are 1 KiB; 1,000 clients are 1,000."""
    if unit != "bytes":
        return f"{n:,}"
    for name, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n >= size:
            return f"{n / size:g} {name}"
    return f"{n} B"


def judged(verdict):
    """The two last cells of a line: (ratio, met), or nothing where there is nothing to be held against."""
    ratio, met = verdict
    return f"{'' if ratio is None else f'{ratio:.2f}'} | {'' if met is None else 'met' if met else 'missed'}"


def count(verdicts):
    met = [m for _, m in verdicts]
    return f"{sum(m is True for m in met)} met, {sum(m is False for m in met)} missed."


def head(results, script, what):
    """The first lines of a page: where and when. what: who takes turns."""
    m = results["machine"]
    return [f"# Figures: {results['name']}", "",
            f"<!-- Written by {script} from {results['name']}.json. -->", "",
            f"{results['date']}, {results['seconds']:.0f} s. {m['processor']}, {m['cores']} cores, {m['memory_gib']} GiB, "
            f"Linux {m['kernel']}, {m['file_system']}; load {m['load_at_start']} before the start. "
            f"{results['scale']['rounds']} round(s), all {what} in turn in each; the median counts.", ""]


def not_measured(results):
    return ["## Not measured", "", *[f"- {escape(f)}" for f in results["failed"]], ""] if results["failed"] else []


def write(results, folder, page, markdown, svg):
    """<name>.json, <name>.svg and the page, whose text and picture are made of the results."""
    folder.mkdir(parents=True, exist_ok=True)
    name = results["name"]
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / f"{name}.svg").write_text(svg(results))
    path = folder / page
    path.write_text(markdown(results, f"{name}.svg"))
    return path


# --- Pictures -------------------------------------------------------------------------------------------------------

def text(x, y, words, size=12, anchor="start", weight="normal", fill="#24292f"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="{fill}">{escape(words)}</text>')


def bars(title, values, share, digits, colours, mark=None):
    """A panel with a bar for each (name, value); share(value) is how long it is, of 1. mark: a dashed line there."""
    out = [text(0, 14, title, 12, weight="bold")]
    bottom = 24 + 18 * len(values)
    labels = []
    for y, (name, value) in zip(range(24, bottom, 18), values):
        end = LEFT + WIDTH * share(value)
        out.append(text(LEFT - 6, y + 11, name, 11, "end"))
        out.append(f'<rect x="{LEFT}" y="{y}" width="{max(end - LEFT, 1):.1f}" height="14" fill="{colours[name]}"/>')
        labels.append(f'<g style="paint-order:stroke" stroke="#ffffff" stroke-width="3">'
                      f'{text(end + 4, y + 11, number(value, digits), 11)}</g>')
    if mark:
        at = LEFT + WIDTH * share(mark)
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="20" y2="{bottom}" stroke="#b3261e" '
                   'stroke-width="1.5" stroke-dasharray="4 2"/>')
    return out + labels, bottom + 8


def picture(results, title, note, panels):
    """Panels in columns, each where there is most room."""
    heights, placed = [0.0] * COLUMNS, []
    for out, height in filter(None, panels):
        column = heights.index(min(heights))
        placed.append(f'<g transform="translate({20 + column * (PANEL_WIDTH + GAP)},{70 + heights[column]:.1f})">'
                      + "".join(out) + "</g>")
        heights[column] += height + 16
    width, total = 40 + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP, 90 + max(heights)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total:.0f}" '
        f'viewBox="0 0 {width} {total:.0f}" font-family="system-ui, sans-serif">',
        f'<rect width="{width}" height="{total:.0f}" fill="#ffffff"/>',
        text(20, 30, f"{title}, {results['date']}", 18, weight="bold"),
        text(20, 50, f"{note} Client and server share {results['machine']['cores']} cores.", 12, fill="#57606a"),
        *placed, "</svg>", ""])
