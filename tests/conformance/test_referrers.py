"""Listing referrers (end-12a, end-12b), and the tags that older clients keep them under."""

import urllib.parse

import pytest

from .oci import (ABSENT, DOCKER_MANIFEST, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, Repo, descriptor, digest_of, dump, expect_error,
                  next_link, noise, pages)

SBOM, SIGNATURE = "application/vnd.example.sbom.v1", "application/vnd.example.signature.v1"


def digests(entries):
    return sorted(entry["digest"] for entry in entries)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_referrers__are_an_index_of_descriptors(repo, algorithm):
    """Listing Referrers (end-12a): "MUST return a 200 OK", "a JSON body with an image index", "The Content-Type header
    MUST be set to application/vnd.oci.image.index.v1+json" (R061)."""
    subject = repo.image(algorithm=algorithm)
    one = repo.referrer(subject, SBOM, {"org.example.sbom.format": "json"})
    two = repo.referrer(subject, SIGNATURE)
    reply = repo.get("referrers/" + subject["digest"])
    assert reply.status == 200, reply
    assert reply.header("Content-Type") == OCI_INDEX
    index = reply.json()
    assert index["schemaVersion"] == 2 and index["mediaType"] == OCI_INDEX
    assert digests(index["manifests"]) == digests([one, two])
    for entry in index["manifests"]:
        whole = repo.get("manifests/" + entry["digest"])
        assert entry["mediaType"] == whole.header("Content-Type") and entry["size"] == len(whole.body)
        assert entry["artifactType"] == whole.json()["artifactType"]
        assert entry["annotations"] == whole.json()["annotations"]
    assert reply.header("OCI-Filters-Applied") is None


def test_referrers__artifact_type_falls_back_to_the_config(repo):
    """Listing Referrers: "If the artifactType is empty or missing in the image manifest, the value of artifactType MUST be
    set to the config descriptor mediaType value"."""
    subject = repo.image()
    for fields in ({}, {"artifactType": ""}):
        document = repo.image_document(subject=subject, **fields)
        document["config"]["mediaType"] = "application/vnd.example.config.v1"
        pushed = repo.push(document)
        entry = [entry for entry in repo.referrers(subject["digest"]) if entry["digest"] == pushed["digest"]][0]
        assert entry["artifactType"] == "application/vnd.example.config.v1"


def test_referrers__an_index_may_refer(repo):
    """Listing Referrers: an index with its artifactType; "If the artifactType is empty or missing in an index, the
    artifactType MUST be omitted"."""
    subject = repo.image()
    plain = repo.index([], subject=subject, annotations={"a": "b"})
    typed = repo.index([], subject=subject, artifactType=SBOM)
    entries = {entry["digest"]: entry for entry in repo.referrers(subject["digest"])}
    assert "artifactType" not in entries[plain["digest"]]
    assert entries[plain["digest"]]["mediaType"] == OCI_INDEX
    assert entries[plain["digest"]]["annotations"] == {"a": "b"}
    assert entries[typed["digest"]]["artifactType"] == SBOM


@pytest.mark.parametrize("digest", [ABSENT, "sha512:" + "0" * 128])
def test_referrers__of_nothing_are_an_empty_list(repo, digest):
    """Listing Referrers: "If a query results in no matching referrers, an empty manifest list MUST be returned";
    "MUST NOT return a 404"."""
    unknown = repo.get("referrers/" + digest)  # the repository does not exist yet
    assert unknown.status == 200 and unknown.json()["manifests"] == [], unknown
    repo.image()
    reply = repo.get("referrers/" + digest)
    assert reply.status == 200 and reply.json()["manifests"] == [], reply
    assert reply.header("Content-Type") == OCI_INDEX


@pytest.mark.parametrize("digest", ["latest", "sha256:abc", "sha256:" + "A" * 64, "rubbish", "sha256:", ":", "%00"])
def test_referrers__of_a_bad_digest_are_400(repo, digest):
    """Listing Referrers: "If the request is invalid, such as a <digest> with an invalid syntax, a 400 Bad Request MUST be
    returned"."""
    repo.image(tag="latest")
    expect_error(repo.get("referrers/" + digest), 400, ("DIGEST_INVALID", "UNSUPPORTED"))


def test_referrers__filter_by_artifact_type(repo):
    """Listing Referrers (end-12b): "If filtering is requested and applied, the response MUST include a header
    OCI-Filters-Applied: artifactType" (R062)."""
    subject = repo.image()
    sboms = [repo.referrer(subject, SBOM) for _ in range(3)]
    repo.referrer(subject, SIGNATURE)
    reply = repo.get(f"referrers/{subject['digest']}?artifactType={SBOM}")
    assert digests(reply.json()["manifests"]) == digests(sboms)
    assert reply.header("OCI-Filters-Applied") == "artifactType"
    encoded = repo.get(f"referrers/{subject['digest']}?artifactType={urllib.parse.quote(SBOM, safe='')}")
    assert digests(encoded.json()["manifests"]) == digests(sboms)
    none = repo.get(f"referrers/{subject['digest']}?artifactType=application/vnd.example.none")
    assert none.status == 200 and none.json()["manifests"] == []
    assert none.header("OCI-Filters-Applied") == "artifactType"


def test_referrers__filter_of_a_type_with_plus(repo):
    """end-12b: media types hold `+`; %2B is one, and a bare `+` is read as one by a registry that means well."""
    subject = repo.image()
    pushed = repo.referrer(subject, "application/spdx+json")
    assert digests(repo.referrers(subject["digest"], "?artifactType=application/spdx%2Bjson")) == [pushed["digest"]]
    assert digests(repo.referrers(subject["digest"], "?artifactType=application/spdx+json")) == [pushed["digest"]]


def test_referrers__filter_meets_the_config_type(repo):
    """end-12b: the filter is on the artifactType as listed, so also on one taken from the config."""
    subject = repo.image()
    document = repo.image_document(subject=subject)
    document["config"]["mediaType"] = "application/vnd.example.config.v9"
    pushed = repo.push(document)
    assert digests(repo.referrers(subject["digest"], "?artifactType=application/vnd.example.config.v9")) == [pushed["digest"]]


def test_referrers__pushed_before_their_subject(repo):
    """Push: "allowing clients to push a manifest and referrers to that manifest in either order"."""
    body = dump(repo.image_document())
    pushed = repo.referrer(descriptor(body, OCI_MANIFEST))
    assert digests(repo.referrers(digest_of(body))) == [pushed["digest"]]
    repo.push(body)
    assert digests(repo.referrers(digest_of(body))) == [pushed["digest"]]


def test_referrers__of_a_referrer(repo):
    """A signature of an SBOM: a subject may have a subject."""
    subject = repo.image()
    sbom = repo.referrer(subject, SBOM)
    signature = repo.referrer(sbom, SIGNATURE)
    assert digests(repo.referrers(subject["digest"])) == [sbom["digest"]]
    assert digests(repo.referrers(sbom["digest"])) == [signature["digest"]]


def test_referrers__pushed_twice_is_listed_once(repo):
    """Listing Referrers: one descriptor per manifest."""
    subject = repo.image()
    body = dump(repo.image_document(subject=subject))
    repo.push(body)
    repo.push(body, tag="also")
    assert digests(repo.referrers(subject["digest"])) == [digest_of(body)]


def test_referrers__deleted_is_gone_at_once(repo):
    """Deleting Manifests: "Once deleted, a GET ... will return a 404": and it refers no more (R074)."""
    subject = repo.image()
    one, two = repo.referrer(subject), repo.referrer(subject)
    assert repo.delete("manifests/" + one["digest"]).status == 202
    assert digests(repo.referrers(subject["digest"])) == [two["digest"]]


def test_referrers__are_of_one_repository(repo, other):
    """Listing Referrers: manifests "in the same <name> namespace"."""
    subject = repo.image()
    repo.referrer(subject)
    other.image()
    assert other.referrers(subject["digest"]) == []


def test_referrers__without_annotations(repo):
    """Listing Referrers: "The descriptors MUST include annotations from the image manifest or index": where there are
    none, none are made up."""
    subject = repo.image()
    pushed = repo.push(repo.image_document(subject=subject))
    entry = repo.referrers(subject["digest"])[0]
    assert entry["digest"] == pushed["digest"] and not entry.get("annotations")


def test_referrers__odd_annotations_come_back(repo):
    """Annotations are text of any kind; what is listed is valid JSON with the same values."""
    subject = repo.image()
    odd = {"a\"b\\c": "line\nbreak\t\u0001", "\u00e9\U0001f433": "", "": "empty key", "html": "<script>&"}
    pushed = repo.referrer(subject, SBOM, odd)
    entry = repo.referrers(subject["digest"])[0]
    assert entry["digest"] == pushed["digest"]
    assert {key: entry["annotations"][key] for key in odd} == odd


def test_referrers__pages_by_link(make_server):
    """Listing Referrers: "A Link header MUST be included in the response when the descriptor list cannot be returned in a
    single manifest"; "Each response is an image index with different descriptors" (R063)."""
    repo = Repo(make_server("--registry-page-size=4"))
    subject = repo.image()
    pushed = [repo.referrer(subject, SBOM if i % 2 else SIGNATURE) for i in range(11)]
    found = pages(repo.server, f"{repo.base}referrers/{subject['digest']}")
    assert len(found) > 1
    listed = [entry["digest"] for page in found for entry in page.json()["manifests"]]
    assert len(listed) == len(set(listed)) and sorted(listed) == digests(pushed)
    assert all(page.header("Content-Type") == OCI_INDEX for page in found)
    found = pages(repo.server, f"{repo.base}referrers/{subject['digest']}?artifactType={SIGNATURE}")
    assert len(found) > 1
    assert all(page.header("OCI-Filters-Applied") == "artifactType" for page in found)
    listed = [entry["digest"] for page in found for entry in page.json()["manifests"]]
    assert sorted(listed) == digests(pushed[0::2])


def test_referrers__a_page_stays_a_manifest_anybody_can_read(repo):
    """Listing Referrers: each response is an image index, and registries need not read more than 4 MiB: large
    annotations make more pages, not larger ones."""
    subject = repo.image()
    pushed = [repo.referrer(subject, SBOM, {"pad": "x" * 1_000_000}) for _ in range(6)]
    found = pages(repo.server, f"{repo.base}referrers/{subject['digest']}")
    assert all(len(page.body) <= 4 * 1024 * 1024 for page in found)
    assert digests([entry for page in found for entry in page.json()["manifests"]]) == digests(pushed)


@pytest.mark.parametrize("query", ["?n=-1", "?n=abc", "?last=%00", "?artifactType=%00", "?artifactType=", "?artifactType=" + "x" * 5000,
                                   "?next=rubbish", "?last=rubbish", "?artifactType=%zz"])
def test_referrers__odd_queries_never_fail(repo, query):
    """API: whatever the query, an answer or a refusal, never a 5xx."""
    subject = repo.image()
    repo.referrer(subject)
    reply = repo.get(f"referrers/{subject['digest']}{query}")
    assert reply.status in (200, 400), reply
    if reply.status == 400:
        expect_error(reply, 400)


# --- the referrers tag schema ---

def tag_of(digest):
    algorithm, encoded = digest.split(":")
    return f"{algorithm[:32]}-{encoded[:64]}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_referrers__old_tags_are_folded_in(repo, algorithm):
    """Enabling the Referrers API: "Registries MUST include preexisting image manifests that are listed in an image index
    tagged with the referrers tag schema and have a valid subject field" (R066, R277): a client that keeps its list under
    the tag finds it in the API."""
    subject = repo.image(algorithm=algorithm)
    one = repo.referrer(subject, SBOM)
    index = repo.index([dict(one, artifactType=SBOM)], tag=tag_of(subject["digest"]))
    assert digests(repo.referrers(subject["digest"])) == [one["digest"]]
    assert repo.get("manifests/" + tag_of(subject["digest"])).header("Docker-Content-Digest") == index["digest"]


def test_referrers__tag_of_absent_manifests_adds_nothing_false(repo):
    """Enabling the Referrers API: only manifests with "a valid subject field": an entry that refers elsewhere is not
    listed."""
    subject = repo.image()
    stranger = repo.image()
    repo.index([stranger], tag=tag_of(subject["digest"]))
    assert repo.referrers(subject["digest"]) == []


@pytest.mark.parametrize("kind", ["image", "docker"])
def test_referrers__tag_that_is_no_index_is_a_tag(repo, kind):
    """Unavailable Referrers API: "If that pull returns a manifest other than the expected image index": nothing breaks."""
    subject = repo.image()
    if kind == "image":
        repo.image(tag=tag_of(subject["digest"]))
    else:
        document = dict(repo.image_document(), mediaType=DOCKER_MANIFEST)
        repo.push(document, DOCKER_MANIFEST, tag=tag_of(subject["digest"]))
    assert repo.referrers(subject["digest"]) == []


def test_referrers__subject_deleted_first(repo):
    """Deleting Manifests: with the subject gone the list answers 200 still, of whatever is kept."""
    subject = repo.image()
    repo.referrer(subject)
    assert repo.delete("manifests/" + subject["digest"]).status == 202
    assert repo.get("referrers/" + subject["digest"]).status == 200


def test_referrers__wrong_method_is_405(repo):
    """RFC 9110 section 15.5.6."""
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        reply = repo.send(method, "referrers/" + ABSENT)
        expect_error(reply, 405, "UNSUPPORTED")
        assert "GET" in reply.header("Allow")


def test_referrers__whole_list_has_no_link(repo):
    """Listing Referrers: Link is for a list that does not fit."""
    subject = repo.image()
    for _ in range(5):
        repo.referrer(subject)
    reply = repo.get("referrers/" + subject["digest"])
    assert len(reply.json()["manifests"]) == 5 and next_link(reply) is None


def test_referrers__subject_size_and_type_do_not_matter(repo):
    """Listing Referrers: the list is by the digest of the subject alone."""
    digest = digest_of(noise(8))
    pushed = [repo.referrer({"mediaType": kind, "digest": digest, "size": size})
              for kind, size in [(OCI_MANIFEST, 1), (OCI_INDEX, 2), (OCI_EMPTY, 0)]]
    assert digests(repo.referrers(digest)) == digests(pushed)
