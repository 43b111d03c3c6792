"""If-Match and If-None-Match of what changes a manifest or a tag (RFC 9110 section 13; distribution-spec, "Pushing
Manifests with Subject": "The client MAY use conditional HTTP requests")."""

import json

import pytest

from .oci import ABSENT, OCI_INDEX, digest_of, dump, expect_error, gather, noise

MATCH, NONE_MATCH = "If-Match", "If-None-Match"

# v1 leads to {now}; {new} was never pushed, and is what a PUT brings unless it is addressed to {now}.
WRITES = [(method, reference, headers, status) for reference, writes in [
    ("v1", [
        ({MATCH: '"{now}"'}, True),
        ({MATCH: '"{new}", "{now}"'}, True),
        ({MATCH: "*"}, True),
        ({MATCH: '"zz"'}, False),
        ({MATCH: '"{new}"'}, False),
        ({MATCH: 'W/"{now}"'}, False),
        ({MATCH: "{now}"}, False),
        ({NONE_MATCH: '"{new}"'}, True),
        ({NONE_MATCH: "*"}, False),
        ({NONE_MATCH: '"{now}"'}, False),
        ({NONE_MATCH: 'W/"{now}"'}, False),
        ({NONE_MATCH: '"zz", "{now}"'}, False),
        ({MATCH: '"{now}"', NONE_MATCH: '"zz"'}, True),
        ({MATCH: '"{now}"', NONE_MATCH: "*"}, False),
        ({MATCH: '"zz"', NONE_MATCH: '"zz"'}, False),
    ]),
    ("{now}", [
        ({MATCH: '"{now}"'}, True),
        ({MATCH: "*"}, True),
        ({MATCH: '"{new}"'}, False),
        ({MATCH: 'W/"{now}"'}, False),
        ({NONE_MATCH: '"{new}"'}, True),
        ({NONE_MATCH: "*"}, False),
        ({NONE_MATCH: 'W/"{now}"'}, False),
    ]),
] for headers, holds in writes for method, status in [("PUT", 201 if holds else 412), ("DELETE", 202 if holds else 412)]]
WRITES += [("PUT", reference, headers, status) for reference in ("absent", "{new}") for headers, status in [
    ({MATCH: "*"}, 412),
    ({MATCH: '"{now}"'}, 412),
    ({MATCH: '"{new}"'}, 412),
    ({NONE_MATCH: "*"}, 201),
    ({NONE_MATCH: '"{new}", "{now}"'}, 201),
]]


@pytest.mark.parametrize("method, reference, headers, status", WRITES)
def test_condition__decides_whether_anything_changes(repo, method, reference, headers, status):
    """RFC 9110 section 13.1.1: "the origin server MUST NOT perform the requested method"; 13.1.2 likewise. 412 is an
    error of the specification's form, and has the ETag of what stands there."""
    old, new = dump(repo.image_document()), dump(repo.image_document())
    words = {"now": digest_of(old), "new": digest_of(new)}
    repo.push(old, tag="v1")
    target = reference.format(**words)
    reply = repo.send(method, "manifests/" + target, (old if target == words["now"] else new) if method == "PUT" else None,
                      {name: value.format(**words) for name, value in headers.items()})
    assert reply.status == status, reply
    after = repo.get("manifests/" + target)
    if status == 201:
        assert after.body == (old if target == words["now"] else new)
    elif status == 202:
        assert after.status == 404
    else:
        stands = target in ("v1", words["now"])
        expect_error(reply, 412, "UNSUPPORTED", names=target)
        assert reply.header("ETag") == (f'"{words["now"]}"' if stands else None)
        assert reply.header("Docker-Content-Digest") == (words["now"] if stands else None)
        assert repo.tags() == ["v1"] and repo.get("manifests/v1").body == old
        assert repo.head("manifests/" + words["new"]).status == 404
        assert after.status == (200 if stands else 404)


@pytest.mark.parametrize("headers", [{MATCH: "*"}, {MATCH: '"zz"'}, {NONE_MATCH: "*"}, {NONE_MATCH: '"zz"'}])
def test_condition__is_nothing_where_the_request_fails_anyway(repo, headers):
    """RFC 9110 section 13.2.1: "A server MUST ignore all received preconditions if its response to the same request
    without those conditions ... would have been a status code other than a 2xx (Successful) or 412"."""
    for reference in ("v1", ABSENT):
        expect_error(repo.send("DELETE", "manifests/" + reference, headers=headers), 404, "NAME_UNKNOWN")
    repo.image(tag="other")
    for reference in ("v1", ABSENT):
        expect_error(repo.send("DELETE", "manifests/" + reference, headers=headers), 404, "MANIFEST_UNKNOWN")


def test_condition__refused_push_makes_no_repository(repo):
    """A push makes its repository; one that changes nothing does not."""
    reply = repo.put("v1", dump(repo.index_document([])), OCI_INDEX, If_Match="*")
    expect_error(reply, 412, "UNSUPPORTED")
    assert reply.header("ETag") is None
    expect_error(repo.get("tags/list"), 404, "NAME_UNKNOWN")


def test_condition__of_a_digest_put_is_about_the_digest_alone(repo):
    """end-7b: the tags of the query move as they would without it, or none of them."""
    old, new = dump(repo.image_document()), dump(repo.image_document())
    repo.push(old, tag="v1")
    assert repo.put(digest_of(new), new, query="?tag=v1&tag=v2", If_None_Match="*").status == 201
    assert repo.get("manifests/v1").body == new
    assert repo.put(digest_of(old), old, query="?tag=v1&tag=v3", If_None_Match="*").status == 412
    assert repo.get("manifests/v1").body == new and repo.tags() == ["v1", "v2"]


def test_condition__one_of_sixteen_makes_the_tag(repo):
    """RFC 9110 section 13.1.2: If-None-Match "*" prevents "accidentally overwriting" what another has just made."""
    bodies = [dump(repo.image_document()) for _ in range(16)]
    for tag in (f"v{n}" for n in range(10)):
        replies = gather(16, lambda i: repo.put(tag, bodies[i], If_None_Match="*"))
        assert sorted(reply.status for reply in replies) == [201] + [412] * 15
        winner = next(body for body, reply in zip(bodies, replies) if reply.status == 201)
        assert repo.get("manifests/" + tag).body == winner
        assert {reply.header("ETag") for reply in replies if reply.status == 412} == {f'"{digest_of(winner)}"'}


def test_condition__one_of_sixteen_deletes_the_tag(repo):
    """RFC 9110 section 13.1.1: a tag goes once, and only as it was seen; else it is another's, or gone."""
    bodies = [dump(repo.image_document()) for _ in range(2)]
    for _ in range(10):
        repo.push(bodies[0], tag="v1")
        moved, *replies = gather(16, lambda i: repo.put("v1", bodies[1], If_Match=f'"{digest_of(bodies[0])}"') if i == 0 else
                                 repo.send("DELETE", "manifests/v1", headers={MATCH: f'"{digest_of(bodies[0])}"'}))
        statuses = sorted(reply.status for reply in replies)
        assert statuses == ([412] * 15 if moved.status == 201 else [202] + [404] * 14), (moved, statuses)
        assert moved.status in (201, 412), moved
        assert repo.head("manifests/v1").status == (200 if moved.status == 201 else 404)


def test_condition__compare_and_swap_of_a_tag_loses_nothing(repo):
    """Referrers Tag Schema: "conditional HTTP requests to prevent overwriting a referrers list that has changed since it
    was first pulled"."""
    subject, rounds = repo.image(), 4

    def add(i):
        refused = 0
        for n in range(rounds):
            entry = dict(subject, annotations={"entry": f"{i}.{n}", "nonce": noise(8).hex()})
            while True:
                now = repo.get("manifests/list")
                known = now.json()["manifests"] if now.status == 200 else []
                demand = {"If_Match": now.header("ETag")} if now.status == 200 else {"If_None_Match": "*"}
                reply = repo.put("list", dump(repo.index_document(known + [entry])), OCI_INDEX, **demand)
                if reply.status == 201:
                    break
                assert reply.status == 412, reply
                refused += 1
                assert refused < 8 * rounds * rounds, "each refusal is another client's success"
        return refused

    refused = gather(8, add)
    entries = [entry["annotations"]["entry"] for entry in json.loads(repo.get("manifests/list").body)["manifests"]]
    assert sorted(entries) == sorted(f"{i}.{n}" for i in range(8) for n in range(rounds))
    assert sum(refused) > 0, "nobody met another"
