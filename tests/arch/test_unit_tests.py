"""tests/unit/ mirrors src/, and bench/ beside it: who looks for the tests of a file finds them under its name, built and run."""

import fnmatch
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC, UNIT = ROOT / "src", ROOT / "tests" / "unit"

# Tested under another name: why, and where.
ELSEWHERE = {
    "http/llhttp_probe.c": ("run by the build, not part of the server", "src/http/meson.build"),
    "http/connection.c": ("needs sockets and loops: a whole server", "tests/unit/http/server.c"),
    "http/request.c": ("needs a connection: a whole server", "tests/unit/http/server.c"),
    "http/response.c": ("what arrives at a client counts: a whole server", "tests/unit/http/server.c"),
    "http/send.c": ("needs a socket that takes no more: a whole server", "tests/unit/http/server.c"),
    "http/buffers.c": ("needs connections that wait for each other", "tests/unit/http/body.c"),
    "client/transport.c": ("moves calls along: seen by whole calls", "tests/unit/client/client.c"),
    "client/client_curl.c": ("moves bytes for calls: seen by whole calls", "tests/unit/client/client.c"),
    "cli/commands.c": ("a list: every row of it is looked at", "tests/unit/cli/command.c"),
    "cli/completion.c": ("shells complete with it: real ones", "tests/integration/test_client_frame.py"),
    "cli/document*.c": ("agree with --help, for every command", "tests/integration/test_client_frame.py"),
    "cli/help.c": ("what it prints is made of rows", "tests/unit/cli/command.c"),
    "cli/output.c": ("what it prints comes from commands", "tests/unit/cli/reference.c"),
    "cli/format_*.c": ("the parts of one language, seen only together", "tests/unit/cli/format.c"),
    "cli/ping.c": ("a command on a registry: real ones", "tests/integration/test_client.py"),
    "cli/tag.c": ("a command on a registry: real ones", "tests/integration/test_client.py"),
    "cli/manifest.c": ("a command on a registry: real ones", "tests/integration/test_client.py"),
    "cli/artifact_*.c": ("commands on a registry: real ones", "tests/integration/test_client_artifacts.py"),
    "cli/interrupt.c": ("what signals do to a program: the real one", "tests/integration/test_client_upload_line.py"),
    "cli/in*.c": ("commands on a registry: real ones", "tests/integration/test_client_documents.py"),
    "cli/place_write.c": ("brings images to registries and layouts", "tests/integration/test_client_documents.py"),
    "cli/place.c": ("commands on a registry: real ones", "tests/integration/test_client_documents.py"),
    "client/content.c": ("asks the client's own calls: real registries", "tests/integration/test_client_documents.py"),
    "cli/request.c": ("a command on a registry: real ones", "tests/integration/test_client_request.py"),
    "cli/blob.c": ("a command on a registry: real ones", "tests/integration/test_client.py"),
    "content/tar_library.c": ("loads a library: every archive needs it", "tests/unit/content/tar.c"),
    "client/client_curl_load.c": ("loads a library: every call of the client needs it", "tests/unit/client/client.c"),
    "client/put_plan.c": ("begins what put.c does: its options are tested with that", "tests/unit/client/put.c"),
    "client/client_curl_route.c": ("tells libcurl: connections are made, or not", "tests/integration/test_client_connection.py"),
    "client/call_*.c": ("the parts of one call, seen only together", "tests/unit/client/call.c"),
    "client/authorize.c": ("a part of a call: whole calls", "tests/unit/client/call.c"),
    "client/identity.c": ("asks real registries", "tests/integration/test_client_login.py"),
    "cli/auth.c": ("a command on a registry: real ones", "tests/integration/test_client_login.py"),
    "cli/connect.c": ("options that change what is sent", "tests/integration/test_client_connection.py"),
    "cli/hosts_store.c": ("a file that programs share", "tests/integration/test_client_hosts.py"),
    "cli/registry.c": ("edits a file that commands go by: real registries", "tests/integration/test_client_hosts.py"),
    "cli/login.c": ("a command on a registry: real ones", "tests/integration/test_client_login.py"),
    "cli/prompt.c": ("needs a terminal", "tests/integration/test_client_login.py"),
    "cli/blob_*.c": ("commands on a registry: real ones", "tests/integration/test_client_upload.py"),
    "cli/manifest_head.c": ("commands on a registry: real ones", "tests/integration/test_client_heads.py"),
    "cli/manifest_manage.c": ("commands on a registry: real ones", "tests/integration/test_client_manifests.py"),
    "cli/tag_manage.c": ("commands on a registry: real ones", "tests/integration/test_client_manifests.py"),
    "cli/catalog.c": ("a command on a registry: real ones", "tests/integration/test_client_manifests.py"),
    "cli/listing.c": ("lists of a registry: real ones", "tests/integration/test_client_manifests.py"),
    "metadata/sqlite*.c": ("one driver: every driver passes the contract", "tests/contract/metadata.c"),
    "storage/memory.c": ("one driver: every driver passes the contract", "tests/contract/blob_store.c"),
    "repo/import_*.c": ("the parts of one import, seen only together", "tests/unit/repo/import.c"),
}

# Tests of what no single file does, and of what stands beside src/.
BESIDE = {"bench/histogram.c"}
OF_THE_ROOM = BESIDE | {"metadata/contract.c", "metadata/crash.c", "metadata/faults.c", "metadata/schema.c", "repo/faults.c"}


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.glob("*/*.c"))


def untested(sources, tests, elsewhere):
    return [s for s in sources if s not in tests and not any(fnmatch.fnmatch(s, p) for p in elsewhere)]


def test_every_file_has_its_tests():
    wrong = untested(names(SRC), names(UNIT), ELSEWHERE)
    assert not wrong, "no tests/unit/<room>/<file>.c, nor a reason above:\n" + "\n".join(wrong)


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_every_reason_is_still_true(pattern):
    _, where = ELSEWHERE[pattern]
    assert (ROOT / where).exists()
    assert untested(fnmatch.filter(names(SRC), pattern), names(UNIT), []), "they have their tests: no reason is needed"


def test_every_test_says_what_it_tests():
    wrong = [t for t in names(UNIT) if t not in names(SRC) and t not in OF_THE_ROOM and not t.endswith("/fixture.c")]
    assert not wrong, "mirrors no file of src/:\n" + "\n".join(wrong)


def test_every_test_is_built():
    wrong = []
    for test in names(UNIT):
        room, file = test.split("/")
        if f"'{file}'" not in (UNIT / room / "meson.build").read_text():
            wrong.append(test)
    assert not wrong, "not in its room's meson.build:\n" + "\n".join(wrong)


def test_names_say_where_they_stand():
    """test_<room>_<file>__<sentence>, so that a failure is found by its name alone."""
    wrong = []
    for test in names(UNIT):
        if test.endswith("/fixture.c"):
            continue
        want = "test_" + test.removesuffix(".c").replace("/", "_") + "__"
        found = re.findall(r"^static void (test_\w+)\(void \*\*", (UNIT / test).read_text(), re.M)
        wrong += [f"{test}: {name}" for name in found if not name.startswith(want)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("source, missing", [
    ("registry/blobs.c", False), ("registry/new.c", True), ("metadata/sqlite_new.c", False), ("repo/import.c", True),
])
def test_the_check_finds(source, missing):
    assert bool(untested([source], ["registry/blobs.c"], ELSEWHERE)) == missing
