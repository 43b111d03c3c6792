"""Listing tags (end-8a, end-8b)."""

import pytest

from .oci import Repo, dump, digest_of, expect_error, next_link, pages

TAGS = ["1", "10", "2", "A", "B", "_x", "a", "a-b", "a.b", "aa", "b", "latest"]  # in ASCII order


@pytest.fixture
def tagged(repo):
    body = dump(repo.image_document())
    assert repo.put(digest_of(body), body, query="?" + "&".join("tag=" + tag for tag in reversed(TAGS))).status == 201
    return repo


@pytest.mark.parametrize("slash", ["", "/"])
def test_tags__whole_list_in_ascii_order(tagged, slash):
    """Listing Tags: "MUST return a 200 OK", "a json body" of name and tags, "in lexical ... or ASCIIbetical order"
    (R051, R272)."""
    reply = tagged.get("tags/list" + slash)
    assert reply.status == 200, reply
    assert reply.header("Content-Type").split(";")[0] == "application/json"
    assert reply.json() == {"name": tagged.name, "tags": TAGS}
    assert next_link(reply) is None


def test_tags__may_be_empty(repo):
    """Listing Tags: "The list of tags MAY be empty if there are no tags on the repository": a list, not null."""
    repo.image()
    assert repo.get("tags/list").json() == {"name": repo.name, "tags": []}


def test_tags__of_an_unknown_repository(repo):
    """code-9: "repository name not known to registry" (end-8a lists 404)."""
    expect_error(repo.get("tags/list"), 404, "NAME_UNKNOWN", names=repo.name)


@pytest.mark.parametrize("n", [1, 2, 5, 11, 12, 13, 100])
def test_tags__n_limits_the_page(tagged, n):
    """Listing Tags (end-8b): "the response MUST include <int> results" unless the total is less; "The list returned
    will start at the beginning of the list"."""
    reply = tagged.get(f"tags/list?n={n}")
    assert reply.json()["tags"] == TAGS[:n]
    assert (next_link(reply) is not None) == (n < len(TAGS))


@pytest.mark.parametrize("n", [1, 3, 5, 12])
def test_tags__link_leads_through_all(server, tagged, n):
    """Listing Tags: "the Link header MUST be set according to RFC 5988 with the Relation Type rel=next"."""
    found = pages(server, tagged.base + f"tags/list?n={n}")
    assert [tag for page in found for tag in page.json()["tags"]] == TAGS
    assert all(len(page.json()["tags"]) == n for page in found[:-1])


def test_tags__n_zero_is_empty_without_link(tagged):
    """Listing Tags: "When n is zero, this endpoint MUST return an empty list, and MUST NOT include a Link header"
    (R052)."""
    reply = tagged.get("tags/list?n=0")
    assert reply.status == 200 and reply.json() == {"name": tagged.name, "tags": []}, reply
    assert reply.all("Link") == []


@pytest.mark.parametrize("last", TAGS)
def test_tags__last_is_not_included(tagged, last):
    """Listing Tags: "beginning non-inclusively with <tagname>"; "When using the last query parameter, the n parameter
    is OPTIONAL"."""
    after = [tag for tag in TAGS if tag > last]
    assert tagged.get(f"tags/list?last={last}").json()["tags"] == after
    assert tagged.get(f"tags/list?n=2&last={last}").json()["tags"] == after[:2]
    assert tagged.get(f"tags/list?last={last}&n=2").json()["tags"] == after[:2]


@pytest.mark.parametrize("last", ["0", "11", "a-", "a-a", "zzz", "ZZ", "A.b.c", "_", "~", "%C3%A9", "9" * 128, ""])
def test_tags__last_need_not_exist(tagged, last):
    """Listing Tags: tags *after* `last` are returned, also when it was deleted meanwhile (R053)."""
    plain = {"%C3%A9": "\u00e9"}.get(last, last)
    reply = tagged.get("tags/list?last=" + last)
    assert reply.status == 200 or (reply.status == 400 and last in ("~", "%C3%A9")), reply
    if reply.status == 200:
        assert reply.json()["tags"] == [tag for tag in TAGS if tag > plain]


@pytest.mark.parametrize("n", ["-1", "-99999999999999999999", "abc", "1.5", "0x10", "1e3", "%00", "%20", "1%202", "--1", "+-1"])
def test_tags__bad_n_is_4xx(tagged, n):
    """Listing Tags: `<int>` is "an integer specifying the number of tags requested": anything else is refused (R051)."""
    expect_error(tagged.get("tags/list?n=" + n), 400)


@pytest.mark.parametrize("n", ["99999999", "2147483648", "4294967296", "18446744073709551616", "9" * 40])
def test_tags__huge_n_is_no_failure(tagged, n):
    """Listing Tags: a number beyond the registry's page is the registry's page, or a refusal; never a 5xx."""
    reply = tagged.get("tags/list?n=" + n)
    assert reply.status in (200, 400), reply
    if reply.status == 200:
        assert reply.json()["tags"] == TAGS


def test_tags__registrys_page_has_a_link(make_server):
    """Listing Tags: fewer than asked for only with a Link header (registry.page_size)."""
    repo = Repo(make_server("--registry-page-size=4"))
    body = dump(repo.image_document())
    assert repo.put(digest_of(body), body, query="?" + "&".join("tag=" + tag for tag in TAGS)).status == 201
    for query in ["", "?n=100"]:
        reply = repo.get("tags/list" + query)
        assert reply.json()["tags"] == TAGS[:4] and next_link(reply)
        found = pages(repo.server, repo.base + "tags/list" + query)
        assert [tag for page in found for tag in page.json()["tags"]] == TAGS


def test_tags__page_ends_where_the_list_does(tagged):
    """Listing Tags: a Link header is for "when additional tags are available": none behind the last tag."""
    reply = tagged.get(f"tags/list?n=2&last={TAGS[-3]}")
    assert reply.json()["tags"] == TAGS[-2:] and reply.all("Link") == []
    assert tagged.get(f"tags/list?last={TAGS[-1]}").json()["tags"] == []


def test_tags__paging_survives_deletes_and_pushes(server, tagged):
    """Listing Tags: pages go on by name, so what is not touched is listed once whatever comes and goes."""
    first = tagged.get("tags/list?n=4")
    assert tagged.delete("manifests/" + TAGS[3]).status == 202
    tagged.image(tag="0")
    rest = pages(server, next_link(first))
    assert [tag for page in rest for tag in page.json()["tags"]] == TAGS[4:]


def test_tags__a_thousand_and_one(server, repo):
    """Listing Tags: the whole of a long list, over Link alone."""
    body = dump(repo.image_document())
    names = sorted(f"t{i}" for i in range(1001))
    for start in range(0, 1001, 100):
        part = names[start:start + 100]
        assert repo.put(digest_of(body), body, query="?" + "&".join("tag=" + tag for tag in part)).status == 201
    found = pages(server, repo.base + "tags/list")
    assert [tag for page in found for tag in page.json()["tags"]] == names


def test_tags__unknown_parameters_are_ignored(tagged):
    """RFC 3986: a query the registry does not know changes nothing."""
    assert tagged.get("tags/list?x=1&n=2&y=%20").json()["tags"] == TAGS[:2]


def test_tags__wrong_method_is_405(tagged):
    """RFC 9110 section 15.5.6."""
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        reply = tagged.send(method, "tags/list")
        expect_error(reply, 405, "UNSUPPORTED")
        assert "GET" in reply.header("Allow")
