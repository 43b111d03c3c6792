"""What libberth promises to export: its public headers and src/libberth.map say the same. Whether the built library
keeps it is asked by tests/integration/test_library.py."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAP = ROOT / "src" / "libberth.map"
OF_THE_SERVER = {"server.h"}              # libberth-server's, which has no versions: its door is one file

DECLARED = re.compile(r"^BERTH_API\b[^;(]*?(\w+)\s*\(", re.M)
FUNCTION = re.compile(r"^(?!BERTH_API|static|typedef|#)[a-z][\w *]*?\b(berth_\w+)\(", re.M)
NODE = re.compile(r"^(BERTH_\d+) \{(.*?)^\}", re.M | re.S)


def listed(text):
    """{symbol: the node it stands in}"""
    found = {}
    for node, body in NODE.findall(re.sub(r"#[^\n]*", "", text)):
        for name in re.findall(r"^\s+(berth_\w+);", body, re.M):
            assert name not in found, f"{name} stands in {node} and {found[name]}"
            found[name] = node
    return found


def headers():
    return [p for p in sorted((ROOT / "include" / "berth").glob("*.h")) if p.name not in OF_THE_SERVER]


def test_headers_and_list_agree():
    declared = {name for p in headers() for name in DECLARED.findall(p.read_text())}
    assert declared == set(listed(MAP.read_text()))


def test_every_public_function_is_exported():
    wrong = [f"{p.name}: {name}" for p in headers() for name in FUNCTION.findall(p.read_text())]
    assert not wrong, "declared without BERTH_API:\n" + "\n".join(wrong)


def test_the_list_is_in_order():
    for _, body in NODE.findall(MAP.read_text()):
        names = re.findall(r"^\s+(berth_\w+);", body, re.M)
        assert names == sorted(names)


def test_the_check_finds():
    text = "BERTH_API int berth_a(int x);\nint berth_b(void);\nBERTH_API const char *berth_c(\n    int x);\n"
    assert DECLARED.findall(text) == ["berth_a", "berth_c"]
    assert FUNCTION.findall(text) == ["berth_b"]
    assert listed("BERTH_0 {\n    global:\n        berth_a;\n};\nBERTH_1 {\n    global:\n        berth_b;\n} BERTH_0;\n") == {
        "berth_a": "BERTH_0", "berth_b": "BERTH_1"}
