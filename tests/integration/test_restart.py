"""What the server has acknowledged outlives it: a restart between the chunks of an upload, and kill -9 in the midst of
pushes."""

import hashlib
import json
import os
import random
import threading
from urllib.parse import urlsplit

import pytest

import layout
from clients import Clients


def path_of(location):
    parts = urlsplit(location)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def with_digest(location, digest):
    path = path_of(location)
    return path + ("&" if "?" in path else "?") + f"digest={digest}"


@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_resumes_an_upload_after_restart(make_server, end):
    own = make_server()
    data = b"".join(layout.noise(3 << 20, b"resume"))
    status, headers, _ = own.request("POST", "/v2/restart/upload/blobs/uploads/")
    assert status == 202
    status, headers, _ = own.request("PATCH", headers["Location"], data[:1 << 20], {
        "Content-Type": "application/octet-stream", "Content-Range": f"0-{(1 << 20) - 1}"})
    assert (status, headers["Range"]) == (202, f"0-{(1 << 20) - 1}")
    where = headers["Location"]
    getattr(own, end)()
    own.restart()
    status, headers, _ = own.request("GET", where)
    assert status == 204
    # The server may have kept less than it was sent, never something else: its Range says where to go on.
    received = int(headers["Range"].split("-")[1]) + 1
    assert received == 1 << 20
    status, headers, _ = own.request("PATCH", headers["Location"], data[received:2 << 20], {
        "Content-Type": "application/octet-stream", "Content-Range": f"{received}-{(2 << 20) - 1}"})
    assert status == 202
    digest = layout.digest_of(data)
    status, _, body = own.request("PUT", with_digest(headers["Location"], digest), data[2 << 20:], {
        "Content-Type": "application/octet-stream", "Content-Range": f"{2 << 20}-{len(data) - 1}"})
    assert status == 201, body
    assert own.request("GET", f"/v2/restart/upload/blobs/{digest}")[2] == data


def test_content_outlives_a_restart(make_server, certificates, platforms, tmp_path):
    own = make_server()
    mine = Clients(own, certificates, tmp_path / "mine")
    mine.skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{platforms.path}:{platforms.tag}",
                f"docker://{mine.ref('restart/kept', 'v1')}")
    own.restart()
    mine.skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{mine.ref('restart/kept', 'v1')}",
                f"oci:{tmp_path}/back:v1")
    assert layout.reachable(tmp_path / "back", platforms.digest) == layout.reachable(platforms.path, platforms.digest)


def push_image(conn, repository, seed):
    """Pushes an image of two blobs; returns once the server has acknowledged its manifest."""
    def ask(method, path, body=None, headers=None):
        conn.request(method, path, body=body, headers=headers or {})
        response = conn.getresponse()
        return response.status, response.headers, response.read()

    descriptors = []
    for part in (b"config", b"layer"):
        data = b"".join(layout.noise(random.Random(seed + part).randrange(10, 300_000), seed + part))
        digest = layout.digest_of(data)
        _, headers, _ = ask("POST", f"/v2/{repository}/blobs/uploads/")
        status, _, body = ask("PUT", with_digest(headers["Location"], digest), data,
                              {"Content-Type": "application/octet-stream"})
        assert status == 201, body
        descriptors.append({"mediaType": "application/octet-stream", "digest": digest, "size": len(data)})
    manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": descriptors[0],
                           "layers": descriptors[1:], "annotations": {"seed": seed.decode()}}).encode()
    tag = f"t-{seed.decode()}"
    status, _, body = ask("PUT", f"/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": layout.MANIFEST})
    assert status == 201, body
    return tag, manifest, descriptors


@pytest.mark.parametrize("delay", [0.3, 0.9, 1.7])
def test_what_was_acknowledged_survives_kill_9(make_server, delay):
    own = make_server()
    done, wrong, lock = [], [], threading.Lock()

    def client(who):
        conn, number = own.connect(), 0
        while True:
            try:
                pushed = push_image(conn, "restart/killed", f"{who}-{number}".encode())
            except AssertionError as e:
                wrong.append(e)
                return
            except Exception:
                return                     # the server is gone
            with lock:
                done.append(pushed)
            number += 1

    threads = [threading.Thread(target=client, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    own.wait_for(lambda: done or wrong)
    threading.Event().wait(delay)
    own.kill9()
    for t in threads:
        t.join()
    assert not wrong, wrong[0]
    own.restart()
    for tag, manifest, descriptors in done:
        status, _, body = own.request("GET", f"/v2/restart/killed/manifests/{tag}", headers={"Accept": layout.MANIFEST})
        assert (status, body) == (200, manifest)
        for each in descriptors:
            status, _, body = own.request("GET", f"/v2/restart/killed/blobs/{each['digest']}")
            assert (status, layout.digest_of(body)) == (200, each["digest"])
    # Nothing half done is visible either: every tag that is listed can be pulled whole.
    tags = json.loads(own.request("GET", "/v2/restart/killed/tags/list")[2])["tags"]
    assert set(tags) >= {tag for tag, _, _ in done}
    for tag in set(tags) - {tag for tag, _, _ in done}:
        body = own.request("GET", f"/v2/restart/killed/manifests/{tag}", headers={"Accept": layout.MANIFEST})[2]
        for each in [json.loads(body)["config"], *json.loads(body)["layers"]]:
            status, _, data = own.request("GET", f"/v2/restart/killed/blobs/{each['digest']}")
            assert (status, layout.digest_of(data)) == (200, each["digest"])
    # And the registry goes on.
    push_image(own.connect(), "restart/killed", b"after")


def test_a_client_that_leaves_midway_leaves_nothing_behind(make_server):
    own = make_server()
    _, headers, _ = own.request("POST", "/v2/restart/left/blobs/uploads/")
    path = path_of(headers["Location"])
    own.raw(f"PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n"
            "\r\nonly a little".encode(), timeout=1)
    status, headers, _ = own.request("GET", path)
    assert status in (204, 404)
    if status == 204 and headers["Range"] not in (None, "0-0"):
        assert int(headers["Range"].split("-")[1]) < len("only a little")
    assert own.request("GET", "/v2/")[0] == 200


def test_a_streamed_patch_is_kept_up_to_its_last_record_when_the_server_dies(make_server):
    """Most clients stream a whole layer in one PATCH: a crash must not cost all of it."""
    own = make_server()
    location = own.request("POST", "/v2/streamed/a/blobs/uploads/")[1]["Location"]
    piece = os.urandom(1 << 20)
    connection = own.connect()
    connection.putrequest("PATCH", urlsplit(location).path)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for _ in range(100):
        connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    own.wait_for(lambda: int(own.request("GET", location)[1]["Range"].split("-")[1]) >= 64 << 20)
    own.kill9()
    own.start()
    status, headers, _ = own.request("GET", urlsplit(location).path)
    kept = int(headers["Range"].split("-")[1]) + 1
    assert status == 204 and kept % (1 << 20) == 0 and 64 << 20 <= kept <= 100 << 20
    rest = piece * (100 - (kept >> 20))
    if rest:
        assert own.request("PATCH", urlsplit(location).path, rest, {"Content-Range": f"{kept}-{(100 << 20) - 1}"})[0] == 202
    digest = "sha256:" + hashlib.sha256(piece * 100).hexdigest()
    assert own.request("PUT", f"{urlsplit(location).path}?digest={digest}")[0] == 201
