#!/usr/bin/env python3
"""The collector against pushes, mounts, HEADs, pulls and deletes, with a grace period of seconds.

    tests/crash/collector.py [--seconds 300] [--seed N]

A few contents go round in a few repositories, so that what is pushed is often just being collected. What must hold:
a manifest is not refused for a blob that a HEAD, a mount or an upload has promised within the grace period; what a
pulled manifest refers to can be read; at the end every object is in exactly one table of the database, and when all is
deleted neither a row nor a file remains.
"""

import argparse
import hashlib
import http.client
import json
import random
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from server import Server, berth_path

GRACE = 4.0
SETTINGS = ("--gc-interval", "50ms", "--gc-grace", f"{GRACE:.0f}s", "--gc-drain", "1s", "--gc-untagged", "1s",
            "--registry-session-timeout", "5s")
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
REPOSITORIES = ("stress/one", "stress/two", "stress/three")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Stress:
    def __init__(self, server, seed):
        self.server, self.random = server, random.Random(seed)
        contents = [self.random.randbytes(n) for n in (40, 900, 5_000, 20_000, 70_000, 150_000) for _ in range(25)]
        self.contents = {digest_of(c): c for c in contents}
        self.lock = threading.Lock()
        self.tagged = []                      # (repository, tag, digest) that may be deleted
        self.failures, self.count = [], {}
        self.stop = threading.Event()

    def did(self, what):
        with self.lock:
            self.count[what] = self.count.get(what, 0) + 1

    def fail(self, text):
        with self.lock:
            self.failures.append(text)
        self.stop.set()

    def promise(self, ask, rng, name, digest):
        """Makes sure of a blob, by whichever way answers first."""
        path = f"/v2/{name}/blobs/{digest}"
        if rng.random() < 0.8 and ask("HEAD", path)[0] == 200:
            return self.did("promised by HEAD")
        if rng.random() < 0.5:
            source = rng.choice(REPOSITORIES)
            if ask("POST", f"/v2/{name}/blobs/uploads/?mount={digest}&from={source}")[0] == 201:
                return self.did("mounted")
        status, _, body = ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", self.contents[digest])
        if status != 201:
            self.fail(f"an upload was answered {status} {body!r}")
        self.did("uploaded")

    def push(self, ask, rng):
        name, began = rng.choice(REPOSITORIES), time.monotonic()
        digests = rng.sample(sorted(self.contents), rng.randint(2, 4))
        for digest in digests:
            self.promise(ask, rng, name, digest)
        if rng.random() < 0.2:
            return self.did("left without a manifest")
        # Long enough that what was not promised anew is collected meanwhile: most leases here are half over.
        self.stop.wait(rng.choice((0, 0.5, 0.85)) * GRACE)
        config, *layers = ({"mediaType": "application/octet-stream", "digest": d, "size": len(self.contents[d])}
                           for d in digests)
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers,
                    "annotations": {"n": str(rng.random())}}
        if rng.random() < 0.2:
            with self.lock:
                near = [t for t in self.tagged if t[0] == name]
            if near:
                document["subject"] = {"mediaType": OCI_MANIFEST, "digest": rng.choice(near)[2], "size": 2}
        data = json.dumps(document).encode()
        tag = f"t{rng.randrange(6)}" if rng.random() < 0.8 else digest_of(data)
        status, _, body = ask("PUT", f"/v2/{name}/manifests/{tag}", data, {"Content-Type": OCI_MANIFEST})
        took = time.monotonic() - began
        if status != 201 and took < GRACE:
            self.fail(f"a manifest was refused {took:.2f} s after its blobs were promised: {status} {body!r}")
        self.did("pushed" if status == 201 else "refused late")
        if status == 201:
            with self.lock:
                self.tagged.append((name, tag, digest_of(data)))
                del self.tagged[:-40]

    def pull(self, ask, rng):
        name, began = rng.choice(REPOSITORIES), time.monotonic()
        status, _, body = ask("GET", f"/v2/{name}/manifests/t{rng.randrange(6)}")
        if status == 404:
            return
        manifest = json.loads(body)
        for each in [manifest["config"], *manifest["layers"]]:
            status, _, data = ask("GET", f"/v2/{name}/blobs/{each['digest']}")
            if time.monotonic() - began < GRACE and (status != 200 or data != self.contents[each["digest"]]):
                self.fail(f"a blob of a manifest that was just pulled was answered {status}")
        self.did("pulled")

    def delete(self, ask, rng):
        with self.lock:
            if not self.tagged:
                return
            name, tag, digest = self.tagged.pop(rng.randrange(len(self.tagged)))
        status, _, body = ask("DELETE", f"/v2/{name}/manifests/{rng.choice((tag, digest))}")
        if status not in (202, 404):
            self.fail(f"a deletion was answered {status} {body!r}")
        self.did("deleted")

    def leave_session(self, ask, rng):
        name = rng.choice(REPOSITORIES)
        status, headers, _ = ask("POST", f"/v2/{name}/blobs/uploads/")
        if status == 202 and rng.random() < 0.7:
            ask("PATCH", headers["Location"], rng.randbytes(rng.choice((10, 30_000))),
                {"Content-Type": "application/octet-stream"})
        self.did("session left")

    def worker(self, seed):
        rng = random.Random(seed)
        connection = self.server.connect()

        def ask(method, path, body=None, headers=None):
            if "://" in path:
                path = "/" + path.split("/", 3)[3]
            for attempt in (0, 1):            # the server may have ended an idle connection
                try:
                    connection.request(method, path, body=body, headers=headers or {})
                    answer = connection.getresponse()
                    return answer.status, answer.headers, answer.read()
                except (http.client.HTTPException, ConnectionError):
                    connection.close()
                    if attempt:
                        raise

        steps = [self.push] * 5 + [self.pull] * 2 + [self.delete] * 2 + [self.leave_session]
        try:
            while not self.stop.is_set():
                rng.choice(steps)(ask, rng)
        except Exception as e:
            self.fail(f"a client met {e!r}")
        finally:
            connection.close()

    def run(self, seconds, clients=16):
        threads = [threading.Thread(target=self.worker, args=(self.random.random(),)) for _ in range(clients)]
        for t in threads:
            t.start()
        self.stop.wait(seconds)
        self.stop.set()
        for t in threads:
            t.join()
        assert not self.failures, self.failures


def files(data):
    return {p.name for p in (data / "objects").rglob("*") if p.is_file()}


def check_tables(data):
    """Of a server that has ended: every key in exactly one table, every object known, every blob's object there."""
    database = sqlite3.connect(f"file:{data / 'berth.db'}?mode=ro", uri=True)
    keys = {table: {row[0] for row in database.execute(f"SELECT object_key FROM {table} WHERE object_key IS NOT NULL")}
            for table in ("uploads", "blobs", "gc_objects")}
    database.close()
    assert not keys["uploads"] & keys["blobs"] and not keys["blobs"] & keys["gc_objects"] \
        and not keys["uploads"] & keys["gc_objects"], "a key is in two tables"
    there = files(data)
    assert there <= set().union(*keys.values()), "an object is in no table"
    assert keys["blobs"] <= there, "a blob's object is missing"


def drain(server):
    """All is deleted: neither a row nor a file remains."""
    for name in REPOSITORIES:
        assert server.request("DELETE", f"/v2/{name}")[0] in (202, 404)
    tables = ("repositories", "manifests", "manifest_blobs", "manifest_missing", "tags", "repo_blobs", "blobs",
              "blob_bodies", "uploads", "upload_results", "gc_objects", "lost_subjects", "tag_history")

    def left():
        database = sqlite3.connect(f"file:{server.data / 'berth.db'}?mode=ro", uri=True)
        try:
            rows = {t: database.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}
        finally:
            database.close()
        return {t: n for t, n in rows.items() if n} | ({"files": len(files(server.data))} if files(server.data) else {})

    end = time.monotonic() + 660              # how finished sessions ended is kept for ten minutes
    while (remains := {k: v for k, v in left().items() if k != "upload_results"}) and time.monotonic() < end:
        time.sleep(0.5)
    assert not remains, f"left when all was deleted: {remains}"


def stress(binary, folder, seconds, seed):
    server = Server(binary, Path(folder) / "data", *SETTINGS)
    try:
        run = Stress(server, seed)
        run.run(seconds)
        server.stop()
        check_tables(server.data)
        server.start()
        drain(server)
        server.stop()
        check_tables(server.data)
    finally:
        if server.process.poll() is None:
            server.kill9()
    return run.count


def main():
    parser = argparse.ArgumentParser(description="The collector against pushes, mounts, HEADs, pulls and deletes.")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="berth-") as folder:
        print(stress(berth_path(), folder, options.seconds, options.seed))


if __name__ == "__main__":
    main()
