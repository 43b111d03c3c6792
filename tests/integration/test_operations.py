"""berth as those who run it meet it: reload, read-only, collection, check and repair, import, sockets, logs, health."""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from server import ROOT

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def berth(binary, *args, code=0, env=None):
    done = subprocess.run([str(binary), *map(str, args)], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def push_blob(server, name, data):
    d = digest_of(data)
    status, _, body = server.request("POST", f"/v2/{name}/blobs/uploads/?digest={d}", data,
                                     {"Content-Type": "application/octet-stream"})
    assert status == 201, body
    return {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": d, "size": len(data)}


def push_image(server, name, tag, layer):
    config = push_blob(server, name, b"{}") | {"mediaType": "application/vnd.oci.image.config.v1+json"}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config,
                           "layers": [push_blob(server, name, layer)]}).encode()
    status, headers, body = server.request("PUT", f"/v2/{name}/manifests/{tag}", manifest, {"Content-Type": OCI_MANIFEST})
    assert status == 201, body
    return headers["Docker-Content-Digest"], manifest


def objects(data):
    return [p for p in Path(data, "objects").rglob("*") if p.is_file()]


# --- configuration ---

def test_config_check_names_file_line_and_reason(berth_binary, tmp_path):
    path = tmp_path / "berth.yaml"
    path.write_text("version: 1\nhttp:\n  idle_timeout: 10 minutes\n")
    done = berth(berth_binary, "config", "check", path, code=3)
    assert "berth.yaml:3:" in done.stderr and "10 minutes" in done.stderr
    path.write_text("version: 1\nhttp:\n  idle_timeout: 10m\n")
    assert "valid" in berth(berth_binary, "config", "check", path).stdout


def test_config_show_prints_what_it_can_read_again(berth_binary, tmp_path):
    shown = berth(berth_binary, "config", "show", "--http-prefix", "/oci", env={"BERTH_LOG_LEVEL": "warn"}).stdout
    assert re.search(r"prefix: .?/oci", shown) and re.search(r"level: .?warn", shown)
    path = tmp_path / "shown.yaml"
    path.write_text(shown)
    assert berth(berth_binary, "config", "show", path).stdout == shown


def test_config_document_is_the_page_in_the_repository(berth_binary):
    assert berth(berth_binary, "config", "document").stdout == (ROOT / "docs" / "configuration.md").read_text()
    json.loads(berth(berth_binary, "config", "document", "--schema").stdout)


def test_a_bad_reload_changes_nothing_and_a_good_one_takes_effect(berth_binary, make_server):
    own = make_server(config="version: 1\nregistry:\n  deletes: true\n")
    path = next(Path(f) for f in own.flags if f.endswith(".yaml"))
    digest, _ = push_image(own, "reload/a", "v1", b"layer")
    path.write_text("version: 1\nregistry:\n  deletes: maybe\n")
    own.process.send_signal(signal.SIGHUP)
    own.wait_for(lambda: "reload failed" in own.log.read_text())
    path.write_text("version: 1\nregistry:\n  deletes: false\nlog:\n  level: info\n")
    own.process.send_signal(signal.SIGHUP)
    own.wait_for(lambda: "reloaded" in own.log.read_text())
    assert "registry.deletes" in own.log.read_text()
    path.write_text("version: 2\n")
    assert "version" in berth(berth_binary, "reload", "--data", own.data, code=1).stderr
    path.write_text("version: 1\nregistry:\n  deletes: false\n")
    assert "reloaded" in berth(berth_binary, "reload", "--data", own.data).stdout
    assert own.request("DELETE", f"/v2/reload/a/manifests/{digest}")[0] == 405


def test_certificates_are_read_again_on_sighup(make_server, certificates, tmp_path):
    mine = type(certificates)(**vars(certificates))
    for kind in ("certificate", "key"):
        setattr(mine, kind, Path(shutil.copy(getattr(certificates, kind), tmp_path)))
    own = make_server(tls=mine)

    def served():
        with socket.create_connection((own.host, own.port), timeout=10) as s:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(s) as t:
                return t.getpeercert(binary_form=True)

    before = served()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=another", "-keyout", mine.key, "-out", mine.certificate], check=True,
                   capture_output=True)
    assert served() == before
    own.process.send_signal(signal.SIGHUP)
    own.wait_for(lambda: served() != before)
    mine.key.write_text("not a key")
    own.process.send_signal(signal.SIGHUP)
    own.wait_for(lambda: "reload failed" in own.log.read_text())
    assert served() != before


def test_ciphers_of_tls_1_2_have_a_floor_and_a_list(berth_binary, make_server, certificates, tmp_path):
    def speaks(server, ciphers):
        context = ssl.create_default_context(cafile=str(certificates.ca))
        context.check_hostname, context.maximum_version = False, ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
        try:
            with socket.create_connection((server.host, server.port), timeout=10) as s, context.wrap_socket(s) as t:
                return t.cipher()[0] in ciphers.split(":")
        except (ssl.SSLError, ConnectionResetError):
            return False

    cbc, gcm = ("ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA",
                "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
    own = make_server(tls=certificates)
    assert speaks(own, gcm) and not speaks(own, cbc)
    own = make_server("--tls-ciphers=ECDHE+AES:!AESGCM:!AESCCM", tls=certificates, config="version: 1\n")
    assert speaks(own, cbc) and not speaks(own, gcm)
    path = next(Path(f) for f in own.flags if f.endswith(".yaml"))
    path.write_text("listen:\n  - address: ':1'\n    certificate: c\n    key: k\n    tls_ciphers: ROT13\n")
    refused = "'ROT13' is not a list with ciphers of TLS 1.2 that OpenSSL knows"
    assert f"5:18: listen[0].tls_ciphers: {refused}" in berth(berth_binary, "reload", "--data", own.data, code=1).stderr
    assert speaks(own, cbc)
    done = berth(berth_binary, "serve", "--data", tmp_path / "data", "--tls-ciphers", "ROT13", code=3)
    assert f"--tls-ciphers: {refused}" in done.stderr


# --- the folder and its owner ---

def test_one_process_owns_a_folder(berth_binary, make_server):
    own = make_server()
    done = berth(berth_binary, "serve", "--data", own.data, "--listen", "127.0.0.1:0", code=5)
    assert "another berth process" in done.stderr


def test_folder_and_socket_are_the_owners_alone(make_server):
    own = make_server()
    push_image(own, "modes/a", "v1", os.urandom(100_000))
    assert (own.data / "control.sock").stat().st_mode & 0o777 == 0o600
    assert (own.data / "berth.db").stat().st_mode & 0o077 == 0
    for path in objects(own.data):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_newer_folder_is_refused(berth_binary, make_server):
    own = make_server()
    own.stop()
    (own.data / "format").write_text("berth 99\n")
    done = berth(berth_binary, "serve", "--data", own.data, "--listen", "127.0.0.1:0", code=1)
    assert "newer" in done.stderr
    (own.data / "format").write_text("berth 1\n")


def test_read_only_is_switched_while_it_runs(berth_binary, make_server):
    own = make_server()
    digest, manifest = push_image(own, "ro/a", "v1", b"layer")
    assert "true" in berth(berth_binary, "read-only", "on", "--data", own.data).stdout
    assert own.request("GET", "/v2/ro/a/manifests/v1")[2] == manifest
    assert own.request("GET", "/readyz")[2] == b"ok, read-only\n"
    for method, path in (("POST", "/v2/ro/a/blobs/uploads/"), ("DELETE", f"/v2/ro/a/manifests/{digest}")):
        status, headers, body = own.request(method, path)
        assert status == 405 and json.loads(body)["errors"][0]["code"] == "UNSUPPORTED"
        assert not {"POST", "PUT", "PATCH", "DELETE"} & set(headers["Allow"].split(", "))
        assert "read-only" in json.loads(body)["errors"][0]["message"]
    assert json.loads(berth(berth_binary, "read-only", "off", "--data", own.data, "--output", "json").stdout) == {
        "read_only": "false"}
    push_image(own, "ro/a", "v2", b"more")


def test_repair_of_an_unmounted_store_forgets_nothing(berth_binary, make_server, tmp_path):
    own = make_server()
    _, manifest = push_image(own, "mount/a", "v1", os.urandom(100_000))
    push_image(own, "mount/b", "v1", os.urandom(100_000))
    own.stop()
    (own.data / "objects").rename(tmp_path / "elsewhere")
    (own.data / "objects").mkdir(mode=0o700)
    berth(berth_binary, "check", "--repair", "--data", own.data, code=6)
    (own.data / "objects").rmdir()
    (tmp_path / "elsewhere").rename(own.data / "objects")
    assert "0 problems" in berth(berth_binary, "check", "--data", own.data).stdout
    own.start()
    assert own.request("GET", "/v2/mount/a/manifests/v1")[2] == manifest


def test_commands_without_a_server_say_so(berth_binary, tmp_path):
    assert "no server" in berth(berth_binary, "read-only", "on", "--data", tmp_path, code=4).stderr
    berth(berth_binary, "check", "--data", tmp_path / "absent", code=4)
    berth(berth_binary, "gc", "--no-such-thing", code=2)


# --- collection ---

@pytest.mark.parametrize("running", [True, False])
def test_gc_frees_what_nothing_refers_to(berth_binary, make_server, running):
    settings = ("--gc-grace", "1s", "--gc-drain", "1s", "--gc-interval", "0")
    own = make_server(*settings)
    layer = os.urandom(300_000)
    keep, manifest = push_image(own, "gc/a", "keep", os.urandom(200_000))
    gone, _ = push_image(own, "gc/a", "gone", layer)
    assert own.request("DELETE", f"/v2/gc/a/manifests/{gone}")[0] == 202
    assert len(objects(own.data)) == 2
    if not running:
        own.stop()
    freed = 0
    for _ in range(20):
        plan = json.loads(berth(berth_binary, "gc", "--dry-run", "--output", "json", "--data", own.data, *settings).stdout)
        done = json.loads(berth(berth_binary, "gc", "--output", "json", "--data", own.data, *settings).stdout)
        assert plan["bytes"] in (0, done["bytes"])
        freed += done["bytes"]
        if freed:
            break
        time.sleep(0.5)
    assert freed >= len(layer) and len(objects(own.data)) == 1
    if not running:
        own.start()
    assert own.request("GET", "/v2/gc/a/manifests/keep")[2] == manifest
    assert own.request("HEAD", f"/v2/gc/a/blobs/{digest_of(layer)}")[0] == 404


def test_the_server_collects_on_its_own(make_server):
    own = make_server("--gc-grace", "1s", "--gc-drain", "1s", "--gc-interval", "300ms", "--registry-session-timeout", "4s")
    push_blob(own, "auto/a", os.urandom(100_000))
    location = own.request("POST", "/v2/auto/a/blobs/uploads/")[1]["Location"]
    assert own.request("PATCH", location, os.urandom(100_000))[0] == 202
    own.wait_for(lambda: not objects(own.data))

    def counted():
        metrics = own.request("GET", "/metrics")[2].decode()
        return int(re.search(r"^berth_gc_objects_total (\d+)", metrics, re.M)[1])
    own.wait_for(lambda: counted() == 2)  # a run counts when it has ended, which is after the last object went


def test_a_dry_run_says_what_the_run_then_does(berth_binary, make_server):
    settings = ("--gc-grace", "0", "--gc-drain", "1h", "--gc-interval", "0")
    own = make_server(*settings)
    for _ in range(5):
        push_blob(own, "plan/a", os.urandom(100_000))
    plan, done = (json.loads(berth(berth_binary, "gc", *flag, "--output", "json", "--data", own.data).stdout)
                  for flag in (("--dry-run",), ()))
    assert plan["blobs"] == done["blobs"] == 5
    assert plan["waiting_bytes"] == done["waiting_bytes"] == 500_000


def test_layers_of_a_tagged_schema_1_manifest_stay(berth_binary, make_server):
    own = make_server("--registry-schema1", "--gc-grace", "0", "--gc-drain", "0", "--gc-interval", "0")
    layer = push_blob(own, "old/a", os.urandom(100_000))["digest"]

    def push(digest):
        manifest = json.dumps({"schemaVersion": 1, "name": "old/a", "tag": "v1", "architecture": "amd64",
                               "fsLayers": [{"blobSum": digest}], "history": [{"v1Compatibility": "{}"}]}).encode()
        return own.request("PUT", "/v2/old/a/manifests/v1", manifest,
                           {"Content-Type": "application/vnd.docker.distribution.manifest.v1+json"})[0]

    assert push(digest_of(b"absent")) == 404 and push(layer) == 201
    berth(berth_binary, "gc", "--data", own.data)
    assert own.request("HEAD", f"/v2/old/a/blobs/{layer}")[0] == 200


# --- check and repair ---

def test_check_finds_and_repairs_damage(berth_binary, make_server):
    own = make_server()
    whole, lost, bad = (os.urandom(100_000) for _ in range(3))
    push_image(own, "check/whole", "v1", whole)
    push_image(own, "check/lost", "v1", lost)
    push_image(own, "check/bad", "v1", bad)
    assert "0 problems" in berth(berth_binary, "check", "--data", own.data).stdout
    for path in objects(own.data):
        content = path.read_bytes()
        if content == lost:
            path.unlink()
        if content == bad:
            path.chmod(0o600)
            path.write_bytes(bad[:-1] + bytes([bad[-1] ^ 1]))
            path.chmod(0o400)
    stray = own.data / "objects" / "ab" / ("ab" * 16)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    stray.chmod(0o400)
    done = berth(berth_binary, "check", "--data", own.data, code=6)
    for text in (digest_of(lost), digest_of(bad), stray.name):
        assert text in done.stdout, done.stdout
    assert own.request("GET", f"/v2/check/lost/blobs/{digest_of(lost)}")[0] == 500
    assert json.loads(berth(berth_binary, "check", "--repair", "--data", own.data, "--output", "json").stdout)["problems"] >= 3
    assert "0 problems" in berth(berth_binary, "check", "--data", own.data).stdout
    assert own.request("GET", f"/v2/check/whole/blobs/{digest_of(whole)}")[2] == whole
    assert own.request("GET", f"/v2/check/lost/blobs/{digest_of(lost)}")[0] == 404
    push_blob(own, "check/lost", lost)  # a new push heals it
    assert own.request("GET", f"/v2/check/lost/blobs/{digest_of(lost)}")[2] == lost


# --- import ---

def distribution_tree(root, name, tag, layer):
    config = b"{}"
    blobs = {digest_of(b): b for b in (config, layer)}
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": 2},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(layer), "size": len(layer)}],
    }).encode()
    blobs[digest_of(manifest)] = manifest
    base = root / "docker" / "registry" / "v2"
    for d, content in blobs.items():
        hex_part = d.split(":")[1]
        path = base / "blobs" / "sha256" / hex_part[:2] / hex_part
        path.mkdir(parents=True)
        (path / "data").write_bytes(content)
    d = digest_of(manifest)
    repo = base / "repositories" / name
    for link in (repo / "_manifests" / "tags" / tag / "current", repo / "_manifests" / "revisions" / "sha256" / d[7:],
                 repo / "_layers" / "sha256" / digest_of(layer)[7:], repo / "_layers" / "sha256" / digest_of(config)[7:]):
        link.mkdir(parents=True)
        (link / "link").write_text(digest_of(layer) if "_layers" in str(link) else d)
    return manifest


@pytest.mark.parametrize("running", [True, False])
def test_import_takes_over_a_distribution_folder(berth_binary, make_server, tmp_path, running):
    layer = os.urandom(50_000)
    manifest = distribution_tree(tmp_path / "old", "team/app", "v1", layer)
    own = make_server()
    if not running:
        own.stop()
    plan = berth(berth_binary, "import", tmp_path / "old", "--dry-run", "--data", own.data).stdout
    done = berth(berth_binary, "import", tmp_path / "old", "--data", own.data)
    assert "imported 1 repositories, 1 tags" in done.stdout
    assert plan == done.stdout.replace("imported", "would import")
    again = json.loads(berth(berth_binary, "import", tmp_path / "old", "--data", own.data, "--output", "json").stdout)
    assert again["blobs"] == 0 and again["failed"] == 0
    if not running:
        own.start()
    assert own.request("GET", "/v2/team/app/manifests/v1")[2] == manifest
    assert own.request("GET", f"/v2/team/app/blobs/{digest_of(layer)}")[2] == layer


def test_import_of_damage_imports_the_rest_and_says_so(berth_binary, make_server, tmp_path):
    distribution_tree(tmp_path / "old", "team/app", "v1", b"whole layer")
    for path in (tmp_path / "old").rglob("data"):
        if path.read_bytes() == b"whole layer":
            path.write_bytes(b"other bytes")
    own = make_server()
    done = berth(berth_binary, "import", tmp_path / "old", "--data", own.data, code=6)
    assert digest_of(b"whole layer") in done.stdout
    assert own.request("GET", "/v2/team/app/manifests/v1")[0] == 404


# --- sockets, systemd ---

def test_a_unix_socket(make_server, tmp_path):
    path = tmp_path / "b.sock"
    own = make_server("--listen", f"unix:{path}", "--listen", "127.0.0.1:0")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    assert any(url == f"unix:{path}" for url in own.listeners)
    own.stop()
    assert not path.exists()


def test_a_unix_socket_has_the_mode_that_is_set(make_server, tmp_path):
    path = tmp_path / "b.sock"
    before = os.umask(0o077)
    try:
        make_server("--listen", f"unix:{path}", "--listen", "127.0.0.1:0", "--http-socket-mode", "0660")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o660


def test_a_misspelt_variable_is_warned_of(make_server, monkeypatch):
    monkeypatch.setenv("BERTH_GC_INTERVALL", "1h")
    monkeypatch.setenv("BERTH_OF_SOMETHING", "x")
    own = make_server()
    own.wait_for(lambda: "BERTH_OF_SOMETHING" in own.stderr())
    lines = [line for line in own.stderr().splitlines() if "is no setting" in line]
    assert sum("BERTH_GC_INTERVALL" in line and "BERTH_GC_INTERVAL" in line.replace("INTERVALL", "") for line in lines) == 1
    assert sum("BERTH_OF_SOMETHING" in line for line in lines) == 1
    assert own.request("GET", "/v2/")[0] == 200


def test_ipv6(make_server):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    own = make_server("--listen", "[::1]:0", "--listen", "127.0.0.1:0")
    port = int(next(u for u in own.listeners if "[::1]" in u).rsplit(":", 1)[1])
    with socket.create_connection(("::1", port), timeout=10) as s:
        s.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200")


def test_systemd_hands_over_a_socket_and_hears_of_readiness(berth_binary, tmp_path):
    listener = socket.create_server(("127.0.0.1", 0))
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(30)
    fd = listener.fileno()
    script = f'exec 3<&{fd}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve --data "$1"'
    process = subprocess.Popen(["/bin/bash", "-c", script, str(berth_binary), str(tmp_path / "data")], pass_fds=[fd],
                               env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert notify.recv(100) == b"READY=1"
        with socket.create_connection(listener.getsockname(), timeout=10) as s:
            s.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        process.terminate()
        assert notify.recv(100) == b"STOPPING=1"
        assert process.wait(30) == 0
    finally:
        process.kill()


def test_systemds_watchdog_is_answered_while_the_loops_live_and_no_longer(berth_binary, tmp_path):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(30)
    process = subprocess.Popen(
        [str(berth_binary), "serve", "--data", str(tmp_path / "data"), "--listen", f"unix:{tmp_path}/http", "--http-loops", "1"],
        env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        assert [notify.recv(100) for _ in range(4)] == [b"READY=1"] + [b"WATCHDOG=1"] * 3
        # Nobody reads its log: the loop waits at the end of the pipe, as it might for anything else.
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"{tmp_path}/http")
            s.settimeout(3)
            with pytest.raises(TimeoutError):
                while True:
                    s.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
                    s.recv(4096)
            notify.settimeout(3)
            with pytest.raises(TimeoutError):
                for _ in range(100):
                    assert notify.recv(100) == b"WATCHDOG=1"
            said = []
            reader = threading.Thread(target=lambda: said.append(process.stderr.read()))
            reader.start()
            notify.settimeout(30)
            assert notify.recv(100) == b"WATCHDOG=1"
        process.terminate()
        assert process.wait(30) == 0
        reader.join()
        assert b"an event loop hangs" in said[0]
    finally:
        process.kill()


# --- stopping ---

@pytest.mark.parametrize("sent", [b"", b"GET /v2/ HT", b"BAD\r\n\r\n",
                                  b"PUT /v2/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"])
def test_a_client_with_no_request_running_does_not_hold_up_the_stop(make_server, sent):
    own = make_server()
    with socket.create_connection((own.host, own.port), timeout=10) as s:
        s.sendall(sent)
        time.sleep(0.3)
        begin = time.monotonic()
        own.process.terminate()
        assert own.process.wait(30) == 0
        assert time.monotonic() - begin < 25          # of the 30 s that it would be else


def catches(process, number):
    """Whether the process has a handler for that signal by now."""
    mask = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{process.pid}/status").read_text(), re.M)
    return int(mask[1], 16) >> (number - 1) & 1


def test_ctrl_c_ends_a_command_that_the_server_runs(berth_binary, make_server):
    own = make_server()
    for _ in range(20):
        push_blob(own, "slow/a", os.urandom(1_000_000))
    own.process.send_signal(signal.SIGSTOP)
    try:
        command = subprocess.Popen([str(berth_binary), "check", "--data", str(own.data)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        own.wait_for(lambda: catches(command, signal.SIGINT))
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 1
    finally:
        own.process.send_signal(signal.SIGCONT)


# --- logs, health, metrics ---

def test_json_logs_carry_ids_and_escape_what_clients_send(make_server):
    own = make_server("--log-format", "json")
    headers = own.request("GET", "/v2/", headers={"User-Agent": 'x"\\ é', "traceparent": "00-aa-bb-01"})[1]
    own.request("GET", "/v2/%22%0a/tags/list")
    own.wait_for(lambda: own.log.read_text().count('"request"') >= 2)
    lines = [json.loads(line) for line in own.log.read_text().splitlines()]
    first = next(x for x in lines if x.get("id") == headers["X-Request-Id"])  # two loops write: in any order
    assert first["message"] == "request" and first["status"] == 200
    assert first["agent"] == 'x"\\ é' and first["trace"] == "00-aa-bb-01"


def test_the_audit_log_has_every_write_and_nothing_else(make_server, tmp_path):
    audit = tmp_path / "audit.jsonl"
    own = make_server("--log-audit", audit)
    digest, _ = push_image(own, "audit/a", "v1", b"layer")
    own.request("GET", "/v2/audit/a/manifests/v1")
    own.request("DELETE", f"/v2/audit/a/manifests/{digest}")
    own.request("DELETE", f"/v2/audit/a/manifests/{digest}")
    own.wait_for(lambda: audit.exists() and audit.read_text().count("\n") >= 4)
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    audit.rename(tmp_path / "rotated")
    own.process.send_signal(signal.SIGHUP)  # the file is opened anew
    own.wait_for(lambda: "reloaded" in own.log.read_text())
    own.wait_for(audit.exists)
    push_blob(own, "audit/b", b"after")
    own.wait_for(lambda: audit.read_text().count("\n") == 1)
    assert sorted((x["method"], x["repository"]) for x in lines) == [
        ("DELETE", "audit/a"), ("POST", "audit/a"), ("POST", "audit/a"), ("PUT", "audit/a")]
    put = next(x for x in lines if x["method"] == "PUT")
    assert put["digest"] == digest and put["reference"] == "v1"


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_has_a_secret(make_server, tmp_path, form):
    """What clients prove themselves with, wherever a request has it: as it was sent, and decoded."""
    audit, secret = tmp_path / "audit.jsonl", "opensesame"
    own = make_server("--log-level", "debug", "--log-format", form, "--log-audit", audit)
    coded = base64.b64encode(f"user:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {coded}", "Proxy-Authorization": f"Bearer {secret}", "Cookie": f"session={secret}",
               "X-Registry-Auth": secret}
    for method, path, body, status in (
            ("GET", "/v2/", None, 200), ("GET", "/v2/none/manifests/v1", None, 404), ("GET", "/v2/A/manifests/v1", None, 400),
            ("POST", f"/v2/a/blobs/uploads/?digest={digest_of(b'x')}", b"x", 201), ("PUT", "/v2/a/manifests/v1", b"{", 400),
            ("DELETE", f"/v2/a/blobs/{digest_of(b'x')}", None, 202), ("PUT", "/nowhere", b"x", 404)):
        assert own.request(method, path, body, headers)[0] == status, path
    head = f"Host: {own.address}\r\nConnection: close\r\n"
    for line in (f"Authorization : Basic {coded}", f"Authorization: Basic {coded}\x00", f"Cookie: {secret}\r\n Basic {coded}",
                 f"Authorization: Bearer {secret * 5000}"):
        assert own.raw(f"GET /v2/ HTTP/1.1\r\n{head}{line}\r\n\r\n".encode()).startswith(b"HTTP/1.1 4")
    own.raw(f"GET http://user:{secret}@{own.address}/v2/ HTTP/1.1\r\n{head}\r\n".encode())
    own.wait_for(lambda: own.stderr().count("request ") + own.stderr().count('"request"') >= 12)
    own.stop()
    for text in (own.stderr(), audit.read_text()):
        assert text and secret not in text and coded not in text, text


SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)')


def families(text):
    """Prometheus' text format, 0.0.4: {family: (type, help, [(name, labels, value)])}; fails on what is not it."""
    found, current = {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            assert kind in ("HELP", "TYPE") and rest, line
            family = found.setdefault(name, {"series": []})
            assert kind not in family and not family["series"], f"{kind} of {name} comes twice or late"
            family[kind] = rest
            current = name
            continue
        match = SERIES.fullmatch(line)
        assert match, line
        name, value = match[1], float(match[3])
        suffixes = ("_bucket", "_sum", "_count") if found[current].get("TYPE") == "histogram" else ("",)
        assert any(name == current + suffix for suffix in suffixes), f"{line} stands below {current}"
        assert value >= 0
        found[current]["series"].append((name, match[2], value))
    return found


def test_metrics_say_what_each_family_is(make_server):
    own = make_server("--metrics-per-repository")
    push_image(own, "metrics/a", "v1", b"layer")
    own.wait_for(lambda: b'repository="metrics/a"' in own.request("GET", "/metrics")[2])
    status, headers, body = own.request("GET", "/metrics")
    assert status == 200
    found = families(body.decode())
    assert len(found) > 20
    for name, family in found.items():
        assert name.startswith("berth_") and family["TYPE"] in ("counter", "gauge", "histogram"), name
        assert len(family["HELP"]) > 10 and family["HELP"].endswith("."), name
        assert name.endswith("_total") == (family["TYPE"] == "counter"), name
    buckets = [(labels.rsplit(",", 1), value) for name, labels, value in found["berth_request_seconds"]["series"]
               if name.endswith("_bucket")]
    assert all(a[1] <= b[1] for a, b in zip(buckets, buckets[1:]) if a[0][0] == b[0][0])


def test_health_and_metrics(make_server):
    own = make_server("--metrics-per-repository")
    push_image(own, "metrics/a", "v1", b"layer")
    assert [own.request("GET", path)[0] for path in ("/healthz", "/readyz", "/startupz")] == [200] * 3
    pushed = b'berth_requests_total{method="PUT",route="/v2/{name}/manifests/{reference}",status="2xx"} 1'
    own.wait_for(lambda: pushed in own.request("GET", "/metrics")[2])  # a request counts after its answer
    text = own.request("GET", "/metrics")[2].decode()
    assert 'repository="metrics/a"' in text
    series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series)), "a series stands twice"
    for name in ("berth_requests_total", "berth_request_seconds_bucket", "berth_body_bytes_total", "berth_worker_queue",
                 "berth_metadata_writer_queue", "berth_store_free_bytes", "berth_gc_runs_total",
                 "berth_uploads_started_total"):
        assert name in text


def test_uploads_are_refused_below_the_reserve_and_pulls_go_on(make_server):
    own = make_server()
    _, manifest = push_image(own, "full/a", "v1", b"layer")
    own.stop()
    own.flags += ["--storage-reserve", "1000TiB"]
    own.start()
    status, _, body = own.request("POST", "/v2/full/a/blobs/uploads/")
    assert status == 507 and json.loads(body)["errors"][0]["code"] == "DENIED"
    assert own.request("GET", "/v2/full/a/manifests/v1")[2] == manifest
    assert own.request("DELETE", "/v2/full/a/manifests/v1")[0] == 202


def test_a_memory_store_serves_and_keeps_nothing(make_server):
    own = make_server("--store", "memory")
    _, manifest = push_image(own, "mem/a", "v1", os.urandom(300_000))
    assert own.request("GET", "/v2/mem/a/manifests/v1")[2] == manifest
    assert not list(own.data.iterdir())
