"""Determining support (end-1), and the end-points that operators watch."""

import pytest

from .oci import expect_error, send


@pytest.mark.parametrize("target", ["/v2/", "/v2"])
def test_ping__answers_200_with_success(server, target):
    """Determining Support: "If the response is 200 OK, then the registry implements this specification." Clients of
    django-oci read {"success": true}; both spellings, never by a redirect (R001, R002)."""
    reply = send(server, "GET", target)
    assert reply.status == 200, reply
    assert reply.header("Content-Type").split(";")[0] == "application/json"
    assert reply.json() == {"success": True}


@pytest.mark.parametrize("target", ["/v2/", "/v2"])
def test_ping__answers_head_without_a_body(server, target):
    """API: RFC 9110 section 9.3.2 rules where the specification is silent: HEAD is GET without content."""
    whole, head = send(server, "GET", target), send(server, "HEAD", target)
    assert head.status == 200 and head.body == b"", head
    assert head.header("Content-Length") == str(len(whole.body))


def test_ping__names_the_protocol(server):
    """Legacy Docker support HTTP headers: Docker's clients look for Docker-Distribution-API-Version."""
    assert send(server, "GET", "/v2/").header("Docker-Distribution-API-Version") == "registry/2.0"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_ping__refuses_other_methods_with_allow(server, method):
    """RFC 9110 section 15.5.6: a 405 MUST carry Allow (API: "SHOULD follow the HTTP semantics")."""
    reply = send(server, method, "/v2/")
    expect_error(reply, 405, "UNSUPPORTED")
    assert {"GET", "HEAD"} <= {name.strip() for name in reply.header("Allow").split(",")}


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/startupz", "/metrics"])
def test_ping__operators_end_points_answer(server, target):
    """Liveness, readiness, the start and figures stand beside /v2/."""
    reply = send(server, "GET", target)
    assert reply.status == 200, reply


def test_metrics__is_prometheus_text(server):
    """Each sample is a name, perhaps labels, and a number, after its HELP and TYPE."""
    reply = send(server, "GET", "/metrics")
    assert reply.header("Content-Type").startswith("text/plain")
    samples = [line for line in reply.body.decode().splitlines() if line and not line.startswith("#")]
    assert samples
    for line in samples:
        float(line.rsplit(" ", 1)[1])


def test_discover__lists_extensions(server, repo):
    """_oci extension, "discover": 200, application/json, an array of extensions each with name, url and endpoints
    (R060)."""
    repo.image(tag="v1")
    for target in ["/v2/_oci/ext/discover", repo.base + "_oci/ext/discover", "/v2/_oci/ext/discover/"]:
        reply = send(server, "GET", target)
        assert reply.status == 200, reply
        assert reply.header("Content-Type").split(";")[0] == "application/json"
        assert reply.header("Content-Length") == str(len(reply.body))
        extensions = reply.json()["extensions"]
        assert isinstance(extensions, list) and extensions
        for extension in extensions:
            assert extension["name"].startswith("_")
            assert isinstance(extension["url"], str) and extension["url"]
            assert isinstance(extension["endpoints"], list)
            assert isinstance(extension.get("description", ""), str)
    assert "_oci" in [extension["name"] for extension in send(server, "GET", "/v2/_oci/ext/discover").json()["extensions"]]
