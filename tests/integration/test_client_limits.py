"""How long and how often a command asks, by its options; and what a registry says that it still allows."""

import json
import socket
import time

import layout
from commandline import BUSY, NETWORK, says

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "layers": [], "config": {
    "mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2}}).encode()


class TestPatience:
    def test_so_many_further_tries_are_made(self, berth, scripted):
        s = scripted()
        s.routes["/v2/"] = says(503)
        for n in (0, 2):
            s.seen.clear()
            berth("ping", s.address, "--retries", n, code=BUSY)
            assert len(s.seen) == n + 1

    def test_a_request_ends_when_it_takes_too_long(self, berth, scripted):
        s = scripted()

        def slow(request):
            time.sleep(4)
            return 200, {}, b""

        s.routes["/v2/"] = slow
        began = time.monotonic()
        said = berth("ping", s.address, "--max-time", "1", code=NETWORK).err
        assert "longer than it may" in said and time.monotonic() - began < 3.5

    def test_tries_count_in_that_time(self, berth, scripted):
        s = scripted()
        s.routes["/v2/"] = says(503)
        began = time.monotonic()
        berth("ping", s.address, "--max-time", "2", "--retries", "100", code=NETWORK)
        assert len(s.seen) > 1 and time.monotonic() - began < 10

    def test_connecting_ends_when_it_takes_too_long(self, berth):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            waiting = [socket.socket() for _ in range(4)]       # whoever comes behind them is not heard
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(silent.getsockname())
            began = time.monotonic()
            said = berth("ping", "%s:%d" % silent.getsockname(), "--connect-timeout", "1", code=NETWORK).err
            assert "no connection in 1 seconds" in said and time.monotonic() - began < 10
            for one in waiting:
                one.close()


class TestRate:
    def test_what_is_left_is_told(self, berth, scripted):
        s = scripted()
        told = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "3;w=21600", "Content-Type": layout.MANIFEST}
        s.routes["/v2/a/manifests/v1"] = lambda r: (200, told, MANIFEST)
        s.routes["/v2/a/manifests/v2"] = says(200, MANIFEST, Content_Type=layout.MANIFEST)
        ref = f"{s.address}/a"
        assert berth("manifest", "head", f"{ref}:v1").out.decode().splitlines()[-1] == "rate        3 of 100 requests left"
        rate = berth("manifest", "head", f"{ref}:v1", "--output", "json").json()["rate"]
        assert rate == {"limit": 100, "remaining": 3, "windowSeconds": 21600, "resetSeconds": 0}
        told["RateLimit-Reset"] = "60"
        assert "3 of 100 requests left, more in 60 s\n" in berth("manifest", "head", f"{ref}:v1").out.decode()
        assert "rate" not in berth("manifest", "head", f"{ref}:v2").out.decode()
        assert "rate" not in berth("manifest", "head", f"{ref}:v2", "--output", "json").json()
