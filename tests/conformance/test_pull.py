"""Pull: manifests by tag and digest, and whether content exists (end-2, end-3). Bodies of blobs: test_blobs.py."""

import pytest

from .oci import ABSENT, OCI_INDEX, OCI_MANIFEST, digest_of, dump, expect_error, noise


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_pull__manifest_by_digest_is_the_bytes_pushed(repo, algorithm):
    """Pulling manifests: "A GET request to an existing manifest URL MUST provide the expected manifest, with a response
    code that MUST be 200 OK"; "MUST contain the digest ... Docker-Content-Digest"."""
    body = dump(repo.image_document(algorithm=algorithm)) + b"\n  "
    digest = repo.push(body, algorithm=algorithm)["digest"]
    reply = repo.get("manifests/" + digest)
    assert reply.status == 200 and reply.body == body, reply
    assert reply.header("Docker-Content-Digest") == digest
    assert digest_of(reply.body, algorithm) == digest


def test_pull__manifest_by_tag(repo):
    """Pulling manifests (end-3): `<tag-or-digest>` may be a tag."""
    body = dump(repo.image_document())
    digest = repo.push(body, tag="v1")["digest"]
    reply = repo.get("manifests/v1")
    assert reply.status == 200 and reply.body == body, reply
    assert reply.header("Docker-Content-Digest") == digest


@pytest.mark.parametrize("tag", ["a", "_", "A.b-c_d", "9" * 128, "latest", "v1.2.3-rc.1_linux"])
def test_pull__every_tag_of_the_grammar(repo, tag):
    """Pulling manifests: a tag "MUST be at most 128 characters in length and MUST match" the grammar."""
    digest = repo.image(tag=tag)["digest"]
    reply = repo.get("manifests/" + tag)
    assert reply.status == 200 and reply.header("Docker-Content-Digest") == digest, reply
    assert repo.tags() == [tag]


def test_pull__content_type_is_what_was_pushed_without_parameters(repo):
    """Pulling manifests: "The registry SHOULD NOT include parameters on the Content-Type header"; it "SHOULD match what
    the client pushed"."""
    repo.push(repo.image_document(), tag="image")
    repo.push(repo.index_document([]), OCI_INDEX, tag="index")
    assert repo.get("manifests/image").header("Content-Type") == OCI_MANIFEST
    assert repo.get("manifests/index").header("Content-Type") == OCI_INDEX
    assert repo.head("manifests/index").header("Content-Type") == OCI_INDEX


def test_pull__unknown_manifest_is_404(repo):
    """Pulling manifests: "If the manifest is not found in the repository, the response code MUST be 404 Not Found"."""
    repo.image(tag="v1")
    expect_error(repo.get("manifests/absent"), 404, "MANIFEST_UNKNOWN", names="absent")
    expect_error(repo.get("manifests/" + ABSENT), 404, "MANIFEST_UNKNOWN", names=ABSENT)
    head = repo.head("manifests/absent")
    assert head.status == 404 and head.body == b"", head


def test_pull__another_repositorys_manifest_is_404(repo, other):
    """Pulling manifests: content is found "in the repository", not in the registry (R036)."""
    digest = repo.image(tag="v1")["digest"]
    other.image(tag="v1")
    expect_error(other.get("manifests/" + digest), 404, "MANIFEST_UNKNOWN")


def test_pull__nonexistent_repository_is_404(repo):
    """Pushing Manifests: "An attempt to pull a nonexistent repository MUST return response code 404 Not Found"."""
    for rest in ["manifests/latest", "manifests/" + ABSENT]:
        expect_error(repo.get(rest), 404, ("NAME_UNKNOWN", "MANIFEST_UNKNOWN"))
        assert repo.head(rest).status == 404
    expect_error(repo.get("blobs/" + ABSENT), 404, ("NAME_UNKNOWN", "BLOB_UNKNOWN"))
    assert repo.head("blobs/" + ABSENT).status == 404


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_pull__head_of_a_manifest_tells_digest_length_and_type(repo, algorithm):
    """Checking if content exists: "MUST return 200 OK", "MUST contain the digest", "MUST contain the size in bytes ...
    in the header Content-Length" (R004, R263)."""
    body = dump(repo.image_document(algorithm=algorithm))
    digest = repo.push(body, algorithm=algorithm)["digest"]
    reply = repo.head("manifests/" + digest)
    assert reply.status == 200 and reply.body == b"", reply
    assert reply.header("Docker-Content-Digest") == digest
    assert reply.header("Content-Length") == str(len(body))
    assert reply.header("Content-Type") == OCI_MANIFEST


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_pull__head_of_a_blob_tells_digest_and_length(repo, algorithm):
    """Checking if content exists: the same three for blobs; HEAD needs no more than GET does (R253, R254)."""
    data = noise(40000)
    digest = repo.blob(data, algorithm)["digest"]
    reply = repo.head("blobs/" + digest)
    assert reply.status == 200 and reply.body == b"", reply
    assert reply.header("Docker-Content-Digest") == digest
    assert reply.header("Content-Length") == str(len(data))
    assert reply.header("Content-Type") == "application/octet-stream"


def test_pull__head_of_what_is_absent_is_404(repo):
    """Checking if content exists: "If the blob or manifest is not found in the repository, the response code MUST be
    404 Not Found"."""
    repo.image(tag="v1")
    assert repo.head("blobs/" + ABSENT).status == 404
    assert repo.head("manifests/" + ABSENT).status == 404
    assert repo.head("manifests/absent").status == 404


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_pull__digest_header_of_a_tag_is_a_digest_of_the_body(repo, algorithm):
    """Pulling manifests: the digest in the answer may use another algorithm than asked for, and must match the manifest
    (R264): a tag set by a sha512 push answers a digest of the body."""
    body = dump(repo.image_document())
    reply = repo.put(digest_of(body, algorithm), body, query="?tag=v1")
    assert reply.status == 201, reply
    pulled = repo.get("manifests/v1")
    named = pulled.header("Docker-Content-Digest")
    assert digest_of(pulled.body, named.split(":")[0]) == named


@pytest.mark.parametrize("slash", ["", "/"])
def test_pull__with_and_without_a_trailing_slash(repo, slash):
    """Every end-point takes both forms, never by a redirect: the seeds' clients send both (R002)."""
    data = noise(100)
    blob = repo.blob(data)["digest"]
    manifest = repo.image(tag="v1")["digest"]
    for rest in [f"manifests/v1{slash}", f"manifests/{manifest}{slash}", f"blobs/{blob}{slash}", f"tags/list{slash}",
                 f"referrers/{manifest}{slash}"]:
        assert repo.get(rest).status == 200, rest
        assert repo.head(rest).status == 200, rest


def test_pull__manifest_etag_and_304(repo):
    """RFC 9110 section 13.1.2: a matching If-None-Match on GET and HEAD is 304 without a body (R009)."""
    digest = repo.image(tag="v1")["digest"]
    tag = repo.get("manifests/v1").header("ETag")
    assert tag == f'"{digest}"'
    for value in [tag, "W/" + tag, f'"other", {tag}', "*"]:
        for method in ["GET", "HEAD"]:
            reply = repo.send(method, "manifests/v1", headers={"If-None-Match": value})
            assert reply.status == 304 and reply.body == b"", (value, reply)
            assert reply.header("ETag") == tag
    assert repo.get("manifests/v1", If_None_Match='"other"').status == 200


def test_pull__a_moved_tag_is_seen_at_once(repo):
    """Pulling manifests: "MUST provide the expected manifest": the one pushed last under the tag, also to a client that
    revalidates."""
    first = repo.image(tag="v1")["digest"]
    second = repo.image(tag="v1")["digest"]
    reply = repo.get("manifests/v1", If_None_Match=f'"{first}"')
    assert reply.status == 200 and reply.header("Docker-Content-Digest") == second
    assert repo.get("manifests/" + first).status == 200


def test_pull__ns_is_taken_and_named_only_if_used(repo):
    """Registry Proxying: `ns` MAY be ignored; a registry that scopes by it returns OCI-Namespace (R273)."""
    repo.image(tag="v1")
    reply = repo.get("manifests/v1?ns=registry.example")
    assert reply.status == 200, reply
    assert reply.header("OCI-Namespace") in (None, "registry.example")
