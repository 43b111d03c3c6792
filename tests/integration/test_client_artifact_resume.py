"""`berth artifact pull` goes on where an earlier one was stopped: by a signal, by the network, in the middle of any of its
files. What is there already is not fetched again, and nothing that is no beginning of a file stays."""

import io
import json
import os
import signal
import subprocess
import tarfile
import time

import pytest

import layout
from commandline import BLOB, BUSY, DIGEST, FAILED, NETWORK, REAL, each_of
from server import berth_path
from test_client_robust import BreakingProxy, through

RANGES = ["--ranges", "4", "--ranges-from", "256k"]
TITLE, UNPACK = "org.opencontainers.image.title", "io.deis.oras.content.unpack"
MOST = BLOB + 64 * 1024        # what one large file takes, with manifests and headers


class Stock:
    """A registry and the artifacts that the tests put there."""

    def __init__(self, running):
        self.running, self.host = running, running.address
        self.one, self.two = (b"".join(layout.noise(BLOB, seed)) for seed in (b"one", b"two"))
        running.push_blob("team/files", b"{}")

    def push(self, tag, *files):
        """files: title and bytes, and "true" for a folder."""
        layers = []
        for title, data, *unpack in files:
            self.running.push_blob("team/files", data)
            notes = {TITLE: title} | ({UNPACK: unpack[0]} if unpack else {})
            layers.append({"mediaType": layout.LAYER, "digest": layout.digest_of(data), "size": len(data), "annotations": notes})
        self.running.push_manifest("team/files", tag, json.dumps({
            "schemaVersion": 2, "mediaType": layout.MANIFEST, "artifactType": "x/y",
            "config": {"mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2}, "layers": layers}).encode())
        return f"team/files:{tag}"


every = each_of(REAL, Stock)
stock = each_of({"berth": REAL["berth"]}, Stock)


def part_of(path, data):
    return path.with_name(f"{path.name}.{layout.digest_of(data)[7:19]}.part")


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def start(berth, *argv):
    return subprocess.Popen([berth_path(), "artifact", "pull", *map(str, argv)], env=berth.env, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def wait_for(process, condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.005)


def stop(process, number=signal.SIGKILL):
    process.send_signal(number)
    assert process.wait(60) == -number


def stopped(berth, proxy, ref, to, holding=1, number=signal.SIGKILL, *options):
    """A pull that was ended while so many of its connections were held, each somewhere in a file."""
    process = start(berth, f"{proxy.address}/{ref}", "-o", to, *options)
    wait_for(process, lambda: proxy.holding >= holding)
    time.sleep(0.05)              # for what has passed the proxy to be written
    stop(process, number)
    proxy.settle()
    proxy.passed = 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("first, then", [([], []), (RANGES, []), ([], RANGES)])
def test_the_next_process_fetches_the_rest_alone(berth, every, tmp_path, number, first, then):
    to, ref = tmp_path / "to", every.push("one", ("sub/one.sif", every.one))
    proxy = through(every, hold_after=BLOB // (10 if first else 2))
    stopped(berth, proxy, ref, to, 4 if first else 1, number, *first)
    assert names(to) == [f"sub/{part_of(to / 'one.sif', every.one).name}"]
    berth("artifact", "pull", f"{proxy.address}/{ref}", "-o", to, *then)
    proxy.close()
    assert names(to) == ["sub/one.sif"] and (to / "sub" / "one.sif").read_bytes() == every.one
    assert os.listxattr(to / "sub" / "one.sif") == []
    assert proxy.passed < (MOST if first else BLOB * 3 // 4)    # of ranges, what came last is not noted at once


def test_what_has_its_name_already_is_left_alone(berth, stock, tmp_path):
    to = tmp_path / "to"
    ref = stock.push("all", ("a.txt", b"small"), ("one", stock.one), ("two", stock.two), ("empty", b""))
    to.mkdir()
    (to / "one").write_bytes(stock.one)
    (to / "a.txt").write_bytes(b"small")
    was = (to / "one").stat()
    proxy = through(stock, hold_after=BLOB // 2)
    stopped(berth, proxy, ref, to)
    assert part_of(to / "two", stock.two).exists() and not part_of(to / "one", stock.one).exists()
    said = berth("artifact", "pull", f"{proxy.address}/{ref}", "-o", to, "--output", "json").json()
    proxy.close()
    assert [f["title"] for f in said["files"]] == ["a.txt", "one", "two", "empty"]
    assert names(to) == ["a.txt", "empty", "one", "two"] and (to / "two").read_bytes() == stock.two
    assert (to / "one").stat().st_ino == was.st_ino and (to / "one").stat().st_mtime_ns == was.st_mtime_ns
    assert proxy.passed < BLOB * 3 // 4


def test_another_file_of_that_name_is_told_before_anything_comes(berth, stock, tmp_path):
    to, ref = tmp_path / "to", stock.push("both", ("one", stock.one), ("two", stock.two))
    to.mkdir()
    (to / "two").write_bytes(stock.one)
    proxy = BreakingProxy(int(stock.host.rsplit(":", 1)[1]))
    assert "already" in berth("artifact", "pull", f"{proxy.address}/{ref}", "-o", to, code=FAILED).err
    assert names(to) == ["two"] and (to / "two").read_bytes() == stock.one and proxy.passed < BLOB
    berth("artifact", "pull", f"{proxy.address}/{ref}", "-o", to, "--overwrite")
    proxy.close()
    assert names(to) == ["one", "two"] and (to / "two").read_bytes() == stock.two


def test_two_processes_do_not_write_one_file(berth, stock, tmp_path):
    to, ref = tmp_path / "to", stock.push("one", ("one", stock.one))
    proxy = through(stock, hold_after=BLOB // 2)
    first = start(berth, f"{proxy.address}/{ref}", "-o", to)
    wait_for(first, lambda: proxy.holding == 1)
    said = berth("artifact", "pull", f"{stock.host}/{ref}", "-o", to, code=BUSY).err
    assert f"another process is writing '{part_of(to / 'one', stock.one).name}'" in said
    proxy.go.set()
    assert first.wait(60) == 0
    proxy.close()
    assert names(to) == ["one"] and (to / "one").read_bytes() == stock.one


def test_one_name_twice_is_one_file(berth, stock, tmp_path):
    to = tmp_path / "to"
    same = stock.push("same", ("one", stock.one), ("one", stock.one), ("./one", stock.one))
    berth("artifact", "pull", f"{stock.host}/{same}", "-o", to)
    assert names(to) == ["one"] and (to / "one").read_bytes() == stock.one
    (to / "one").unlink()
    other = stock.push("other", ("one", stock.one), ("one", stock.two))
    berth("artifact", "pull", f"{stock.host}/{other}", "-o", to, code=FAILED)
    assert names(to) == ["one"]


@pytest.mark.parametrize("beginning, options", [(0, []), (0, RANGES), (1 << 20, []), (1 << 20, RANGES), (BLOB, []), (BLOB + 9, [])])
def test_what_is_no_beginning_does_no_harm(berth, stock, tmp_path, beginning, options):
    to, ref = tmp_path / "to", stock.push("one", ("one", stock.one))
    to.mkdir()
    left, others = part_of(to / "one", stock.one), part_of(to / "one", stock.two)
    left.write_bytes(b"x" * beginning)
    others.write_bytes(stock.two[:BLOB // 2])       # of another blob that had this name
    berth("artifact", "pull", f"{stock.host}/{ref}", "-o", to, *options)
    assert names(to) == sorted(["one", others.name]) and (to / "one").read_bytes() == stock.one
    assert others.read_bytes() == stock.two[:BLOB // 2]


@pytest.mark.parametrize("wrong, more", [(False, 0), (True, 0), (False, 1), (False, -1)])
def test_a_registry_without_ranges_sends_all_of_it(berth, scripted, tmp_path, wrong, more):
    """more: bytes that the manifest says it has."""
    s, to, data = scripted(), tmp_path / "to", b"".join(layout.noise(2 << 20, b"scripted"))
    digest, sent, bad = layout.digest_of(data), data[:-1] + b"?" if wrong else data, wrong or more
    layer = {"mediaType": layout.LAYER, "digest": digest, "size": len(data) + more, "annotations": {TITLE: "f"}}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "artifactType": "x/y", "layers": [layer],
                           "config": {"mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2}}).encode()
    s.routes["/v2/a/manifests/v1"] = lambda request: (200, {"Content-Type": layout.MANIFEST}, manifest)
    s.routes[f"/v2/a/blobs/{digest}"] = lambda request: (200, {}, sent)
    to.mkdir()
    part_of(to / "f", data).write_bytes(data[:1 << 20])
    berth("artifact", "pull", f"{s.address}/a:v1", "-o", to, code=DIGEST if bad else 0)
    ranges = [request.headers.get("Range") for request in s.seen if "/blobs/" in request.path]
    assert ranges == [f"bytes={1 << 20}-"] + [None] * wrong      # what was wrong is fetched anew, once
    assert names(to) == ([] if bad else ["f"]) and (bad or (to / "f").read_bytes() == data)


def test_a_network_that_fails_for_good_leaves_what_came(berth, stock, tmp_path):
    to, ref = tmp_path / "to", stock.push("one", ("one", stock.one))
    proxy = through(stock, hold_after=BLOB // 2)
    process = start(berth, f"{proxy.address}/{ref}", "-o", to, "--retries", "0", "--timeout", "1")
    assert process.wait(60) == NETWORK
    proxy.settle()
    proxy.passed = 0
    left = part_of(to / "one", stock.one)
    assert names(to) == [left.name] and left.read_bytes() == stock.one[:left.stat().st_size]
    berth("artifact", "pull", f"{proxy.address}/{ref}", "-o", to)
    proxy.close()
    assert (to / "one").read_bytes() == stock.one and proxy.passed < BLOB * 3 // 4


def packed(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(data, str):
                entry.type, entry.linkname = tarfile.LNKTYPE, data
                tar.addfile(entry)
            else:
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def test_a_folder_comes_anew_and_leaves_nothing(berth, stock, tmp_path):
    to = tmp_path / "to"
    ref = stock.push("folder", ("tree", packed(("tree/one", stock.one), ("tree/small", b"small")), "true"))
    proxy = through(stock, hold_after=BLOB // 2)
    stopped(berth, proxy, ref, to)
    proxy.close()
    assert names(to) == []
    (to / "tree").mkdir()
    (to / "tree" / "one").write_bytes(stock.one)      # or by other hands
    berth("artifact", "pull", f"{stock.host}/{ref}", "-o", to)
    assert names(to) == ["tree/one", "tree/small"] and (to / "tree" / "one").read_bytes() == stock.one


def test_no_link_of_an_archive_leads_what_comes_over_a_file(berth, stock, tmp_path):
    """C168, unpacking is safe: a link is to a file of its archive, and what has a second name is not gone on with."""
    to = tmp_path / "to"
    (to / "d").mkdir(parents=True)
    (to / "d" / "mine").write_bytes(b"mine")
    part = to / "d" / part_of(to / "f", stock.one).name
    ref = stock.push("link", ("d", packed((f"d/{part.name}", "d/mine")), "true"))
    assert "to no file" in berth("artifact", "pull", f"{stock.host}/{ref}", "-o", to, code=FAILED).err
    assert (to / "d" / "mine").stat().st_nlink == 1
    os.link(to / "d" / "mine", part)
    said = berth("artifact", "pull", f"{stock.host}/{stock.push('then', ('d/f', stock.one))}", "-o", to, code=FAILED).err
    assert "no file to go on with" in said
    assert names(to) == [f"d/{part.name}", "d/mine"] and (to / "d" / "mine").read_bytes() == b"mine"
