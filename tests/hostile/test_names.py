"""Names, digests and sessions that aim outside of the store, and documents made to be dear: refused, and nothing moves."""

import hashlib
import itertools
import json
import os
import time
from pathlib import Path

import pytest

from server import Server

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
HEX = "0" * 64
OUTSIDE = [
    "..", "../..", "../../canary", "..%2f..%2fcanary", "%2e%2e/%2e%2e/canary", "%2e%2e%2f%2e%2e%2fcanary", "..%5c..%5ccanary",
    "..\\..\\canary", "....//....//canary", "..;/..;/canary", "%252e%252e%252fcanary", "%c0%ae%c0%ae/canary",
    "%ef%bc%8e%ef%bc%8e/canary", "/canary", "//canary", "%2fcanary", ".", "./canary", "a/../../../canary", "a/./b", "a//b",
    "canary%00", "canary%00.json", "%00", "canary%0a", "canary%0d%0aX-Injected:%20y", "~", "~root", "$HOME", "`id`", "|id", ";id",
    "*", "?", "[a]", "{a}", "con", "nul", "aux", "file:///etc/passwd", "a" * 300, "a/" * 200 + "a", "-", "_", "a-", "-a", "A",
    "lock", "berth.db", "../berth.db", "..%2fberth.db", "objects", "../objects", "\u202ea", "%e2%80%ae",
]
DIGESTS = [
    f"sha256:../../{HEX[6:]}", f"sha256:..%2f..%2f{HEX[:-6]}", f"../sha256:{HEX}", f"sha256:{HEX}/../../canary", f"sha256:{HEX}%00",
    f"sha256:{HEX[:-1]}", f"sha256:{HEX}0", f"SHA256:{HEX}", f"sha256:{'G' * 64}", f"sha256:{'A' * 64}", f"sha256%3a..%2f{HEX}",
    f"sha512:{HEX}", f"md5:{HEX[:32]}", f"sha256:%2e%2e{HEX[2:]}", f"sha256+b64:{HEX}", f"../../etc/passwd:{HEX}", f"sha256::{HEX}",
    f"sha256:{HEX[:-2]}..", "sha256:", ":", f":{HEX}", f"sha256:/{HEX[1:]}", f"sha256:{HEX[:-4]}%zz%",
]


def tree(folder):
    """What lies beside the data folder: paths, modes, sizes and times."""
    return {str(p): (p.lstat().st_mode, p.lstat().st_size, p.lstat().st_mtime_ns)
            for p in Path(folder).rglob("*") if not p.relative_to(folder).parts[0].startswith("data")}


def is_refused(answer):
    status, headers, body = answer
    assert 400 <= status < 500, (status, body)
    assert "X-Injected" not in headers
    assert b"secret of the canary" not in body
    return True


@pytest.fixture(scope="module")
def shared(berth_binary, tmp_path_factory):
    """A server whose data folder lies beside a file that nobody may reach."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "canary").write_text("secret of the canary")
    (folder / "canary.json").write_text('{"secret of the canary":1}')
    running = Server(berth_binary, folder / "data")
    yield running
    running.stop()


@pytest.fixture
def guarded(shared):
    """The same; after each test nothing has changed beside the folder, and nothing foreign lies in it."""
    before = tree(shared.data.parent)
    yield shared
    assert tree(shared.data.parent) == before and len(before) == 2
    assert {p.name for p in shared.data.iterdir()} <= {"berth.db", "berth.db-wal", "berth.db-shm", "format", "lock",
                                                       "objects", "control.sock"}


@pytest.mark.parametrize("name", OUTSIDE)
def test_names__that_aim_outside_are_refused_in_every_place(guarded, name):
    name = name.encode("ascii", "backslashreplace").decode().replace(" ", "%20").replace("?", "%3F")
    content = b"{}"
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    for method, path, body in (
            ("GET", f"/v2/{name}/manifests/v1", None), ("GET", f"/v2/{name}/blobs/{digest}", None),
            ("GET", f"/v2/{name}/tags/list", None), ("PUT", f"/v2/{name}/manifests/v1", content),
            ("GET", f"/v2/a/manifests/{name}", None), ("DELETE", f"/v2/a/manifests/{name}", None),
            ("GET", f"/v2/a/blobs/{name}", None), ("GET", f"/v2/a/referrers/{name}", None),
            ("GET", f"/v2/a/blobs/uploads/{name}", None), ("PATCH", f"/v2/a/blobs/uploads/{name}", content),
            ("PUT", f"/v2/a/blobs/uploads/{name}?digest={digest}", content), ("DELETE", f"/v2/a/blobs/uploads/{name}", None),
            ("POST", f"/v2/a/blobs/uploads/?digest={name}", content)):
        if name == "a" * 300 and "/manifests/" not in path and "/blobs/" not in path:
            continue
        if name in ("lock", "objects", "con", "nul", "aux") and (f"/{name}/" in path or path.endswith(name)):
            # Names like any other to us: they never become a path.
            assert guarded.request(method, path, body, {"Content-Type": MANIFEST})[0] in (202, 400, 404)
            continue
        assert is_refused(guarded.request(method, path, body, {"Content-Type": MANIFEST}))
    # Where it stands beside a blob that is there: a mount from it is an upload like any other, or refused.
    status, headers, _ = guarded.request("POST", f"/v2/a/blobs/uploads/?mount={digest}&from={name}", b"")
    assert status in (202, 400, 404) and "X-Injected" not in headers
    status, _, body = guarded.request("GET", f"/v2/_catalog?last={name}")
    assert status in (200, 400) and b"secret" not in body


@pytest.mark.parametrize("digest", DIGESTS)
def test_names__digests_that_are_none_are_refused_in_every_place(guarded, digest):
    for method, path, body in (
            ("GET", f"/v2/a/blobs/{digest}", None), ("HEAD", f"/v2/a/blobs/{digest}", None),
            ("DELETE", f"/v2/a/blobs/{digest}", None), ("GET", f"/v2/a/manifests/{digest}", None),
            ("PUT", f"/v2/a/manifests/{digest}", b"{}"), ("DELETE", f"/v2/a/manifests/{digest}", None),
            ("GET", f"/v2/a/referrers/{digest}", None), ("POST", f"/v2/a/blobs/uploads/?digest={digest}", b"{}")):
        assert is_refused(guarded.request(method, path, body, {"Content-Type": MANIFEST}))


D = "sha256:" + HEX
DESCRIPTOR = f'{{"mediaType":"{MANIFEST}","size":7,"digest":"{D}"}}'
LIMIT = 4 << 20
PEAK_MIB = 704 if os.environ.get("BERTH_BUILD") == "asan" else 96      # measured: 450 and 62
DEAR = {
    "deep arrays": b'{"schemaVersion":2,"manifests":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    "deep objects": b'{"a":' * 500_000 + b"1" + b"}" * 500_000,
    "deep and cut": b"[" * 4_000_000,
    "half a million numbers": b'{"schemaVersion":2,"manifests":[],"x":[' + b"1," * 500_000 + b"1]}",
    "every descriptor the same": (f'{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[' +
                                  ",".join([DESCRIPTOR] * 20_000) + "]}").encode(),
    "keys by the hundred thousand": b'{"schemaVersion":2' + b"".join(b',"k%d":0' % i for i in range(250_000)) + b"}",
    "one key again and again": b"{" + b'"schemaVersion":2,' * 200_000 + b'"manifests":[]}',
    "two lists": b'{"schemaVersion":2,"manifests":[],"manifests":[' + DESCRIPTOR.encode() + b"]}",
    "two types": f'{{"schemaVersion":2,"mediaType":"{INDEX}","mediaType":"{MANIFEST}","manifests":[]}}'.encode(),
    "two digests": f'{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","size":1,"digest":"{D}","digest":"sha256:{"1" * 64}"}}]}}'
    .encode(),
    "long string": b'{"schemaVersion":2,"manifests":[],"annotations":{"a":"' + b"x" * 4_000_000 + b'"}}',
    "long number": b'{"schemaVersion":' + b"9" * 1_000_000 + b',"manifests":[]}',
    "long exponent": b'{"schemaVersion":2e' + b"9" * 100_000 + b',"manifests":[]}',
    "bad utf-8": b'{"schemaVersion":2,"manifests":[],"annotations":{"a":"\xff\xfe\x80"}}',
    "overlong utf-8": b'{"schemaVersion":2,"manifests":[],"annotations":{"a":"\xc0\xae\xc0\xae"}}',
    "surrogate bytes": b'{"schemaVersion":2,"manifests":[],"annotations":{"a":"\xed\xa0\x80"}}',
    "lone surrogate": b'{"schemaVersion":2,"manifests":[],"annotations":{"a":"\\ud800"}}',
    "nul in a string": b'{"schemaVersion":2,"manifests":[],"annotations":{"a":"\x00"}}',
    "nul escaped in a key": b'{"schemaVersion":2,"manifests":[],"anno\\u0000tations":{}}',
    "utf-16": '{"schemaVersion":2,"manifests":[]}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + b'{"schemaVersion":2,"manifests":[]}',
    "negative size": f'{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","size":-1,"digest":"{D}"}}]}}'.encode(),
    "huge size": f'{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","size":1e400,"digest":"{D}"}}]}}'.encode(),
    "blanks": b" " * 4_000_000 + b"{}",
    "nothing": b"",
    "zeros": bytes(4_000_000),
}
# Well-formed JSON whose oddness is in what nobody reads: it may be stored, byte by byte, or refused.
MAY_BE_STORED = {"half a million numbers", "keys by the hundred thousand", "long string", "every descriptor the same"}


@pytest.mark.parametrize("name", DEAR)
def test_names__dear_documents_cost_little(shared, name):
    """Each is answered at once, without the memory that it asks for, and the server is as good as before."""
    assert len(DEAR[name]) <= LIMIT
    server, started = shared, time.monotonic()
    for kind in (INDEX, MANIFEST):
        status, _, body = server.request("PUT", "/v2/a/manifests/v1", DEAR[name], {"Content-Type": kind})
        assert 400 <= status < 500 or (status == 201 and name in MAY_BE_STORED), (status, body[:200])
        if status >= 400:
            assert json.loads(body)["errors"], body
            assert len(body) < 2 * LIMIT
    assert time.monotonic() - started < 60     # a hang; not a measure
    peak = next(int(line.split()[1]) for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
                if line.startswith("VmHWM:"))
    assert peak < PEAK_MIB << 10, f"{peak} KiB"
    assert server.request("GET", "/v2/")[0] == 200


NUMBERS = ["0", "1", "99999", "2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807", "18446744073709551615",
           "18446744073709551616", "9" * 400, "-1", "+1", "1.0", "1e9", "0x10", "%31", "", "a", "1a", "%00", "1%00", "%20", "1&n=2"]


@pytest.mark.parametrize("n", NUMBERS)
def test_names__pages_of_any_size_are_bounded(server, n):
    """A page has no more entries than there are, nor than the server's own bound, however many are asked for."""
    for tag in ("a", "b", "c"):
        assert server.request("PUT", f"/v2/hostile/pages/manifests/{tag}", b'{"schemaVersion":2,"manifests":[]}',
                              {"Content-Type": INDEX})[0] == 201
    for path, key in (("/v2/_catalog", "repositories"), ("/v2/hostile/pages/tags/list", "tags")):
        for last in ("", "&last=a", "&last=" + "z" * 4000, "&last=%ff", "&last=%zz", "&last="):
            status, headers, body = server.request("GET", f"{path}?n={n}{last}")
            assert status in (200, 400, 414), (path, status, body)
            if status == 200:
                found = json.loads(body)[key]
                assert len(found) <= 100_000
                assert n != "0" or not found
                assert n != "1" or len(found) <= 1
            assert len(headers.get("Link") or "") < 16_384


def test_names__no_combination_of_headers_moves_the_location(server):
    """Location is made of Host, which is checked; what a stranger says in X-Forwarded-* is not believed."""
    for host, name in itertools.product(("good.example", "good.example:99"), ("X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded",
                                                                              "X-Forwarded-Port", "X-Original-Host", "X-Host")):
        _, headers, _ = server.request("POST", "/v2/hostile/location/blobs/uploads/", b"", {"Host": host, name: "evil.example"})
        assert headers["Location"].startswith((f"http://{host}/v2/", "/v2/")) and "evil" not in headers["Location"]
