"""`berth ping`, `tag list`, `manifest get|head`, `blob get` against four real registries, and against one that misbehaves."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from urllib.parse import parse_qs, urlsplit

import pytest

import layout
from commandline import (BLOB, DENIED, DIGEST, FAILED, NETWORK, NOT_FOUND, OK, REAL, TAGS, each_of, fill, says)
from server import berth_path

real = each_of(REAL, fill)


class TestRealRegistries:
    def test_answers_a_ping(self, berth, real):
        assert berth("ping", real.host).out.decode() == f"the registry at {real.host} answers\n"
        assert berth("ping", real.host, "--output", "json").json() == {"host": real.host}

    def test_lists_tags(self, berth, real):
        want = sorted(f"v{i}" for i in range(TAGS))
        assert sorted(berth("tag", "list", real.ref).out.decode().split()) == want
        listed = berth("tag", "list", f"docker://{real.ref}", "--output=json").json()
        assert listed["name"] == "team/app" and sorted(listed["tags"]) == want

    def test_gets_a_manifest_byte_for_byte(self, berth, real):
        for ref in (f"{real.ref}:v1", f"{real.ref}@{real.digest}", f"{real.ref}:other@{real.digest}"):
            assert berth("manifest", "get", ref).out == real.manifest
        got = berth("manifest", "get", f"{real.ref}:v1", "--output", "json").json()
        assert got == {"digest": real.digest, "mediaType": layout.MANIFEST, "size": len(real.manifest),
                       "manifest": json.loads(real.manifest)}

    def test_heads_a_manifest(self, berth, real):
        assert berth("manifest", "head", f"{real.ref}:v1", "--output", "json").json() == {
            "reference": f"{real.ref}:v1", "digest": real.digest, "mediaType": layout.MANIFEST, "size": len(real.manifest)}
        assert real.digest in berth("manifest", "head", f"{real.ref}@{real.digest}").out.decode()

    def test_gets_a_blob(self, berth, real, tmp_path):
        ref = f"{real.ref}@{real.blob_digest}"
        assert berth("blob", "get", ref).out == real.blob
        said = berth("blob", "get", ref, "-o", tmp_path / "blob", "--output", "json").json()
        assert said == {"digest": real.blob_digest, "size": BLOB}
        assert (tmp_path / "blob").read_bytes() == real.blob

    def test_says_what_is_not_there(self, berth, real, tmp_path):
        assert "UNKNOWN" in berth("manifest", "get", f"{real.ref}:none", code=NOT_FOUND).err
        berth("manifest", "head", f"{real.ref}:none", code=NOT_FOUND)
        absent = layout.digest_of(b"absent")
        berth("blob", "get", f"{real.ref}@{absent}", "-o", tmp_path / "blob", code=NOT_FOUND)
        assert list(tmp_path.glob("blob*")) == []
        # olareg has every repository, and nothing in it
        berth("tag", "list", f"{real.host}/no/such", code=OK if real.running.name == "olareg" else NOT_FOUND)


class TestTls:
    @pytest.fixture(scope="class", params=list(REAL))
    def secure(self, request, certificates, tmp_path_factory):
        contestant = REAL[request.param]()
        if not contestant.available():
            pytest.skip(f"{request.param} is not here (tools/bootstrap bench)")
        running = contestant.start(tmp_path_factory.mktemp("secure"), (str(certificates.certificate), str(certificates.key)))
        yield running
        running.close()

    def test_trusts_whom_it_is_told_to(self, berth, secure, certificates):
        berth("ping", secure.address, "--ca-file", certificates.ca)
        berth("ping", secure.address, "--insecure")
        here = f"localhost:{secure.port}"
        berth("ping", here, "--ca-file", certificates.ca)
        assert "certificate" in berth("ping", here, "--ca-file", "/etc/ssl/certs/ca-certificates.crt", code=NETWORK).err
        assert "'/nowhere'" in berth("ping", here, "--ca-file", "/nowhere", code=NOT_FOUND).err

    def test_tells_http_and_https_apart(self, berth, server, certificates):
        assert "plain HTTP" in berth("ping", server.address, "--ca-file", certificates.ca, code=NETWORK).err


class TestPasswords:
    def test_a_real_registry_takes_them(self, berth, locked):
        said = berth("ping", locked.address, code=DENIED).err
        assert "user name" in said
        berth("ping", locked.address, "--username", "alice", "--password-stdin", stdin=b"secret\n")
        said = berth("ping", locked.address, "--username", "alice", "--password-stdin", stdin=b"wrong-word\n", code=DENIED).err
        assert "wrong-word" not in said

    def test_come_from_dockers_file(self, berth, locked, tmp_path):
        berth.config(**{locked.address: "alice:secret", "other.example": "bob:x"})
        berth("ping", locked.address)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        shutil.move(berth.home / ".docker" / "config.json", elsewhere / "config.json")
        berth("ping", locked.address, code=DENIED)
        berth("ping", locked.address, DOCKER_CONFIG=str(elsewhere))


def test_a_list_that_fails_begins_no_document(berth, scripted):
    s = scripted()
    assert berth("tag", "list", f"{s.address}/a", "--output", "json", code=NOT_FOUND).out == b""
    s.routes["/v2/a/tags/list"] = says(200, b'{"name":"a","tags":[]}')
    assert berth("tag", "list", f"{s.address}/a", "--output", "json").json() == {"name": "a", "tags": []}


class TestTokens:
    def registry(self, scripted, challenge, token, scope="repository:team/app:pull"):
        """A registry that wants a token, and the endpoint that gives it, on another port."""
        registry, endpoint = scripted(), scripted()

        def tags(request):
            if request.headers.get("Authorization") == "Bearer good":
                return 200, {}, b'{"name":"team/app","tags":["v1"]}'
            return 401, {"WWW-Authenticate": challenge.format(realm=endpoint.url + "/token", scope=scope)}, b""

        registry.routes["/v2/team/app/tags/list"] = tags
        endpoint.routes["/token"] = token
        return registry, endpoint

    CHALLENGE = 'Bearer realm="{realm}",service="test",scope="{scope}"'

    @pytest.mark.parametrize("challenge", [
        CHALLENGE,
        'bearer Realm = "{realm}" , service=test , scope="{scope}"',
        'realm="{realm}",service="test",scope="{scope}"',                       # no scheme word
        "Bearer realm={realm},service=test,scope={scope}",                      # no quotes
        "Bearer realm='{realm}',service='test',scope='{scope}'",
        'Negotiate, Basic realm="x", Bearer realm="{realm}",service="test",scope="{scope}"',
        'Bearer realm="{realm}"',                                               # neither service nor scope
        'Bearer realm="{realm}",service="test",scope="{scope}',                 # an open quote
    ])
    def test_are_fetched_for_a_challenge_in_any_shape(self, berth, scripted, challenge):
        registry, endpoint = self.registry(scripted, challenge, says(200, b'{"token":"good"}'))
        assert berth("tag", "list", f"{registry.address}/team/app").out == b"v1\n"
        assert registry.authorizations() == [None, "Bearer good"] and endpoint.authorizations() == [None]
        assert parse_qs(urlsplit(endpoint.seen[0].path).query)["scope"] == ["repository:team/app:pull"]

    @pytest.mark.parametrize("answer", [
        says(200, b'{"access_token":"good","expires_in":300}', Content_Type="application/json"),
        says(200, b'{"token":"good"}', Content_Type="text/plain"),
        says(200, b'{"token":"good","issued_at":"2001-01-01T00:00:00Z"}', Content_Type="text/html"),
    ])
    def test_are_read_from_an_answer_in_any_shape(self, berth, scripted, answer):
        registry, _ = self.registry(scripted, self.CHALLENGE, answer)
        berth("tag", "list", f"{registry.address}/team/app")

    def test_are_fetched_with_a_password_that_the_registry_never_sees(self, berth, scripted):
        basic = "Basic " + base64.b64encode(b"alice:secret").decode()
        registry, endpoint = self.registry(scripted, self.CHALLENGE, lambda r: (
            (200, {}, b'{"token":"good"}') if r.headers["Authorization"] == basic else (401, {}, b"")))
        berth.config(**{f"{registry.address}/team": "alice:secret", registry.address: "bob:x"})
        berth("tag", "list", f"{registry.address}/team/app")
        assert registry.authorizations() == [None, "Bearer good"] and endpoint.authorizations() == [basic]
        berth.config(**{registry.address: "alice:wrong"})
        assert "wrong" not in berth("tag", "list", f"{registry.address}/team/app", code=DENIED).err

    @pytest.mark.parametrize("answer, code", [
        (says(200, b"<html>"), FAILED), (says(200, b'{"token":"bad\\r\\nX-Evil: 1"}'), FAILED),
        (says(403, b'{"errors":[{"code":"DENIED","message":"not you"}]}'), DENIED), (says(503), 5),
        (says(302, Location="http://127.0.0.1:1/"), FAILED), (says(200, b'{"token":"bad"}'), DENIED),
    ])
    def test_that_are_none_end_the_command(self, berth, scripted, answer, code):
        registry, _ = self.registry(scripted, self.CHALLENGE, answer)
        berth("tag", "list", f"{registry.address}/team/app", code=code)
        assert len(registry.seen) <= 3

    def test_an_identity_token_is_posted(self, berth, scripted):
        registry, endpoint = self.registry(scripted, self.CHALLENGE, says(200, b'{"access_token":"good"}'))
        (berth.home / ".docker" / "config.json").write_text(json.dumps({"auths": {registry.address: {"identitytoken": "again"}}}))
        berth("tag", "list", f"{registry.address}/team/app")
        asked = endpoint.seen[0]
        assert asked.method == "POST" and "again" not in asked.path
        assert parse_qs(asked.body.decode())["refresh_token"] == ["again"]


class TestMisbehaving:
    def test_pages_are_followed_in_every_form(self, berth, scripted):
        s = scripted()

        def tags(request):
            last = parse_qs(urlsplit(request.path).query).get("last", ["0"])[0]
            link = {"0": '</v2/a/tags/list?n=1&last=1>; rel="next"', "1": "<?last=2>; rel=next",
                    "2": f'<{s.url}/v2/a/tags/list?last=3>; rel="next"'}.get(last)
            return 200, {"Link": link} if link else {}, json.dumps({"name": "a", "tags": [f"t{last}"]}).encode()

        s.routes["/v2/a/tags/list"] = tags
        assert berth("tag", "list", f"{s.address}/a").out.split() == [b"t0", b"t1", b"t2", b"t3"]

    def test_a_page_on_another_host_is_not_asked_for(self, berth, scripted):
        s, other = scripted(), scripted()
        s.routes["/v2/a/tags/list"] = says(200, b'{"tags":["t"]}', Link=f'<{other.url}/v2/a/tags/list>; rel="next"')
        assert "another host" in berth("tag", "list", f"{s.address}/a", code=DENIED).err
        assert not other.seen

    def test_a_wrong_digest_leaves_no_file(self, berth, scripted, tmp_path):
        s, digest = scripted(), layout.digest_of(b"right")
        s.routes[f"/v2/a/blobs/{digest}"] = says(200, b"wrong")
        (tmp_path / "old").write_bytes(b"old")
        berth("blob", "get", f"{s.address}/a@{digest}", "-o", tmp_path / "blob", code=DIGEST)
        berth("blob", "get", f"{s.address}/a@{digest}", "-o", tmp_path / "old", code=DIGEST)
        assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["old"]
        assert (tmp_path / "old").read_bytes() == b"old"

    def test_a_wrong_manifest_is_not_printed(self, berth, scripted):
        s, digest = scripted(), layout.digest_of(b"right")
        s.routes[f"/v2/a/manifests/{digest}"] = says(200, b"{}", Content_Type=layout.MANIFEST)
        s.routes["/v2/a/manifests/v1"] = says(200, b"{}", Content_Type=layout.MANIFEST, Docker_Content_Digest=digest)
        for ref in (f"{s.address}/a@{digest}", f"{s.address}/a:v1"):
            assert berth("manifest", "get", ref, code=DIGEST).out == b""

    def test_a_short_body_is_an_error(self, berth, scripted, tmp_path):
        s, digest = scripted(), layout.digest_of(b"right")
        s.routes[f"/v2/a/blobs/{digest}"] = says(200, b"rig", Content_Length="5")
        s.routes["/v2/a/tags/list"] = says(200, b'{"tags":[]}', Content_Length="50")
        assert "early" in berth("blob", "get", f"{s.address}/a@{digest}", "-o", tmp_path / "blob", code=NETWORK).err
        assert not (tmp_path / "blob").exists()
        berth("tag", "list", f"{s.address}/a", code=NETWORK)

    def test_a_redirect_to_another_host_takes_no_credentials_along(self, berth, scripted):
        s, other, digest = scripted(), scripted(), layout.digest_of(b"right")
        basic = "Basic " + base64.b64encode(b"alice:secret").decode()

        def blob(request):
            if request.headers.get("Authorization") != basic:
                return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
            return 307, {"Location": f"{other.url}/store?signature=x&y=z"}, b""

        s.routes[f"/v2/a/blobs/{digest}"] = blob
        other.routes["/store"] = says(200, b"right")
        berth.config(**{s.address: "alice:secret", other.address: "alice:secret"})
        assert berth("blob", "get", f"{s.address}/a@{digest}").out == b"right"
        assert s.authorizations() == [None, basic] and other.authorizations() == [None]
        assert other.seen[0].path == "/store?signature=x&y=z"
        other.routes["/store"] = says(401, WWW_Authenticate='Basic realm="x"')       # not even when it asks
        berth("blob", "get", f"{s.address}/a@{digest}", code=DENIED)
        assert other.authorizations() == [None, None]

    def test_endless_redirects_end(self, berth, scripted):
        s = scripted()
        s.routes["/v2/"] = says(302, Location="/v2/")
        assert "redirects more than" in berth("ping", s.address, code=FAILED).err
        assert len(s.seen) == 11

    def test_a_web_page_is_no_registry(self, berth, scripted):
        s = scripted()
        for path in ("/v2/", "/v2/a/tags/list", "/v2/a/manifests/latest"):
            s.routes[path] = says(200, b"<html>welcome</html>", Content_Type="text/html")
        berth("ping", s.address, code=FAILED)
        for command in (["tag", "list"], ["manifest", "get"], ["manifest", "head"]):
            done = berth(*command, f"{s.address}/a", code=FAILED)
            assert b"welcome" not in done.out and "welcome" not in done.err

    def test_nothing_acts_on_the_terminal(self, berth, scripted):
        s = scripted()
        s.routes["/v2/"] = says(403, b'{"errors":[{"code":"DENIED","message":"\\u001b[31mred"}]}')
        s.routes["/v2/a/tags/list"] = says(200, b'{"tags":["\\u001b[31m"]}')
        assert "\x1b" not in berth("ping", s.address, code=DENIED).err
        assert b"\x1b" not in berth("tag", "list", f"{s.address}/a", code=FAILED).out

    def test_too_much_is_refused(self, berth, scripted):
        s = scripted()
        s.routes["/v2/a/manifests/latest"] = says(200, b"x" * (9 << 20), Content_Type=layout.MANIFEST)
        s.routes["/v2/"] = says(200, b"", **{f"X-{i}": "y" * 1000 for i in range(90)})
        assert "too large" in berth("manifest", "get", f"{s.address}/a", code=FAILED).err
        berth("ping", s.address)

    def test_memory_does_not_grow_with_a_blob(self, berth, scripted, tmp_path):
        s, size = scripted(), 256 << 20
        piece = bytes(1 << 20)
        digest = "sha256:" + hashlib.sha256(piece * (size >> 20)).hexdigest()
        s.routes[f"/v2/a/blobs/{digest}"] = says(200, piece * (size >> 20))
        if os.environ.get("BERTH_BUILD") in ("asan", "tsan"):
            berth("blob", "get", f"{s.address}/a@{digest}", "-o", tmp_path / "blob")
        else:                           # 64 MiB of address space for all: the program, its libraries, its buffers
            done = subprocess.run(["prlimit", "--data=67108864", berth_path(), "blob", "get", f"{s.address}/a@{digest}", "-o",
                                   str(tmp_path / "blob")], env=berth.env, capture_output=True, timeout=120)
            assert done.returncode == 0, done.stderr
        assert (tmp_path / "blob").stat().st_size == size
