"""The order of the rooms under src/, read from their #include lines: nothing points up the list, nothing visits a room
that its row does not name, and a library stops at one door. ARCHITECTURE.md explains why."""

import fnmatch
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# From the ground up: a room, and the rooms it may include beside itself and include/berth.
MAY_INCLUDE = {
    "util": "",
    "oci": "util",
    "auth": "util",
    "http": "util",
    "content": "util oci",
    "storage": "util oci http",
    "metadata": "util oci",
    "repo": "util oci content storage metadata",
    "access": "util oci auth http metadata",
    "client": "util oci auth http content",
    "copy": "util oci content",
    "registry": "util oci auth http repo access",
    "ui": "util oci auth http repo access",
    "daemon": "util oci auth http content storage metadata repo access client copy registry ui",
    "cli": "util oci auth http content client copy daemon",
}

# A library's header, and the files that may see it.
DOORS = {
    "llhttp.h": ["http/parser.c", "http/llhttp_probe.c"],        # the probe is run by the build, not linked
    "uv.h": ["http/server.c", "http/worker.c", "http/*_private.h", "http/loop.h", "http/loop.c"],
    "sqlite3.h": ["metadata/sqlite*"],
    "libpq-fe.h": ["metadata/postgres*"],
    "jansson.h": ["oci/*", "auth/*", "access/*", "cli/*"],
    "openssl/*": ["util/hash.c", "http/tls.c", "auth/*"],
    "cyaml/*": ["daemon/config*.c", "cli/sync_file.c"],
    "yaml.h": ["daemon/config*.c", "cli/hosts_file.c", "cli/sync_file.c"],
    "curl/*": ["client/client_curl*"],
    "ldap.h": ["access/ldap.c"],
    "archive*.h": ["content/tar.c", "content/tar_write.c", "content/tar_library.*"],
    "zlib.h": ["util/compress.c"],
    "zstd.h": ["util/compress.c"],
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def sources():
    return sorted(p for p in SRC.rglob("*") if p.suffix in (".c", ".h"))


def includes(text):
    return INCLUDE.findall(text)


def visits(path, text):
    """What is wrong with the #include lines of src/<path>, as sentences."""
    room = path.split("/")[0]
    wrong = []
    for quote, name in includes(text):
        visited = name.split("/")[0]
        if quote == '"' and name.startswith("berth/"):
            continue
        if quote == '"' and visited not in MAY_INCLUDE:
            wrong.append(f'{path}: "{name}" is in no room (paths start with the room)')
        elif quote == '"' and visited != room and visited not in MAY_INCLUDE.get(room, "").split():
            wrong.append(f"{path}: {room} may not include {name}")
        for header, files in DOORS.items():
            if fnmatch.fnmatch(name, header) and not any(fnmatch.fnmatch(path, f) for f in files):
                wrong.append(f"{path}: {name} is only for {', '.join(files)}")
    return wrong


def test_every_folder_is_a_room():
    assert {p.name for p in SRC.iterdir() if p.is_dir()} <= set(MAY_INCLUDE)


def test_rooms_are_listed_from_the_ground_up():
    rooms = list(MAY_INCLUDE)
    for room, others in MAY_INCLUDE.items():
        for other in others.split():
            assert rooms.index(other) < rooms.index(room)


@pytest.mark.parametrize("room", [r for r in MAY_INCLUDE if (SRC / r).is_dir()])
def test_room_visits_only_its_row(room):
    wrong = []
    for path in sources():
        relative = str(path.relative_to(SRC))
        if relative.startswith(room + "/"):
            wrong += visits(relative, path.read_text())
    assert not wrong, "\n".join(wrong)


def test_quoted_includes_exist():
    wrong = []
    for path in sources():
        for quote, name in includes(path.read_text()):
            if quote == '"' and not (SRC / name).exists() and not (ROOT / "include" / name).exists():
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert not wrong, "\n".join(wrong)


def below(room):
    """The rooms of a row, and those whose headers come along with them."""
    found = set()
    for other in MAY_INCLUDE[room].split():
        found |= {other} | below(other)
    return found


def test_the_build_gives_no_wider_view():
    text = (ROOT / "meson.build").read_text()
    table = re.search(r"may_include = \{(.*?)\n\}", text, re.S).group(1)
    rows = re.findall(r"'(\w+)': \[([^\]]*)\]", table)
    assert rows
    for room, others in rows:
        assert set(re.findall(r"\w+", others)) <= below(room), room


@pytest.mark.parametrize("path, line", [
    ("registry/blobs.c", '#include "storage/store.h"'),
    ("oci/digest.c", '#include "http/url.h"'),
    ("util/buf.c", '#include "oci/digest.h"'),
    ("repo/gc.c", '#include "digest.h"'),
    ("http/server.c", "#include <llhttp.h>"),
    ("repo/gc.c", "#include <sqlite3.h>"),
    ("registry/tags.c", "#  include <jansson.h>"),
    ("oci/digest.c", "#include <openssl/evp.h>"),
])
def test_the_check_finds(path, line):
    assert visits(path, "#include <stdio.h>\n" + line + "\n")
