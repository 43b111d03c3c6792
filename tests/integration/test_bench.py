"""The measuring tools work: every row of bench/run and bench/clients, their reports, and the driver's own count. No speed
is asserted."""

import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from clients import need
from server import ROOT, Server, berth_path

DRIVER = Path(berth_path()).parent / "bench" / "driver"
ROWS = ["start-empty", "memory-idle", "get-manifest", "head-manifest", "get-blob-1k", "get-blob-1", "get-blob-4",
        "push-big", "push-big-chunks", "put-blobs", "push-images-50", "push-images-1", "push-tags", "start-1m",
        "page-tags-10k", "page-tags-1m", "page-catalog", "page-referrers", "memory-peak"]

pytestmark = pytest.mark.skipif(not DRIVER.exists(), reason="no load driver was built")


def drive(*args, check=True):
    done = subprocess.run([str(DRIVER), *map(str, args)], capture_output=True, text=True, timeout=600)
    if check:
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return done


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    done = subprocess.run([str(ROOT / "bench" / "run"), "--smoke", "--berth", berth_path(), "--driver", str(DRIVER),
                           "--folder", str(folder), "--results", str(folder)], capture_output=True, text=True,
                          timeout=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def test_every_row_runs(smoke):
    results = json.loads((smoke / "smoke.json").read_text())
    assert results["failed"] == []
    assert [r for r in ROWS if "berth" not in results["rows"].get(r, {})] == []
    assert {"clients-get", "clients-push", "size-get", "size-push", "tags-page"} <= set(results["growth"])
    assert results["rows"]["collector-push-images"]["berth, collecting"]["operations"] > 0
    assert [p.name for p in smoke.iterdir() if p.is_dir()] == []


def test_the_report_names_every_promise_and_the_picture_parses(smoke):
    page = (smoke / "smoke.md").read_text()
    listed = subprocess.run([str(ROOT / "bench" / "run"), "--list"], capture_output=True, text=True, check=True)
    assert set(ROWS) <= set(listed.stdout.split())
    for title in ("manifest GET by tag", "small images", "start to first answer", "resident memory"):
        assert re.search(rf"^\| {title}.*\| (met|missed)? *\|$", page, re.M), title
    picture = ElementTree.parse(smoke / "smoke.svg").getroot()
    assert len(picture.findall(".//{http://www.w3.org/2000/svg}rect")) > 20


def test_driver_counts_what_the_server_counts(tmp_path):
    with_metrics = Server(berth_path(), tmp_path / "data")
    try:
        assert drive("put-blobs", "--connect", with_metrics.address, "--count", 40, "--clients", 8)["operations"] == 40
        done = drive("push-images", "--connect", with_metrics.address, "--count", 30, "--repositories", 3, "--single",
                     "--repository", "bench/r")
        assert (done["operations"], done["failed"]) == (30, 0)
        _, _, body = with_metrics.request("GET", "/v2/bench/r0/tags/list")
        assert len(json.loads(body)["tags"]) == 10
        _, _, body = with_metrics.request("GET", "/v2/_catalog")
        assert json.loads(body)["repositories"] == ["bench/r0", "bench/r1", "bench/r2"]
        chunked = drive("push-big", "--connect", with_metrics.address, "--size", 3 << 20, "--chunk", 1 << 20,
                        "--count", 2)
        assert (chunked["operations"], chunked["bytes"]) == (2, 6 << 20)
        page = drive("page", "--connect", with_metrics.address, "--count", 5, "/v2/_catalog")
        assert page["bytes"] == 5 * len(body)
        assert drive("head", "--connect", with_metrics.address, "--count", 5, "/v2/_catalog")["bytes"] == 0
    finally:
        with_metrics.stop()


def test_driver_tells_what_fails(tmp_path):
    server = Server(berth_path(), tmp_path / "data")
    try:
        got = drive("get", "--connect", server.address, "--count", 7, "/v2/nothing/tags/list")
        assert (got["operations"], got["failed"]) == (0, 7)
        assert "404" in got["first_failure"]
    finally:
        server.stop()
    done = drive("get", "--connect", server.address, "--count", 7, "/v2/", check=False)
    assert done.returncode == 1 and "connecting" in done.stderr


@pytest.mark.parametrize("mode", [["get", "/2048"], ["head", "/1"], ["put-blobs", "--single"], ["push-images"],
                                  ["push-big", "--size", "1048576", "--chunk", "262144"]])
def test_driver_reaches_its_ceiling(mode):
    found = drive("ceiling", *mode, "--count", 50)
    assert (found["operations"], found["failed"]) == (50, 0)
    latency = found["latency_ms"]
    assert found["mode"] == mode[0]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]


def test_every_row_of_the_clients_runs(tmp_path):
    need("time", "curl", "openssl")
    done = subprocess.run([str(ROOT / "bench" / "clients"), "--smoke", "--berth", berth_path(), "--folder", str(tmp_path),
                           "--results", str(tmp_path)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    results = json.loads((tmp_path / "clients-smoke.json").read_text())
    assert results["failed"] == []
    measured = results["rows"]
    for row in ("head-1000", "head-cold", "blob-down", "blob-up"):
        assert {"berth", "curl"} <= set(measured[row]), row
        assert all(measured[row][tool]["peak_mib"] > 0 and measured[row][tool]["s"] > 0 for tool in measured[row])
    page = (tmp_path / "clients-smoke.md").read_text()
    assert re.search(r"^\| a blob of 2 MiB down, s ", page, re.M)
    assert len(ElementTree.parse(tmp_path / "clients-smoke.svg").getroot().findall(
        ".//{http://www.w3.org/2000/svg}rect")) > 20
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == []
