"""Tokens of a real token server for a real registry: logins, rights, expiry, identity tokens, helpers, and who sends what to whom."""

import base64
import json

import pytest

import layout
from commandline import DENIED, FAILED, Answering, Berth, says, servers
from test_client_login import config_of, helper, login  # noqa: F401
from token_server import TokenServer


class WithTokens(servers.Distribution):
    def __init__(self, tokens):
        super().__init__()
        self.tokens = tokens

    def command(self, folder, port, tls):
        argv = super().command(folder, port, tls)
        config = folder / "config.yml"
        config.write_text(config.read_text() + self.tokens.configuration())
        return argv

    def start(self, base, tls=None, folder=None):
        return Answering(self, base, tls, folder)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A registry with an image, and its token server: alice may all, anyone may read public/app."""
    tokens = TokenServer(tmp_path_factory.mktemp("tokens"), {"alice": "secret", "bob": "b"},
                         {"alice": {"team/app": "pull,push,delete", "public/app": "pull,push"},
                          "bob": {"team/app": "pull", "public/app": "pull"}, None: {"public/app": "pull"}})
    contestant = WithTokens(tokens)
    if not contestant.available():
        pytest.skip("distribution is not here (tools/bootstrap bench)")
    folder = tmp_path_factory.mktemp("guarded")
    plain = servers.Distribution().start(folder)        # filled before it is guarded
    config = b"{}"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST,
                           "config": {"mediaType": layout.CONFIG, "digest": layout.digest_of(config), "size": 2},
                           "layers": []}).encode()
    for name in ("team/app", "public/app"):
        plain.push_blob(name, config)
        plain.push_manifest(name, "v1", manifest)
    plain.stop()
    running = contestant.start(folder, folder=plain.folder)
    running.tokens = tokens
    yield running
    running.close()
    tokens.close()


@pytest.fixture
def berth(tmp_path, guarded):
    guarded.tokens.seen.clear()
    return Berth(tmp_path / "home")


def basic(pair):
    return "Basic " + base64.b64encode(pair.encode()).decode()


class TestTokenServer:
    def test_gives_a_token_to_anyone_for_what_is_public(self, berth, guarded):
        assert berth("tag", "list", f"{guarded.address}/public/app").out == b"v1\n"
        assert [s.authorization for s in guarded.tokens.seen] == [None]
        berth("tag", "list", f"{guarded.address}/team/app", code=DENIED)

    def test_gives_a_token_for_a_password(self, berth, guarded):
        berth.config(**{guarded.address: "bob:b", f"{guarded.address}/team": "alice:secret"})
        berth("manifest", "get", f"{guarded.address}/team/app:v1")
        assert [s.authorization for s in guarded.tokens.seen] == [basic("alice:secret")]
        berth("manifest", "get", f"{guarded.address}/public/app:v1")
        assert guarded.tokens.seen[-1].authorization == basic("bob:b")
        berth.config(**{guarded.address: "alice:wrong-word"})
        assert "wrong-word" not in berth("tag", "list", f"{guarded.address}/team/app", code=DENIED).err

    def test_who_may_not_push_is_told_that_and_not_to_log_in(self, berth, guarded, tmp_path):
        (tmp_path / "x").write_text("x")
        ref = f"{guarded.address}/team/app"
        berth.config(**{guarded.address: "bob:b"})
        said = berth("blob", "put", ref, tmp_path / "x", code=DENIED).err
        assert "the user may not do this" in said and "login" not in said
        berth("login", guarded.address, "--username", "bob", "--password-stdin", stdin=b"b")         # an identity token
        said = berth("blob", "put", ref, tmp_path / "x", code=DENIED).err
        assert "the user may not do this" in said and "login" not in said
        berth("logout", guarded.address)
        assert "login" in berth("blob", "put", ref, tmp_path / "x", code=DENIED).err

    def test_login_keeps_an_identity_token_in_the_place_of_the_password(self, berth, guarded):
        login(berth, guarded.address)
        kept = json.loads(config_of(berth).read_text())["auths"][guarded.address]
        assert kept["identitytoken"] in guarded.tokens.identities
        assert base64.b64decode(kept["auth"]) == b"alice:"
        guarded.tokens.seen.clear()
        berth("tag", "list", f"{guarded.address}/team/app")
        seen = guarded.tokens.seen[-1]
        assert seen.method == "POST" and seen.authorization is None and kept["identitytoken"] not in seen.path
        login(berth, guarded.address, b"wrong-word", code=DENIED)

    def test_an_identity_token_goes_to_the_helper_and_comes_back(self, berth, guarded, helper):
        config_of(berth).write_text('{"credsStore": "real"}')
        login(berth, guarded.address)
        kept = json.loads((helper / "kept.json").read_text())[guarded.address]
        assert kept["Username"] == "<token>" and kept["Secret"] in guarded.tokens.identities
        berth("tag", "list", f"{guarded.address}/team/app")
        assert berth("auth", "whoami", guarded.address).out == b"<token>\n"
        assert (helper / "log").read_text().split() == ["store", guarded.address, "get", guarded.address,
                                                        "get", guarded.address]

    def test_whoami_asks_nobody_but_the_file(self, berth, guarded):
        berth.config(**{guarded.address: "bob:b", f"{guarded.address}/team": "alice:secret"})
        assert berth("auth", "whoami", guarded.address).out == b"bob\n"
        assert berth("auth", "whoami", f"{guarded.address}/team/app").out == b"alice\n"
        assert berth("auth", "whoami", f"{guarded.address}/team/app", "--output", "json").json() == {
            "host": guarded.address, "username": "alice"}
        assert guarded.tokens.seen == []
        berth("auth", "whoami", "other.example", code=4)

    def test_a_header_for_scripts_is_what_the_registry_takes(self, berth, guarded):
        berth.config(**{guarded.address: "alice:secret"})
        line = berth("auth", "header", f"{guarded.address}/team/app", "--actions", "pull,push").out.decode()
        name, _, value = line.strip().partition(": ")
        assert name == "Authorization" and value.startswith("Bearer ")
        assert guarded.tokens.seen[-1].query["scope"] == ["repository:team/app:pull,push"]
        kept = berth.home / "bearer"
        kept.write_text(value.removeprefix("Bearer ") + "\n")
        config_of(berth).unlink()
        guarded.tokens.seen.clear()
        berth("manifest", "head", f"{guarded.address}/team/app:v1", "--bearer-file", kept)      # by hand
        assert guarded.tokens.seen == []
        kept.write_text("outdated-token")
        said = berth("manifest", "head", f"{guarded.address}/team/app:v1", "--bearer-file", kept, code=DENIED).err
        assert "outdated-token" not in said

    def test_the_scope_may_be_another_than_the_one_that_is_needed(self, berth, guarded):
        berth.config(**{guarded.address: "alice:secret"})
        berth("tag", "list", f"{guarded.address}/team/app", "--scope", "repository:team/app:pull,push repository:public/app:pull")
        assert guarded.tokens.seen[-1].query["scope"] == ["repository:team/app:pull,push", "repository:public/app:pull"]
        berth("tag", "list", f"{guarded.address}/team/app", "--scope", "repository:other:pull", code=DENIED)

    def test_a_token_that_has_ended_is_renewed(self, berth, guarded):
        berth.config(**{guarded.address: "alice:secret"})
        guarded.tokens.seconds, was = 1, guarded.tokens.seconds
        guarded.tokens.tells_seconds = False            # the JWT's own end counts
        try:
            berth("manifest", "get", f"{guarded.address}/team/app:v1")
        finally:
            guarded.tokens.seconds, guarded.tokens.tells_seconds = was, True


class TestHelpers:
    @pytest.fixture
    def slow(self, berth, helper):
        (helper / "docker-credential-slow").write_text("#!/bin/sh\nexec sleep 60\n")
        (helper / "docker-credential-slow").chmod(0o755)
        (helper / "docker-credential-angry").write_text("#!/bin/sh\necho the keychain is locked\nexit 1\n")
        (helper / "docker-credential-angry").chmod(0o755)
        return helper

    @pytest.mark.parametrize("policy, code", [("fail", FAILED), ("warn", 0), ("static-first", 0), ("off", 0)])
    def test_one_that_fails_is_met_as_the_policy_says(self, berth, guarded, slow, policy, code):
        config_of(berth).write_text(json.dumps({"credHelpers": {guarded.address: "angry"}, "auths": {
            guarded.address: {"auth": base64.b64encode(b"alice:secret").decode()}}}))
        done = berth("tag", "list", f"{guarded.address}/team/app", "--helpers", policy, code=code)
        assert ("the keychain is locked" in done.err) == (policy in ("fail", "warn"))
        assert ("warning" in done.err) == (policy == "warn")


class TestFallBack:
    """Where a token is not to be had."""

    def registry(self, scripted, challenges):
        s = scripted()

        def tags(request):
            if request.headers.get("Authorization") == basic("alice:secret"):
                return 200, {}, b'{"tags":["v1"]}'
            return 401, [("WWW-Authenticate", c.format(s.url)) for c in challenges], b""

        s.routes["/v2/a/tags/list"] = tags
        s.routes["/token"] = says(500)
        return s

    BEARER = 'Bearer realm="{}/token",service="s"'

    def test_a_password_is_sent_to_a_registry_that_asked_for_one_as_well(self, berth, scripted):
        s = self.registry(scripted, [self.BEARER, 'Basic realm="x"'])
        berth.config(**{s.address: "alice:secret"})
        assert berth("tag", "list", f"{s.address}/a").out == b"v1\n"

    def test_or_by_option(self, berth, scripted):
        s = self.registry(scripted, [self.BEARER])
        s.routes["/token"] = says(404)
        berth.config(**{s.address: "alice:secret"})
        berth("tag", "list", f"{s.address}/a", code=4)
        assert basic("alice:secret") not in [x.headers.get("Authorization") for x in s.seen if x.path.startswith("/v2/")]
        assert berth("tag", "list", f"{s.address}/a", "--basic-fallback").out == b"v1\n"
        berth.config(**{s.address: "alice:wrong"})
        berth("tag", "list", f"{s.address}/a", "--basic-fallback", code=DENIED)


class TestPlaces:
    """Where files of credentials lie."""

    def test_docker_and_podman_files_are_found(self, berth, guarded, tmp_path):
        text = json.dumps({"auths": {guarded.address: {"auth": base64.b64encode(b"alice:secret").decode()}}})
        ref = f"{guarded.address}/team/app"
        for variable, path in (("REGISTRY_AUTH_FILE", "auth.json"), ("DOCKER_CONFIG", "d/config.json"),
                               ("XDG_RUNTIME_DIR", "run/containers/auth.json"),
                               ("XDG_CONFIG_HOME", "config/containers/auth.json")):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            value = file if variable == "REGISTRY_AUTH_FILE" else file.parents[len(path.split("/")) - 2]
            berth("tag", "list", ref, **{variable: str(value)})
            file.unlink()
            berth("tag", "list", ref, code=DENIED, **{variable: str(value)})
        (berth.home / ".config/containers").mkdir(parents=True)
        (berth.home / ".config/containers/auth.json").write_text(text)
        berth("tag", "list", ref)
        config_of(berth).write_text(json.dumps({"auths": {"*": {"auth": base64.b64encode(b"nobody:x").decode()}}}))
        berth("tag", "list", ref, code=DENIED)          # Docker's file comes first, and has something for any host
