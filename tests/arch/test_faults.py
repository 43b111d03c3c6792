"""Every operation of the library that can fail is one of those that tests/fault/client.c makes fail, call by call."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = (ROOT / "tests" / "fault" / "client.c").read_text()

# What the others are made of, or only report: an error that was made elsewhere.
# berth_allocator_set() calls nothing that could fail, and every row runs with an allocator of its own.
WITHOUT = {"berth_call_wait", "berth_call_result", "berth_error_set", "berth_error_set_oci", "berth_error_prefix",
           "berth_allocator_set"}
DECLARED = re.compile(r"BERTH_API int (berth_\w+)\(([^;]*)\)", re.S)


def operations():
    """Exported functions that fill in an error; of the two forms of a call, the blocking one."""
    found = set()
    for header in sorted((ROOT / "include" / "berth").glob("*.h")):
        if header.name != "server.h":
            found |= {name for name, taken in DECLARED.findall(header.read_text()) if "berth_error *" in taken}
    return sorted(name for name in found - WITHOUT if not name.endswith("_start"))


def test_they_are_found():
    assert {"berth_ping", "berth_blob_put", "berth_ref_parse"} <= set(operations())


@pytest.mark.parametrize("name", operations())
def test_every_operation_has_a_row(name):
    assert re.search(rf"\b{name}\(", ROWS), f"{name}() needs a line of OPERATIONS in tests/fault/client.c"
