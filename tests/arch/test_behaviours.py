"""tests/behaviours.md is true: every numbered behaviour of the client stands in it once, and what it names exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
TEXT = (TESTS / "behaviours.md").read_text()
# For later versions, or taken up with copying (C117 to C155, C200 to C206).
LATER = {28, 29, 32, 47, 61, 79, 80, 81, 96, 113, 114, 116, 162, 163, 166, 170, 172, 179, 180}
WANTED = {n for first, last in ((1, 116), (156, 199), (207, 230)) for n in range(first, last + 1)} - LATER
ROWS = re.findall(r"^\| C(\d{3}) \| (.*) \|$", TEXT, re.M)
HELD, MISSING = TEXT.split("\n## Not there yet\n")


def exists(name):
    """A function of C by its name alone; of Python by file and name."""
    file, _, function = name.rpartition("::")
    if file:
        path = TESTS / "integration" / file
        return path.exists() and re.search(rf"^ *def {function}\(", path.read_text(), re.M) is not None
    parts = name.split("__")[0].removeprefix("test_").split("_", 1)
    path = TESTS / "unit" / parts[0] / f"{parts[1]}.c"
    return path.exists() and f"static void {name}(" in path.read_text()


def test_every_number_stands_there_once():
    numbers = [int(n) for n, _ in ROWS]
    assert sorted(numbers) == sorted(WANTED), sorted(set(numbers) ^ WANTED) or "one stands there twice"


@pytest.mark.parametrize("number, rest", re.findall(r"^\| (C\d{3}) \| (.*) \|$", HELD, re.M))
def test_each_has_tests_that_exist(number, rest):
    named = re.findall(r"`((?:test_\w+\.py::)?test_\w+)`", rest.rsplit("|", 1)[1])
    assert named, f"{number} has no test"
    assert [name for name in named if not exists(name)] == []


def test_what_is_missing_has_no_test():
    assert re.findall(r"^\| C\d{3} \|", MISSING, re.M) and "`test_" not in MISSING
