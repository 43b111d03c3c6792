"""Habits that a script can check: the format, and functions we do not call."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(p for top in ("src", "include", "tests", "bench") for p in (ROOT / top).rglob("*.[ch]"))

# Why not: no bound (strcpy …), no error (atoi), hidden state (strtok, localtime), a shell (system), a race (mktemp).
BANNED = """strcpy stpcpy strcat strncpy strncat sprintf vsprintf gets atoi atol atoll atof strtok system popen
tmpnam tempnam mktemp alloca asctime ctime localtime gmtime strerror_r rand srand""".split()
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
BORING = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
# Who may read the environment: the command line, the loader of settings, what answers systemd, and what has to know whether
# libcurl would find a proxy there. Everything else is handed options.
ENVIRONMENT = ("src/cli/", "src/daemon/config", "src/daemon/systemd.c", "src/client/plain.c")
GETENV = re.compile(r"(?<!\w)(secure_)?getenv\s*\(")

# All memory comes from util/memory.h, for the program may have an allocator of its own. Not so: what it is made of, and what
# O_DIRECT wants aligned. A string from realpath() or getcwd() is adopted where it is made.
HEAP = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free|v?asprintf|strn?dup|getline|getdelim|open_memstream|"
                  r"posix_memalign|aligned_alloc|scandir|json_dumps)\s*\(|(?<!mem_adopt\()\b(realpath|getcwd)\s*\(")
HEAP_AT = {"src/util/memory.c": None, "src/storage/direct.c": {"posix_memalign(", "free("}}


def bare(text):
    """Code without comments and strings, line numbers kept."""
    return BORING.sub(lambda m: "\n" * m.group().count("\n") + " ", text)


def calls(pattern, text):
    return [(bare(text).count("\n", 0, m.start()) + 1, m.group()) for m in pattern.finditer(bare(text))]


@pytest.mark.skipif(not shutil.which("clang-format"), reason="no clang-format here")
@pytest.mark.parametrize("top", ["src", "include", "tests", "bench"])
def test_format(top):
    files = [str(p) for p in CODE if p.is_relative_to(ROOT / top)]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *files], capture_output=True, text=True)
    assert done.returncode == 0, "make format mends this:\n" + done.stderr[-6000:]


def test_banned_functions():
    wrong = []
    for path in CODE:
        wrong += [f"{path.relative_to(ROOT)}:{line}: {name}" for line, name in calls(CALL, path.read_text())]
    assert not wrong, "\n".join(wrong)


def test_few_read_the_environment():
    wrong = []
    for path in CODE:
        relative = str(path.relative_to(ROOT))
        if relative.startswith("src/") and not relative.startswith(ENVIRONMENT):
            wrong += [f"{relative}:{line}" for line, _ in calls(GETENV, path.read_text())]
    assert not wrong, "\n".join(wrong)


def off_the_heap(relative, text):
    may = HEAP_AT.get(relative, set())
    return [f"{relative}:{line}: {name}" for line, name in calls(HEAP, text) if may is not None and name not in may]


def test_memory_comes_from_one_place():
    """C115; tests/integration/test_library.py asks the same of what was built."""
    wrong = []
    for path in CODE:
        if path.is_relative_to(ROOT / "src"):
            wrong += off_the_heap(str(path.relative_to(ROOT)), path.read_text())
    assert not wrong, "mem_alloc() and its like are in util/memory.h:\n" + "\n".join(wrong)


@pytest.mark.parametrize("line, found", [
    ("p = malloc(1);", True), ("free(p);", True), ("if (asprintf(&p, \"\") < 0)", True), ("p = realpath(f, NULL);", True),
    ("mem_free(p);", False), ("ops->free(p);", False), ("void (*free)(void *);", False), ("/* free(p) */", False),
    ("p = mem_adopt(realpath(f, NULL));", False), ("berth_call_free(p);", False),
])
def test_the_check_of_memory_finds(line, found):
    assert bool(off_the_heap("src/client/client.c", line)) == found


def test_every_file_says_what_it_is_for():
    wrong = [str(p.relative_to(ROOT)) for p in CODE if not p.read_text().lstrip().startswith("/*")]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("line, found", [
    ("strcpy(a, b);", True), ("n = atoi (x);", True), ("  sprintf(b, \"\");", True),
    ("my_strcpy(a, b);", False), ("/* strcpy(a, b) */", False), ("puts(\"system(1)\");", False),
    ("ops->system(1);", False), ("berth_system(1);", False), ("snprintf(b, n, \"\");", False),
])
def test_the_check_finds(line, found):
    assert bool(calls(CALL, line)) == found
