"""libberth as it was built: what it shows, and under which version."""

import re
import subprocess
from pathlib import Path

from clients import need
from server import ROOT


def test_the_library_exports_its_list_and_no_more(berth_binary):
    need("nm")
    library = Path(berth_binary).parent / "libberth.so"
    shown = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    found = {line.split()[-1] for line in shown.splitlines()}
    wanted = set()
    for node, body in re.findall(r"^(BERTH_\d+) \{(.*?)^\}", (ROOT / "src" / "libberth.map").read_text(), re.M | re.S):
        wanted |= {node} | {f"{name}@@{node}" for name in re.findall(r"^\s+(berth_\w+);", body, re.M)}
    assert found == wanted


# What takes memory from malloc(), or gives some that wants free(), and the only places that may call it.
OF_THE_HEAP = re.compile(r"malloc|calloc|realloc|reallocarray|free|(__)?v?asprintf(_chk)?|(__)?strn?dup|getline|(__)?getdelim|"
                         r"open_w?memstream|(posix_)?memalign|aligned_alloc|scandir(64|at)?|json_dumps")
MAY = {("util_memory.c.o", name) for name in ("malloc", "calloc", "realloc", "free")} | {
    ("storage_direct.c.o", "posix_memalign"), ("storage_direct.c.o", "free")}   # what O_DIRECT wants is aligned


def test_memory_comes_from_one_place(berth_binary):
    """C115: an allocator of the program's own gets every block; tests/arch/test_habits.py reads the sources for the same."""
    need("nm")
    rooms = sorted((Path(berth_binary).resolve().parent / "src").glob("lib*.a"))
    assert len(rooms) > 8
    listed = subprocess.run(["nm", "-A", "-u", *rooms], capture_output=True, text=True, check=True).stdout
    found = {(m.group(1), m.group(2)) for m in re.finditer(r"([^/:]+\.o): +U (\w+)$", listed, re.M)}
    assert {call for call in found if OF_THE_HEAP.fullmatch(call[1])} == MAY


def test_what_the_client_needs_is_loaded_only_when_it_is_wanted(berth_binary):
    need("readelf")
    for binary in (Path(berth_binary), Path(berth_binary).parent / "libberth.so"):
        needed = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True).stdout
        assert "NEEDED" in needed and "libcurl" not in needed and "libarchive" not in needed, needed
