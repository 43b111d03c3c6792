"""Disks that fill up, turn read-only or lie: a clear answer and log line, reads go on, nothing acknowledged is lost, and
space or `berth check --repair` is all that recovery needs (docs/durability.md)."""

import contextlib
import hashlib
import http.client
import json
import os
import sqlite3
import subprocess

import pytest

from damaged import overwrite_root

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def mount(*args):
    subprocess.run(["mount", *map(str, args)], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path):
    """disk(size) mounts a file system of that size in memory; disk.set(...) mounts it again with other options."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    mounted = []

    def make(size, path=None):
        path = path or tmp_path / f"disk{len(mounted)}"
        path.mkdir(parents=True)
        mount("-t", "tmpfs", "-o", f"size={size},mode=700", "berth-test", path)
        mounted.append(path)
        return path

    yield make
    for path in mounted:
        subprocess.run(["umount", "-l", path], check=True)


def remount(path, options):
    mount("-o", f"remount,{options}", path)


def berth(binary, *args):
    return subprocess.run([str(binary), *map(str, args)], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL)


class Ledger:
    """Pushes of every kind; keeps what was acknowledged, and what was said instead."""

    def __init__(self, server):
        self.server, self.blobs, self.tags, self.sessions, self.refusals = server, {}, {}, {}, []
        self.count = 0

    def refused(self, answer):
        status, headers, body = answer
        assert status in (500, 507), (status, body)
        error = json.loads(body)["errors"][0]
        assert error["code"] and error["message"], body
        self.refusals.append((status, error["message"]))
        return False

    def blob(self, size):
        data = os.urandom(size)
        answer = self.server.request("POST", f"/v2/full/app/blobs/uploads/?digest={digest_of(data)}", data)
        if answer[0] != 201:
            return self.refused(answer)
        self.blobs[digest_of(data)] = data
        return True

    def chunk(self, size):
        answer = self.server.request("POST", "/v2/full/app/blobs/uploads/")
        if answer[0] != 202:
            return self.refused(answer)
        where, data = answer[1]["Location"], os.urandom(size)
        self.sessions[where] = b""
        answer = self.server.request("PATCH", where, data, {"Content-Type": "application/octet-stream"})
        if answer[0] != 202:
            return self.refused(answer)
        self.sessions[where] = data
        return True

    def manifest(self):
        if len(self.blobs) < 2:
            return True
        digests = list(self.blobs)[-2:]
        config, layer = ({"mediaType": "application/octet-stream", "digest": d, "size": len(self.blobs[d])}
                         for d in digests)
        data = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer],
                           "annotations": {"filler": os.urandom(1500).hex()}}).encode()
        self.count += 1
        tag = f"t{self.count}"
        answer = self.server.request("PUT", f"/v2/full/app/manifests/{tag}", data, {"Content-Type": OCI_MANIFEST})
        if answer[0] != 201:
            return self.refused(answer)
        self.tags[tag] = data
        return True

    def verify(self):
        """All that was acknowledged, with its bytes; what was not, either way."""
        for digest, data in self.blobs.items():
            status, _, body = self.server.request("GET", f"/v2/full/app/blobs/{digest}")
            assert status == 200 and body == data, (status, digest)
        for tag, data in self.tags.items():
            status, _, body = self.server.request("GET", f"/v2/full/app/manifests/{tag}")
            assert status == 200 and body == data, (status, tag)
        for where, data in self.sessions.items():
            status, headers, _ = self.server.request("GET", where)
            assert status == 204, (status, where)
            assert not data or headers["Range"] == f"0-{len(data) - 1}", headers["Range"]

    def finish_sessions(self):
        for where, data in self.sessions.items():
            have = self.server.request("GET", where)[1]["Range"]
            if have != f"0-{len(data) - 1}":
                continue                      # refused, and kept in part
            separator = "&" if "?" in where else "?"
            answer = self.server.request("PUT", f"{where}{separator}digest={digest_of(data)}")
            assert answer[0] == 201, answer
            self.blobs[digest_of(data)] = data
        self.sessions = {}


@pytest.mark.parametrize("size", ["1280k", "2m", "5m", "9m"])
def test_a_full_disk_loses_nothing_and_needs_only_space(disk, make_server, berth_binary, size):
    path = disk(size)
    server = make_server("--storage-reserve", "0", "--gc-grace", "1h", data=path / "data")
    ledger = Ledger(server)
    steps = [lambda: ledger.blob(3_000), lambda: ledger.manifest(), lambda: ledger.blob(60_000),
             lambda: ledger.chunk(30_000), lambda: ledger.blob(200)]
    in_a_row = 0
    for i in range(20_000):
        in_a_row = 0 if steps[i % len(steps)]() else in_a_row + 1
        if in_a_row >= 3 * len(steps):
            break                             # not even the smallest finds room any more
    assert in_a_row and ledger.blobs, "the disk never filled"
    assert any(status == 507 for status, _ in ledger.refusals), ledger.refusals[:5]
    said = [line for line in server.stderr().splitlines() if " error request failed " in line]
    assert any(" status=507 " in line and ("full" in line or "No space" in line) for line in said), said[:5]
    ledger.verify()                           # reads go on, on the full disk
    assert server.request("GET", "/healthz")[0] == 200

    remount(path, "size=64m")                 # space is all it takes
    assert ledger.blob(100_000) and ledger.chunk(50_000) and ledger.manifest() and ledger.blob(500)
    ledger.verify()
    done = berth(berth_binary, "check", "--data", path / "data")
    assert done.returncode == 0 and "0 problems" in done.stdout, done.stdout
    server.kill9()
    server.start()
    ledger.verify()
    ledger.finish_sessions()
    ledger.verify()


def test_a_server_starts_on_a_full_disk_or_says_why(disk, make_server, berth_binary):
    path = disk("8m")
    server = make_server("--storage-reserve", "0", data=path / "data")
    ledger = Ledger(server)
    for _ in range(5):
        assert ledger.blob(2_000) and ledger.blob(30_000) and ledger.manifest()
    server.kill9()
    with open(path / "filler", "wb", buffering=0) as f:
        while True:
            try:
                f.write(b"x" * 4096)
            except OSError:
                break
    try:
        server.start()
        ledger.verify()
        server.kill9()
    except RuntimeError as e:                 # it may need room for the log; then that is what it says
        assert "full" in str(e) or "No space" in str(e), e
    (path / "filler").unlink()
    server.start()
    ledger.verify()
    assert ledger.blob(2_000) and ledger.manifest()


def test_a_read_only_store_refuses_uploads_and_serves_the_rest(disk, make_server, tmp_path):
    data = tmp_path / "data"
    objects = disk("32m", data / "objects")
    server = make_server(data=data, config="version: 1\nstorage:\n  reserve: 0\n")
    ledger = Ledger(server)
    for _ in range(3):
        assert ledger.blob(100_000) and ledger.blob(500) and ledger.manifest()
    remount(objects, "ro")
    assert not ledger.blob(100_000) and not ledger.chunk(50_000)
    assert all(status == 500 and "Read-only" in message for status, message in ledger.refusals), ledger.refusals
    assert "Read-only file system" in server.stderr()
    ledger.verify()
    assert ledger.blob(500) and ledger.manifest()  # what lives in the database goes on
    remount(objects, "rw")
    assert ledger.blob(100_000) and ledger.chunk(50_000) and ledger.manifest()
    ledger.verify()


def test_a_read_only_folder_is_said_to_be_one(disk, make_server, tmp_path):
    path = disk("32m", tmp_path / "data")
    server = make_server("--storage-reserve", "0", data=path)
    ledger = Ledger(server)
    assert ledger.blob(100_000) and ledger.blob(500) and ledger.manifest()
    server.stop()
    remount(path, "ro")
    with pytest.raises(RuntimeError, match="(?i)read-?only"):
        server.start()
    remount(path, "rw")
    server.start()
    ledger.verify()


def audited(path):
    """(lines, what is no line but the beginning of one)"""
    lines, torn = [], []
    for text in path.read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            torn.append(text)
    return lines, torn


def test_an_audit_log_on_a_full_disk_says_what_it_loses(disk, make_server):
    audit = disk("64k") / "audit"
    server = make_server("--log-audit", audit)
    filler = audit.parent / "filler"
    with open(filler, "wb", buffering=0) as f:
        f.write(bytes(56 << 10))
    ledger = Ledger(server)
    for _ in range(60):
        assert ledger.blob(100)               # acknowledged, audited or not
    assert " the audit log loses lines lost=1 reason=\"No space left on device\"" in server.stderr()
    assert server.stderr().count("audit log") == 1
    assert len(audited(audit)[1]) == 1        # the disk was full in the middle of a line
    filler.unlink()
    assert ledger.blob(100)
    server.wait_for(lambda: "the audit log is written again" in server.stderr())
    lost = int(server.stderr().partition("is written again lost=")[2].split()[0])
    lines, torn = audited(audit)
    assert len(lines) + lost == 61 and len(torn) == 1, (len(lines), lost, torn)
    assert f"\nberth_audit_lines_lost_total {lost}\n" in server.request("GET", "/metrics")[2].decode()


def test_a_server_goes_on_in_an_audit_log_that_ends_torn(make_server, tmp_path):
    audit = tmp_path / "audit"
    audit.write_text('{"time":"2026-')
    server = make_server("--log-audit", audit)
    assert Ledger(server).blob(100)
    server.wait_for(lambda: audit.read_text().endswith("}\n"))
    lines, torn = audited(audit)
    assert (len(lines), torn) == (1, ['{"time":"2026-'])


def announce(server, way, where, length):
    """The answer to the header of an upload alone."""
    if way == "post":
        line = f"POST /v2/full/app/blobs/uploads/?digest=sha256:{'0' * 64} HTTP/1.1"
    else:
        path = where[where.index("/v2/"):] if "://" in where else where
        line = f"PATCH {path} HTTP/1.1" if way == "chunk" else f"PUT {path}?digest=sha256:{'0' * 64} HTTP/1.1"
    return server.raw((f"{line}\r\nHost: {server.address}\r\nContent-Type: application/octet-stream\r\n"
                       f"Content-Length: {length}\r\nConnection: close\r\n\r\n").encode())


@pytest.mark.parametrize("way", ["post", "chunk", "put"])
@pytest.mark.parametrize("why", ["reserve", "length"])
def test_an_upload_for_which_there_is_no_space_is_refused_before_its_body(make_server, way, why):
    server = make_server()
    where = server.request("POST", "/v2/full/app/blobs/uploads/")[1]["Location"]
    if why == "reserve":
        server.stop()
        server.flags += ["--storage-reserve", "1000TiB"]
        server.start()
    answer = announce(server, way, where, 1_000_000_000 if why == "reserve" else 1 << 62)
    assert answer.startswith(b"HTTP/1.1 507 "), answer[:200]
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["errors"][0]["code"] == "DENIED"
    if why == "length" and way != "post":
        assert server.request("PATCH", where, b"a small one")[0] == 202


# --- an object that is damaged ---

def object_of(server, data):
    return next(p for p in (server.data / "objects").rglob("*") if p.is_file() and p.read_bytes() == data)


@pytest.mark.parametrize("damage, said", [("missing", "is missing from the store"), ("short", "has the wrong size"),
                                          ("long", "has the wrong size"), ("row", "have the wrong size")])
def test_a_damaged_object_is_an_error_to_the_client_and_in_the_log(make_server, damage, said):
    server = make_server()
    ledger = Ledger(server)
    assert ledger.blob(500 if damage == "row" else 100_000) and ledger.blob(60_000)
    digest, data = next(iter(ledger.blobs.items()))
    server.stop()
    if damage == "row":
        with contextlib.closing(sqlite3.connect(server.data / "berth.db")) as db, db:
            assert db.execute("UPDATE blob_bodies SET body=substr(body, 1, 10) WHERE digest=?", (digest,)).rowcount == 1
    elif damage == "missing":
        object_of(server, data).unlink()
    else:
        os.truncate(object_of(server, data), 99_999 if damage == "short" else 100_001)
    server.start()
    for headers in ({}, {"Range": "bytes=0-4"}):
        status, _, body = server.request("GET", f"/v2/full/app/blobs/{digest}", headers=headers)
        error = json.loads(body)["errors"][0]
        assert status == 500 and digest in error["message"] and "berth check" in error["message"], (status, body)
    lines = [line for line in server.stderr().splitlines() if " error request failed " in line]
    assert len(lines) == 2 and all(digest in line and said in line for line in lines), lines
    del ledger.blobs[digest]
    ledger.verify()                           # the rest is served
    assert berth(server.binary, "check", "--data", server.data).returncode == 6


@pytest.mark.parametrize("tls", [False, True])
def test_an_object_that_ends_while_it_is_sent_breaks_the_answer_off_and_is_logged(make_server, certificates, tls):
    server = make_server(tls=certificates if tls else None)
    data = os.urandom(32 << 20)
    digest = digest_of(data)
    assert server.request("POST", f"/v2/full/app/blobs/uploads/?digest={digest}", data)[0] == 201
    wire = server.connect()
    wire.request("GET", f"/v2/full/app/blobs/{digest}")
    answer = wire.getresponse()
    assert answer.status == 200 and answer.read(100_000) == data[:100_000]
    os.truncate(object_of(server, data), 1 << 20)
    with pytest.raises((http.client.IncompleteRead, OSError)):
        answer.read()
    wire.close()
    server.wait_for(lambda: " error answer broken off " in server.stderr())
    line = next(line for line in server.stderr().splitlines() if "answer broken off" in line)
    assert digest in line and "No data available" in line, line


# --- a damaged page of the database ---

def filled(make_server):
    server = make_server()
    ledger = Ledger(server)
    for _ in range(4):
        assert ledger.blob(2_000) and ledger.blob(100_000) and ledger.manifest()
    server.stop()
    return server, ledger


@pytest.mark.parametrize("index", ["repo_blobs_digest", "tags_manifest"])
def test_a_damaged_index_is_found_and_made_anew(make_server, berth_binary, index):
    server, ledger = filled(make_server)
    overwrite_root(server.data, index)
    server.start()
    ledger.verify()                           # reads that need no such index go on
    before = sorted(p for p in (server.data / "objects").rglob("*") if p.is_file())
    done = berth(berth_binary, "check", "--data", server.data)
    assert done.returncode == 6 and "database: " in done.stdout, done.stdout
    done = berth(berth_binary, "check", "--repair", "--data", server.data)
    assert "every index was made anew" in done.stdout, done.stdout
    done = berth(berth_binary, "check", "--data", server.data)
    assert done.returncode == 0 and "0 problems" in done.stdout, done.stdout
    assert sorted(p for p in (server.data / "objects").rglob("*") if p.is_file()) == before
    assert ledger.blob(2_000) and ledger.blob(100_000) and ledger.manifest()
    ledger.verify()


def test_a_damaged_table_is_said_to_be_and_salvaged(make_server, berth_binary):
    server, ledger = filled(make_server)
    overwrite_root(server.data, "tags")
    server.start()
    tag, manifest = next(iter(ledger.tags.items()))
    status, _, body = server.request("GET", f"/v2/full/app/manifests/{tag}")
    assert status == 500 and json.loads(body)["errors"], body
    assert "malformed" in server.stderr()
    assert server.request("GET", f"/v2/full/app/manifests/{digest_of(manifest)}")[2] == manifest
    digest, data = next(iter(ledger.blobs.items()))
    assert server.request("GET", f"/v2/full/app/blobs/{digest}")[2] == data
    before = sorted(p for p in (server.data / "objects").rglob("*") if p.is_file())
    done = berth(berth_binary, "check", "--data", server.data)
    assert done.returncode == 6 and "database: " in done.stdout, done.stdout
    done = berth(berth_binary, "check", "--repair", "--data", server.data)
    assert done.returncode == 5 and "nothing else is repaired" in done.stdout, done.stdout
    assert "stop the server" in done.stderr, done.stderr
    assert sorted(p for p in (server.data / "objects").rglob("*") if p.is_file()) == before
    server.kill9()
    done = berth(berth_binary, "check", "--repair", "--output", "json", "--data", server.data)
    assert done.returncode == 0, (done.stdout, done.stderr)
    said = json.loads(done.stdout)
    assert said["damaged"] >= 1 and said["lost"] == 0 and said["problems"] == said["repaired"], said
    assert any("tags is damaged" in line for line in said["lines"]), said
    server.start()
    ledger.verify()
    assert ledger.blob(2_000) and ledger.manifest()
