"""Beside others: layouts of other tools, uploads that are taken back or go on after a kill, secrets in
messages, answers of another kind, helpers that hang."""

import json
import os
import signal
import subprocess
import time

import pytest

import layout
from clients import need
from commandline import FAILED, NOT_FOUND, OK, USAGE, each_of, fill, says
from registries import REAL, Line
from server import berth_path

MIB = 1 << 20
real = each_of({"distribution": REAL["distribution"]})     # docker-registry 2.8 knows no way to one that broke
filled = each_of({"berth": REAL["berth"]}, fill)
SIZE = 24 * MIB                # more than sockets hold


@pytest.fixture
def slow():
    made = []

    def make(port, rate=8 * MIB):
        made.append(Line(port, rate))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def file(tmp_path, request):
    path = tmp_path / "blob"
    path.write_bytes(b"".join(layout.noise(SIZE, request.node.nodeid.encode())))
    return path


class TestLayoutsOfOthers:
    @pytest.fixture
    def foreign(self, tmp_path):
        """As skopeo, crane and umoci write it: folders for the algorithms that are used, and no others."""
        made = layout.Layout(tmp_path / "foreign")
        blob = layout.tar_layer({"f": b"1"})[0]
        config = made.add(b'{"architecture":"amd64","os":"linux"}', layout.CONFIG)
        image = made.add_json({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": config,
                               "layers": [made.add(blob, layout.LAYER)]}, layout.MANIFEST)
        made._write_index([{**image, "annotations": {"org.opencontainers.image.ref.name": "v"}}])
        assert os.listdir(made.path / "blobs") == ["sha256"]
        return made.path, image["digest"], blob

    def test_it_is_tagged_and_untagged(self, berth, foreign):
        path, digest, _ = foreign
        berth("tag", "add", f"oci:{path}:v", "w")
        assert berth("manifest", "digest", f"oci:{path}:w").out.decode() == digest + "\n"
        berth("tag", "delete", f"oci:{path}:v")
        berth("manifest", "head", f"oci:{path}:v", code=NOT_FOUND)
        assert os.listdir(path / "blobs") == ["sha256"]

    def test_indexes_and_artifacts_go_there(self, berth, foreign, tmp_path):
        path, _, blob = foreign
        berth("index", "create", f"oci:{path}:all", f"oci:{path}:v")
        os.rmdir(path / "blobs" / "sha512")
        berth("index", "remove", f"oci:{path}:all", "--platform", "linux/amd64")
        berth("index", "add", f"oci:{path}:all", f"oci:{path}:v")
        (tmp_path / "file").write_bytes(blob)
        berth("artifact", "attach", f"oci:{path}:v", tmp_path / "file", "--artifact-type", "a/b")

    def test_skopeo_made_it(self, berth, filled, tmp_path):
        need("skopeo")
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", f"docker://{filled.ref}:v1",
                        f"oci:{tmp_path}/there:v"], check=True)
        berth("tag", "add", f"oci:{tmp_path}/there:v", "w")
        digests = {berth("manifest", "digest", f"oci:{tmp_path}/there:{tag}").out for tag in "vw"}
        assert len(digests) == 1


def sessions(running, name):
    """What distribution has of uploads that are not blobs."""
    found = [p for p in running.folder.rglob("_uploads/*") if f"/{name}/" in str(p)]
    return [p for p in found if (p / "data").exists() or (p / "startedat").exists()]


class TestTakenBack:
    """C072: registries that keep the state of an upload in its URL know it by the newest alone."""

    @pytest.mark.parametrize("mode", ["auto", "chunked"])
    def test_nothing_stays_of_an_upload_that_is_interrupted(self, berth, real, slow, file, mode):
        name = f"interrupted/{mode}"
        running = subprocess.Popen([berth_path(), "blob", "put", "-v", f"{slow(real.port).address}/{name}", file, "--mode", mode,
                                    "--chunk-size", "4MiB"], env=berth.env, stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)
        assert sessions(real, name)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=60)[1]
        assert running.returncode == -signal.SIGINT and "Sanitizer" not in said, said
        assert not sessions(real, name), said

    def test_nor_of_one_that_failed(self, berth, real, slow, file):
        """The file is cut short while it goes up."""
        name = "failed/once"
        running = subprocess.Popen([berth_path(), "blob", "put", "-v", f"{slow(real.port).address}/{name}", file],
                                   env=berth.env, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        os.truncate(file, 16 * MIB)
        said = running.communicate(timeout=60)[1]
        assert running.returncode not in (OK, -signal.SIGINT) and "Sanitizer" not in said, said
        assert not sessions(real, name), said


@pytest.mark.parametrize("name", ["olareg", "berth"])
def test_a_killed_upload_goes_on_at_once(berth, slow, file, tmp_path, name):
    """Bytes of the connection that is gone still come in after the registry has said how many it has."""
    contestant = REAL[name]()
    if not contestant.available():
        pytest.skip(f"{name} is not here (tools/bootstrap bench)")
    running = contestant.start(tmp_path)
    address = slow(running.port, rate=6 * MIB).address
    command = ["blob", "put", f"{address}/killed", file, "--state", tmp_path / "state", "--chunk-size", "4MiB"]
    first = subprocess.Popen([berth_path(), *map(str, command)], env=berth.env, stderr=subprocess.DEVNULL)
    time.sleep(2.2)
    first.kill()
    first.wait()
    assert (tmp_path / "state").exists()
    berth(*command)
    digest = layout.digest_of(file.read_bytes())
    assert berth("blob", "get", f"{running.address}/killed@{digest}").out == file.read_bytes()
    running.close()


SECRETS = ["http://bob:S3CRET@{}", "http://bob:S3CRET@W@{}", "http://bob:S3/CRET@{}", "bob:S3CRET@{}"]


class TestSecrets:
    def check(self, done):
        for text in (done.err, done.out.decode()):
            assert "S3" not in text and "CRET" not in text and "colons" not in text, text

    @pytest.mark.parametrize("proxy", ["http://bob:S3CRET@W@127.0.0.1:1", "http://bob:S3CRET@12 7.0.0.1:1",
                                       "socks5h://bob:S3/CRET@127.0.0.1:1", "bob:S3#CRET@127.0.0.1:1",
                                       "http://bob:S3CRET@127.0.0.1:99999", "gopher://bob:S3CRET@127.0.0.1:1"])
    def test_of_a_proxy_that_is_refused(self, berth, server, proxy):
        self.check(berth("ping", server.address, "--proxy", proxy, code=USAGE))
        for variable in ("http_proxy", "https_proxy"):
            where = f"--{'plain-http' if variable == 'http_proxy' else 'https'}"
            done = berth("ping", "registry.example", where, "--retries", "0", "-v", code=None, no_proxy="",
                         **{variable: proxy})
            self.check(done)

    @pytest.mark.parametrize("where", SECRETS)
    def test_of_what_names_a_registry(self, berth, server, tmp_path, where):
        (tmp_path / "home" / "f").write_bytes(b"f")
        host = where.format(server.address)
        for command in (["request", "GET", f"{host}/v2/"], ["ping", host], ["artifact", "push", f"{host}/a:v", "f"],
                        ["artifact", "pull", f"{host}/a:v"], ["blob", "put", f"{host}/a", "f"], ["tag", "list", f"{host}/a"],
                        ["manifest", "head", f"{host}/a:v", f"{host}/b:v"], ["reference", f"{host}/a:v"],
                        ["tag", "add", f"{host}/a:v", "w"], ["index", "create", f"{server.address}/a:i", f"{host}/a:v"],
                        ["inspect", f"{host}/a:v"], ["catalog", host], ["login", host, "--username", "u", "--password-stdin"],
                        ["logout", host], ["registry", "set", host, "timeout=5"], ["manifest", "get", f"{host}/a:v"],
                        ["blob", "get", f"{host}/a@{layout.digest_of(b'')}"], ["auth", "token", f"{host}/a"],
                        ["manifest", "put", f"{host}/a:v", "f"], ["blob", "mount", f"{host}/a@{layout.digest_of(b'')}", "--from", "b"]):
            self.check(berth(*command, code=None))
            assert berth(*command, code=None).err

    @pytest.mark.parametrize("where", SECRETS)
    def test_of_the_default_registry(self, berth, where):
        done = berth("tag", "list", "a", code=USAGE, BERTH_DEFAULT_REGISTRY=where.format("localhost:1"))
        self.check(done)

    def test_what_is_no_secret_is_said(self, berth):
        assert "'localhost:1/app:v1@sha256:00'" in berth("manifest", "head", "localhost:1/app:v1@sha256:00", code=USAGE).err


class TestAnswersOfAnotherKind:
    def test_an_image_where_an_index_was_wanted(self, berth, filled):
        for kind, what in (("index", "an index"), ("schema1", "schema 1")):
            for command in ("get", "head"):
                said = berth("manifest", command, f"{filled.ref}:v1", "--accept", kind, code=NOT_FOUND).err
                assert "it is an image" in said and what in said, said

    def test_a_web_page_where_a_list_was_wanted(self, berth, scripted):
        """C005"""
        server = scripted()
        page = says(200, b"<!DOCTYPE html><html><body>Sign in</body></html>", Content_Type="text/html; charset=utf-8")
        server.routes = {"/v2/a/tags/list": page, "/v2/_catalog": page, f"/v2/a/referrers/{layout.digest_of(b'')}": page}
        for command in (["tag", "list", f"{server.address}/a"], ["catalog", server.address]):
            assert "web page" in berth(*command, code=FAILED).err
        server.routes = {"/v2/a/tags/list": says(200, b" <html>", Content_Type="application/json")}
        assert "web page" in berth("tag", "list", f"{server.address}/a", code=FAILED).err
        server.routes = {"/v2/a/tags/list": says(200, b"{}", Content_Type="application/json")}
        assert "web page" not in berth("tag", "list", f"{server.address}/a", code=FAILED).err


class TestHelpers:
    @pytest.fixture
    def hanging(self, berth, tmp_path):
        folder, pids = tmp_path / "bin", tmp_path / "pids"
        folder.mkdir()
        helper = folder / "docker-credential-hangs"
        helper.write_text(f"#!/bin/sh\necho $$ >>{pids}\nsh -c 'echo $$ >>{pids}; sleep 100; true'\n")
        helper.chmod(0o755)
        (berth.home / ".docker" / "config.json").write_text(json.dumps({"credsStore": "hangs"}))
        return f"{folder}:{os.environ['PATH']}", pids

    @pytest.mark.parametrize("command", ["ping", "logout"])
    def test_one_that_hangs_is_ended_with_what_it_started(self, berth, locked, hanging, command):
        path, pids = hanging
        began = time.monotonic()
        done = berth(command, locked.address, "--timeout", "1", code=None, PATH=path)
        assert "does not answer in time" in done.err and time.monotonic() - began < 10, done.err
        for pid in pids.read_text().split():
            for _ in range(50):
                if not os.path.exists(f"/proc/{pid}") or "Z" in open(f"/proc/{pid}/stat").read().split()[2]:
                    break
                time.sleep(0.1)
            else:
                pytest.fail(f"{pid} runs on")

    def test_how_long_it_may_take_is_written_down(self, berth):
        told = berth("ping", "--help").out.decode().split("--helpers", 1)[1]
        assert "60 seconds" in " ".join(told[:400].split())
