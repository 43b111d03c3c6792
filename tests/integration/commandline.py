"""What the tests of the client's commands share: the command line in a home of its own, exit codes, real registries,
and a server that says what it is told to."""

import base64
import crypt
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

import layout
from server import ROOT, berth_path

sys.path.insert(0, str(ROOT / "bench"))
import servers  # noqa: E402

BLOB = 5 << 20                 # of the image that fill() brings
TAGS = 12
OK, FAILED, USAGE, NOT_FOUND, BUSY, PROBLEMS, DENIED, NETWORK, DIGEST = 0, 1, 2, 4, 5, 6, 7, 8, 9
REAL = {"berth": lambda: servers.Berth(berth_path()), "distribution": servers.Distribution,
        "docker-registry": servers.DockerRegistry, "olareg": servers.Olareg}


def fill(running):
    """One image under many tags: what the tests read."""
    blob = b"".join(layout.noise(BLOB, b"client"))
    config = b'{"architecture":"amd64","os":"linux"}'
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": layout.MANIFEST,
        "config": {"mediaType": layout.CONFIG, "digest": layout.digest_of(config), "size": len(config)},
        "layers": [{"mediaType": layout.LAYER, "digest": layout.digest_of(blob), "size": len(blob)}]},
        indent=3).encode() + b"\n"      # bytes that nobody would print so
    running.push_blob("team/app", config)
    running.push_blob("team/app", blob)
    for i in range(TAGS):
        running.push_manifest("team/app", f"v{i}", manifest)
    return SimpleNamespace(running=running, host=running.address, ref=f"{running.address}/team/app", blob=blob,
                           manifest=manifest, digest=layout.digest_of(manifest), blob_digest=layout.digest_of(blob))


def each_of(registries, prepare=lambda running: running):
    """A fixture: each of these registries in turn, for all tests of a file, as prepare() leaves it."""
    @pytest.fixture(scope="module", params=list(registries))
    def real(request, tmp_path_factory):
        contestant = registries[request.param]()
        if not contestant.available():
            pytest.skip(f"{request.param} is not here (tools/bootstrap bench)")
        running = contestant.start(tmp_path_factory.mktemp("real"))
        yield prepare(running)
        running.close()
    return real


class WithPassword(servers.Distribution):
    """distribution with a htpasswd file."""

    user, password = "alice", "secret"

    def command(self, folder, port, tls):
        argv = super().command(folder, port, tls)
        salt = crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)
        (folder / "htpasswd").write_text(f"{self.user}:" + crypt.crypt(self.password, salt).replace("$2b$", "$2y$") + "\n")
        config = folder / "config.yml"
        config.write_text(config.read_text() + f"auth:\n  htpasswd: {{realm: test, path: {folder}/htpasswd}}\n")
        return argv

    def start(self, base, tls=None, folder=None):
        return Answering(self, base, tls, folder)


class Answering(servers.Running):
    def answers(self, seconds):       # 401 is its first answer
        self.tls, was = self.tls or ("", ""), self.tls
        try:
            return super().answers(seconds)
        finally:
            self.tls = was


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    contestant = WithPassword()
    if not contestant.available():
        pytest.skip("distribution is not here (tools/bootstrap bench)")
    running = contestant.start(tmp_path_factory.mktemp("locked"))
    yield running
    running.close()


class Berth:
    """The command line, in a home of its own; prefix is put before it."""

    prefix = []

    def __init__(self, home):
        self.home = Path(home)
        (self.home / ".docker").mkdir(parents=True)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("BERTH_", "DOCKER_", "XDG_", "REGISTRY_AUTH")) or k == "BERTH"}
        self.env.update(HOME=str(home), no_proxy="*")
        self.env.setdefault("ASAN_OPTIONS", "detect_leaks=1:strict_string_checks=1")

    def __call__(self, *argv, code=OK, stdin=b"", **env):
        done = subprocess.run([*self.prefix, berth_path(), *map(str, argv)], input=stdin, capture_output=True, timeout=120,
                              cwd=self.home, env={**self.env, **env})
        said = done.stderr.decode()
        assert "Sanitizer" not in said and "runtime error" not in said, said
        assert code in (None, done.returncode), f"{argv}: {done.returncode}\n{done.stdout[-2000:]}\n{said}"
        return SimpleNamespace(out=done.stdout, err=said, json=lambda: json.loads(done.stdout))

    def config(self, **auths):
        (self.home / ".docker" / "config.json").write_text(json.dumps(
            {"auths": {k: {"auth": base64.b64encode(v.encode()).decode()} for k, v in auths.items()}}))


@pytest.fixture
def berth(tmp_path):
    return Berth(tmp_path / "home")


MIB = 1 << 20
KEPT = 64 * MIB


class Scripted:
    """A server whose paths are functions: routes["/v2/"] = lambda request: (status, headers, body). seen has the
    requests: method, path, headers, and the body if it is not longer than KEPT. answered has the paths of those whose answer is on its way."""

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 1000              # many may come at once, and none is to knock again a second later

    def __init__(self):
        self.routes, self.seen, self.answered = {}, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def any(self):
                length = int(self.headers.get("Content-Length") or 0)
                self.body = self.rfile.read(length) if length <= KEPT else None
                for left in range(length if self.body is None else 0, 0, -MIB):
                    self.rfile.read(min(left, MIB))
                outer.seen.append(SimpleNamespace(method=self.command, path=self.path, headers=self.headers, body=self.body))
                route = outer.routes.get(urlsplit(self.path).path)
                status, headers, body = route(self) if route else (404, {}, b"")
                self.send_response(status)
                headers = headers if isinstance(headers, list) else list(headers.items())
                names = [n.lower() for n, _ in headers]
                if "content-length" not in names and "transfer-encoding" not in names:
                    headers.append(("Content-Length", str(len(body))))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                outer.answered.append(self.path)
                if "content-length" in names:      # one that may be a lie
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = any

            def log_message(self, *args):
                pass

        self.server = self.Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def authorizations(self):
        return [s.headers.get("Authorization") for s in self.seen]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def scripted():
    made = []

    def make():
        made.append(Scripted())
        return made[-1]

    yield make
    for each in made:
        each.close()


def says(status=200, body=b"", **headers):
    return lambda request: (status, {k.replace("_", "-"): v for k, v in headers.items()}, body)
