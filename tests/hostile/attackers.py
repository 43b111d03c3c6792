#!/usr/bin/env python3
"""attackers.py PORT KIND=N...: so many clients that mean no good, for as long as this runs; says "ready" when all are
connected, and "<kind> <reconnected>" for each kind when its standard input ends.

idle      one request, then nothing
header    a request line, then a byte of a header each second
body      a PATCH of 1 MiB, a byte each second
reading   GET of a large blob, a few bytes read each second
stalled   a PATCH of 100 MiB, of which a good MiB arrives
deaf      GET after GET of a large blob, and nothing is ever read

Who is cut off comes again. One process, one loop: the server is to be kept busy, not this. The blob is the one that
the environment names (BLOB, a path); sessions are made by POST as anybody's."""

import errno
import http.client
import os
import random
import resource
import select
import socket
import sys
import time

PORT = int(sys.argv[1])
WANTED = {kind: int(n) for kind, _, n in (a.partition("=") for a in sys.argv[2:])}
BLOB = os.environ.get("BLOB", "/v2/")
SMALL_BUFFER = 4096


def session():
    wire = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    wire.request("POST", "/v2/hostile/stalled/blobs/uploads/", headers={"Content-Length": "0"})
    answer = wire.getresponse()
    answer.read()
    wire.close()
    return answer.headers["Location"].split(str(PORT), 1)[1]


class Attacker:
    again = 0

    def __init__(self, kind):
        self.kind, self.wire, self.said = kind, None, 0

    def connect(self):
        self.wire = socket.socket()
        if self.kind in ("reading", "deaf"):
            self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        self.wire.bind((f"127.0.0.{random.randrange(2, 250)}", 0))   # many addresses: ports do not run out
        self.wire.connect(("127.0.0.1", PORT))
        self.said = 0
        first = {
            "idle": lambda: b"GET /v2/ HTTP/1.1\r\nHost: h\r\n\r\n",
            "header": lambda: b"GET /v2/ HTTP/1.1\r\nHost: h\r\nX-Slow: ",
            "body": lambda: f"PATCH {session()} HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n".encode(),
            "reading": lambda: f"GET {BLOB} HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
            "stalled": lambda: f"PATCH {session()} HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n\r\n".encode()
            + bytes((1 << 20) + 100_000),    # not a whole number of the buffers of the server
            "deaf": lambda: f"GET {BLOB} HTTP/1.1\r\nHost: h\r\n\r\n".encode() * 200,
        }[self.kind]()
        self.wire.settimeout(20)
        self.wire.sendall(first)
        self.wire.setblocking(False)

    def drip(self):
        """What this kind does each second. False: it was cut off."""
        try:
            if self.kind in ("header", "body"):
                self.wire.send(b"x")
            if self.kind == "deaf":
                return True
            data = self.wire.recv(256 if self.kind == "reading" else 65536)
            return bool(data)
        except OSError as e:
            return e.errno in (errno.EAGAIN, errno.EWOULDBLOCK)

    def close(self):
        self.wire.close()


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = [Attacker(kind) for kind, n in WANTED.items() for _ in range(n)]
    random.shuffle(crowd)
    again = dict.fromkeys(WANTED, 0)
    for each in crowd:
        try:
            each.connect()
        except OSError:
            again[each.kind] += 1
    print("ready", flush=True)
    while True:
        turn = time.monotonic()
        for each in crowd:
            if not each.wire or each.wire.fileno() < 0 or not each.drip():
                try:
                    each.close()
                    each.connect()
                except OSError:
                    pass
                again[each.kind] += 1
        if select.select([sys.stdin], [], [], max(0.1, 1 - (time.monotonic() - turn)))[0]:
            break
    for kind, n in again.items():
        print(kind, n, flush=True)


if __name__ == "__main__":
    main()
