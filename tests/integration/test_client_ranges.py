"""C067, a large blob in several ranges at once: four real registries behind a network where each connection is slow, or
breaks, or is killed with the process; and one that is asked for less than it sends."""

import json
import os
import subprocess
import time

import pytest

import layout
from commandline import DIGEST, OK, REAL, each_of, fill
from registries import Line
from server import berth_path
from test_client_robust import BLOB, through
from test_client_tokens import guarded  # noqa: F401

RANGES = ["--ranges", "4", "--ranges-from", "256k"]


real = each_of(REAL, fill)


def begin(berth, proxy, n, *argv):
    """A command that has so many connections, all of them held."""
    process = subprocess.Popen([berth_path(), *map(str, argv), *RANGES], env=berth.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while proxy.holding < n:
        assert time.monotonic() < end and process.poll() is None, proxy.holding
        time.sleep(0.005)
    return process


def begin_get(berth, proxy, real, target):
    return begin(berth, proxy, 4, "blob", "get", f"{proxy.address}/team/app@{real.blob_digest}", "-o", target)


class TestRanges:
    def test_come_over_several_connections_at_once(self, berth, real, tmp_path):
        proxy = through(real, hold_after=100_000)
        process = begin_get(berth, proxy, real, tmp_path / "blob")
        proxy.go.set()
        assert process.wait(60) == 0
        proxy.close()
        assert (tmp_path / "blob").read_bytes() == real.blob
        assert [p.name for p in tmp_path.glob("blob*")] == ["blob"]
        assert proxy.passed < BLOB + 200 * 1024      # nothing came twice

    def test_each_goes_on_where_its_connection_broke(self, berth, real, tmp_path):
        proxy = through(real, cut_after=150_000)
        berth("blob", "get", f"{proxy.address}/team/app@{real.blob_digest}", "-o", tmp_path / "blob", *RANGES)
        proxy.close()
        assert (tmp_path / "blob").read_bytes() == real.blob
        # What a connection carries beyond its cut is the kernel's matter: each range needed another one is ours.
        assert proxy.connections > 2 * 4 and proxy.passed < BLOB + proxy.connections * 4096

    def test_end_when_much_is_not_hashed_yet(self, berth, server, tmp_path):
        """All ranges of a large blob end at about the same time, and only the first was hashed on its way."""
        (tmp_path / "blob").touch()
        os.truncate(tmp_path / "blob", 300 << 20)
        digest = berth("blob", "put", f"{server.address}/large", tmp_path / "blob", "--format", "{{.digest}}").out.decode().strip()
        line = Line(server.port, down=60 << 20)
        for _ in range(2):
            berth("blob", "get", f"{line.address}/large@{digest}", "-o", tmp_path / "got", "--max-time", "60", *RANGES[:2])
            assert (tmp_path / "got").stat().st_size == 300 << 20
            (tmp_path / "got").unlink()
        line.close()

    @pytest.mark.parametrize("then", [[], RANGES])
    def test_are_finished_by_the_next_process(self, berth, real, tmp_path, then):
        proxy = through(real, hold_after=BLOB // 10)
        killed = begin_get(berth, proxy, real, tmp_path / "blob")
        killed.kill()
        killed.wait()
        proxy.settle()
        left = list(tmp_path.glob("blob.*.part"))
        assert len(left) == 1 and left[0].stat().st_size > BLOB and not (tmp_path / "blob").exists()
        berth("blob", "get", f"{proxy.address}/team/app@{real.blob_digest}", "-o", tmp_path / "blob", *then)
        proxy.close()
        assert (tmp_path / "blob").read_bytes() == real.blob and not left[0].exists()

    def test_go_on_after_an_end_in_order_without_loss(self, berth, real, tmp_path):
        for hold_after in (100_000, 200_000):
            proxy = through(real, hold_after=hold_after)
            process = begin_get(berth, proxy, real, tmp_path / "blob")
            process.kill()
            process.wait()
            proxy.close()
        berth("blob", "get", f"{real.ref}@{real.blob_digest}", "-o", tmp_path / "blob", *RANGES)
        assert (tmp_path / "blob").read_bytes() == real.blob

    @pytest.mark.parametrize("folder", [False, True])
    def test_bring_what_an_artifact_holds(self, berth, real, tmp_path, folder):
        (berth.home / "from").mkdir()
        (berth.home / "from" / "noise").write_bytes(real.blob)
        berth("artifact", "push", f"{real.host}/team/files:v1", "from" if folder else "from/noise")
        proxy = through(real, hold_after=100_000)
        process = begin(berth, proxy, 4, "artifact", "pull", f"{proxy.address}/team/files:v1", "-o", tmp_path / "to")
        proxy.go.set()
        assert process.wait(60) == 0
        proxy.close()
        found = [p for p in (tmp_path / "to").rglob("*") if p.is_file()]
        assert [p.name for p in found] == ["noise"] and found[0].read_bytes() == real.blob

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


@pytest.mark.parametrize("blob, says, word", [(b"x" * 1000, 999, "longer"), (b"x" * 1000, 1001, "shorter"), (b"x", 0, "longer"),
                                              (b"x" * 1000, 1000, None), (b"", 0, None)])
def test_a_file_of_an_artifact_has_the_size_that_is_promised(berth, scripted, tmp_path, blob, says, word):
    s, digest = scripted(), layout.digest_of(blob)
    layer = {"mediaType": "text/plain", "digest": digest, "size": says, "annotations": {"org.opencontainers.image.title": "x"}}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "artifactType": "a/b",
                           "config": {"mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2}, "layers": [layer]}).encode()
    s.routes["/v2/a/manifests/v1"] = lambda request: (200, {"Content-Type": layout.MANIFEST}, manifest)
    s.routes[f"/v2/a/blobs/{digest}"] = lambda request: (200, {}, blob)
    argv = ["artifact", "pull", f"{s.address}/a:v1", "-o", tmp_path / "to", "--ranges", "2", "--ranges-from", "1"]
    done = berth(*argv, code=DIGEST if word else OK)
    assert not word or f"is {word} than its descriptor says" in done.err
    assert [p.read_bytes() for p in (tmp_path / "to").iterdir()] == ([] if word else [blob])
