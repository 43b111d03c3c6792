"""The reference of libberth is made from its headers (tools/reference): every function and type has words there."""

import importlib.machinery
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "reference"


@pytest.fixture(scope="module")
def tool():
    loader = importlib.machinery.SourceFileLoader("reference", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("reference", loader))
    loader.exec_module(module)
    return module


def test_every_header_is_a_page(tmp_path):
    done = subprocess.run([TOOL, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = (tmp_path / "index.md").read_text()
    for header in (ROOT / "include" / "berth").glob("*.h"):
        page = (tmp_path / f"{header.stem}.md").read_text()
        assert f"({header.stem}.md)" in listed
        for name in re.findall(r"^BERTH_API\b[^;(]*?(\w+)\s*\(", header.read_text(), re.M):
            assert re.search(rf"^### .*`{name}\(\)`", page, re.M), f"{header.name}: {name}"


def test_the_tool_reads_what_headers_hold(tool):
    intro, sections = tool.read("""/* berth/x.h - what it is.
 *
 *     code();
 */
#ifndef X_H
#define X_H
#include <stdbool.h>
typedef struct a a; /* opaque */

/* --- first part ---
 *
 * Of this. */

/** Does @a, or *@b. */
BERTH_API int f(int a,
                int b);
BERTH_API int g(void) __attribute__((pure));

BERTH_API int h(void);

typedef struct s {
    int x; /* one; two */
} s;
#define S_INIT  \\
    {           \\
        0       \\
    }
#endif
""")
    assert intro == "berth/x.h - what it is.\n\n    code();"
    assert [(title, text, [(i.kind, i.name) for i in items]) for title, text, items in sections] == [
        ("", "", [("type", "a")]),
        ("first part", "Of this.", [("function", "f"), ("function", "g"), ("function", "h"), ("type", "s"), ("macro", "S_INIT")])]
    assert [i.documented() for i in sections[1][2]] == [True, True, False, True, True]
    text = tool.page("x.h", intro, sections)
    assert "```c\ncode();\n```" in text and "Does `a`, or `*b`." in text and "### `f()`, `g()`" in text


COMING = (ROOT / "docs" / "coming-from.md").read_text()


def test_coming_from_names_what_there_is():
    """Every command and every function of docs/coming-from.md exists."""
    known = set(re.findall(r'^\s*\.name = "([a-z][a-z -]*)",$',
                           "".join(p.read_text() for p in sorted((ROOT / "src" / "cli").glob("*.c"))), re.M))
    wrong = [c for c in re.findall(r"`berth ([a-z][a-z -]*?)(?: [-A-Z].*?)?`", COMING) if c not in known]
    listed = (ROOT / "src" / "libberth.map").read_text()
    wrong += [f for f in re.findall(r"`(berth_\w+)\(", COMING) if f"{f};" not in listed and f != "berth_x_start"]
    assert not wrong


def test_coming_from_has_the_variables_as_the_source_has_them():
    source = (ROOT / "src" / "cli" / "environment.c").read_text()
    table = source[source.index("environment_variables[] = {"):source.index("{0},")]
    names = re.findall(r'"(BERTH_\w+|DRCA_\w+)"', table)
    assert len(names) >= 16 and not [n for n in names if f"`{n}`" not in COMING]
    for about in re.findall(r'((?:"[^"]*"\s*)+)\}', table):
        assert "".join(re.findall(r'"([^"]*)"', about)).split('"')[-1][-60:] in COMING.replace("\n", " ")
