"""Many clients at once: one blob, one tag, one subject, one repository."""

import http.client

import pytest

from .oci import OCI_MANIFEST, Repo, digest_of, dump, gather, noise, pages, send


@pytest.mark.parametrize("size", [500, 300_000])
@pytest.mark.parametrize("way", ["post", "put", "chunks"])
def test_concurrency__the_same_blob_by_sixteen(repo, size, way):
    """Layer Upload De-duplication: "both operations will proceed and the first to complete will be stored" (R050)."""
    data = noise(size)
    digest = digest_of(data)

    def push(_):
        if way == "post":
            return repo.send("POST", "blobs/uploads/?digest=" + digest, data)
        location = repo.start()
        if way == "chunks":
            half = size // 2
            assert repo.patch(location, data[:half], 0).status == 202
            return repo.close(location, digest, data[half:], {"Content-Range": f"{half}-{size - 1}"})
        return repo.close(location, digest, data)

    assert [reply.status for reply in gather(16, push)] == [201] * 16
    assert repo.get("blobs/" + digest).body == data


def test_concurrency__the_same_blob_in_sixteen_repositories(server):
    """Layer Upload De-duplication: each repository has it afterwards."""
    data = noise(100_000)
    repos = [Repo(server) for _ in range(16)]
    gather(16, lambda i: repos[i].blob(data))
    for repo in repos:
        assert repo.get("blobs/" + digest_of(data)).body == data


def test_concurrency__one_tag_moved_by_sixteen(repo):
    """Pushing Manifests: a tag points at one manifest, whole, at every moment."""
    bodies = [dump(repo.image_document()) for _ in range(16)]
    digests = {digest_of(body): body for body in bodies}
    repo.push(bodies[0], tag="v1")

    def move(i):
        seen = []
        for _ in range(5):
            assert repo.put("v1", bodies[i]).status == 201
            reply = repo.get("manifests/v1")
            seen.append((reply.status, reply.header("Docker-Content-Digest"), reply.body))
        return seen

    for seen in gather(16, move):
        for status, digest, body in seen:
            assert status == 200 and digests[digest] == body
    assert repo.tags() == ["v1"]
    for digest in digests:
        assert repo.head("manifests/" + digest).status == 200


def test_concurrency__two_hundred_referrers_none_lost(repo):
    """Referrers Tag Schema: "race conditions and data loss ... can be resolved by using a registry that provides the
    referrers API"."""
    subject = repo.image()
    repo.blob(b"{}")
    pushed = gather(16, lambda i: [repo.referrer(subject)["digest"] for _ in range(12 + (i < 8))])
    pushed = sorted(digest for part in pushed for digest in part)
    assert len(pushed) == 200
    found = pages(repo.server, f"{repo.base}referrers/{subject['digest']}")
    assert sorted(entry["digest"] for page in found for entry in page.json()["manifests"]) == pushed


def test_concurrency__tags_of_one_put_are_seen_together(repo):
    """end-7b: whoever sees one of the tags sees all of them, at the same manifest (R040)."""
    bodies = [dump(repo.image_document()) for _ in range(2)]
    tags = [f"t{i}" for i in range(10)]
    query = "?" + "&".join("tag=" + tag for tag in tags)
    assert repo.put(digest_of(bodies[0]), bodies[0], query=query).status == 201
    rounds = 30

    def work(i):
        if i == 0:
            for n in range(1, rounds + 1):
                assert repo.put(digest_of(bodies[n % 2]), bodies[n % 2], query=query).status == 201
            return []
        return [repo.tags() for _ in range(rounds)]

    for seen in gather(4, work):
        assert all(each == tags for each in seen)
    new = [f"n{i}" for i in range(10)]

    def race(i):
        if i == 0:
            return repo.put(digest_of(bodies[0]), bodies[0], query="?" + "&".join("tag=" + tag for tag in new)).status
        return [repo.tags() for _ in range(rounds)]

    results = gather(4, race)
    assert results[0] == 201
    for lists in results[1:]:
        assert all([tag for tag in each if tag in new] in ([], new) for each in lists)


def test_concurrency__a_repository_made_by_sixteen(server):
    """A push makes its repository: at once from many sides it is one."""
    repo = Repo(server)
    gather(16, lambda i: repo.image(tag=f"v{i}"))
    assert sorted(repo.tags()) == sorted(f"v{i}" for i in range(16))


def test_concurrency__the_same_manifest_by_sixteen(repo):
    """Pushing Manifests: the same bytes at once, under tags of their own."""
    body = dump(repo.image_document())
    replies = gather(16, lambda i: repo.put(f"v{i}", body))
    assert [reply.status for reply in replies] == [201] * 16
    assert len(repo.tags()) == 16


def test_concurrency__delete_against_push_is_one_or_the_other(repo):
    """end-9 against end-7: afterwards the tag is there and whole, or not at all; never a 5xx."""
    body = dump(repo.image_document())
    digest = digest_of(body)

    def work(i):
        return [(repo.put("v1", body) if i % 2 else repo.delete("manifests/" + digest)).status for _ in range(10)]

    for statuses in gather(8, work):
        assert all(status in (201, 202, 404) for status in statuses), statuses
    tag, manifest = repo.get("manifests/v1"), repo.get("manifests/" + digest)
    assert tag.status in (200, 404)
    if tag.status == 200:
        assert manifest.status == 200 and tag.body == body


def test_concurrency__delete_of_a_blob_against_a_manifest_that_needs_it(repo):
    """end-10 against end-7: the manifest is refused with MANIFEST_BLOB_UNKNOWN or the delete is; never both accepted."""
    for _ in range(10):
        document = repo.image_document()
        layer = document["layers"][0]["digest"]
        put, delete = gather(2, lambda i: repo.put("v1", dump(document)) if i else repo.delete("blobs/" + layer))[::-1]
        if put.status == 201:
            assert delete.status in (405, 409), delete
            assert repo.head("blobs/" + layer).status == 200
        else:
            assert put.errors()[0]["code"] == "MANIFEST_BLOB_UNKNOWN" and delete.status == 202, (put, delete)


def test_concurrency__a_hundred_requests_on_one_connection(server, repo):
    """RFC 9112 section 9.3: a connection is kept and serves the next request (R087)."""
    body = dump(repo.image_document())
    repo.push(body, tag="v1")
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    try:
        for i in range(100):
            connection.request(["GET", "HEAD"][i % 2], repo.base + ("manifests/v1" if i % 3 else "manifests/none"))
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == (200 if i % 3 else 404)
            if i % 3 and i % 2 == 0:
                assert content == body
    finally:
        connection.close()


def test_concurrency__pulls_while_pushes_go_on(repo):
    """Pulling manifests: readers never wait for, nor see half of, what writers do."""
    data = noise(200_000)
    digest = repo.blob(data)["digest"]
    body = dump(repo.image_document())
    repo.push(body, tag="fixed")

    def work(i):
        for _ in range(10):
            if i % 2:
                assert repo.get("blobs/" + digest).body == data
                assert repo.get("manifests/fixed").body == body
            else:
                repo.image(tag=f"w{i}")
        return True

    assert all(gather(12, work))


def test_concurrency__catalog_pages_while_repositories_come(server):
    """_catalog by name: what was there from the start is in the pages."""
    first = [Repo(server) for _ in range(5)]
    for repo in first:
        repo.image()

    def work(i):
        if i == 0:
            found = pages(server, "/v2/_catalog?n=2", limit=5000)
            return [name for page in found for name in page.json()["repositories"]]
        for _ in range(5):
            Repo(server).image()
        return None

    names = gather(3, work)[0]
    assert names == sorted(set(names)) and {repo.name for repo in first} <= set(names)


def test_concurrency__mount_while_the_source_is_deleted(repo, other):
    """end-11 against end-10: the mount is a 201 with the bytes, or a session."""
    for _ in range(10):
        data = noise(20_000)
        digest = repo.blob(data)["digest"]
        mount, delete = gather(2, lambda i: repo.delete("blobs/" + digest) if i else
                               other.send("POST", f"blobs/uploads/?mount={digest}&from={repo.name}"))
        assert mount.status in (201, 202) and delete.status == 202, (mount, delete)
        if mount.status == 201:
            assert other.get("blobs/" + digest).body == data


def test_concurrency__a_slow_client_holds_up_nobody(server, repo):
    """R099: bodies that trickle, and as many as there are workers and more, leave the others served."""
    import socket
    wires = []
    try:
        for _ in range(40):
            location = repo.start()
            wire = socket.create_connection((server.host, server.port), 30)
            wire.sendall(f"PATCH {location.split(str(server.port), 1)[1]} HTTP/1.1\r\nHost: h\r\n"
                         "Content-Length: 1000000\r\n\r\nabc".encode())
            wires.append(wire)
        repo.image(tag="v1")
        assert send(server, "GET", repo.base + "manifests/v1", headers={"Accept": OCI_MANIFEST}).status == 200
    finally:
        for wire in wires:
            wire.close()
