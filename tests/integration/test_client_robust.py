"""The client between a real registry and a network that breaks: downloads that go on, in one process and in the next;
storms of 429 from a scripted server."""

import http.server
import signal
import subprocess
import threading
import time

import pytest

from commandline import BLOB, REAL, each_of, fill
from registries import Between, shut
from server import berth_path


class BreakingProxy(Between):
    """Cuts each connection when it has answered so many bytes, or holds it there until `go` is set. passed: bytes of
    answers; holding: connections that are held."""

    def __init__(self, port, cut_after=None, hold_after=None):
        self.cut_after, self.hold_after, self.go, self.lock = cut_after, hold_after, threading.Event(), threading.Lock()
        self.passed = self.holding = 0
        super().__init__(port)

    def move(self, source, target, upwards):
        left, had = None if upwards else self.cut_after, 0
        try:
            while data := source.recv(min(64 << 10, left) if left is not None else 64 << 10):
                target.sendall(data)
                had += len(data)
                if not upwards:
                    self.count(len(data))
                if not upwards and self.hold_after and had >= self.hold_after and not self.go.is_set():
                    self.count(0, 1)
                    self.go.wait()
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
        except OSError:
            pass
        shut(source, target)

    def count(self, passed, holding=0):
        with self.lock:
            self.passed += passed
            self.holding += holding

    def settle(self):
        self.go.set()
        super().settle()

    def close(self):
        self.go.set()
        super().close()


real = each_of(REAL, fill)


def through(real, **how):
    return BreakingProxy(int(real.host.rsplit(":", 1)[1]), **how)


class TestDownloads:
    def test_go_on_where_the_connection_broke(self, berth, real, tmp_path):
        proxy = through(real, cut_after=1 << 20)
        berth("blob", "get", f"{proxy.address}/team/app@{real.blob_digest}", "-o", tmp_path / "blob")
        proxy.close()
        assert (tmp_path / "blob").read_bytes() == real.blob
        assert [p.name for p in tmp_path.glob("blob*")] == ["blob"]
        assert proxy.connections >= 5 and proxy.passed < BLOB + proxy.connections * 4096      # nothing came twice

    def test_to_a_pipe_go_on_too(self, berth, real):
        proxy = through(real, cut_after=1 << 20)
        assert berth("blob", "get", f"{proxy.address}/team/app@{real.blob_digest}").out == real.blob
        proxy.close()

    def test_are_finished_by_the_next_process(self, berth, real, tmp_path):
        proxy = through(real, hold_after=BLOB // 2)
        argv = [berth_path(), "blob", "get", f"{proxy.address}/team/app@{real.blob_digest}", "-o", tmp_path / "blob"]
        killed = subprocess.Popen(list(map(str, argv)), env=berth.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begin = time.monotonic()
        while not any(part.stat().st_size > BLOB // 4 for part in tmp_path.glob("blob.*.part")):
            assert time.monotonic() - begin < 60 and killed.poll() is None
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        left = list(tmp_path.glob("blob.*.part"))
        assert len(left) == 1 and not (tmp_path / "blob").exists()
        had = left[0].stat().st_size
        proxy.settle()
        proxy.passed = 0
        berth(*argv[1:])
        proxy.close()
        assert (tmp_path / "blob").read_bytes() == real.blob and not left[0].exists()
        assert proxy.passed < BLOB - had + 4096


@pytest.fixture
def storm():
    """Answers 429 to the first requests at once, and notes when each came."""
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with self.server.lock:
                self.server.times.append(time.monotonic())
                refuse = len(self.server.times) <= self.server.refusals
            self.send_response(429 if refuse else 200)
            if refuse:
                self.send_header("Retry-After", self.server.retry_after())
            body = b"" if refuse else b'{"name":"a","tags":["v1"]}'
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.lock, server.times, server.refusals, server.retry_after = threading.Lock(), [], 1, lambda: "1"
    server.address = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class TestThrottling:
    def test_waits_as_long_as_it_is_told(self, berth, storm):
        storm.refusals = 2
        assert berth("tag", "list", f"{storm.address}/a").out == b"v1\n"
        assert len(storm.times) == 3
        assert all(later - sooner >= 1 for sooner, later in zip(storm.times, storm.times[1:]))

    def test_takes_a_date_as_well(self, berth, storm):
        storm.retry_after = lambda: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2))
        berth("tag", "list", f"{storm.address}/a")
        assert storm.times[1] - storm.times[0] > 0.9

    def test_gives_up_on_what_takes_too_long(self, berth, storm):
        storm.retry_after = lambda: "86400"
        said = berth("tag", "list", f"{storm.address}/a", code=5).err
        assert "86400 seconds" in said and len(storm.times) == 1
