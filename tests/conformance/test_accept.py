"""Content negotiation (content-negotiation.md): what exists is answered, whatever Accept says."""

import pytest

from .oci import (DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, SCHEMA1, SCHEMA1_SIGNED, Repo, dump, platformed)

ACCEPTS = [
    None, "", "*/*", "application/*", "application/json", OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST, SCHEMA1,
    SCHEMA1_SIGNED, f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_LIST}", f"{OCI_INDEX};q=0.1,*/*;q=0.5",
    f"{OCI_MANIFEST};q=0", "text/html", "text/html, */*;q=0.1", "rubbish", ",,,", f"{OCI_INDEX} ; q=1.000 ; x=\"a,b\"", "a/b;q=5",
    "*/*;q=0", "x" * 3000,
]


def fetch(repo, reference, accept, method="GET"):
    return repo.send(method, "manifests/" + reference, headers={} if accept is None else {"Accept": accept})


@pytest.mark.parametrize("accept", ACCEPTS)
def test_accept__content_that_exists_is_never_404(repo, accept):
    """content-negotiation.md; a missing, a wildcard or an odd Accept is "anything" (R014): 200 with what was pushed,
    under its own type, by tag and by digest."""
    image, index = repo.image(tag="image"), repo.index([repo.image()], tag="index")
    for reference, what in [("image", image), ("index", index), (image["digest"], image), (index["digest"], index)]:
        for method in ("GET", "HEAD"):
            reply = fetch(repo, reference, accept, method)
            assert reply.status == 200, (accept, reply)
            assert reply.header("Content-Type") == what["mediaType"]
            assert reply.header("Docker-Content-Digest") == what["digest"]


def test_accept__several_header_lines_are_one_list(server, repo):
    """RFC 9110 section 5.3: repeated Accept lines are one list; docker and containerd send them so."""
    index = repo.index([repo.image()], tag="v1")
    lines = "".join(f"Accept: {kind}\r\n" for kind in (DOCKER_MANIFEST, DOCKER_LIST, OCI_INDEX))
    answer = server.raw(f"GET {repo.base}manifests/v1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{lines}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 ") and index["digest"].encode() in answer


@pytest.fixture
def platforms(make_server):
    """A registry that answers old clients an index's child for linux/amd64."""
    repo = Repo(make_server("--registry-default-platform=linux/amd64"))
    arm, amd = repo.image(), repo.image()
    children = [platformed(arm, "linux", "arm64"), platformed(amd, "linux", "amd64")]
    repo.index(children, tag="oci")
    repo.push(dump({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": children}), DOCKER_LIST, tag="docker")
    repo.index([platformed(arm, "linux", "arm64")], tag="arm")
    repo.amd, repo.arm = amd, arm
    return repo


@pytest.mark.parametrize("tag", ["oci", "docker"])
@pytest.mark.parametrize("accept", [DOCKER_MANIFEST, OCI_MANIFEST, f"{DOCKER_MANIFEST}, {SCHEMA1_SIGNED}"])
def test_accept__default_platform_for_a_client_without_indexes(platforms, tag, accept):
    """content-negotiation.md: for `manifest.v2+json` of a multi-platform image, "linux/amd64 for backward compatibility";
    switchable (R013)."""
    for method in ("GET", "HEAD"):
        reply = fetch(platforms, tag, accept, method)
        assert reply.status == 200, reply
        assert reply.header("Docker-Content-Digest") == platforms.amd["digest"]
        assert reply.header("Content-Type") == OCI_MANIFEST
        assert reply.header("Content-Length") == str(platforms.amd["size"])


@pytest.mark.parametrize("accept", [None, "*/*", OCI_INDEX + "," + DOCKER_LIST, f"{DOCKER_MANIFEST}, */*;q=0.1",
                                    f"{OCI_MANIFEST},{OCI_INDEX};q=0.2,{DOCKER_LIST};q=0.1"])
@pytest.mark.parametrize("tag, kind", [("oci", OCI_INDEX), ("docker", DOCKER_LIST)])
def test_accept__default_platform_leaves_others_the_index(platforms, accept, tag, kind):
    """content-negotiation.md: a client that accepts the list gets the list."""
    assert fetch(platforms, tag, accept).header("Content-Type") == kind


def test_accept__default_platform_never_answers_a_digest_with_another(platforms):
    """Pulling manifests: "MUST provide the expected manifest": by digest it is the one named."""
    digest = fetch(platforms, "oci", OCI_INDEX).header("Docker-Content-Digest")
    reply = fetch(platforms, digest, DOCKER_MANIFEST)
    assert reply.status == 200 and reply.header("Docker-Content-Digest") == digest


def test_accept__default_platform_that_is_not_there(platforms):
    """What exists is never a 404: an index without that platform is answered itself."""
    reply = fetch(platforms, "arm", DOCKER_MANIFEST)
    assert reply.status == 200 and reply.header("Content-Type") == OCI_INDEX


def test_accept__negotiated_answers_say_vary(platforms):
    """RFC 9110 section 12.5.5: an answer chosen by Accept SHOULD say so to caches."""
    assert "accept" in (fetch(platforms, "oci", DOCKER_MANIFEST).header("Vary") or "").lower()
    assert "accept" in (fetch(platforms, "oci", OCI_INDEX).header("Vary") or "").lower()


def test_accept__etag_is_of_the_representation(platforms):
    """RFC 9110 section 8.8.3: an entity-tag names one representation: the index's does not match the child's."""
    index = fetch(platforms, "oci", OCI_INDEX).header("ETag")
    reply = platforms.send("GET", "manifests/oci", headers={"Accept": DOCKER_MANIFEST, "If-None-Match": index})
    assert reply.status == 200 and reply.header("ETag") != index
