"""A push and a pull beside ten thousand clients that mean no good.

What is measured here is printed. In the whole form (HOSTILE=whole, `make hostile`) it is kept in results/load.json too, and
a push or a pull that takes more than SLOWER times as long as alone is a failure: for a quiet machine. In the short form no
time is. A failure in both: a push or a pull that does not succeed, memory that is not bounded, a limit that does not answer
as promised."""

import hashlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server import UPLOAD_BUFFER

HERE = Path(__file__).resolve().parent
WHOLE = os.environ.get("HOSTILE") == "whole"
MIB = 1 << 20
CROWD = ({"idle": 10_000, "header": 170, "body": 170, "reading": 160, "stalled": 200, "deaf": 1} if WHOLE else
         {"idle": 600, "header": 20, "body": 20, "reading": 20, "stalled": 40, "deaf": 1})
LARGE = 64 * MIB
TIMES = 9 if WHOLE else 2
SLOWER = 1.5
# What the address sanitizer keeps beside each byte, and of those that were freed.
ASAN_ROOM = 2 if os.environ.get("BERTH_BUILD") == "asan" else 1


def status_of(server, key):
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def push(server, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    status, headers, _ = server.request("POST", f"/v2/hostile/load/blobs/uploads/?digest={digest}", data)
    assert status == 201, status
    config = b"{}"
    config_digest = "sha256:" + hashlib.sha256(config).hexdigest()
    assert server.request("POST", f"/v2/hostile/load/blobs/uploads/?digest={config_digest}", config)[0] == 201
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": config_digest},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": len(data), "digest": digest}],
    }).encode()
    status, _, body = server.request("PUT", "/v2/hostile/load/manifests/v1", manifest,
                                     {"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
    assert status == 201, body
    return f"/v2/hostile/load/blobs/{digest}"


def pull(server, data, blob):
    assert server.request("GET", "/v2/hostile/load/manifests/v1")[0] == 200
    status, _, body = server.request("GET", blob)
    assert status == 200 and body == data


def measure(server, times):
    """The median of so many pushes and pulls, in seconds; each push of new bytes."""
    pushes, pulls = [], []
    for i in range(times):
        data = random.randbytes(16) + bytes(LARGE - 16)
        started = time.monotonic()
        blob = push(server, data)
        pushed = time.monotonic()
        pull(server, data, blob)
        pushes.append(pushed - started)
        pulls.append(time.monotonic() - pushed)
    return statistics.median(pushes), statistics.median(pulls), blob


class Crowd:
    def __init__(self, server, blob, **crowd):
        self.process = subprocess.Popen(
            [sys.executable, HERE / "attackers.py", str(server.port), *(f"{k}={n}" for k, n in crowd.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "BLOB": blob})

    def __enter__(self):
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_):
        self.process.stdin.write("\n")
        self.process.stdin.close()
        self.again = dict(line.split() for line in self.process.stdout)
        self.process.wait(60)


@pytest.fixture
def roomy():
    """Enough descriptors for the server too, which inherits ours."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < sum(CROWD.values()) + 500:
        pytest.skip(f"{hard} descriptors are not enough")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connections(server):
    body = server.request("GET", "/metrics")[2].decode()
    return next(int(line.split()[1]) for line in body.splitlines() if line.startswith("berth_connections "))


def all_there(server):
    """How many are connected, when the crowd is."""
    server.wait_for(lambda: connections(server) > 0.9 * sum(CROWD.values()))
    return connections(server)


def test_load__push_and_pull_succeed_beside_a_hostile_crowd(make_server, roomy):
    server = make_server("--http-idle-timeout=10m")
    pushed, pulled, blob = measure(server, TIMES)
    alone = status_of(server, "VmHWM")
    with Crowd(server, blob, **CROWD) as crowd:
        there = all_there(server)
        beside_push, beside_pull, _ = measure(server, TIMES)
        peak, now = status_of(server, "VmHWM"), status_of(server, "VmRSS")
        still = all_there(server)      # who was cut off comes again
    figures = {
        "crowd": CROWD, "connections": min(there, still), "blob_bytes": LARGE, "times": TIMES,
        "push_alone_s": round(pushed, 3), "push_beside_s": round(beside_push, 3),
        "push_ratio": round(beside_push / pushed, 2),
        "pull_alone_s": round(pulled, 3), "pull_beside_s": round(beside_pull, 3),
        "pull_ratio": round(beside_pull / pulled, 2),
        "vmhwm_alone": alone, "vmhwm_beside": peak, "rss_beside": now, "cut_off_and_back": crowd.again,
    }
    print(json.dumps(figures, indent=1))
    if WHOLE:
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / "load.json").write_text(json.dumps(figures, indent=1) + "\n")
    # About one and a half times of what was measured. A connection takes 5 KiB; of the two buffers of a body on its way,
    # which have an upload's limit for all of them together, only the pages that bytes have come to are there.
    uploads = CROWD["stalled"] + CROWD["body"] + 2
    bound = alone + uploads * 128 * 1024 + sum(CROWD.values()) * 6 * 1024 + 16 * MIB
    assert peak < bound * ASAN_ROOM, f"{peak} bytes, bound {bound}"
    assert server.request("GET", "/readyz")[0] == 200
    if WHOLE:
        assert figures["push_ratio"] <= SLOWER and figures["pull_ratio"] <= SLOWER, "slower than promised"


def test_load__memory_of_uploads_ends_at_its_limit(make_server, roomy):
    """Four times as many stalled uploads as there are buffers: all are accepted, none of them takes more, and an honest
    upload still gets its turn."""
    limit = 8 * MIB
    server = make_server(f"--http-upload-buffers={limit}")
    before = status_of(server, "VmHWM")
    data = random.randbytes(4 * MIB)
    blob = push(server, data)
    with Crowd(server, blob, stalled=4 * limit // UPLOAD_BUFFER):
        for _ in range(3):
            data = random.randbytes(4 * MIB)
            pull(server, data, push(server, data))
        peak = status_of(server, "VmHWM")
    print(f"VmHWM {before // 1024} KiB before, {peak // 1024} KiB beside")
    assert peak < (before + limit + 16 * MIB) * ASAN_ROOM


@pytest.mark.parametrize("limit, status", [
    ("--http-max-connections=40", 503), ("--http-max-connections-per-address=40", 429),
    ("--http-max-requests=40", 503), ("--http-max-requests-per-address=40", 429)])
def test_load__limits_answer_as_promised(make_server, limit, status):
    """Above a limit: 503 or 429, Retry-After, and the error body of the specification; below it again: service."""
    server = make_server(limit)
    held = []
    for _ in range(40):
        wire = server.connect()
        if "requests" in limit:
            path, method = "/v2/hostile/limit/manifests/v1", "PUT"
            if len(held) < 39:          # the POST itself is one of them, until what comes behind it
                wire.request("POST", "/v2/hostile/limit/blobs/uploads/", b"")
                answer = wire.getresponse()
                answer.read()
                path, method = answer.headers["Location"].split(str(server.port), 1)[1], "PATCH"
            wire.putrequest(method, path)
            wire.putheader("Content-Length", "10")
            wire.putheader("Expect", "100-continue")
            wire.endheaders()
            assert wire.sock.recv(100).startswith(b"HTTP/1.1 100 ")        # it is in flight now
            wire.send(b"x")
        else:
            wire.request("GET", "/v2/")
            answer = wire.getresponse()
            answer.read()
            assert answer.status == 200
        held.append(wire)

    found, headers, body = server.request("GET", "/v2/")
    assert found == status
    assert int(headers["Retry-After"]) >= 1
    errors = json.loads(body)["errors"]
    assert errors[0]["code"] == "TOOMANYREQUESTS" and errors[0]["message"]
    for wire in held:
        wire.close()
    server.wait_for(lambda: server.request("GET", "/v2/")[0] == 200)
