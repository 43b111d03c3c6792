"""Content management (end-9, end-10), and the deletion of a repository."""

import json

import pytest

from .oci import ABSENT, Repo, digest_of, dump, expect_error, noise, send


@pytest.mark.parametrize("slash", ["", "/"])
def test_delete__tag(repo, slash):
    """Deleting tags: "Upon success, the registry MUST respond with a 202 Accepted code"; "Once deleted, a GET ... will
    return a 404"; the manifest stays (R068)."""
    body = dump(repo.image_document())
    repo.push(body, tag="v1")
    repo.push(body, tag="v2")
    assert repo.delete("manifests/v1" + slash).status == 202
    expect_error(repo.get("manifests/v1"), 404, "MANIFEST_UNKNOWN")
    assert repo.head("manifests/v1").status == 404
    assert repo.tags() == ["v2"]
    assert repo.get("manifests/" + digest_of(body)).body == body
    assert repo.delete("manifests/v2").status == 202
    assert repo.get("manifests/" + digest_of(body)).status == 200


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_delete__manifest_takes_its_tags(repo, algorithm, slash):
    """Deleting Manifests: 202; "Once deleted, a GET to ... and any tag pointing to that digest will return a 404"
    (R069, R074)."""
    body = dump(repo.image_document(algorithm=algorithm))
    digest = digest_of(body, algorithm)
    assert repo.put(digest, body, query="?tag=v1&tag=v2").status == 201
    repo.image(tag="other")
    assert repo.delete(f"manifests/{digest}{slash}").status == 202
    for reference in (digest, "v1", "v2"):
        expect_error(repo.get("manifests/" + reference), 404, "MANIFEST_UNKNOWN")
    assert repo.tags() == ["other"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("size, algorithm", [(100, "sha256"), (50000, "sha256"), (50000, "sha512")])
def test_delete__blob(repo, size, algorithm, slash):
    """Deleting Blobs (end-10): "Upon success, the registry MUST respond with code 202 Accepted" (R071)."""
    data = noise(size)
    digest = repo.blob(data, algorithm)["digest"]
    assert repo.delete(f"blobs/{digest}{slash}").status == 202
    expect_error(repo.get("blobs/" + digest), 404, "BLOB_UNKNOWN")
    assert repo.head("blobs/" + digest).status == 404
    expect_error(repo.delete("blobs/" + digest), 404, "BLOB_UNKNOWN")
    assert repo.blob(data, algorithm)["digest"] == digest  # and it may come again
    assert repo.get("blobs/" + digest).body == data


def test_delete__what_is_absent_is_404(repo):
    """end-9, end-10: "If the blob is not found, a 404 Not Found code MUST be returned"."""
    repo.image()
    expect_error(repo.delete("manifests/absent"), 404, "MANIFEST_UNKNOWN", names="absent")
    expect_error(repo.delete("manifests/" + ABSENT), 404, "MANIFEST_UNKNOWN", names=ABSENT)
    expect_error(repo.delete("blobs/" + ABSENT), 404, "BLOB_UNKNOWN", names=ABSENT)


def test_delete__in_an_absent_repository_is_404(repo):
    """Deleting Manifests: "If the repository does not exist, the response MUST return 404 Not Found"."""
    for rest in ["manifests/latest", "manifests/" + ABSENT, "blobs/" + ABSENT]:
        expect_error(repo.delete(rest), 404, ("NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"))


def test_delete__leaves_other_repositories_alone(repo, other):
    """end-9, end-10 are about one repository."""
    data, body = noise(40000), None
    for each in (repo, other):
        each.blob(data)
        config = each.blob(b"{}")
        body = dump({"schemaVersion": 2, "config": config, "layers": []})
        each.push(body, tag="v1")
    assert repo.delete("manifests/" + digest_of(body)).status == 202
    assert repo.delete("blobs/" + digest_of(data)).status == 202
    assert other.get("manifests/v1").body == body
    assert other.get("blobs/" + digest_of(data)).body == data


def test_delete__blob_that_a_manifest_refers_to_is_refused(repo):
    """Promise of ours within end-10's failures: a manifest never loses its layers; the refusal names the referrers."""
    document = repo.image_document()
    body = dump(document)
    repo.push(body)
    for blob in (document["config"], document["layers"][0]):
        reply = repo.delete("blobs/" + blob["digest"])
        expect_error(reply, (405, 409), "DENIED", names=digest_of(body))
        assert repo.get("blobs/" + blob["digest"]).status == 200
    assert repo.delete("manifests/" + digest_of(body)).status == 202
    assert repo.delete("blobs/" + document["layers"][0]["digest"]).status == 202


def test_delete__many_referrers_are_bounded(repo):
    """The refusal of a blob that hundreds of manifests use stays a short answer."""
    shared = repo.blob()
    for _ in range(30):
        repo.push({"schemaVersion": 2, "config": shared, "layers": [], "annotations": {"n": noise(8).hex()}})
    reply = repo.delete("blobs/" + shared["digest"])
    expect_error(reply, (405, 409), "DENIED")
    assert len(reply.body) < 16384


@pytest.mark.parametrize("reference", ["sha256:abc", "md5:" + "a" * 32, "a%20b", "-x", "a" * 129])
def test_delete__bad_reference_is_4xx(repo, reference):
    """end-9 lists 400."""
    repo.image()
    expect_error(repo.delete("manifests/" + reference), (400, 404))
    expect_error(repo.delete("blobs/" + reference), (400, 404))


@pytest.mark.parametrize("slash", ["", "/"])
def test_delete__repository(repo, other, slash):
    """An extension, listed under _oci/ext/discover: DELETE /v2/<name>/ removes a repository at once: tags, manifests,
    blobs, sessions (R073)."""
    document = repo.image_document()
    repo.push(document, tag="v1")
    other.image(tag="v1")
    session = repo.start()
    reply = send(repo.server, "DELETE", repo.base.rstrip("/") + slash)
    assert reply.status == 202, reply
    assert repo.get("manifests/v1").status == 404
    expect_error(repo.get("tags/list"), 404, "NAME_UNKNOWN")
    assert repo.get("blobs/" + document["layers"][0]["digest"]).status == 404
    assert repo.status(session).status == 404
    assert other.get("manifests/v1").status == 200
    expect_error(send(repo.server, "DELETE", repo.base), 404, "NAME_UNKNOWN", names=repo.name)


def test_delete__repository_may_come_again_empty(repo):
    """What is pushed under the name later is a new repository: nothing of the old one shows."""
    old = repo.image(tag="old")
    assert send(repo.server, "DELETE", repo.base).status == 202
    repo.image(tag="new")
    assert repo.tags() == ["new"]
    assert repo.get("manifests/" + old["digest"]).status == 404
    assert repo.referrers(old["digest"]) == []


def test_delete__repository_leaves_those_below_it(server):
    """`<name>` is one repository, not a folder of them."""
    upper = Repo(server)
    lower = Repo(server, upper.name + "/below")
    upper.image(tag="v1")
    lower.image(tag="v1")
    assert send(server, "DELETE", upper.base).status == 202
    assert lower.get("manifests/v1").status == 200


def test_delete__repository_is_a_listed_extension(server):
    """_oci extension, "discover": what goes beyond the specification is listed with its end-points."""
    listed = json.dumps(send(server, "GET", "/v2/_oci/ext/discover").json())
    assert "/v2/{name}/" in listed or "/v2/<name>/" in listed, listed


@pytest.mark.parametrize("kind", ["tag", "manifest", "blob", "repository"])
def test_delete__switched_off_is_405(make_server, kind):
    """Deleting tags, Manifests, Blobs: "If ... deletion is disabled, the registry MUST respond with either a 400 Bad
    Request or a 405 Method Not Allowed" (R072)."""
    repo = Repo(make_server("--registry-deletes=false"))
    image, blob = repo.image(tag="v1"), repo.blob()
    rest = {"tag": "manifests/v1", "manifest": "manifests/" + image["digest"], "blob": "blobs/" + blob["digest"],
            "repository": ""}[kind]
    reply = repo.delete(rest)
    expect_error(reply, 405, "UNSUPPORTED")
    assert reply.header("Allow") is not None and "DELETE" not in reply.header("Allow")
    assert repo.get("manifests/v1").status == 200 and repo.get("blobs/" + blob["digest"]).status == 200
    session = repo.start()  # a session is cancelled all the same: nothing that exists is deleted
    assert send(repo.server, "DELETE", session).status == 204


def test_delete__index_leaves_its_children(repo):
    """Deleting Manifests: one manifest is deleted, by its digest."""
    child = repo.image()
    index = repo.index([child], tag="all")
    assert repo.delete("manifests/" + index["digest"]).status == 202
    assert repo.get("manifests/" + child["digest"]).status == 200
