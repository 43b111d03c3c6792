"""berth backup and berth restore: consistent beside everything else, verified, incremental, whole after a crash."""

import contextlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import layout
from older_schema import EDGES, edges_of, make_version_1, schema_of
from test_operations import OCI_MANIFEST, berth, digest_of, objects, push_blob, push_image


def backup(binary, server, folder, *args, code=0):
    return json.loads(berth(binary, "backup", folder, "--data", server.data, "--output", "json", *args, code=code).stdout)


def restore(binary, folder, data, *args, code=0):
    return json.loads(berth(binary, "restore", folder, "--data", data, "--output", "json", *args, code=code).stdout)


def check(binary, data):
    found = json.loads(berth(binary, "check", "--data", data, "--output", "json").stdout)
    assert found["problems"] == 0
    return found


def pull(server, name, reference):
    status, headers, body = server.request("GET", f"/v2/{name}/manifests/{reference}", headers={"Accept": OCI_MANIFEST})
    return (headers["Docker-Content-Digest"], body) if status == 200 else (None, status)


def pull_image(server, name, tag, digest):
    """The image is there byte for byte: manifest, config, layers."""
    have, manifest = pull(server, name, tag)
    assert have == digest and digest_of(manifest) == digest, (name, tag, manifest)
    parsed = json.loads(manifest)
    for blob in [parsed["config"], *parsed["layers"]]:
        status, _, body = server.request("GET", f"/v2/{name}/blobs/{blob['digest']}")
        assert status == 200 and digest_of(body) == blob["digest"], (name, tag, blob["digest"])


def noise(n, seed):
    return random.Random(seed).randbytes(n)


def state_of(folder):
    """Every file below with its bytes: for what must not change."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


# --- round trips ---

def test_a_backup_becomes_a_new_registry_byte_for_byte(berth_binary, make_server, tmp_path):
    own = make_server()
    images = {(f"team/app{i}", f"v{i}"): push_image(own, f"team/app{i}", f"v{i}", noise(60000 + i, i))[0]
              for i in range(5)}
    lone = push_blob(own, "team/lone", noise(50000, 99))
    small = push_blob(own, "team/lone", b"so small that it lives in the database")
    made = backup(berth_binary, own, tmp_path / "backup")
    assert made["problems"] == 0 and made["tags"] == 5 and made["copied"] == 6
    restored = restore(berth_binary, tmp_path / "backup", tmp_path / "new")
    assert restored["failed"] == 0 and restored["blobs"] == made["blobs"]
    other = make_server(data=tmp_path / "new")
    for (name, tag), digest in images.items():
        pull_image(other, name, tag, digest)
    for blob in (lone, small):
        assert digest_of(other.request("GET", f"/v2/team/lone/blobs/{blob['digest']}")[2]) == blob["digest"]
    push_image(other, "team/app0", "v2", noise(40000, 7))
    check(berth_binary, other.data)
    other.stop()


def test_a_second_backup_copies_what_is_new_and_drops_what_is_gone(berth_binary, make_server, tmp_path):
    own = make_server("--gc-grace", "1s", "--gc-drain", "0s", "--gc-untagged", "1s")
    push_image(own, "team/app", "old", noise(60000, 1))
    kept, _ = push_image(own, "team/app", "kept", noise(60000, 2))
    first = backup(berth_binary, own, tmp_path / "backup")
    assert first["copied"] == 2
    inodes = {p.name: p.stat().st_ino for p in objects(tmp_path / "backup")}
    own.request("DELETE", "/v2/team/app/manifests/old")
    push_image(own, "team/app", "new", noise(70000, 3))
    own.wait_for(lambda: (berth(berth_binary, "gc", "--data", own.data), len(objects(own.data)) == 2)[1])
    second = backup(berth_binary, own, tmp_path / "backup")
    assert (second["copied"], second["copied_bytes"], second["removed"]) == (1, 70000, 1)
    after = {p.name: p.stat().st_ino for p in objects(tmp_path / "backup")}
    assert len(after) == 2 and len(after.items() & inodes.items()) == 1
    third = backup(berth_binary, own, tmp_path / "backup")
    assert (third["copied"], third["removed"]) == (0, 0)
    restore(berth_binary, tmp_path / "backup", tmp_path / "new")
    other = make_server(data=tmp_path / "new")
    pull_image(other, "team/app", "kept", kept)
    assert pull(other, "team/app", "old") == (None, 404)
    check(berth_binary, other.data)
    other.stop()


def test_a_backup_needs_no_server(berth_binary, make_server, tmp_path):
    own = make_server()
    digest, _ = push_image(own, "team/app", "v1", noise(60000, 1))
    own.stop()
    assert backup(berth_binary, own, tmp_path / "backup")["copied"] == 1
    restore(berth_binary, tmp_path / "backup", tmp_path / "new")
    other = make_server(data=tmp_path / "new")
    pull_image(other, "team/app", "v1", digest)
    other.stop()


# --- where a backup may be ---

def test_a_folder_that_is_no_place_for_a_backup_is_refused_and_left_alone(berth_binary, make_server, tmp_path):
    own = make_server()
    push_image(own, "team/app", "v1", noise(60000, 1))
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("years of work")
    (tmp_path / "link").symlink_to(own.data)
    (tmp_path / "file").write_text("")
    for folder in (own.data, own.data / "inside", own.data / "in" / "side", tmp_path / "link" / "x", full, own.data.parent):
        before = sorted(os.listdir(own.data)), sorted(os.listdir(full))
        done = berth(berth_binary, "backup", folder, "--data", own.data, code=1)
        assert "data folder" in done.stderr or "not empty and not a backup" in done.stderr, done.stderr
        assert (sorted(os.listdir(own.data)), sorted(os.listdir(full))) == before
    berth(berth_binary, "backup", tmp_path / "file", "--data", own.data, code=1)
    berth(berth_binary, "backup", "--data", own.data, code=2)


def test_a_backup_is_not_served_and_only_a_backup_is_restored(berth_binary, make_server, tmp_path):
    own = make_server()
    push_image(own, "team/app", "v1", noise(60000, 1))
    backup(berth_binary, own, tmp_path / "backup")
    for command in ("serve", "gc", "check"):
        assert "is a backup" in berth(berth_binary, command, "--data", tmp_path / "backup", code=1).stderr
    assert "not a backup" in berth(berth_binary, "restore", own.data, "--data", tmp_path / "new", code=4).stderr
    berth(berth_binary, "restore", tmp_path / "nowhere", "--data", tmp_path / "new", code=4)
    assert not (tmp_path / "new").exists()


# --- beside everything else ---

class Load:
    """Pushes, deletes and collections until it is stopped. What stood when mark() was called, and was not touched by
    a delete since, must be in a backup begun afterwards."""

    def __init__(self, binary, server, threads=3):
        self.binary, self.server, self.stopping, self.lock = binary, server, threading.Event(), threading.Lock()
        self.images, self.failures, self.pushed = {}, [], 0
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(threads)]
        self.threads.append(threading.Thread(target=self.collect))
        for thread in self.threads:
            thread.daemon = True
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        chance, name, n = random.Random(number), f"load/r{number}", 0
        try:
            while not self.stopping.is_set():
                tag, n = f"t{n}", n + 1
                size = chance.choice((200, 20000, 300000))
                digest, _ = push_image(self.server, name, tag, noise(size, f"{number}-{n}"))
                with self.lock:
                    self.images[name, tag] = digest
                    self.pushed += 1
                    mine = [k for k in self.images if k[0] == name and not k[1].endswith("0")]  # those stay
                    gone = chance.choice(mine) if len(mine) > 15 else None
                    if gone:
                        del self.images[gone]
                if gone:
                    status, _, body = self.server.request("DELETE", f"/v2/{name}/manifests/{gone[1]}")
                    assert status == 202, body
        except Exception as e:
            self.failures.append(e)

    def collect(self):
        while not self.stopping.wait(0.05):
            done = subprocess.run([self.binary, "gc", "--data", self.server.data], capture_output=True, text=True)
            if done.returncode not in (0, 5):
                self.failures.append(done.stderr)

    def mark(self):
        with self.lock:
            return dict(self.images)

    def survivors(self, marked):
        """Of what stood then: what still does. Anything deleted since may or may not be in the backup."""
        with self.lock:
            return {k: v for k, v in marked.items() if self.images.get(k) == v}

    def stop(self):
        self.__exit__()
        assert not self.failures, self.failures


def busy_server(make_server):
    """Collects all the time what is no longer needed; a push has the time of grace to come to its manifest."""
    return make_server("--gc-grace", "5s", "--gc-drain", "0s", "--gc-interval", "1s", "--gc-untagged", "1s")


def test_backups_under_load_hold_all_that_was_acknowledged_before(berth_binary, make_server, tmp_path):
    own = busy_server(make_server)
    with Load(str(berth_binary), own) as load:
        own.wait_for(lambda: load.pushed > 40, 60)
        for turn in range(3):
            marked, before = load.mark(), load.pushed
            made = backup(berth_binary, own, tmp_path / "backup")
            assert made["problems"] == 0
            wanted = load.survivors(marked)
            restored = restore(berth_binary, tmp_path / "backup", tmp_path / f"new{turn}")
            assert restored["failed"] == 0
            other = make_server(data=tmp_path / f"new{turn}")
            assert len(wanted) > 2
            for (name, tag), digest in wanted.items():
                pull_image(other, name, tag, digest)
            check(berth_binary, other.data)
            other.stop()
            own.wait_for(lambda: load.pushed > before, 60)
        load.stop()
    check(berth_binary, own.data)


def kill_during(command, after):
    """Starts a command and kills it and its server's work some time later; True when it was still running."""
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(after)
    running = started.poll() is None
    return started, running


def test_a_server_killed_in_the_middle_leaves_the_backup_before_whole(berth_binary, make_server, tmp_path):
    own = make_server()
    images, hit = {}, 0
    for i in range(10):
        images["team/app", f"first{i}"] = push_image(own, "team/app", f"first{i}", noise(200000, i))[0]
    began = time.monotonic()
    backup(berth_binary, own, tmp_path / "backup")
    chance, took = random.Random(11), time.monotonic() - began
    for turn in range(6):
        for i in range(12):
            push_image(own, "team/app", f"turn{turn}-{i}", noise(400000, f"{turn}-{i}"))
        started, running = kill_during([str(berth_binary), "backup", tmp_path / "backup", "--data", own.data],
                                       chance.uniform(0, took))
        own.kill9()
        started.communicate()
        hit += running
        restore(berth_binary, tmp_path / "backup", tmp_path / "new")
        other = make_server(data=tmp_path / "new")
        for (name, tag), digest in images.items():
            pull_image(other, name, tag, digest)
        check(berth_binary, other.data)
        other.stop()
        shutil.rmtree(tmp_path / "new")
        own.start()
        # nothing holds the collector back any more, and the next backup is whole
        berth(berth_binary, "gc", "--data", own.data)
        if turn % 3 == 2:
            assert backup(berth_binary, own, tmp_path / "backup")["problems"] == 0
            assert not (tmp_path / "backup" / "writing").exists()
            images = {("team/app", tag): pull(own, "team/app", tag)[0] for tag in
                      json.loads(own.request("GET", "/v2/team/app/tags/list?n=1000")[2])["tags"]}
    assert hit > 0


def test_a_restore_that_was_killed_is_refused_until_it_is_done_again(berth_binary, make_server, tmp_path):
    own = make_server()
    images = {f"v{i}": push_image(own, "team/app", f"v{i}", noise(500000, i))[0] for i in range(40)}
    backup(berth_binary, own, tmp_path / "backup")
    unfinished, chance, new = 0, random.Random(12), tmp_path / "new"
    for turn in range(8):
        started = subprocess.Popen([str(berth_binary), "restore", tmp_path / "backup", "--data", new],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if turn != 1:                         # else before it has begun, or as it begins
            while not (new / "restoring").exists() and started.poll() is None:
                time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.02 * turn))
        started.kill()
        started.communicate()
        if (new / "restoring").exists():
            unfinished += 1
            for command in ("serve", "check", "gc"):
                assert "was not finished" in berth(berth_binary, command, "--data", new, code=1).stderr
            assert restore(berth_binary, tmp_path / "backup", new)["failed"] == 0
        elif not (new / "format").exists():
            restore(berth_binary, tmp_path / "backup", new)
        if turn % 4 == 3:
            other = make_server(data=new)
            for tag, digest in images.items():
                pull_image(other, "team/app", tag, digest)
            check(berth_binary, other.data)
            other.stop()
        shutil.rmtree(new)
    assert unfinished > 0


def test_a_restore_into_a_busy_registry_brings_back_what_was_deleted(berth_binary, make_server, tmp_path):
    own = make_server("--gc-grace", "1s", "--gc-drain", "0s", "--gc-untagged", "1s")
    images = {f"v{i}": push_image(own, "team/app", f"v{i}", noise(100000, i))[0] for i in range(5)}
    lone = push_blob(own, "team/lone", noise(50000, 99))
    backup(berth_binary, own, tmp_path / "backup")
    frozen = state_of(tmp_path / "backup")
    for tag in ("v0", "v1"):
        own.request("DELETE", f"/v2/team/app/manifests/{tag}")
    own.wait_for(lambda: (berth(berth_binary, "gc", "--data", own.data), len(objects(own.data)) == 3)[1])
    own.stop()
    own.flags[own.flags.index("--gc-grace") + 1] = "30s"       # from here on nothing goes before it is looked at
    own.start()
    moved, _ = push_image(own, "team/app", "v2", noise(100000, 50))
    since, _ = push_image(own, "team/app", "since", noise(100000, 51))
    with Load(str(berth_binary), own, threads=2) as load:
        kept = restore(berth_binary, tmp_path / "backup", own.data, "--keep-tags")
        assert (kept["failed"], kept["tags"], kept["blobs"]) == (0, 2, 3)
        pull_image(own, "team/app", "v2", moved)
        again = restore(berth_binary, tmp_path / "backup", own.data)
        assert (again["failed"], again["tags"]) == (0, 1)
        load.stop()
    for tag, digest in images.items():
        pull_image(own, "team/app", tag, digest)
    pull_image(own, "team/app", "since", since)
    assert digest_of(own.request("GET", f"/v2/team/lone/blobs/{lone['digest']}")[2]) == lone["digest"]
    check(berth_binary, own.data)
    assert state_of(tmp_path / "backup") == frozen


# --- damage ---

def damage(data, digest_bytes):
    """Flips a byte of the object that holds these bytes."""
    path = next(p for p in objects(data) if p.read_bytes() == digest_bytes)
    path.chmod(0o600)
    path.write_bytes(digest_bytes[:-1] + bytes([digest_bytes[-1] ^ 1]))
    path.chmod(0o400)
    return path


def test_damaged_and_missing_objects_are_named_and_the_rest_is_backed_up(berth_binary, make_server, tmp_path):
    own = make_server()
    layers = {f"team/app{i}": noise(50000, i) for i in range(4)}
    images = {name: push_image(own, name, "v1", layer)[0] for name, layer in layers.items()}
    damage(own.data, layers["team/app1"])
    next(p for p in objects(own.data) if p.read_bytes() == layers["team/app2"]).unlink()
    made = backup(berth_binary, own, tmp_path / "backup", code=6)
    assert made["problems"] == 2 and made["copied"] == 2
    for name in ("team/app1", "team/app2"):
        assert any(digest_of(layers[name]) in line and name in line for line in made["lines"]), made
    restored = restore(berth_binary, tmp_path / "backup", tmp_path / "new", code=6)
    assert restored["failed"] == 2
    other = make_server(data=tmp_path / "new")
    for name in ("team/app0", "team/app3"):
        pull_image(other, name, "v1", images[name])
    assert other.request("HEAD", f"/v2/team/app1/blobs/{digest_of(layers['team/app1'])}")[0] == 404
    push_blob(other, "team/app1", layers["team/app1"])
    pull_image(other, "team/app1", "v1", images["team/app1"])
    check(berth_binary, other.data)
    other.stop()


def test_verify_finds_and_replaces_what_is_wrong_in_the_backup(berth_binary, make_server, tmp_path):
    own = make_server()
    layer = noise(50000, 1)
    digest, _ = push_image(own, "team/app", "v1", layer)
    backup(berth_binary, own, tmp_path / "backup")
    damage(tmp_path / "backup", layer)
    assert backup(berth_binary, own, tmp_path / "backup")["copied"] == 0  # by its size it is there
    assert restore(berth_binary, tmp_path / "backup", tmp_path / "bad", code=6)["failed"] == 1
    assert backup(berth_binary, own, tmp_path / "backup", "--verify")["copied"] == 1
    assert restore(berth_binary, tmp_path / "backup", tmp_path / "new")["failed"] == 0
    other = make_server(data=tmp_path / "new")
    pull_image(other, "team/app", "v1", digest)
    other.stop()


def test_a_backup_that_lost_its_modes_can_be_restored(berth_binary, make_server, tmp_path):
    own = make_server()
    digest, _ = push_image(own, "team/app", "v1", noise(50000, 1))
    backup(berth_binary, own, tmp_path / "backup")
    for path in objects(tmp_path / "backup"):  # as after a trip through an archive or an object store
        path.chmod(0o644)
    assert restore(berth_binary, tmp_path / "backup", tmp_path / "new")["failed"] == 0
    other = make_server(data=tmp_path / "new")
    pull_image(other, "team/app", "v1", digest)
    other.stop()


def test_progress_is_told_in_lines_and_text_results_can_be_read(berth_binary, make_server, tmp_path):
    own = make_server()
    push_image(own, "team/app", "v1", noise(50000, 1))
    done = berth(berth_binary, "backup", tmp_path / "backup", "--data", own.data)
    assert re.search(r"backup of 20\S+Z: 1 tags, 2 blobs .* 1 copied now .* 0 problems\n", done.stdout)
    assert "2 of 2 blobs" in done.stderr and "\033" not in done.stderr
    done = berth(berth_binary, "restore", tmp_path / "backup", "--data", own.data)
    assert re.search(r"restored from the backup of 20\S+Z: .* 0 failed\n", done.stdout)
    done = berth(berth_binary, "restore", tmp_path / "backup", "--data", tmp_path / "new", "--dry-run")
    assert "1 tags, 2 blobs" in done.stdout and not (tmp_path / "new").exists()


# --- an older schema ---

def schema_version(database):
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return db.execute("SELECT max(version) FROM schema_version").fetchone()[0]


def with_referrer(server):
    subject, _ = push_image(server, "team/app", "v1", noise(60000, 1))
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "text/vnd.demo",
                       "config": {**push_blob(server, "team/app", b"{}"),
                                  "mediaType": "application/vnd.oci.empty.v1+json"},
                       "layers": [], "annotations": {"a": "b"},
                       "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}}).encode()
    orphan = body.replace(subject.encode(), digest_of(b"absent").encode())
    index = json.dumps({"schemaVersion": 2, "mediaType": layout.INDEX, "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": digest_of(body), "size": len(body)}]}).encode()
    for data, kind in ((body, OCI_MANIFEST), (orphan, OCI_MANIFEST), (index, layout.INDEX)):
        status, _, _ = server.request("PUT", f"/v2/team/app/manifests/{digest_of(data)}", data, {"Content-Type": kind})
        assert status == 201
    return subject, body


def sees_referrer(server, subject, body):
    pull_image(server, "team/app", "v1", subject)
    listed = json.loads(server.request("GET", f"/v2/team/app/referrers/{subject}")[2])["manifests"]
    assert [(d["digest"], d["size"], d["artifactType"], d["annotations"]) for d in listed] == [
        (digest_of(body), len(body), "text/vnd.demo", {"a": "b"})]


def test_a_folder_of_an_older_schema_is_brought_forward_after_a_copy(berth_binary, make_server):
    own = make_server()
    subject, body = with_referrer(own)
    own.stop()
    database = Path(own.data) / "berth.db"
    new, edges = schema_of(database), edges_of(database)
    assert all(edges[table] for table in EDGES), edges
    make_version_1(database)
    assert schema_of(database) != new
    newer = make_server(data=own.data)
    sees_referrer(newer, subject, body)
    newer.stop()
    assert schema_version(database) > 1 and schema_version(f"{database}.v1.bak") == 1
    assert schema_of(database) == new and edges_of(database) == edges
    check(berth_binary, own.data)


def test_a_backup_of_an_older_schema_is_restored(berth_binary, make_server, tmp_path):
    own = make_server()
    subject, body = with_referrer(own)
    backup(berth_binary, own, tmp_path / "backup")
    was = digest_of((tmp_path / "backup" / "berth.db").read_bytes())
    make_version_1(tmp_path / "backup" / "berth.db")
    marker = tmp_path / "backup" / "backup"
    marker.write_text(marker.read_text().replace(was, digest_of((tmp_path / "backup" / "berth.db").read_bytes())))
    restore(berth_binary, tmp_path / "backup", tmp_path / "data")
    sees_referrer(make_server(data=tmp_path / "data"), subject, body)
