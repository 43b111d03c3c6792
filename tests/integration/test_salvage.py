"""A damaged page of the database, of any table or index: a clear error in the log and to the client, the rest is served;
`berth check --repair` brings back all but what stood on that page, and names what it lost (docs/durability.md)."""

import hashlib
import json
import os
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from types import SimpleNamespace

import pytest

from older_schema import make_version_1
from server import Server

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
REPOSITORIES = 300
GRACE = ("--gc-grace", "200ms", "--gc-interval", "0", "--registry-session-timeout", "12h")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Later(Server):
    """One that starts when it is told to, and ends with the test."""

    def __init__(self, binary, data):
        self.told = False
        super().__init__(binary, data, *GRACE)

    def start(self):
        if self.told:
            super().start()
        self.told = True

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill9()


class Reader:
    """GETs over one connection, many sent before the first is answered: each test here reads everything, twice."""

    AT_ONCE = 64

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.port), timeout=60)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def __call__(self, paths):
        """The answers in the order of the paths."""
        paths = list(paths)
        for start in range(0, len(paths), self.AT_ONCE):
            some = paths[start:start + self.AT_ONCE]
            self.socket.sendall("".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in some).encode())
            for _ in some:
                yield self.answer()

    def answer(self):
        status, headers = int(self.file.readline().split()[1]), {}
        while line := self.file.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if status == 204 else int(headers["content-length"])
        return SimpleNamespace(status=status, body=self.file.read(length), range=headers.get("range"))


def berth(binary, *args):
    return subprocess.run([str(binary), *map(str, args)], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL)


class Content:
    """What was pushed: (repository, digest) of blobs and manifests, (repository, tag) of tags, all with their bytes."""

    def __init__(self):
        self.blobs, self.manifests, self.tags, self.subjects, self.sessions = {}, {}, {}, {}, {}

    def copy(self):
        other = Content()
        other.__dict__.update({name: dict(value) for name, value in self.__dict__.items()})
        return other

    def push_blob(self, server, repo, data):
        answer = server.request("POST", f"/v2/{repo}/blobs/uploads/?digest={digest_of(data)}", data)
        assert answer[0] == 201, answer
        self.blobs[repo, digest_of(data)] = data
        return {"mediaType": "application/octet-stream", "digest": digest_of(data), "size": len(data)}

    def push_manifest(self, server, repo, body, tag=None, kind=IMAGE):
        data = json.dumps({"schemaVersion": 2, "mediaType": kind, **body}).encode()
        answer = server.request("PUT", f"/v2/{repo}/manifests/{tag or digest_of(data)}", data, {"Content-Type": kind})
        assert answer[0] == 201, answer
        self.manifests[repo, digest_of(data)] = data
        if tag:
            self.tags[repo, tag] = digest_of(data)
        if "subject" in body:
            self.subjects[repo, digest_of(data)] = body["subject"]["digest"]
        return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}

    def fill(self, server):
        shared = os.urandom(5000)
        for r in range(REPOSITORIES):
            repo = f"team{r % 7}/application-number-{r:03}"
            images = []
            for i in range(3 if r % 10 == 0 else 1):
                config = self.push_blob(server, repo, json.dumps({"of": f"{repo}:{i}"}).encode())
                layers = [self.push_blob(server, repo, shared)]
                if r % 20 == 0:
                    layers.append(self.push_blob(server, repo, os.urandom(70_000)))
                filler = {"filler": os.urandom(3000 if i == 2 else 100).hex()}  # some run over their page
                images.append(self.push_manifest(server, repo, {"config": config, "layers": layers,
                                                                "annotations": filler}, f"v{i}"))
            if r % 10 == 0:
                self.push_manifest(server, repo, {"manifests": images}, "all", INDEX)
            if r % 5 == 0:
                self.push_manifest(server, repo, {"config": config, "layers": [config], "subject": images[0],
                                                  "artifactType": "application/x.signature"})
            if r % 10 == 0:
                where = server.request("POST", f"/v2/{repo}/blobs/uploads/")[1]["Location"]
                assert server.request("PATCH", where, b"x" * 100)[0] == 202
                self.sessions[repo, re.search(r"uploads/([^/?]+)", where)[1]] = b"x" * 100

    def push_again(self, server, names):
        """What `berth check --repair` has named."""
        for (repo, digest), data in self.blobs.items():
            if f"blob {repo}@{digest}" in names:
                self.push_blob(server, repo, data)
        for (repo, digest), data in sorted(self.manifests.items(), key=lambda m: b'"manifests"' in m[1]):
            if f"manifest {repo}@{digest}" in names:
                kind = json.loads(data)["mediaType"]
                tags = "&".join(f"tag={tag}" for (r, tag), d in self.tags.items() if (r, d) == (repo, digest))
                answer = server.request("PUT", f"/v2/{repo}/manifests/{digest}?{tags}", data, {"Content-Type": kind})
                assert answer[0] == 201, answer

    def missing(self, server):
        """What is not there byte for byte, as `berth check --repair` names it."""
        gone = set()
        with Reader(server) as get:
            answers = get(f"/v2/{repo}/blobs/{digest}" for repo, digest in self.blobs)
            for ((repo, digest), data), got in zip(self.blobs.items(), answers, strict=True):
                assert got.status == 404 or got.body == data, (got, repo, digest, server.stderr()[-500:])
                gone |= {f"blob {repo}@{digest}"} if got.status == 404 else set()
            answers = get(f"/v2/{repo}/manifests/{digest}" for repo, digest in self.manifests)
            for ((repo, digest), data), got in zip(self.manifests.items(), answers, strict=True):
                assert got.status == 404 or got.body == data, (got, repo, digest)
                gone |= {f"manifest {repo}@{digest}"} if got.status == 404 else set()
            answers = get(f"/v2/{repo}/manifests/{tag}" for repo, tag in self.tags)
            for ((repo, tag), digest), got in zip(self.tags.items(), answers, strict=True):
                assert got.status == 404 or digest_of(got.body) == digest, (got, repo, tag)
                gone |= {f"tag {repo}:{tag}"} if got.status == 404 else set()
            answers = get(f"/v2/{repo}/referrers/{subject}" for (repo, _), subject in self.subjects.items())
            for (repo, digest), got in zip(self.subjects, answers, strict=True):
                listed = [m["digest"] for m in json.loads(got.body)["manifests"]]
                assert (digest in listed) == (f"manifest {repo}@{digest}" not in gone), (repo, digest)
            answers = get(f"/v2/{repo}/blobs/uploads/{session}" for repo, session in self.sessions)
            for (repo, session), got in zip(self.sessions, answers, strict=True):
                assert got.status == 204, (got, repo, session)    # a lost one begins anew
                gone |= {f"upload session {session} of {repo}"} if got.range != "0-99" else set()
        return gone


@pytest.fixture(scope="module")
def filled(berth_binary, tmp_path_factory):
    content = Content()
    server = Server(berth_binary, tmp_path_factory.mktemp("salvage") / "data", *GRACE)
    content.fill(server)
    server.stop()
    return server.data, content


class Database:
    """The file's trees, read page by page."""

    def __init__(self, path):
        self.path, self.data = path, path.read_bytes()
        self.size = int.from_bytes(self.data[16:18], "big")
        with sqlite3.connect(path) as db:
            self.roots = dict(db.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage>0").fetchall())
        db.close()
        self.roots["sqlite_schema"] = 1

    def pages(self, tree):
        """([inner pages], [leaves]) of it, the root among them."""
        inner, leaves, waiting = [], [], [self.roots[tree]]
        while waiting:
            number = waiting.pop()
            start = (number - 1) * self.size
            page, head = self.data[start:start + self.size], 100 if number == 1 else 0
            if page[head] in (10, 13):
                leaves.append(number)
                continue
            inner.append(number)
            waiting.append(int.from_bytes(page[head + 8:head + 12], "big"))
            for i in range(int.from_bytes(page[head + 3:head + 5], "big")):
                at = int.from_bytes(page[head + 12 + 2 * i:head + 14 + 2 * i], "big")
                waiting.append(int.from_bytes(page[at:at + 4], "big"))
        return inner, leaves

    def overwrite(self, number, way):
        with open(self.path, "r+b") as f:
            f.seek((number - 1) * self.size)
            f.write(bytes(self.size) if way == "zeros" else random.Random(number).randbytes(self.size))


TREES = ["sqlite_schema", "schema_version", "repositories", "sqlite_autoindex_repositories_1",
         "sqlite_autoindex_repositories_2", "repositories_listed", "repositories_review", "blobs",
         "blobs_object", "blobs_review", "blob_bodies", "sqlite_autoindex_blob_bodies_1", "repo_blobs",
         "repo_blobs_digest", "repo_blobs_review", "manifests", "sqlite_autoindex_manifests_1", "manifests_referrers",
         "manifests_review", "manifest_blobs", "manifest_blobs_rev", "manifest_children", "manifest_children_rev",
         "manifest_missing", "manifest_missing_target", "lost_subjects", "tags", "tags_manifest", "tag_history", "uploads",
         "sqlite_autoindex_uploads_1", "sqlite_autoindex_uploads_2", "uploads_expiry", "uploads_repo", "upload_parts",
         "upload_results", "upload_results_expiry", "gc_objects", "gc_objects_due", "users", "sqlite_autoindex_users_1",
         "sqlite_autoindex_users_2", "tokens", "sqlite_autoindex_tokens_1", "sqlite_autoindex_tokens_2", "tokens_user",
         "permissions", "secrets", "sqlite_autoindex_secrets_1", "leases", "sqlite_autoindex_leases_1"]
# Nothing else knows what stands there.
ALONE = {"manifests": "manifest|tag", "blob_bodies": "blob", "uploads": "upload session"}
# Without these no server starts.
NEEDED = {"sqlite_schema", "schema_version", "secrets", "sqlite_autoindex_secrets_1"}
# Hardly a row, or none: one way will do.
EMPTY = {"schema_version", "repositories_listed", "lost_subjects", "upload_parts", "upload_results",
         "upload_results_expiry", "gc_objects", "gc_objects_due", "users", "sqlite_autoindex_users_1",
         "sqlite_autoindex_users_2", "tokens", "sqlite_autoindex_tokens_1", "sqlite_autoindex_tokens_2", "tokens_user",
         "permissions", "leases", "sqlite_autoindex_leases_1", "blobs_review"}


def test_all_trees_are_looked_at(filled):
    assert set(Database(filled[0] / "berth.db").roots) == set(TREES)


def named(output):
    return set(re.findall(r"^((?:blob|manifest|tag|upload session|repository) .*?): (?:lost|its name)", output, re.M))


def serve_damaged(server, content, tree, place):
    """Reads go on: what fails fails clearly, and no other answer is wrong."""
    try:
        server.start()
    except RuntimeError as e:
        assert tree in NEEDED and "berth check --repair" in str(e), e
        return
    failed = 0
    wanted = {f"/v2/{repo}/manifests/{tag}": content.manifests[repo, digest]
              for (repo, tag), digest in list(content.tags.items())[::5]}
    wanted |= {f"/v2/{repo}/blobs/{digest}": data for (repo, digest), data in list(content.blobs.items())[::5]}
    with Reader(server) as get:
        for (path, data), got in zip(wanted.items(), get(wanted), strict=True):
            if got.status == 500:
                assert json.loads(got.body)["errors"][0]["message"], got
                failed += 1
            else:
                assert got.status == 200 and got.body == data, (path, got)
    assert not failed or "malformed" in server.stderr(), server.stderr()[-2000:]
    if place == "leaf" or not tree.endswith(("repositories", "repositories_2")):  # no name is found without their root
        assert failed < len(wanted), "nothing is served"
    server.kill9()


def cases():
    for tree in TREES:
        for way, place in (("zeros", "leaf"), ("zeros", "inner"), ("random", "leaf")):
            if (tree in EMPTY or "_autoindex_" in tree) and (way, place) != ("zeros", "leaf"):
                continue
            yield pytest.param(tree, way, place, id=f"{tree}-{way}-{place}")


@pytest.mark.parametrize("tree, way, place", list(cases()))
def test_a_damaged_page_costs_what_stood_on_it(filled, berth_binary, tmp_path, tree, way, place):
    shutil.copytree(filled[0], tmp_path / "data")
    damage_and_repair(tmp_path / "data", filled[1].copy(), berth_binary, tree, way, place)


@pytest.mark.parametrize("tree", ["manifests", "manifest_missing", "repo_blobs", "manifest_blobs_rev", "tags"])
def test_a_damaged_page_of_an_older_schema_too(filled, berth_binary, tmp_path, tree):
    """repair finds the damage before anybody brings the schema forward."""
    data, content = tmp_path / "data", filled[1].copy()
    shutil.copytree(filled[0], data)
    make_version_1(data / "berth.db")
    database = Database(data / "berth.db")
    pages = database.pages(tree)[1]
    database.overwrite(pages[len(pages) // 2], "zeros")
    lost = repair(berth_binary, data, tree, "leaf")
    server = Later(berth_binary, data)
    try:
        server.start()
        assert content.missing(server) == lost
        server.stop()
    finally:
        server.end()


def damage_and_repair(data, content, berth_binary, tree, way, place):
    database = Database(data / "berth.db")
    pages = database.pages(tree)[place == "leaf"]
    if not pages:
        return                                # the tree is one page
    database.overwrite(pages[len(pages) // 2], way)
    server = Later(berth_binary, data)
    try:
        serve_damaged(server, content, tree, place)
        lost = repair(berth_binary, data, tree, place)
        server.start()
        assert content.missing(server) == lost
        sessions = {name for name in lost if name.startswith("upload session")}
        if lost:
            content.push_again(server, lost)
            assert content.missing(server) == sessions
        server.stop()
        time.sleep(0.5)                       # every lease is over
        collected = berth(berth_binary, "gc", "--data", data, *GRACE)
        assert collected.returncode == 0, collected.stderr
        server.start()
        assert content.missing(server) == sessions
        server.stop()
        final = berth(berth_binary, "check", "--data", data, *GRACE)
        assert final.returncode == 0 and "0 problems" in final.stdout, final.stdout
    finally:
        server.end()


def repair(binary, data, tree, place):
    """What it says is lost."""
    done = berth(binary, "check", "--repair", "--data", data, *GRACE)
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    lost = named(done.stdout)
    if place == "leaf" and tree in ALONE:
        assert lost and all(re.match(ALONE[tree], name) for name in lost), done.stdout[-3000:]
        assert len(lost) < 60, len(lost)
    else:
        assert not lost, done.stdout[-3000:]
    again = berth(binary, "check", "--data", data, *GRACE)
    assert again.returncode == 0 and "0 problems" in again.stdout, again.stdout
    return lost


def test_a_repair_that_is_killed_goes_on(filled, berth_binary, tmp_path):
    data, content = tmp_path / "data", filled[1]
    shutil.copytree(filled[0], data)
    database = Database(data / "berth.db")
    database.overwrite(database.pages("tags")[1][0], "zeros")
    command = [str(berth_binary), "check", "--repair", "--data", str(data), *GRACE]
    for i in range(12):
        killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.08 * (i + 1))
        killed.kill()
        killed.wait()
    assert repair(berth_binary, data, "tags", "leaf") == set()
    assert not list(data.glob("berth.db.salvage*"))
    assert list(data.glob("berth.db.damaged*"))
    server = Later(berth_binary, data)
    try:
        server.start()
        assert not content.missing(server)
        server.stop()
    finally:
        server.end()
