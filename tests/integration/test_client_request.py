"""`berth request`, Reggie on the command line: the steps of the user guide against four registries, and what must go wrong."""

import base64
import hashlib
import http.server
import json
import os
import threading
from types import SimpleNamespace

import pytest

import layout
from commandline import DENIED, FAILED, NETWORK, NOT_FOUND, OK, USAGE, Berth, WithPassword, servers
from server import Server, berth_path

OTHERS = {"distribution": servers.Distribution, "docker-registry": servers.DockerRegistry, "olareg": servers.Olareg}
CHUNK = 1024


class WithToken(WithPassword):
    user, password = "dinosaur", "93e033f9"


@pytest.fixture
def berth(tmp_path):
    return Berth(tmp_path)         # files are named as they lie there


@pytest.fixture(scope="module", params=["berth", *OTHERS, "with a password"])
def guide(request, tmp_path_factory):
    """Each registry, and what the command line needs for it."""
    if request.param == "berth":
        own = Server(berth_path(), tmp_path_factory.mktemp("guide") / "data")     # others follow the guide too
        yield SimpleNamespace(host=own.address, options=[], stdin=b"")
        own.stop()
        return
    locked = request.param == "with a password"
    contestant = WithToken() if locked else OTHERS[request.param]()
    if not contestant.available():
        pytest.skip(f"{request.param} is not here (tools/bootstrap bench)")
    running = contestant.start(tmp_path_factory.mktemp("guide"))
    yield SimpleNamespace(host=running.address, options=["--username", "dinosaur", "--password-stdin"] if locked else [],
                          stdin=b"93e033f9\n" if locked else b"")
    running.close()


def test_the_steps_of_the_user_guide(berth, guide, tmp_path):
    """C230: ping, POST and PUT of a SIF file, GET, chunks of 1 KiB, PUT, a manifest, tags, another name."""
    def ask(method, path, *more, code=OK):
        return berth("request", method, path, "--registry", f"http://{guide.host}/", *guide.options, *more,
                     "--output", "json", code=code, stdin=guide.stdin).json()

    image = b"".join(layout.noise(3 * CHUNK + 700, b"sif"))
    (tmp_path / "busybox_latest.sif").write_bytes(image)
    digest, name = layout.digest_of(image), ["--name", "myorg/myrepo"]
    octets = ["-H", "Content-Type: application/octet-stream"]
    assert ask("GET", "/v2/")["status"] == 200

    opened = ask("POST", "/v2/<name>/blobs/uploads/", *name)
    assert opened["status"] == 202 and opened["location"].startswith("/v2/")
    done = ask("PUT", opened["location"], *octets, "-H", f"Content-Length: {len(image)}", "--query", f"digest={digest}",
               "--data", "@busybox_latest.sif")
    assert done["status"] == 201
    berth("request", "GET", done["absoluteLocation"], *guide.options, "-o", "back", stdin=guide.stdin)
    assert (tmp_path / "back").read_bytes() == image

    again = image + b"!"
    digest = layout.digest_of(again)
    at = ask("POST", "/v2/<name>/blobs/uploads/", *name, *octets, "-H", "Content-Length: 0")["location"]
    for start in range(0, len(again), CHUNK):
        piece = again[start:start + CHUNK]
        (tmp_path / "piece").write_bytes(piece)
        answer = ask("PATCH", at, *octets, "-H", f"Content-Range: {start}-{start + len(piece) - 1}", "--data", "@piece")
        assert answer["status"] == 202
        at = answer["location"]
    done = ask("PUT", at, "--query", f"digest={digest}")
    assert done["status"] == 201 and done["location"].split("?")[0].rstrip("/").endswith(digest)

    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": layout.MANIFEST,
        "config": {"mediaType": layout.CONFIG, "size": len(again), "digest": digest},
        "layers": [{"mediaType": layout.LAYER, "size": len(again), "digest": digest}]})
    put = ask("PUT", "/v2/<name>/manifests/<reference>", *name, "--reference", "latest",
              "-H", f"Content-Type: {layout.MANIFEST}", "--data", manifest)
    assert put["status"] == 201
    got = ask("GET", "/v2/<name>/manifests/<reference>", *name, "--reference", "latest", "-H", f"Accept: {layout.MANIFEST}")
    assert got["body"] == json.loads(manifest)
    assert ask("GET", "/v2/<name>/tags/list", *name)["body"] == {"name": "myorg/myrepo", "tags": ["latest"]}
    other = ask("GET", "/v2/<name>/manifests/<reference>", "--name", "vsoch/django-oci", "--reference", "x", code=NOT_FOUND)
    assert other["url"] == f"http://{guide.host}/v2/vsoch/django-oci/manifests/x"
    assert other["status"] == 404 and other["errors"][0]["code"] in ("NAME_UNKNOWN", "MANIFEST_UNKNOWN")


def test_shows_the_exchange_with_secrets_masked(berth, tmp_path_factory):
    """C034"""
    contestant = WithToken()
    if not contestant.available():
        pytest.skip("distribution is not here (tools/bootstrap bench)")
    running = contestant.start(tmp_path_factory.mktemp("masked"))
    try:
        said = berth("request", "GET", f"http://{running.address}/v2/<name>/tags/list", "--name", "a/b", "-v",
                     "--username", "dinosaur", "--password-stdin", stdin=b"93e033f9", code=NOT_FOUND).err
        secret = base64.b64encode(b"dinosaur:93e033f9").decode()
        assert secret not in said and "93e033f9" not in said
        assert said.count("> GET /v2/a/b/tags/list HTTP/1.1\n") == 2 and "> Authorization: Basic ***\n" in said
        assert "< HTTP/1.1 401 Unauthorized\n" in said and "< Www-Authenticate: Basic realm=" in said
        denied = berth("request", "GET", f"http://{running.address}/v2/", "-i", code=DENIED)
        assert denied.out.startswith(b"HTTP 401\n") and b"UNAUTHORIZED" in denied.out
    finally:
        running.close()


def test_the_body_goes_where_it_is_told_to(berth, server, tmp_path):
    def ask(*words, **more):
        return berth("request", *words, "--registry", server.address, "--name", "team/body", **more)

    blob = b"".join(layout.noise(9 << 20, b"body"))       # more than memory is asked to hold
    digest = layout.digest_of(blob)
    opened = ask("POST", "/v2/<name>/blobs/uploads/", "--format", "{{.location}}").out.decode().strip()
    ask("PUT", opened, "--query", f"digest={digest}", "--data", "@-", stdin=blob)
    path = ["/v2/<name>/blobs/<digest>", "--digest", digest]
    assert hashlib.sha256(ask("GET", *path).out).hexdigest() == digest.split(":")[1]
    shown = ask("GET", *path, "-o", "blob", "--output", "json").json()
    assert (tmp_path / "blob").read_bytes() == blob and shown["body"] is None and shown["status"] == 200
    (tmp_path / "blob").write_bytes(b"before")
    wrong = layout.digest_of(b"absent")
    refused = ask("GET", "/v2/<name>/blobs/<digest>", "--digest", wrong, "-o", "blob", code=NOT_FOUND)
    assert b"BLOB_UNKNOWN" in refused.out and (tmp_path / "blob").read_bytes() == b"before"
    assert not list(tmp_path.glob("blob.*"))
    assert "too large" in ask("GET", *path, "--output", "json", code=FAILED).err
    head = ask("HEAD", *path).out.decode()
    assert head.startswith("HTTP 200\n") and f"Content-Length: {len(blob)}\n" in head
    assert ask("GET", *path, "-H", "Range: bytes=1-4", "-i").out.endswith(b"\n\n" + blob[1:5])


@pytest.mark.parametrize("words, why", [
    (["GET", "/v2/<name>/tags/list"], "'<name>' is not filled in"),
    (["GET", "/v2/<name>/manifests/<reference>", "--name", "a"], "'<reference>' is not filled in"),
    (["GET", "/v2//x"], "empty part"),
    (["GET", "/v2/<name>/tags/list", "--name", "a/../../b"], "leads elsewhere"),
    (["GET", "/v2/<nam>/x"], "nothing can fill '<nam>'"),
    (["GET"], "PATH"),
    (["GET", "/v2/", "x"], "x"),
    (["G T", "/v2/"], "method"),
    (["GET", "/v2/", "-H", "no header"], "--header"),
    (["GET", "/v2/", "-H", "Host: other"], "Host"),
    (["GET", "/v2/", "--query", "no"], "--query"),
    (["GET", "/v2/", "--registry", "a b"], "not a host name"),
    (["GET", "/v2/", "--registry", ""], "not a host name"),
])
def test_says_what_is_wrong_with_the_command_line(berth, words, why):
    assert why in berth("request", *words, code=USAGE).err


def test_a_body_that_is_not_there(berth, server):
    assert "nowhere" in berth("request", "PUT", f"http://{server.address}/v2/", "--data", "@nowhere", code=NOT_FOUND).err


class Odd(http.server.BaseHTTPRequestHandler):
    """Answers by path, and keeps what it was asked."""
    protocol_version, asked = "HTTP/1.1", []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.asked.append((self.path, dict(self.headers)))
        status, headers, body = {"/html": (200, {"Content-Type": "text/html"}, b"<html>"),
                                 "/later": (429, {"Retry-After": "0"}, b""),
                                 "/away": (302, {"Location": "/html?token=abc"}, b""),
                                 "/binary": (200, {}, b"\xff\xfe\x00")}[self.path.split("?")[0]]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def odd():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd) as own:
        threading.Thread(target=own.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{own.server_address[1]}"
        own.shutdown()


class TestOddAnswers:
    def test_are_shown_as_they_are(self, berth, odd):
        shown = berth("request", "GET", f"{odd}/html", "--output", "json").json()
        assert (shown["status"], shown["body"], shown["errors"]) == (200, "<html>", [])
        assert berth("request", "GET", f"{odd}/binary").out == b"\xff\xfe\x00"
        assert berth("request", "GET", f"{odd}/binary", "--output", "json").json()["body"] is None

    def test_redirects_are_followed_or_not(self, berth, odd):
        followed = berth("request", "GET", f"{odd}/away", "-v")
        assert followed.out == b"<html>" and "token=***" in followed.err and "abc" not in followed.err
        shown = berth("request", "GET", f"{odd}/away", "--no-follow", "--output", "json").json()
        assert (shown["status"], shown["location"]) == (302, "/html?token=abc")

    def test_nothing_is_sent_that_was_not_asked_for(self, berth, odd):
        """C087, C227"""
        Odd.asked.clear()
        berth("request", "GET", f"{odd}/html", "--query", "a b=c&d")
        path, headers = Odd.asked[0]
        assert path == "/html?a%20b=c%26d" and set(headers) == {"Host", "User-Agent"}


class TestEnvironment:
    """C104: what DRCA takes from DRCA_*."""

    def test_the_default_registry(self, berth, server):
        berth("request", "GET", "/v2/", BERTH_DEFAULT_REGISTRY=server.address)
        berth("request", "GET", "/v2/", BERTH_DEFAULT_REGISTRY="127.0.0.1:1", code=NETWORK)
        berth("request", "GET", "/v2/", "--registry", server.address, BERTH_DEFAULT_REGISTRY="127.0.0.1:1")

    def test_defaults_of_references(self, berth, server):
        manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.INDEX, "manifests": []}).encode()
        status, _, _ = server.request("PUT", "/v2/env/app/manifests/edge", manifest, {"Content-Type": layout.INDEX})
        assert status == 201
        env = {"BERTH_DEFAULT_REGISTRY": server.address, "BERTH_DEFAULT_NAMESPACE": "env", "BERTH_DEFAULT_TAG": "edge"}
        assert berth("manifest", "get", "app", **env).out == manifest
        assert berth("manifest", "get", "env/app:edge", BERTH_DEFAULT_REGISTRY=server.address).out == manifest
        berth("manifest", "get", "app", **{**env, "BERTH_DEFAULT_TAG": "none"}, code=NOT_FOUND)

    @pytest.mark.parametrize("name", ["BERTH_PROTOCOL", "BERTH_DEFAULT_PROTOCOL"])
    def test_the_protocol_in_both_spellings(self, berth, server, name):
        assert "plain HTTP" in berth("ping", server.address, **{name: "https"}, code=NETWORK).err
        berth("ping", server.address, "--plain-http", **{name: "https"})
        berth("ping", server.address, **{name: "http"})
        assert name.replace("DEFAULT_", "") in berth("ping", server.address, **{name: "gopher"}, code=USAGE).err

    def test_certificates(self, berth, tls_server, certificates):
        berth("ping", f"https://{tls_server.address}", code=NETWORK)
        for name in ("BERTH_CA_FILE", "BERTH_CACERTS"):
            berth("ping", f"https://{tls_server.address}", **{name: str(certificates.ca)})

    def test_credentials(self, berth, tmp_path, tmp_path_factory):
        contestant = WithToken()
        if not contestant.available():
            pytest.skip("distribution is not here (tools/bootstrap bench)")
        running = contestant.start(tmp_path_factory.mktemp("store"))
        try:
            auth = base64.b64encode(b"dinosaur:93e033f9").decode()
            (tmp_path / "store.json").write_text(json.dumps({"auths": {running.address: {"auth": auth}}}))
            berth("ping", running.address, code=DENIED)
            berth("ping", running.address, BERTH_CREDENTIALS_STORE=str(tmp_path / "store.json"))
        finally:
            running.close()

    def test_the_size_of_chunks(self, berth, server, tmp_path):
        (tmp_path / "blob").write_bytes(b"".join(layout.noise(3 << 20, b"chunks")))
        said = berth("blob", "put", f"{server.address}/env/chunks", "blob", "--mode", "chunked", "--debug",
                     BERTH_CHUNK_SIZE="1MiB").err
        assert said.count("> PATCH ") in (2, 3)       # the last may go with the PUT
        assert "BERTH_CHUNK_SIZE" in berth("ping", server.address, BERTH_CHUNK_SIZE="x", code=USAGE).err

    def test_debug(self, berth, server):
        assert "> GET /v2/ HTTP/1.1" in berth("ping", server.address, BERTH_DEBUG="1").err
        assert berth("ping", server.address, BERTH_DEBUG="0").err == ""

    def test_a_misspelt_variable_is_warned_of(self, berth, server):
        said = berth("ping", server.address, BERTH_DEFAULT_TGA="x", BERTH_LOG_LEVEL="info").err
        assert said.count("\n") == 1 and "BERTH_DEFAULT_TGA (is it BERTH_DEFAULT_TAG?)" in said

    def test_the_server_knows_them(self, make_server, monkeypatch):
        for name in [n for n in os.environ if n.startswith("BERTH_")]:
            monkeypatch.delenv(name)
        for name in ("BERTH_DEFAULT_TAG", "BERTH_CACERTS", "BERTH_DEBUG"):
            monkeypatch.setenv(name, "x")
        monkeypatch.setenv("BERTH_OF_NOTHING", "x")
        own = make_server()
        own.wait_for(lambda: "BERTH_OF_NOTHING" in own.stderr())
        assert own.stderr().count("is no setting") == 1
