"""C067, a large blob in several ranges at once: four real registries behind a network where each connection is slow, or
breaks, or is killed with the process; and one that is asked for less than it sends."""

import signal
import subprocess
import time

import pytest

import layout
from commandline import REAL, each_of, fill
from server import berth_path
from test_client_robust import BLOB, through
from test_client_tokens import guarded  # noqa: F401

RANGES = ["--ranges", "4", "--ranges-from", "256k"]


real = each_of(REAL, fill)


class TestRanges:
    def test_bring_a_blob_faster_where_a_connection_is_slow(self, berth, real, tmp_path):
        seconds = []
        for options in ([], RANGES):
            proxy = through(real, pause=0.012)        # some 5 MB/s a connection
            begin = time.monotonic()
            berth("blob", "get", f"{proxy.address}/team/app@{real.blob_digest}", "-o", tmp_path / "blob", *options)
            seconds.append(time.monotonic() - begin)
            proxy.close()
            assert (tmp_path / "blob").read_bytes() == real.blob
            assert [p.name for p in tmp_path.glob("blob*")] == ["blob"]
            assert proxy.passed < BLOB + 200 * 1024      # nothing came twice
            (tmp_path / "blob").unlink()
        assert seconds[1] < 0.7 * seconds[0], seconds

    def test_each_goes_on_where_its_connection_broke(self, berth, real, tmp_path):
        proxy = through(real, cut_after=150_000)
        berth("blob", "get", f"{proxy.address}/team/app@{real.blob_digest}", "-o", tmp_path / "blob", *RANGES)
        proxy.close()
        assert (tmp_path / "blob").read_bytes() == real.blob
        assert proxy.connections > BLOB / 150_000 and proxy.passed < BLOB + proxy.connections * 4096

    @pytest.mark.parametrize("then", [[], RANGES])
    def test_are_finished_by_the_next_process(self, berth, real, tmp_path, then):
        proxy = through(real, pause=0.02)
        ref = f"{proxy.address}/team/app@{real.blob_digest}"
        argv = [berth_path(), "blob", "get", ref, "-o", tmp_path / "blob", *RANGES]
        killed = subprocess.Popen(list(map(str, argv)), env=berth.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begin = time.monotonic()
        while proxy.passed < BLOB // 2:
            assert time.monotonic() - begin < 30 and killed.poll() is None
            time.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        left = list(tmp_path.glob("blob.*.part"))
        assert len(left) == 1 and left[0].stat().st_size > BLOB and not (tmp_path / "blob").exists()
        berth("blob", "get", ref, "-o", tmp_path / "blob", *then)
        proxy.close()
        assert (tmp_path / "blob").read_bytes() == real.blob and not left[0].exists()

    def test_go_on_after_an_end_in_order_without_loss(self, berth, real, tmp_path):
        proxy = through(real, pause=0.02)
        ref = f"{proxy.address}/team/app@{real.blob_digest}"
        argv = [berth_path(), "blob", "get", ref, "-o", tmp_path / "blob", *RANGES]
        for stop in (BLOB // 3, BLOB * 2 // 3):
            process = subprocess.Popen(list(map(str, argv)), env=berth.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            begin = time.monotonic()
            while proxy.passed < stop:
                assert time.monotonic() - begin < 30 and process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
        berth(*argv[1:])
        proxy.close()
        assert (tmp_path / "blob").read_bytes() == real.blob

    def test_say_what_goes_wrong(self, berth, real, tmp_path):
        absent = "sha256:" + "0" * 64
        berth("blob", "get", f"{real.ref}@{absent}", "-o", tmp_path / "blob", *RANGES, code=4)
        berth("blob", "get", f"{real.ref}@{real.blob_digest}", "-o", tmp_path / "blob", "--ranges", "65", code=2)
        assert list(tmp_path.glob("blob*")) == []


def test_one_token_is_enough_for_all(berth, guarded, tmp_path):
    guarded.tokens.seen.clear()
    berth.config(**{guarded.address: "alice:secret"})
    digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"       # {}
    berth("blob", "get", f"{guarded.address}/team/app@{digest}", "-o", tmp_path / "blob", "--ranges", "4", "--ranges-from", "1")
    assert (tmp_path / "blob").read_bytes() == b"{}" and len(guarded.tokens.seen) == 1


def test_a_registry_without_ranges_sends_one_stream(berth, scripted, tmp_path):
    s, blob = scripted(), bytes(range(256)) * 4096
    digest = layout.digest_of(blob)
    s.routes[f"/v2/a/blobs/{digest}"] = lambda request: (200, {}, blob)
    berth("blob", "get", f"{s.address}/a@{digest}", "-o", tmp_path / "blob", *RANGES)
    assert (tmp_path / "blob").read_bytes() == blob and len(s.seen) == 1
    (tmp_path / "blob").unlink()
    empty = layout.digest_of(b"")
    s.routes[f"/v2/a/blobs/{empty}"] = lambda request: (
        (416, {"Content-Range": "bytes */0"}, b"") if "Range" in request.headers else (200, {}, b""))
    berth("blob", "get", f"{s.address}/a@{empty}", "-o", tmp_path / "blob", *RANGES)
    assert (tmp_path / "blob").read_bytes() == b""
