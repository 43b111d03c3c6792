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


def test_what_the_client_needs_is_loaded_only_when_it_is_wanted(berth_binary):
    need("readelf")
    for binary in (Path(berth_binary), Path(berth_binary).parent / "libberth.so"):
        needed = subprocess.run(["readelf", "-d", binary], capture_output=True, text=True, check=True).stdout
        assert "NEEDED" in needed and "libcurl" not in needed and "libarchive" not in needed, needed
