"""The list of repositories: Docker's _catalog, in pages."""

import pytest

from .oci import Repo, expect_error, next_link, pages, send

NAMES = ["a", "a/b", "a/c", "ab", "b/x/y", "c-d", "zz"]


@pytest.fixture
def catalog(make_server):
    server = make_server()
    for name in reversed(NAMES):
        Repo(server, name).image(tag="v1")
    return server


@pytest.mark.parametrize("target", ["/v2/_catalog", "/v2/_catalog/"])
def test_catalog__lists_all_in_order(catalog, target):
    """Docker Registry HTTP API V2 (apdx-1), "Listing Repositories": {"repositories": [...]}, sorted (R057)."""
    reply = send(catalog, "GET", target)
    assert reply.status == 200, reply
    assert reply.header("Content-Type").split(";")[0] == "application/json"
    assert reply.json() == {"repositories": sorted(NAMES)}
    assert next_link(reply) is None


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
def test_catalog__pages_by_link(catalog, n):
    """apdx-1, "Pagination": n, last and Link with rel="next"."""
    found = pages(catalog, f"/v2/_catalog?n={n}")
    assert [name for page in found for name in page.json()["repositories"]] == sorted(NAMES)
    assert all(len(page.json()["repositories"]) == n for page in found[:-1])


def test_catalog__last_need_not_exist(catalog):
    """apdx-1, "Pagination": names after `last`, which may be gone."""
    reply = send(catalog, "GET", "/v2/_catalog?last=a/bb")
    assert reply.json()["repositories"] == [name for name in sorted(NAMES) if name > "a/bb"]


def test_catalog__n_zero_is_empty(catalog):
    """As for tags: nothing is asked for, nothing comes, without a Link."""
    reply = send(catalog, "GET", "/v2/_catalog?n=0")
    assert reply.status == 200 and reply.json() == {"repositories": []} and reply.all("Link") == []


@pytest.mark.parametrize("n", ["-1", "abc", "1.5", "%00"])
def test_catalog__bad_n_is_4xx(catalog, n):
    """apdx-1, "Pagination": `n` is an integer."""
    expect_error(send(catalog, "GET", "/v2/_catalog?n=" + n), 400)


def test_catalog__of_an_empty_registry(make_server):
    """An empty list, not null."""
    assert send(make_server(), "GET", "/v2/_catalog").json() == {"repositories": []}


def test_catalog__empty_repositories_vanish(catalog):
    """A repository is listed while it holds a manifest (R059)."""
    repo = Repo(catalog, "zz")
    digest = repo.get("manifests/v1").header("Docker-Content-Digest")
    assert repo.delete("manifests/" + digest).status == 202
    assert "zz" not in send(catalog, "GET", "/v2/_catalog").json()["repositories"]
    repo.image(tag="again")
    assert "zz" in send(catalog, "GET", "/v2/_catalog").json()["repositories"]


def test_catalog__wrong_method_is_405(catalog):
    """RFC 9110 section 15.5.6."""
    for method in ("PUT", "POST", "DELETE"):
        reply = send(catalog, method, "/v2/_catalog")
        expect_error(reply, 405, "UNSUPPORTED")
        assert "GET" in reply.header("Allow")
