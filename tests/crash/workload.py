"""What the crash tests do to a registry: clients that push, move, delete, mount and upload in pieces.

Each client tells the ledger before it asks and after it was answered. Whatever it does can be cut off at any moment.
"""

import hashlib
import itertools
import json
import random
import socket
import threading
import time
from urllib.parse import urlsplit

from server import UPLOAD_BUFFER

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
BYTES = "application/octet-stream"
ACCEPT = {"Accept": f"{MANIFEST}, {INDEX}"}


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Gone(Exception):
    """The server does not answer any more."""


class Wrong(Exception):
    """The server answered what it must not."""


class Wire:
    """One kept connection, as plain as it can be: a verification asks thousands of times."""

    def __init__(self, host, port):
        self.host, self.port, self.socket, self.rest = host, port, None, b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.rest = None, b""

    def ask(self, method, target, body=None, headers=None):
        """(status, headers with names in lower case, body); Gone when the connection breaks."""
        if "://" in target:
            parts = urlsplit(target)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
        if body is not None or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body or b'')}")
        try:
            if not self.socket:
                self.socket = socket.create_connection((self.host, self.port), timeout=60)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
            return self.answer(method)
        except (OSError, Gone) as e:
            self.close()
            raise Gone(str(e)) from None

    def cut_off(self, method, target, body, length):
        """Sends so much of the body on a connection of its own, and leaves."""
        parts = urlsplit(target)
        head = f"{method} {parts.path}?{parts.query} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            with socket.create_connection((self.host, self.port), timeout=60) as s:
                s.sendall(head.encode() + body[:length])
        except OSError as e:
            raise Gone(str(e)) from None

    def fill(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise Gone("closed")
        self.rest += piece

    def answer(self, method):
        while (end := self.rest.find(b"\r\n\r\n")) < 0:
            self.fill()
        first, *lines = self.rest[:end].decode("latin-1").split("\r\n")
        self.rest = self.rest[end + 4:]
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        length = 0 if method == "HEAD" or status in (204, 304) else int(headers.get("content-length", 0))
        while len(self.rest) < length:
            self.fill()
        body, self.rest = self.rest[:length], self.rest[length:]
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body


def with_digest(location, digest):
    return location + ("&" if "?" in location else "?") + f"digest={digest}"


def descriptor(data, kind=BYTES):
    return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}


def image(config, layers, subject=None, **annotations):
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, "annotations": annotations}
    if subject:
        body |= {"subject": subject, "artifactType": "application/vnd.example.note"}
    return json.dumps(body).encode()


REPOSITORIES = [f"crash/r{i}" for i in range(4)]
BUFFER = UPLOAD_BUFFER         # less than that of a request that breaks off reaches no file
LARGEST = 5 * BUFFER           # more than one piece of what is written past the page cache (storage/direct.c)
KEEP = 12                      # images of one client; above that it rather deletes


class Client:
    """One of many. Its own tags and blobs nobody else touches; pools it shares with all others."""

    def __init__(self, number, ledger, seed):
        self.number, self.ledger, self.seed = number, ledger, seed
        self.names = itertools.count()
        self.session = None

    def begin(self, host, port, round_number):
        self.wire = Wire(host, port)
        self.rng = random.Random(f"{self.seed} {self.number} {round_number}")

    def run(self, stop):
        """Works until stop is set or the server is gone."""
        try:
            while not stop.is_set():
                self.step()
        except Gone:
            pass
        except Wrong as e:
            self.ledger.wrong(str(e))
        finally:
            self.wire.close()

    # --- one request, with what it promises ---

    def ask(self, method, path, body=None, headers=None, ops=(), good=(), refused=()):
        """ops are (key, value) pairs that become true if the answer's status is one of good. One of refused, or of what
        it returns after the answer, means that nothing was changed."""
        open_ops = [self.ledger.start(key, value) for key, value in ops]
        answer = self.wire.ask(method, path, body, headers)
        if answer[0] in good:
            for op in open_ops:
                self.ledger.done(op)
        elif answer[0] in (refused() if callable(refused) else refused):
            for op in open_ops:
                self.ledger.refused(op)
        else:
            raise Wrong(f"client {self.number}: {method} {path}: {answer[0]} {answer[2][:300]!r}")
        return answer

    def noise(self, size):
        return self.rng.randbytes(size)

    def size(self):
        """Below and above the size up to which blobs live in the database; a few that fill buffers of the server."""
        if self.rng.random() < 0.03:
            return self.rng.randrange(BUFFER + 10_000, LARGEST)
        return self.rng.choice((self.rng.randrange(1, 3000), self.rng.randrange(17_000, 70_000)))

    # --- blobs ---

    def push_blob(self, repo, data):
        digest, sent = digest_of(data), time.time()
        key = ("blob", repo, digest)
        start = f"/v2/{repo}/blobs/uploads/"
        octets = {"Content-Type": BYTES}
        way = self.rng.choice(("single", "put", "chunks"))
        if len(data) > BUFFER and self.rng.random() < 0.7:
            way = "again"
        if way == "single":
            self.ask("POST", with_digest(start, digest), data, octets, [(key, True)], (201,))
        else:
            where = self.ask("POST", start, good=(202,))[1]["location"]
            if way == "again":             # the first PUT breaks off; nothing of it counts
                self.wire.cut_off("PUT", with_digest(where, digest), data, self.rng.randrange(BUFFER, len(data)))
                end = time.monotonic() + 60
                while self.ask("PUT", with_digest(where, digest), data, octets, [(key, True)], (201,), (429,))[0] != 201:
                    if time.monotonic() > end:
                        raise Wrong(f"client {self.number}: {where} is held for a minute by a request that has left")
                    time.sleep(0.01)       # until the server has noticed
            elif way == "put":
                self.ask("PUT", with_digest(where, digest), data, octets, [(key, True)], (201,))
            else:
                at = self.rng.randrange(len(data) + 1)
                answer = self.ask("PATCH", where, data[:at], octets, good=(202,))
                self.ask("PUT", with_digest(answer[1]["location"], digest), data[at:], octets, [(key, True)], (201,))
        self.ledger.promise(key, sent)
        return key

    def push_loose(self):
        self.blob_for(self.rng.choice(REPOSITORIES), self.noise(self.size()))

    def push_contended(self):
        """A blob that others push and delete in the same moment."""
        repo, which = self.rng.choice(REPOSITORIES), self.rng.randrange(4)
        data = random.Random(f"contended {which}").randbytes((500, 30_000, 50_000, 20_000)[which])
        if self.rng.random() < 0.4:
            key = ("blob", repo, digest_of(data))
            self.ask("DELETE", f"/v2/{repo}/blobs/{key[2]}", ops=[(key, False)], good=(202, 404))
        else:
            self.push_blob(repo, data)

    def delete_blob(self):
        """One that nothing refers to goes; one that is referred to is refused."""
        key = self.ledger.pick("blob", self.number, self.rng)
        if not key:
            return
        held, perhaps = self.ledger.held(key), self.ledger.held_perhaps(key)
        self.ask("DELETE", f"/v2/{key[1]}/blobs/{key[2]}", ops=[(key, False)], good=() if held else (202, 404),
                 refused=(405, 409) if perhaps else ())

    def mount(self):
        key = self.ledger.pick("blob", self.number, self.rng)
        if not key:
            return
        repo, sent = self.rng.choice(REPOSITORIES), time.time()
        there = ("blob", repo, key[2])
        answer = self.ask("POST", f"/v2/{repo}/blobs/uploads/?mount={key[2]}&from={key[1]}", ops=[(there, True)],
                          good=(201,), refused=(202,))
        if answer[0] == 201:
            self.ledger.promise(there, sent)
            self.ledger.own(there, self.number)
        else:
            self.ask("DELETE", answer[1]["location"], good=(204,))

    # --- manifests ---

    def put(self, repo, body, tags, kind=MANIFEST, by_tag=True, own=True):
        digest = digest_of(body)
        self.ledger.learn(repo, digest, body)
        ops = [(("manifest", repo, digest), True), *((("tag", repo, t), digest) for t in tags)]
        if by_tag and len(tags) == 1:
            path = f"/v2/{repo}/manifests/{tags[0]}"
        else:
            path = f"/v2/{repo}/manifests/{digest}" + ("?" if tags else "") + "&".join(f"tag={t}" for t in tags)
        if own:
            for key, _ in ops:
                self.ledger.own(key, self.number)

        def refused():                     # a slow machine: the grace period of what it needs was over
            return (404,) if self.ledger.needs_expired(("manifest", repo, digest)) else ()
        self.ask("PUT", path, body, {"Content-Type": kind}, ops, (201,), refused)
        return digest

    def blob_for(self, repo, data):
        key = self.push_blob(repo, data)
        self.ledger.own(key, self.number)
        return descriptor(data)

    def push_image(self, tags=None, repo=None):
        repo = repo or self.rng.choice(REPOSITORIES)
        if tags is None:
            tags = [f"c{self.number}-{next(self.names)}" for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3)))]
        config = self.blob_for(repo, self.noise(self.rng.randrange(50, 2000)))
        layers = [self.blob_for(repo, self.noise(self.size())) for _ in range(self.rng.choice((1, 1, 2)))]
        self.put(repo, image(config, layers, by=str(self.number)), tags, by_tag=self.rng.random() < 0.6)

    def move_tag(self):
        tag = self.ledger.pick("tag", self.number, self.rng)
        if tag:
            self.push_image([tag[2]], tag[1])

    def push_pool(self):
        """One of a few images that everybody pushes, to tags that everybody moves and deletes."""
        repo, which = self.rng.choice(REPOSITORIES), self.rng.randrange(4)
        tag = f"shared-{self.rng.randrange(3)}"
        if self.rng.random() < 0.3:
            self.ask("DELETE", f"/v2/{repo}/manifests/{tag}", ops=[(("tag", repo, tag), None)], good=(202, 404))
            return
        rng = random.Random(f"pool {which}")
        config, layer = rng.randbytes(300), rng.randbytes((1000, 20_000, 40_000, 5000)[which])
        for data in (config, layer):
            self.push_blob(repo, data)
        self.put(repo, image(descriptor(config), [descriptor(layer)], pool=str(which)), [tag], own=False)

    def push_index(self):
        repo = self.rng.choice(REPOSITORIES)
        mine = [k for k in self.ledger.all("manifest", self.number)
                if k[1] == repo and not self.ledger.is_index(k) and self.ledger.manifest_sure(k)]
        if len(mine) < 2:
            return
        entries = [descriptor(self.ledger.body(k), MANIFEST) for k in self.rng.sample(mine, 2)]
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries,
                           "annotations": {"n": str(self.rng.random())}}).encode()
        self.put(repo, body, [f"c{self.number}-i{next(self.names)}"], INDEX)

    def push_referrer(self):
        subject = self.ledger.pick("manifest", self.number, self.rng)
        if not subject:
            return
        config = self.blob_for(subject[1], b"{}" + self.noise(20))
        body = self.ledger.body(subject)
        kind = INDEX if self.ledger.is_index(subject) else MANIFEST
        self.put(subject[1], image(config, [config], descriptor(body, kind)), [])

    def delete_tag(self):
        key = self.ledger.pick("tag", self.number, self.rng)
        if key:
            self.ask("DELETE", f"/v2/{key[1]}/manifests/{key[2]}", ops=[(key, None)], good=(202,))

    def delete_manifest(self):
        """Its tags go with it; what it held may be relied on for one more grace period."""
        key = self.ledger.pick("manifest", self.number, self.rng)
        if not key or self.ledger.is_child(key):
            return
        tags = [t for t in self.ledger.all("tag", self.number) if t[1] == key[1] and self.ledger.value(t) == key[2]]
        sent = time.time()
        held = self.ledger.blobs_of(key) if self.ledger.manifest_sure(key) else []
        # A referrer whose subject has gone may have been collected.
        good = (202, 404) if self.ledger.subject_gone(key) else (202,)
        self.ask("DELETE", f"/v2/{key[1]}/manifests/{key[2]}", ops=[(key, False), *((t, None) for t in tags)], good=good)
        for each in held:
            self.ledger.promise(each, sent)

    # --- a session that lives over crashes ---

    def upload(self):
        octets = {"Content-Type": BYTES}
        if not self.session:
            repo, data = self.rng.choice(REPOSITORIES), self.noise(self.rng.randrange(60_000, 200_000))
            answer = self.ask("POST", f"/v2/{repo}/blobs/uploads/", good=(202,))
            self.session = self.ledger.session(repo, answer[1]["location"], data)
        s = self.session
        at = self.ledger.value(s.key)
        if at is None:                     # it ended in a request that was cut off
            self.session = None
            return
        end = min(len(s.data), at + self.rng.randrange(8_000, 40_000))
        headers = octets | {"Content-Range": f"{at}-{end - 1}"}
        if end < len(s.data):
            answer = self.ask("PATCH", s.where, s.data[at:end], headers, [(s.key, end)], (202,))
            if answer[1].get("range") != f"0-{end - 1}":
                raise Wrong(f"client {self.number}: PATCH to {end} answered Range {answer[1].get('range')}")
        else:
            sent = time.time()
            self.ask("PUT", with_digest(s.where, s.digest), s.data[at:], headers,
                     [(s.key, None), (s.blob, True)], (201,))
            self.ledger.promise(s.blob, sent)
            self.session = None

    ACTIONS = (("push_image", 30), ("move_tag", 8), ("push_loose", 6), ("push_contended", 8), ("push_pool", 8),
               ("push_index", 4), ("push_referrer", 8), ("mount", 6), ("delete_tag", 6), ("delete_manifest", 8),
               ("delete_blob", 8), ("upload", 16))

    def step(self):
        if self.ledger.count("manifest", self.number) > KEEP:
            self.delete_manifest()
            self.delete_tag()
        names, weights = zip(*self.ACTIONS)
        getattr(self, self.rng.choices(names, weights)[0])()


def run_clients(clients, server, round_number):
    """Sets all to work; returns (stop, threads)."""
    stop, threads = threading.Event(), []
    for c in clients:
        c.begin(server.host, server.port, round_number)
        threads.append(threading.Thread(target=c.run, args=(stop,), daemon=True))
    for t in threads:
        t.start()
    return stop, threads
