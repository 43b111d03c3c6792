"""Pushing manifests (end-7a, end-7b): what is accepted, kept, checked, refused."""

import json

import pytest

from .oci import (ABSENT, DOCKER_CONFIG, DOCKER_FOREIGN, DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_EMPTY,
                  OCI_FOREIGN, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Repo, SCHEMA1, SCHEMA1_SIGNED, descriptor, digest_of,
                  dump, expect_error, noise, platformed, send)


def kept(repo, body, media_type=OCI_MANIFEST, algorithm="sha256"):
    """Pushed by digest it is accepted, and comes back byte for byte under its media type."""
    digest = digest_of(body, algorithm)
    reply = repo.put(digest, body, media_type)
    assert reply.status == 201, reply
    pulled = repo.get("manifests/" + digest)
    assert pulled.status == 200 and pulled.body == body, pulled
    assert pulled.header("Content-Type") == media_type
    return digest


# --- the answer ---

@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_manifest__put_by_digest(repo, algorithm, slash):
    """Pushing Manifests (end-7a): "MUST return response code 201 Created, and MUST have ... Location", "a pullable
    manifest URL"; Docker-Content-Digest "MUST be equal to the client provided digest" (R038)."""
    body = dump(repo.image_document(algorithm=algorithm))
    digest = digest_of(body, algorithm)
    reply = repo.put(digest + slash, body)
    assert reply.status == 201, reply
    assert reply.header("Docker-Content-Digest") == digest
    pulled = send(repo.server, "GET", reply.header("Location"))
    assert pulled.status == 200 and pulled.body == body


@pytest.mark.parametrize("slash", ["", "/"])
def test_manifest__put_by_tag(repo, slash):
    """Pushing Manifests: `<tag-or-digest>` "MUST be either a) a digest or b) a tag"."""
    body = dump(repo.image_document())
    reply = repo.put("v1" + slash, body)
    assert reply.status == 201, reply
    assert reply.header("Docker-Content-Digest") == digest_of(body)
    assert send(repo.server, "GET", reply.header("Location")).body == body
    assert repo.get("manifests/" + digest_of(body)).body == body


def test_manifest__location_is_absolute(server, repo):
    """Pushing Manifests: `<location>` is a URL; absolute unless http.relative_urls says otherwise (R027)."""
    reply = repo.put("v1", dump(repo.image_document()))
    assert reply.header("Location").startswith(f"http://{server.host}:{server.port}/v2/"), reply


def test_manifest__put_again_is_201_again(repo):
    """RFC 9110 section 9.2.2: PUT is idempotent."""
    body = dump(repo.image_document())
    for reference in ["v1", "v1", "v2", digest_of(body), digest_of(body)]:
        assert repo.put(reference, body).status == 201
    assert repo.tags() == ["v1", "v2"]


def test_manifest__put_in_chunked_coding(repo):
    """RFC 9112 section 7.1: a manifest may come in chunked coding."""
    body = dump(repo.image_document())
    reply = repo.send("PUT", "manifests/v1", [body[:10], body[10:]], {"Content-Type": OCI_MANIFEST}, chunked=True)
    assert reply.status == 201, reply
    assert repo.get("manifests/v1").body == body


# --- kinds of manifest ---

def test_manifest__exact_bytes(repo):
    """Pushing Manifests: "MUST store the manifest in the exact byte representation provided by the client" (R003)."""
    document = repo.image_document(annotations={"text": "\u00e9\u4e2d\U0001f433 \u2028 <&> \\ \" \t"})
    for body in [json.dumps(document, indent=3).encode(), json.dumps(document, ensure_ascii=False).encode(),
                 b"\r\n\t " + dump(document) + b"\n\n", json.dumps(document, sort_keys=True).replace("/", "\\/").encode()]:
        kept(repo, body)


def test_manifest__custom_fields_and_data_are_kept(repo):
    """Fields outside the specification and the descriptor's `data` are stored untouched (R015); descriptor.md: "a
    registry MUST NOT arbitrarily populate data fields"."""
    document = repo.image_document()
    document["config"]["data"] = "e30="
    document["layers"][0].update({"data": "AAAA", "org.example": [1, 2.5, None, {"deep": {"er": True}}]})
    kept(repo, dump(dict(document, **{"x-custom": {"n": 123456789012345678901234567890, "e": 1.5e300}})))


def test_manifest__no_layers(repo):
    """Pushing Manifests: "the list of blobs MAY be empty"."""
    kept(repo, dump(repo.image_document(layers=0)))


def test_manifest__many_layers(repo):
    """An image of 127 layers, each listed twice, is no different."""
    layers = [repo.blob(b"%d" % i + noise(4)) for i in range(127)]
    document = repo.image_document(layers=0)
    kept(repo, dump(dict(document, layers=layers + layers)))


def test_manifest__config_and_layer_are_one_blob(repo):
    """The seed's tutorial pushes one blob as config and as layer, with no mediaType in the manifest."""
    blob = repo.blob()
    document = {"schemaVersion": 2, "config": dict(blob, mediaType=OCI_CONFIG), "layers": [blob]}
    kept(repo, dump(document))


def test_manifest__unknown_media_types_inside(repo):
    """manifest.md: "Implementations storing or copying image manifests MUST NOT error on encountering a mediaType that
    is unknown", nor an unknown artifactType or config.mediaType."""
    document = repo.image_document(artifactType="application/vnd.example.new+thing")
    document["config"]["mediaType"] = "application/vnd.example.config"
    document["layers"][0]["mediaType"] = "text/x-unheard-of; charset=utf-8"
    kept(repo, dump(document))


def test_manifest__empty_descriptor_artifact(repo):
    """manifest.md, "Guidelines for Artifact Usage": config and layer are the empty descriptor."""
    empty = repo.blob(b"{}", media_type=OCI_EMPTY)
    kept(repo, dump({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example",
                     "config": empty, "layers": [empty]}))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_manifest__index(repo, algorithm):
    """image-index.md: children of several platforms, in either algorithm."""
    children = [platformed(repo.image(algorithm=algorithm), "linux", arch) for arch in ("amd64", "arm64")]
    kept(repo, dump(repo.index_document(children)), OCI_INDEX, algorithm)


def test_manifest__index_without_children(repo):
    """image-index.md: "While this property MUST be present, the size of the array MAY be zero"."""
    kept(repo, dump(repo.index_document([])), OCI_INDEX)


def test_manifest__nested_index(repo):
    """image-index.md: an entry may be an index itself."""
    inner = repo.index([repo.image()])
    kept(repo, dump(repo.index_document([inner, repo.image()])), OCI_INDEX)


def test_manifest__index_of_mixed_algorithms(repo):
    """descriptor.md, "Digests": each descriptor names its own algorithm."""
    kept(repo, dump(repo.index_document([repo.image(), repo.image(algorithm="sha512")])), OCI_INDEX)


def test_manifest__index_with_unknown_child_type(repo):
    """image-index.md: "An encountered mediaType that is unknown to the implementation MUST NOT generate an error"."""
    child = dict(repo.image(), mediaType="application/vnd.example.manifest+json")
    kept(repo, dump(repo.index_document([child])), OCI_INDEX)


def test_manifest__docker_schema_2(repo):
    """Docker image manifest, version 2, schema 2: manifest and list."""
    config = repo.blob(b'{"d":"%s"}' % noise(4).hex().encode())
    document = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": dict(config, mediaType=DOCKER_CONFIG),
                "layers": [dict(repo.blob(), mediaType=DOCKER_LAYER)]}
    kept(repo, dump(document), DOCKER_MANIFEST)
    child = platformed(descriptor(dump(document), DOCKER_MANIFEST), "linux", "amd64")
    kept(repo, dump({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [child]}), DOCKER_LIST)


@pytest.mark.parametrize("media_type", [OCI_FOREIGN, DOCKER_FOREIGN])
def test_manifest__foreign_layers_need_not_be_present(repo, media_type):
    """layer.md, "Non-Distributable Layers": such a layer is never pushed (R044)."""
    foreign = {"mediaType": media_type, "digest": digest_of(noise(8)), "size": 1234, "urls": ["https://example.org/layer"]}
    document = repo.image_document()
    document["layers"].append(foreign)
    kind = DOCKER_MANIFEST if media_type == DOCKER_FOREIGN else OCI_MANIFEST
    kept(repo, dump(dict(document, mediaType=kind)), kind)


def test_manifest__schema_1_by_setting(make_server):
    """Docker schema 1 is kept as bytes where the setting allows it, and refused where it does not."""
    server = make_server("--registry-schema1=true")
    repo = Repo(server)
    body = dump({"schemaVersion": 1, "name": repo.name, "tag": "v1", "architecture": "amd64", "fsLayers": [],
                 "history": [], "signatures": []})
    for media_type in (SCHEMA1, SCHEMA1_SIGNED):
        reply = repo.put("v1", body, media_type)
        assert reply.status == 201, reply
        pulled = repo.get("manifests/v1")
        assert pulled.body == body and pulled.header("Content-Type") == media_type


@pytest.mark.parametrize("media_type", [SCHEMA1, SCHEMA1_SIGNED])
def test_manifest__schema_1_is_off_by_default(repo, media_type):
    """deprecated-schema-v1.md: new pushes of schema 1 are refused unless allowed."""
    body = dump({"schemaVersion": 1, "name": repo.name, "tag": "v1", "fsLayers": [], "history": []})
    expect_error(repo.put("v1", body, media_type), (400, 415), ("MANIFEST_INVALID", "UNSUPPORTED"))


# --- media type ---

@pytest.mark.parametrize("content_type", [OCI_MANIFEST + "; charset=utf-8", OCI_MANIFEST + ";x=y", OCI_MANIFEST.upper()])
def test_manifest__parameters_of_content_type_are_ignored(repo, content_type):
    """Pushing Manifests: "The registry SHOULD ignore parameters on the Content-Type header" (R041)."""
    body = dump(repo.image_document())
    assert repo.put("v1", body, content_type).status == 201
    assert repo.get("manifests/v1").header("Content-Type") == OCI_MANIFEST


def test_manifest__content_type_is_only_a_should(repo):
    """Pushing Manifests: "Clients SHOULD set the Content-Type header": without one, mediaType decides."""
    body = dump(repo.image_document())
    assert repo.put("v1", body, None).status == 201
    assert repo.get("manifests/v1").header("Content-Type") == OCI_MANIFEST
    assert repo.put("v2", dump(repo.index_document([])), None).status == 201
    assert repo.get("manifests/v2").header("Content-Type") == OCI_INDEX


def test_manifest__media_type_may_be_left_out_of_the_body(repo):
    """Pushing Manifests: "All manifests SHOULD include a mediaType field": one without is kept under its
    Content-Type."""
    document = repo.image_document()
    del document["mediaType"]
    kept(repo, dump(document))
    index = repo.index_document([])
    del index["mediaType"]
    kept(repo, dump(index), OCI_INDEX)


@pytest.mark.parametrize("content_type, body_type", [(OCI_INDEX, OCI_MANIFEST), (OCI_MANIFEST, OCI_INDEX),
                                                     (DOCKER_MANIFEST, OCI_MANIFEST), (OCI_MANIFEST, "text/plain")])
def test_manifest__media_type_must_match_content_type(repo, content_type, body_type):
    """Pushing Manifests: "If a manifest includes a mediaType field, clients MUST set the Content-Type header to the
    value": a contradiction is refused."""
    document = repo.image_document() if "manifest.v" in body_type or "text" in body_type else repo.index_document([])
    reply = repo.put("v1", dump(dict(document, mediaType=body_type)), content_type)
    expect_error(reply, 400, "MANIFEST_INVALID")
    assert repo.get("manifests/v1").status == 404


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "application/vnd.example+json", "rubbish"])
def test_manifest__unknown_media_type_is_refused(repo, content_type):
    """code-6: what is no manifest's media type is MANIFEST_INVALID, never a 5xx."""
    document = repo.image_document()
    del document["mediaType"]
    expect_error(repo.put("v1", dump(document), content_type), (400, 415), ("MANIFEST_INVALID", "UNSUPPORTED"))


# --- refusals ---

INVALID = {
    "empty": b"", "no JSON": b"hello", "an array": b"[]", "a string": b'"x"', "null": b"null", "cut short": b'{"schemaVersion":2',
    "two documents": b'{"schemaVersion":2}{"schemaVersion":2}', "a comma too many": b'{"schemaVersion":2,}',
    "not UTF-8": b'{"schemaVersion":2,"x":"\xff\xfe"}', "schemaVersion missing": b"{}", "schemaVersion 3": b'{"schemaVersion":3}',
    "schemaVersion a string": b'{"schemaVersion":"2"}',
    "config missing digest": b'{"schemaVersion":2,"config":{"mediaType":"a/b","size":1},"layers":[]}',
    "config a list": b'{"schemaVersion":2,"config":[],"layers":[]}',
    "layers an object": b'{"schemaVersion":2,"config":{"mediaType":"a/b","size":1,"digest":"sha256:%s"},"layers":{}}' % (b"a" * 64),
    "digest bad": b'{"schemaVersion":2,"config":{"mediaType":"a/b","size":1,"digest":"sha256:zz"},"layers":[]}',
    "digest a number": b'{"schemaVersion":2,"config":{"mediaType":"a/b","size":1,"digest":5},"layers":[]}',
    "size negative": b'{"schemaVersion":2,"config":{"mediaType":"a/b","size":-1,"digest":"sha256:%s"},"layers":[]}' % (b"a" * 64),
    "size a string": b'{"schemaVersion":2,"config":{"mediaType":"a/b","size":"1","digest":"sha256:%s"},"layers":[]}' % (b"a" * 64),
    "subject a string": b'{"schemaVersion":2,"subject":"x","layers":[]}',
    "nested deep": b'{"schemaVersion":2,"x":' + b"[" * 100000 + b"]" * 100000 + b"}",
    "objects deep": b'{"schemaVersion":2,"x":' + b'{"a":' * 50000 + b"1" + b"}" * 50000 + b"}",
    "a NUL": b'{"schemaVersion":2}\0',
}


@pytest.mark.parametrize("case", INVALID)
def test_manifest__invalid_is_400(repo, case):
    """code-6 MANIFEST_INVALID: malformed, and JSON of any depth, is a 400 and leaves nothing."""
    body = INVALID[case]
    expect_error(repo.put("v1", body), 400, ("MANIFEST_INVALID", "SIZE_INVALID"))
    expect_error(repo.put(digest_of(body), body), 400, ("MANIFEST_INVALID", "SIZE_INVALID"))
    assert repo.get("manifests/v1").status == 404


def test_manifest__image_fields_in_an_index_are_refused(repo):
    """image-index.md, manifest.md: an image with `manifests`, an index with `layers`: two readings of one text."""
    image, index = repo.image_document(), repo.index_document([repo.image()])
    expect_error(repo.put("v1", dump(dict(image, manifests=[]))), 400, "MANIFEST_INVALID")
    expect_error(repo.put("v1", dump(dict(index, layers=[])), OCI_INDEX), 400, "MANIFEST_INVALID")


def test_manifest__duplicate_keys_are_refused(repo):
    """RFC 8259 section 4: names within an object should be unique; two `config`s have no one meaning."""
    body = dump(repo.image_document())
    expect_error(repo.put("v1", b'{"config":{},' + body[1:]), 400, "MANIFEST_INVALID")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_manifest__digest_must_match(repo, algorithm):
    """code-4 DIGEST_INVALID: the reference's digest is computed from the bytes before the 201."""
    body = dump(repo.image_document())
    wrong = digest_of(body + b" ", algorithm)
    expect_error(repo.put(wrong, body), 400, ("DIGEST_INVALID", "MANIFEST_INVALID"), names=wrong)
    assert repo.get("manifests/" + wrong).status == 404
    assert repo.get("manifests/" + digest_of(body)).status == 404


@pytest.mark.parametrize("reference", ["sha256:abc", "md5:" + "a" * 32, "sha256:" + "A" * 64, "blake3:" + "a" * 64,
                                       "sha384:" + "a" * 96])
def test_manifest__bad_digest_reference_is_400(repo, reference):
    """Pushing blobs, and code-4: an invalid or unsupported digest is a 400 (R033)."""
    expect_error(repo.put(reference, dump(repo.image_document())), 400, ("DIGEST_INVALID", "UNSUPPORTED"))


@pytest.mark.parametrize("tag", ["a" * 129, "-a", ".a", "a%20b", "a%00", "%C3%A9", "a+b", "a%2Fb", "a@b", "%2e%2e"])
def test_manifest__bad_tag_is_refused(repo, tag):
    """Pulling manifests: `<tag-or-digest>` "MUST NOT be in any other format"."""
    body = dump(repo.image_document())
    statuses = (400, 404, 405) if "%2F" in tag else (400, 404)  # a coded slash may make it another path
    expect_error(repo.put(tag, body), statuses)
    expect_error(repo.get("manifests/" + tag), statuses)
    assert repo.get("manifests/" + digest_of(body)).status == 404


def test_manifest__missing_references_are_named(repo):
    """Push: "When a manifest is rejected for this reason, it MUST result in one or more MANIFEST_BLOB_UNKNOWN errors";
    each absent digest is in detail (R042)."""
    document = repo.image_document()
    absent = [digest_of(noise(8)) for _ in range(3)]
    document["layers"] += [{"mediaType": OCI_LAYER, "digest": digest, "size": 5} for digest in absent]
    reply = repo.put("v1", dump(document))
    errors = expect_error(reply, (400, 404), "MANIFEST_BLOB_UNKNOWN")
    for digest in absent:
        assert digest in json.dumps([error.get("detail") for error in errors])
    assert document["layers"][0]["digest"] not in reply.body.decode()
    assert repo.get("manifests/v1").status == 404


def test_manifest__missing_config_and_child_are_named(repo):
    """Push: the same for a config and for a child of an index."""
    document = repo.image_document()
    document["config"]["digest"] = ABSENT
    expect_error(repo.put("v1", dump(document)), (400, 404), "MANIFEST_BLOB_UNKNOWN", names=ABSENT)
    child = {"mediaType": OCI_MANIFEST, "digest": ABSENT, "size": 5}
    expect_error(repo.put("v1", dump(repo.index_document([child])), OCI_INDEX), (400, 404), "MANIFEST_BLOB_UNKNOWN", names=ABSENT)


def test_manifest__another_repositorys_blobs_do_not_count(repo, other):
    """Push: references are to content "in the repository"; a manifest is no way to reach another's blobs (R036)."""
    document = repo.image_document()
    digest = document["layers"][0]["digest"]
    other.image()
    expect_error(other.put("v1", dump(document)), (400, 404), "MANIFEST_BLOB_UNKNOWN", names=digest)
    assert other.get("blobs/" + digest).status == 404


def test_manifest__a_child_deleted_later(repo):
    """Deleting Manifests: a child may go; the index stays pullable, and the child may be pushed again."""
    body = dump(repo.image_document())
    child = repo.push(body)
    index = repo.index([child], tag="all")
    assert repo.delete("manifests/" + child["digest"]).status == 202
    assert repo.get("manifests/all").header("Docker-Content-Digest") == index["digest"]
    assert repo.get("manifests/" + child["digest"]).status == 404
    assert repo.push(body) == child
    assert repo.get("manifests/" + child["digest"]).body == body


def test_manifest__subject_may_be_absent(repo):
    """Push: "A registry MUST initially accept an otherwise valid manifest with a subject field that references a manifest
    that does not exist" (R065)."""
    subject = {"mediaType": OCI_MANIFEST, "digest": digest_of(noise(8)), "size": 7}
    body = dump(dict(repo.image_document(), subject=subject))
    reply = repo.put("v1", body)
    assert reply.status == 201, reply
    assert reply.header("OCI-Subject") == subject["digest"]
    assert [entry["digest"] for entry in repo.referrers(subject["digest"])] == [digest_of(body)]


# --- sparse ---

def sparse_index(repo):
    present = platformed(repo.image(), "linux", "amd64")
    absent = platformed({"mediaType": OCI_MANIFEST, "digest": digest_of(noise(8)), "size": 9}, "linux", "arm64")
    return dump(repo.index_document([present, absent])), present, absent


def test_manifest__sparse_all(make_server):
    """Push: rejecting absent references is a MAY: registry.sparse "all" takes an index with children that are not there
    (R043)."""
    repo = Repo(make_server("--registry-sparse=all"))
    body, present, absent = sparse_index(repo)
    kept(repo, body, OCI_INDEX)
    assert repo.get("manifests/" + present["digest"]).status == 200
    assert repo.get("manifests/" + absent["digest"]).status == 404


def test_manifest__sparse_child_pushed_later(make_server):
    """A child that comes after its index is a child like any other: the index, deleted, leaves it."""
    repo = Repo(make_server("--registry-sparse=all"))
    body = dump(repo.image_document())
    index = repo.index([descriptor(body, OCI_MANIFEST)], tag="all")
    assert repo.push(body)["digest"] == digest_of(body)
    assert repo.get("manifests/all").header("Docker-Content-Digest") == index["digest"]
    assert repo.delete("manifests/" + index["digest"]).status == 202
    assert repo.get("manifests/" + digest_of(body)).status == 200


def test_manifest__sparse_by_platform(make_server):
    """registry.sparse "platforms": the listed ones must be present, others may be absent."""
    repo = Repo(make_server("--registry-sparse=platforms", "--registry-sparse-platforms=linux/amd64"))
    body, present, absent = sparse_index(repo)
    kept(repo, body, OCI_INDEX)
    missing = platformed(dict(absent, digest=digest_of(noise(8))), "linux", "amd64")
    reply = repo.put("v2", dump(repo.index_document([missing])), OCI_INDEX)
    expect_error(reply, (400, 404), "MANIFEST_BLOB_UNKNOWN", names=missing["digest"])


def test_manifest__sparse_none_is_the_default(repo):
    """registry.sparse "none": see Push, MANIFEST_BLOB_UNKNOWN."""
    body, _, absent = sparse_index(repo)
    expect_error(repo.put("v1", body, OCI_INDEX), (400, 404), "MANIFEST_BLOB_UNKNOWN", names=absent["digest"])


# --- size ---

def padded(repo, size):
    document = dump(dict(repo.image_document(), annotations={"pad": "@"}))
    return document.replace(b"@", b"x" * (size - len(document) + 1))


def test_manifest__four_mebibytes_are_accepted(repo):
    """Pushing Manifests: "SHOULD expect to be able to support manifest pushes of at least 4 megabytes" (R045)."""
    body = padded(repo, 4 * 1024 * 1024)
    assert len(body) == 4 * 1024 * 1024
    kept(repo, body)


@pytest.mark.parametrize("chunked", [False, True])
def test_manifest__over_the_limit_is_413(repo, chunked):
    """Pushing Manifests: "a manifest over this limit" -> "413 Payload Too Large"."""
    body = padded(repo, 4 * 1024 * 1024 + 1)
    pieces = [body[i:i + 65536] for i in range(0, len(body), 65536)]
    reply = repo.send("PUT", "manifests/v1", pieces if chunked else body, {"Content-Type": OCI_MANIFEST}, chunked=chunked)
    expect_error(reply, 413)
    assert repo.get("manifests/v1").status == 404


def test_manifest__limit_by_setting(make_server):
    """Pushing Manifests: "SHOULD enforce some limit": registry.max_manifest_size sets it."""
    repo = Repo(make_server("--registry-max-manifest-size=5MiB"))
    kept(repo, padded(repo, 5 * 1024 * 1024))
    expect_error(repo.put("v1", padded(repo, 5 * 1024 * 1024 + 1)), 413)


# --- ?tag= ---

def oci_tags(reply):
    return [tag.strip() for value in reply.all("OCI-Tag") for tag in value.split(",")]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_manifest__tags_of_a_digest_put(repo, algorithm):
    """Pushing Manifests (end-7b): "MUST include an OCI-Tag response header ... for each accepted tag" (R039, R271)."""
    body = dump(repo.image_document(algorithm=algorithm))
    digest = digest_of(body, algorithm)
    reply = repo.put(digest, body, query="?tag=1.2.3&tag=1.2&tag=1&tag=latest")
    assert reply.status == 201, reply
    assert sorted(oci_tags(reply)) == sorted(["1.2.3", "1.2", "1", "latest"])
    assert reply.header("Docker-Content-Digest") == digest
    assert repo.tags() == ["1", "1.2", "1.2.3", "latest"]
    for tag in repo.tags():
        pulled = repo.get("manifests/" + tag)
        assert pulled.body == body
        assert pulled.header("Docker-Content-Digest") == digest


@pytest.mark.parametrize("count", [10, 100])
def test_manifest__many_tags_of_one_put(repo, count):
    """Pushing Manifests: "SHOULD support pushing at least 10 tags per request"."""
    body = dump(repo.image_document())
    tags = [f"tag-{i:03}" for i in range(count)]
    reply = repo.put(digest_of(body), body, query="?" + "&".join("tag=" + tag for tag in tags))
    assert reply.status == 201, reply
    assert sorted(oci_tags(reply)) == tags == repo.tags()


def test_manifest__too_many_tags_are_414(repo):
    """Pushing Manifests: "MAY return a 414 Request-URI Too Long": a refusal, and then no tag at all."""
    body = dump(repo.image_document())
    reply = repo.put(digest_of(body), body, query="?" + "&".join(f"tag={'t' * 120}{i}" for i in range(200)))
    expect_error(reply, (400, 414, 431))
    assert repo.get("tags/list").status == 404 or repo.tags() == []


@pytest.mark.parametrize("bad", ["", "-x", "a b".replace(" ", "%20"), "x" * 129, "a/b", "%00"])
def test_manifest__one_bad_tag_refuses_all(repo, bad):
    """end-7b: all tags of one PUT become visible together or none does (R040)."""
    body = dump(repo.image_document())
    expect_error(repo.put(digest_of(body), body, query=f"?tag=good&tag={bad}&tag=also"), 400)
    assert repo.get("manifests/good").status == 404
    assert repo.get("manifests/" + digest_of(body)).status == 404


def test_manifest__tags_twice_and_encoded(repo):
    """RFC 3986 section 2.1: %2E is '.'; a tag named twice is one tag."""
    body = dump(repo.image_document())
    reply = repo.put(digest_of(body), body, query="?tag=1%2E2&tag=1.2")
    assert reply.status == 201, reply
    assert set(oci_tags(reply)) == {"1.2"}
    assert repo.tags() == ["1.2"]


def test_manifest__no_oci_tag_without_tag(repo):
    """end-7b: OCI-Tag answers `tag` parameters alone; a PUT by tag is end-7a."""
    body = dump(repo.image_document())
    assert repo.put(digest_of(body), body).all("OCI-Tag") == []


def test_manifest__retag_on_the_server(repo):
    """A PUT of a known manifest by digest with tags moves no data (R076)."""
    body = dump(repo.image_document())
    repo.push(body, tag="v1")
    assert repo.put(digest_of(body), body, query="?tag=v2").status == 201
    assert repo.tags() == ["v1", "v2"]


# --- OCI-Subject ---

def test_manifest__oci_subject(repo):
    """Pushing Manifests with Subject: "MUST respond with the response header OCI-Subject: <subject digest>" (R064), for
    images and for indexes, and for nothing else."""
    subject = repo.image()
    for document, kind in [(repo.image_document(), OCI_MANIFEST), (repo.index_document([]), OCI_INDEX)]:
        reply = repo.put("x", dump(dict(document, subject=subject)), kind)
        assert reply.status == 201 and reply.header("OCI-Subject") == subject["digest"], reply
    assert repo.put("y", dump(repo.image_document())).header("OCI-Subject") is None


def test_manifest__wrong_method_is_405(repo):
    """RFC 9110 section 15.5.6: 405 with Allow."""
    for method in ["POST", "PATCH"]:
        reply = repo.send(method, "manifests/v1", b"{}")
        expect_error(reply, 405, "UNSUPPORTED")
        assert {"GET", "PUT", "DELETE"} <= {name.strip() for name in reply.header("Allow").split(",")}


def test_manifest__config_of_the_empty_digest(repo):
    """A zero-byte blob is content like any other, also as a layer."""
    empty = repo.blob(b"")
    document = repo.image_document()
    document["layers"].append(dict(empty, mediaType=OCI_LAYER))
    kept(repo, dump(document))


def test_manifest__foreign_urls_by_setting(make_server):
    """Allow and deny lists for `urls` of descriptors (R044)."""
    repo = Repo(make_server("--registry-foreign-urls-allow=https://good.example/",
                            "--registry-foreign-urls-deny=https://good.example/bad/"))

    def push(url):
        document = repo.image_document()
        document["layers"].append({"mediaType": OCI_FOREIGN, "digest": digest_of(noise(8)), "size": 12, "urls": [url]})
        return repo.put("v1", dump(document))

    assert push("https://good.example/layer").status == 201
    for url in ["https://good.example/bad/layer", "https://other.example/layer"]:
        reply = push(url)
        expect_error(reply, 400, "MANIFEST_INVALID")
        assert url in reply.body.decode()
