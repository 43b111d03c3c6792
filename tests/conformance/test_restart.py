"""What was acknowledged survives kill -9, and a session goes on where it was."""

import threading
import time

import pytest

from .oci import Repo, digest_of, dump, expect_error, noise, path_of, send


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_restart__resumes_a_chunked_upload_after_kill_9(make_server, algorithm):
    """Resumable Push, and "Pushing a blob in chunks" (end-13): a session survives; the status says where to go on
    (R024)."""
    server = make_server()
    repo = Repo(server)
    data = noise(1_500_000)
    location = repo.start("?digest-algorithm=" + algorithm)
    assert repo.patch(location, data[:400_000], 0).status == 202
    assert repo.patch(location, data[400_000:900_000], 400_000).status == 202
    server.kill9()
    server.restart()
    reply = repo.status(location)
    assert reply.status == 204 and reply.header("Range") == "0-899999", reply
    location = reply.header("Location")
    assert repo.patch(location, data[900_000:1_200_000], 900_000).status == 202
    server.kill9()
    server.restart()
    reply = repo.close(location, digest_of(data, algorithm), data[1_200_000:], {"Content-Range": "1200000-1499999"})
    assert reply.status == 201, reply
    assert send(server, "GET", reply.header("Location")).body == data


def test_restart__in_the_middle_of_a_chunk(make_server):
    """Resumable Push: killed while bytes are on the way, the status never promises more than is held, and what it promises
    is right."""
    import socket
    server = make_server()
    repo = Repo(server)
    data = noise(3_000_000)
    location = repo.start()
    assert repo.patch(location, data[:500_000], 0).status == 202
    with socket.create_connection((server.host, server.port), 30) as wire:
        wire.sendall(f"PATCH {path_of(location)} HTTP/1.1\r\nHost: h\r\nContent-Length: 2500000\r\n\r\n".encode()
                     + data[500_000:2_000_000])
        time.sleep(0.3)
        server.kill9()
    server.restart()
    reply = repo.status(location)
    assert reply.status == 204, reply
    have = int(reply.header("Range").split("-")[1]) + 1
    assert 500_000 <= have <= 2_000_000
    assert repo.patch(location, data[have:], have).status == 202
    assert repo.close(location, digest_of(data)).status == 201
    assert repo.get("blobs/" + digest_of(data)).body == data


def test_restart__what_was_answered_is_there(make_server):
    """Promise of each 201 and 202: blobs, manifests, tags, mounts, referrers and deletes are there after kill -9."""
    server = make_server()
    repo, other = Repo(server), Repo(server)
    large, small = noise(300_000), noise(300)
    repo.blob(large)
    repo.blob(small, "sha512")
    body = dump(repo.image_document())
    assert repo.put(digest_of(body), body, query="?tag=v1&tag=v2").status == 201
    referrer = repo.referrer(repo.image(tag="gone"))
    assert other.send("POST", f"blobs/uploads/?mount={digest_of(large)}&from={repo.name}").status == 201
    assert repo.delete("manifests/gone").status == 202
    server.kill9()
    server.restart()
    assert repo.get("blobs/" + digest_of(large)).body == large
    assert other.get("blobs/" + digest_of(large)).body == large
    assert repo.get("blobs/" + digest_of(small, "sha512")).body == small
    assert repo.get("manifests/v1").body == body and repo.tags() == ["v1", "v2"]
    assert repo.get("manifests/" + referrer["digest"]).status == 200
    subject = repo.get("manifests/" + referrer["digest"]).json()["subject"]["digest"]
    assert [entry["digest"] for entry in repo.referrers(subject)] == [referrer["digest"]]


def test_restart__closing_put_repeated_after_kill_9(make_server):
    """A client whose answer was lost with the server asks again, and gets its 201."""
    server = make_server()
    repo = Repo(server)
    data = noise(50_000)
    location = repo.start()
    assert repo.patch(location, data, 0).status == 202
    first = repo.close(location, digest_of(data))
    assert first.status == 201
    server.kill9()
    server.restart()
    again = repo.close(location, digest_of(data))
    assert again.status == 201 and path_of(again.header("Location")) == path_of(first.header("Location"))


def test_restart__cancelled_stays_cancelled(make_server):
    """end-14: a 204 is kept as well."""
    server = make_server()
    repo = Repo(server)
    location = repo.start()
    assert repo.patch(location, noise(50_000), 0).status == 202
    assert send(server, "DELETE", location).status == 204
    server.kill9()
    server.restart()
    expect_error(repo.status(location), 404, "BLOB_UPLOAD_UNKNOWN")


def test_restart__killed_under_load_loses_nothing_acknowledged(make_server):
    """Promise 1: each push that was answered before the kill is whole after it."""
    server = make_server()
    repo = Repo(server)
    repo.blob(b"{}")
    pushed, lock = [], threading.Lock()

    def push():
        while True:
            data = noise(30_000)
            try:
                descriptor = repo.blob(data)
                document = dump({"schemaVersion": 2, "config": descriptor, "layers": []})
                if repo.put("t" + digest_of(data)[7:39], document).status != 201:
                    return
            except Exception:  # the server is gone
                return
            with lock:
                pushed.append((data, document))

    threads = [threading.Thread(target=push) for _ in range(6)]
    for thread in threads:
        thread.start()
    server.wait_for(lambda: len(pushed) >= 50, 60)
    server.kill9()
    for thread in threads:
        thread.join(60)
    server.restart()
    tags = set()
    for page in range(1000):
        reply = repo.get("tags/list?n=1000" + (f"&last={max(tags)}" if tags else ""))
        assert reply.status == 200, reply
        if not reply.json()["tags"]:
            break
        tags |= set(reply.json()["tags"])
    for data, document in pushed:
        assert repo.get("blobs/" + digest_of(data)).body == data
        assert repo.get("manifests/" + digest_of(document)).body == document
        assert "t" + digest_of(data)[7:39] in tags


def test_restart__stop_and_start_keep_all(make_server):
    """SIGTERM ends it quietly; the same data serves again."""
    server = make_server()
    repo = Repo(server)
    image = repo.image(tag="v1")
    location = repo.start()
    assert repo.patch(location, b"x" * 40_000, 0).status == 202
    server.restart()
    assert repo.get("manifests/v1").header("Docker-Content-Digest") == image["digest"]
    assert repo.close(location, digest_of(b"x" * 40_000)).status == 201
