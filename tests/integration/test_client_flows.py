"""What passes between the client and registries as they are known to speak, played by scripted servers: the token flows of
Docker Hub, quay and Red Hat, scopes of two repositories, kept connections, and answers that are meant to harm."""

import base64
import gzip
import ssl
from urllib.parse import parse_qs, urlsplit

import pytest

import layout
from commandline import DENIED, FAILED, Scripted, says
from registries import Cable

BLOB = b"a layer"
DIGEST_OF_BLOB = layout.digest_of(BLOB)
BASIC = "Basic " + base64.b64encode(b"alice:secret").decode()
# What each says: the challenge, the token endpoint's answer, the status of a redirect of a blob.
KNOWN = {
    "docker hub": ('Bearer realm="{realm}",service="registry.docker.io",scope="repository:team/app:pull"',
                   b'{"token":"good","access_token":"good","expires_in":300,"issued_at":"2026-01-02T03:04:05.678901234Z"}', 307),
    "quay": ('Bearer realm="{realm}",service="quay.io",scope="repository:team/app:pull"', b'{"token":"good"}', 302),
    "red hat": ('Bearer realm="{realm}",service="docker-registry",scope="repository:team/app:pull",error="insufficient_scope"',
                b'{"token":"good","access_token":"good","expires_in":300,"refresh_token":"not-asked-for"}', 302),
    "azure": ('Bearer realm="{realm}",service="x.azurecr.io",scope="repository:team/app:pull"', b'{"access_token":"good"}', 307),
}


@pytest.mark.parametrize("user", [None, "alice"])
@pytest.mark.parametrize("kind", KNOWN)
def test_the_flows_of_well_known_registries(berth, scripted, kind, user):
    """C217: with and without an account, and the blob lies on a third host."""
    challenge, token, redirect = KNOWN[kind]
    registry, tokens, store = scripted(), scripted(), scripted()

    def guarded(status, headers, body):
        def answer(request):
            if request.headers.get("Authorization") != "Bearer good":
                return 401, {"WWW-Authenticate": challenge.format(realm=tokens.url + "/v2/auth?account=x")}, b'{"errors":[]}'
            return status, headers, body
        return answer

    registry.routes["/v2/team/app/tags/list"] = guarded(200, {}, b'{"tags":["v1"]}')
    registry.routes[f"/v2/team/app/blobs/{DIGEST_OF_BLOB}"] = guarded(redirect, {"Location": f"{store.url}/b?sig=x%2Fy"}, b"")
    tokens.routes["/v2/auth"] = says(200, token, Content_Type="application/json")
    store.routes["/b"] = says(200, BLOB)
    if user:
        berth.config(**{registry.address: "alice:secret"})
    assert berth("tag", "list", f"{registry.address}/team/app").out == b"v1\n"
    assert berth("blob", "get", f"{registry.address}/team/app@{DIGEST_OF_BLOB}").out == BLOB
    assert set(tokens.authorizations()) == {BASIC if user else None}
    asked = parse_qs(urlsplit(tokens.seen[0].path).query)
    assert asked["account"] == ["x"] and asked["scope"] == ["repository:team/app:pull"] and len(asked["service"]) == 1
    assert registry.authorizations() == [None, "Bearer good"] * 2 and store.authorizations() == [None]
    assert store.seen[0].path == "/b?sig=x%2Fy"


def test_a_mount_asks_for_both_repositories_at_once(berth, scripted):
    registry, tokens = scripted(), scripted()
    registry.routes["/v2/team/app/blobs/uploads/"] = lambda request: (
        (201, {"Location": "/v2/team/app/blobs/x"}, b"") if request.headers.get("Authorization") == "Bearer both" else
        (401, {"WWW-Authenticate": f'Bearer realm="{tokens.url}/token",service="s",scope="repository:team/app:pull,push"'}, b""))
    tokens.routes["/token"] = says(200, b'{"token":"both"}')
    berth("blob", "mount", f"{registry.address}/team/app@{DIGEST_OF_BLOB}", "--from", "team/base")
    asked = parse_qs(urlsplit(tokens.seen[0].path).query)["scope"]
    assert sorted(asked) == ["repository:team/app:pull,push", "repository:team/base:pull"] and len(tokens.seen) == 1


def test_a_connection_is_kept(berth, server):
    digest = layout.digest_of(b"{}")
    assert server.request("POST", f"/v2/team/kept/blobs/uploads/?digest={digest}", b"{}")[0] == 201
    manifest = (b'{"schemaVersion":2,"mediaType":"%s","layers":[],"config":{"mediaType":"%s","size":2,"digest":"%s"}}'
                % (layout.MANIFEST.encode(), layout.CONFIG.encode(), digest.encode()))
    for i in range(5):
        assert server.request("PUT", f"/v2/team/kept/manifests/v{i}", manifest, {"Content-Type": layout.MANIFEST})[0] == 201

    cable = Cable(server.port)
    try:
        assert len(berth("tag", "list", f"{cable.address}/team/kept", "--page-size", "1").out.split()) == 5
        assert cable.connections == 1
    finally:
        cable.close()


class TestHarm:
    def test_a_packed_answer_is_not_unpacked(self, berth, scripted):
        """A hundred megabytes of tags in a hundred kilobytes: what was not asked for packed is not unpacked."""
        s, bomb = scripted(), gzip.compress(b'{"tags":["' + b"x" * (100 << 20) + b'"]}')
        assert len(bomb) < 200_000
        s.routes["/v2/a/tags/list"] = says(200, bomb, Content_Encoding="gzip", Content_Type="application/json")
        s.routes["/v2/a/manifests/latest"] = says(200, bomb, Content_Encoding="gzip", Content_Type=layout.MANIFEST)
        berth("tag", "list", f"{s.address}/a", code=FAILED)
        assert "compressed" in berth("manifest", "get", f"{s.address}/a", code=FAILED).err
        assert all(r.headers.get("Accept-Encoding") is None for r in s.seen)

    def test_a_header_without_an_end(self, berth, scripted):
        s = scripted()
        s.routes["/v2/"] = says(200, b"", **{f"X-{i}": "y" * 60000 for i in range(8)})
        said = berth("ping", s.address, code=FAILED).err
        assert "header" in said and "long" in said

    def test_a_realm_on_plain_http_is_refused_by_https(self, berth, scripted, certificates):
        s, tokens = Scripted(), scripted()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)
        s.server.socket = context.wrap_socket(s.server.socket, server_side=True)
        tokens.routes["/token"] = says(200, b'{"token":"good"}')
        s.routes["/v2/"] = says(401, WWW_Authenticate=f'Bearer realm="{tokens.url}/token",service="s"')
        berth.config(**{s.address: "alice:secret", tokens.address: "alice:secret"})
        berth("ping", s.address, "--ca-file", certificates.ca, code=DENIED)
        s.close()
        assert tokens.seen == [] and s.authorizations() == [None]

    def test_a_storm_of_429_ends(self, berth, scripted):
        s = scripted()
        s.routes["/v2/a/tags/list"] = says(429, Retry_After="0")
        berth("tag", "list", f"{s.address}/a", code=5)
        assert 2 <= len(s.seen) <= 10

    @pytest.mark.parametrize("location", ["ftp://127.0.0.1/x", "http://u:p@127.0.0.1/x", "\x01",
                                          "http://127.0.0.1\\@evil.example/"])
    def test_a_redirect_to_nowhere(self, berth, scripted, location):
        s = scripted()
        s.routes["/v2/"] = says(307, Location=location)
        berth.config(**{s.address: "alice:secret"})
        assert berth("ping", s.address, code=FAILED).err.count("\n") == 1 and len(s.seen) == 1
