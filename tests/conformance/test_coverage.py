"""coverage.md is true: what it names exists, and every test stands in it and says what it proves."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent


def every_test():
    """Name of each test to its docstring."""
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert node.name not in found, f"{node.name} is there twice"
                found[node.name] = ast.get_docstring(node)
    return found


def named():
    return set(re.findall(r"`(test_\w+__\w+)`", (HERE / "coverage.md").read_text()))


def test_coverage__names_only_tests_that_exist():
    """A sentence is not held by a test that was renamed or removed."""
    assert named() - set(every_test()) == set()


def test_coverage__names_every_test():
    """A test that no line names proves nothing that anybody looks for."""
    own = {name for name in every_test() if name.startswith("test_coverage__")}
    assert set(every_test()) - own - named() == set()


def test_coverage__every_test_says_what_it_proves():
    """Each has a docstring: the sentence, or the promise."""
    assert [name for name, text in every_test().items() if not text] == []


def test_coverage__no_line_is_without_a_test():
    """Each row of a table names at least one test."""
    for line in (HERE / "coverage.md").read_text().splitlines():
        if line.startswith("| ") and not line.startswith(("| Sentence", "| Promise")):
            assert re.search(r"`test_\w+`", line), line
