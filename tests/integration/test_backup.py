"""berth backup and berth restore: consistent beside everything else, verified, incremental, whole after a crash."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from server import Server
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
    other = Server(berth_binary, tmp_path / "new")
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
    other = Server(berth_binary, tmp_path / "new")
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
    other = Server(berth_binary, tmp_path / "new")
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
