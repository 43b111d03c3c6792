#!/usr/bin/env python3
"""soak.py --minutes M --name NAME: one server (BERTH) under mixed load for so long; memory and descriptors are sampled.

Pushes, pulls, mounts, deletes, listings, collections, aborted requests, TLS, SIGHUP. At the end every answer must have
been one of those that its request allows, the log must have no finding of a sanitizer and no error, and the last third
must not have grown over the middle third. results/soak-NAME.json and .svg keep the samples."""

import argparse
import collections
import copy
import hashlib
import json
import os
import random
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from server import Server, berth_path  # noqa: E402

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = "sha256:" + hashlib.sha256(b"{}").hexdigest()
# What growth is: the median of the last third against that of the middle third. Memory of an allocator moves a little.
LEAST_MINUTES = 5   # less is all start: threads open their connections, folders are met for the first time
GROWTH_FACTOR, GROWTH_BYTES, GROWTH_FDS = 1.05, 1 << 20, 8


class Both(Server):
    """Listens as the configuration file says: in the clear and with TLS."""

    def command(self):
        return [*shlex.split(os.environ.get("BERTH_WRAP", "")), self.binary, "serve", "--data", str(self.data), *self.flags]

    def by(self, scheme, ca):
        """The same server, spoken to by one of its listeners."""
        self.wait_for(lambda: len(self.listeners) == 2)
        found = copy.copy(self)
        found.url = next(url for url in self.listeners if url.startswith(scheme + ":"))
        parts = urlsplit(found.url)
        found.scheme, found.host, found.port, found.ca = parts.scheme, parts.hostname, parts.port, ca
        return found


def certificates(folder):
    """A self-signed certificate for the loopback address, which is its own authority."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    "-keyout", "server.key", "-out", "server.crt"], cwd=folder, check=True, capture_output=True)
    return SimpleNamespace(ca=folder / "server.crt", certificate=folder / "server.crt", key=folder / "server.key")


class Load:
    """Workers that ask at random, and what went wrong."""

    def __init__(self, plain, tls):
        self.servers, self.stop = [plain, plain, tls], threading.Event()
        self.counts, self.wrong, self.lock = collections.Counter(), [], threading.Lock()

    def ask(self, allowed, what, method, path, body=None, headers=None, server=None):
        server = server or random.choice(self.servers)
        found, answer_headers, data = server.request(method, path, body, headers)
        with self.lock:
            self.counts[what] += 1
            if found not in allowed:
                self.wrong.append(f"{what}: {method} {path}: {found} {data[:200]!r}")
        return found, answer_headers, data

    def fill(self, count):
        """So many manifests before the clock starts: the caches of the database are full then, and what grows later
        is not they. Returns their digests."""
        digests = [None] * count

        def some(first):
            for i in range(first, count, 8):
                body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [],
                                   "annotations": {"number": str(i), "text": random.randbytes(500).hex()}}).encode()
                _, headers, _ = self.ask({201}, "fill", "PUT", f"/v2/soak/old/manifests/t{i}", body, {"Content-Type": INDEX},
                                         self.servers[0])
                digests[i] = headers["Docker-Content-Digest"]

        threads = [threading.Thread(target=some, args=(first,)) for first in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.old = digests

    def push(self, repo, tag):
        """An image of one layer, whole or in chunks; its manifest's digest."""
        server = random.choice(self.servers)
        data = random.randbytes(random.choice((10, 1000, 40_000, 700_000, 3_000_000)))
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        if random.random() < 0.5:
            self.ask({201}, "push whole", "POST", f"/v2/{repo}/blobs/uploads/?digest={digest}", data, server=server)
        else:
            _, headers, _ = self.ask({202}, "session", "POST", f"/v2/{repo}/blobs/uploads/", b"", server=server)
            at = 0
            while at < len(data):
                piece = data[at:at + max(1, len(data) // 3)]
                _, headers, _ = self.ask({202}, "chunk", "PATCH", headers["Location"], piece, server=server, headers={
                    "Content-Range": f"{at}-{at + len(piece) - 1}", "Content-Type": "application/octet-stream"})
                at += len(piece)
            join = "&" if "?" in headers["Location"] else "?"
            self.ask({201}, "close", "PUT", f"{headers['Location']}{join}digest={digest}", b"", server=server)
        self.ask({201}, "config", "POST", f"/v2/{repo}/blobs/uploads/?digest={EMPTY}", b"{}")
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": EMPTY}, "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": len(data), "digest": digest}]}).encode()
        self.ask({201}, "manifest", "PUT", f"/v2/{repo}/manifests/{tag}", manifest, {"Content-Type": MANIFEST})
        return digest, len(data), "sha256:" + hashlib.sha256(manifest).hexdigest()

    def pull(self, repo, tag, digest, size):
        found, _, data = self.ask({200}, "pull manifest", "GET", f"/v2/{repo}/manifests/{tag}")
        found, _, data = self.ask({200}, "pull blob", "GET", f"/v2/{repo}/blobs/{digest}")
        if len(data) != size or "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            with self.lock:
                self.wrong.append(f"{repo} {digest}: other bytes")
        start = random.randrange(size)
        self.ask({206}, "range", "GET", f"/v2/{repo}/blobs/{digest}", headers={"Range": f"bytes={start}-"})

    def abort(self, server):
        """A request cut somewhere, by an end or by a reset."""
        bodies = [b"GET /v2/ HTTP/1.1\r\nHost: h\r\n\r\n" * 3, b"GET /v2/_catalog HTTP/1.1\r\nHo",
                  b"POST /v2/soak/aborted/blobs/uploads/?digest=" + EMPTY.encode() +
                  b" HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n" + bytes(100_000),
                  b"PUT /v2/soak/aborted/manifests/v1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
                  b"rubbish\r\n\r\n", b"\x16\x03\x01" + random.randbytes(200), b"GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n"]
        with socket.create_connection((server.host, server.port), timeout=20) as wire:
            if random.random() < 0.5:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            try:
                wire.sendall(random.choice(bodies))
            except OSError:
                pass
        with self.lock:
            self.counts["abort"] += 1

    def worker(self, number, pause):
        repo, kept = f"soak/repo{number}", []
        turn = 0
        while not self.stop.is_set():
            turn += 1
            try:
                kept.append((f"t{turn % 50}", *self.push(repo, f"t{turn % 50}")))
                tag, digest, size, manifest = random.choice(kept[-5:])
                self.pull(repo, tag, digest, size)
                self.ask({200}, "tags", "GET", f"/v2/{repo}/tags/list?n={random.choice((1, 10, 1000))}")
                self.ask({200}, "catalogue", "GET", f"/v2/_catalog?n={random.choice((1, 10, 1000))}")
                self.ask({200}, "referrers", "GET", f"/v2/{repo}/referrers/{manifest}")
                self.ask({201, 202}, "mount", "POST", f"/v2/soak/mounted/blobs/uploads/?mount={digest}&from={repo}", b"")
                for _ in range(5):
                    self.ask({200}, "pull old", "GET", f"/v2/soak/old/manifests/{random.choice(self.old)}")
                self.ask({404}, "absent", "GET", f"/v2/{repo}/manifests/absent{turn}")
                self.ask({400, 404}, "bad name", "GET", "/v2/Bad/NAME/tags/list")
                self.ask({200}, "metrics", "GET", "/metrics")
                self.abort(random.choice(self.servers))
                if len(kept) > 10:     # a steady state: as much is deleted as is pushed
                    tag, digest, size, manifest = kept.pop(0)
                    self.ask({202}, "delete manifest", "DELETE", f"/v2/{repo}/manifests/{manifest}")
                if turn % 100 == 0:
                    self.ask({202, 404}, "delete repository", "DELETE", "/v2/soak/mounted")
            except Exception as e:     # a connection that broke where none should
                with self.lock:
                    self.wrong.append(f"worker {number}: {e!r}")
            self.stop.wait(pause * random.random())


def sample(process, data, started):
    """Memory of its own (anon) and mapped files apart; the database as large as it is on the disk."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":" in line)
    return {"s": round(time.monotonic() - started, 1), "rss": int(status["VmRSS"].split()[0]) * 1024,
            "anon": int(status["RssAnon"].split()[0]) * 1024, "threads": int(status["Threads"]),
            "fds": len(os.listdir(f"/proc/{process.pid}/fd")), "database": (data / "berth.db").stat().st_size}


def growth(samples):
    """{what: (middle, last)} medians, and what has grown over its bound."""
    third = len(samples) // 3
    found, grown = {}, []
    for what, room in (("rss", GROWTH_BYTES), ("fds", GROWTH_FDS), ("threads", 2)):
        middle = statistics.median(s[what] for s in samples[third:2 * third])
        last = statistics.median(s[what] for s in samples[2 * third:])
        found[what] = (middle, last)
        if last > middle * GROWTH_FACTOR + room:
            grown.append(f"{what} grew from {middle} to {last}")
    return found, grown


def plot(samples, title):
    """Two curves, each with a scale of its own, as SVG."""
    wide, high, left, top = 900, 300, 70, 40
    end = max(s["s"] for s in samples) or 1
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide + 2 * left}" height="{high + 2 * top + 20}" '
             'font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="{left}" y="22" font-size="15">{title}</text>']
    for third in (1, 2):
        x = left + wide * third / 3
        parts.append(f'<line x1="{x:.0f}" y1="{top}" x2="{x:.0f}" y2="{top + high}" stroke="#ddd"/>')
    for what, colour, unit, divide, side in (("rss", "#1f77b4", "MiB resident", 1 << 20, left - 8),
                                             ("fds", "#d62728", "descriptors", 1, left + wide + 8)):
        most = max(s[what] for s in samples) / divide * 1.15 or 1
        points = " ".join(f"{left + wide * s['s'] / end:.1f},{top + high - high * s[what] / divide / most:.1f}"
                          for s in samples)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        anchor = "end" if side < left else "start"
        for step in range(5):
            parts.append(f'<text x="{side}" y="{top + high - high * step / 4 + 4:.0f}" fill="{colour}" '
                         f'text-anchor="{anchor}">{most * step / 4:.0f}</text>')
        parts.append(f'<text x="{side}" y="{top - 8}" fill="{colour}" text-anchor="{anchor}">{unit}</text>')
    parts.append(f'<rect x="{left}" y="{top}" width="{wide}" height="{high}" fill="none" stroke="#888"/>')
    for step in range(7):
        parts.append(f'<text x="{left + wide * step / 6:.0f}" y="{top + high + 18}" text-anchor="middle">'
                     f'{end * step / 6 / 60:.0f} min</text>')
    return "\n".join(parts) + "\n</svg>\n"


def run(binary, folder, minutes, workers=6, pause=0.5, old=10_000, pushes=0):
    """Runs it for so long, and until so many images were pushed; the result as a dictionary, "failures" empty when all is
    well."""
    folder = Path(folder)
    tls = certificates(folder)
    config = ("listen:\n  - address: 127.0.0.1:0\n  - address: 127.0.0.1:0\n"
              f"    certificate: {tls.certificate}\n    key: {tls.key}\n"
              "gc: {interval: 10s, grace: 20s, drain: 5s, untagged: 30s}\n"
              "registry: {session_timeout: 30s}\n")
    # The sanitizer keeps each call stack that memory was ever asked from: of one function alone they come to an end.
    server = Both(binary, folder / "data", config=config, env={
        "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:quarantine_size_mb=8:malloc_context_size=1"})
    plain, encrypted = server.by("http", None), server.by("https", str(tls.ca))
    load = Load(plain, encrypted)
    load.fill(old)
    started, samples = time.monotonic(), []
    threads = [threading.Thread(target=load.worker, args=(i, pause), daemon=True) for i in range(workers)]
    for t in threads:
        t.start()
    every, reload_at, collect_at = max(0.2, minutes * 60 / 360), 10.0, 5.0
    failures = []
    while (now := time.monotonic() - started) < minutes * 60 or load.counts["manifest"] < pushes:
        samples.append(sample(server.process, server.data, started))
        if now > reload_at:
            server.process.send_signal(signal.SIGHUP)
            load.counts["SIGHUP"] += 1
            reload_at += 20
        if now > collect_at:
            done = subprocess.run([binary, "gc", "--data", server.data], capture_output=True, text=True,
                                  env=server.environment(), timeout=300)
            load.counts["berth gc"] += 1
            # "running already" is an answer: the server's own collector comes every ten seconds.
            if done.returncode and "running already" not in done.stderr:
                failures.append(f"berth gc: {done.returncode}: {done.stderr[-500:]}")
            collect_at += 45
        if server.process.poll() is not None:
            failures.append(f"the server ended with status {server.process.returncode}")
            break
        time.sleep(every)
    load.stop.set()
    for t in threads:
        t.join(120)
    medians, grown = growth(samples)
    failures += (grown if minutes >= LEAST_MINUTES else []) + load.wrong[:20]
    try:
        server.stop()
        check = subprocess.run([binary, "check", "--data", server.data], capture_output=True, text=True,
                               env=server.environment(), timeout=600)
        if check.returncode:
            failures.append(f"berth check: {check.returncode}: {check.stdout[-500:]}{check.stderr[-500:]}")
    except AssertionError as e:
        failures.append(str(e)[:2000])
    errors = [line for line in server.stderr().splitlines() if " error " in line.lower()[:60] or '"level":"error"' in line]
    failures += errors[:10]
    return {"minutes": minutes, "requests": dict(load.counts), "wrong": len(load.wrong), "medians": medians,
            "peak_rss": max(s["rss"] for s in samples), "failures": failures, "samples": samples}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--name", default="plain", help="of the result files: plain, asan")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        result = run(berth_path(), folder, options.minutes)
    options.results.mkdir(exist_ok=True)
    path = options.results / f"soak-{options.name}"
    path.with_suffix(".svg").write_text(plot(result["samples"], f"soak, {options.name} build, {options.minutes:g} minutes"))
    path.with_suffix(".json").write_text(json.dumps(result) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "samples"}, indent=1))
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
