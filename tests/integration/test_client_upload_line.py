"""Uploads over lines that are slow or break again and again, and programs that are interrupted meanwhile: what they show,
and what they leave at the registry."""

import hashlib
import os
import pty
import re
import select
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import layout
from commandline import OK, each_of
from registries import REAL, Cable, Line
from server import berth_path

MIB = 1 << 20
SIZE = 24 * MIB                # more than sockets hold
real = each_of({k: v for k, v in REAL.items() if k != "docker-registry"})      # 2.8 cancels the upload of a PATCH that broke


@pytest.fixture
def line():
    made = []

    def make(*args, **kwargs):
        made.append(Line(*args, **kwargs))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def noise():
    return b"".join(layout.noise(SIZE - 64, b"upload"))


@pytest.fixture
def file(tmp_path, noise, request):
    """24 MiB that no other test has."""
    path = tmp_path / "blob"
    path.write_bytes(hashlib.sha256(request.node.nodeid.encode()).hexdigest().encode() + noise)
    return path


def on_terminal(berth, *argv, stdin=None):
    """What stands on a terminal in the end, and all that stood there on the way."""
    near, far = pty.openpty()
    running = subprocess.Popen([berth_path(), *map(str, argv)], env={**berth.env, "TERM": "xterm"}, stdin=stdin,
                               stdout=subprocess.PIPE, stderr=far)
    os.close(far)
    text = b""
    while select.select([near], [], [], 60)[0]:
        try:
            data = os.read(near, 65536)
        except OSError:        # nobody has the other end any more
            break
        text += data
    os.close(near)
    assert running.wait(60) == OK, text.decode()
    return text.decode(), running.stdout.read().decode()


class TestProgress:
    @pytest.mark.parametrize("way", ["auto", "single", "chunked", "pipe", "artifact"])
    def test_bars_of_an_upload(self, berth, registry, line, file, way):
        address = line(registry.port, rate=30 * MIB).address
        secure = ["--ca-file", registry.ca] if registry.ca else []
        if way == "artifact":
            text, _ = on_terminal(berth, "artifact", "push", f"{address}/bars/artifact:v1", file, *secure)
        elif way == "pipe":
            with open(file, "rb") as f:
                cat = subprocess.Popen(["cat"], stdin=f, stdout=subprocess.PIPE)
            text, _ = on_terminal(berth, "blob", "put", f"{address}/bars/pipe", "-", "--chunk-size", "4MiB", *secure, stdin=cat.stdout)
            cat.wait()
        else:
            text, _ = on_terminal(berth, "blob", "put", f"{address}/bars/{way}", file, "--mode", way, "--chunk-size", "4MiB", *secure)
        done = [float(n) for n in re.findall(r"([\d.]+) MiB", text.replace("/s", ""))]
        assert len({n for n in done if 0 < n < 24}) >= 3, text
        if way != "pipe":
            percent = {int(n) for n in re.findall(r"(\d+)%", text)}
            assert len({n for n in percent if 0 < n < 100}) >= 3, text

    def test_lines_of_an_upload(self, berth, server, line, file):
        address = line(server.port, rate=2 * MIB).address
        said = berth("blob", "put", f"{address}/lines", file).err
        assert re.search(r"^berth blob put: .*blob: [1-9][\d.]+ MiB of 24.0 MiB, [\d.]+ MiB/s, \d+s left$", said, re.M), said
        assert re.search(r"^berth blob put: 24.0 MiB in \d+s, [12]\.\d MiB/s$", said, re.M), said


class TestBreaks:
    @pytest.mark.parametrize("way", ["auto", "single"])
    def test_a_line_that_breaks_again_and_again(self, berth, real, line, file, way):
        self.put(berth, real, line, file, way)

    @pytest.mark.parametrize("way", ["chunked", "artifact"])
    def test_in_the_other_ways(self, berth, server, line, file, way):
        self.put(berth, server, line, file, way)

    def put(self, berth, real, line, file, way):
        cutting = line(real.port, cut=7 * MIB)
        if way == "artifact":
            berth("artifact", "push", f"{cutting.address}/broken/artifact:v1", file)
        else:
            berth("blob", "put", f"{cutting.address}/broken/{way}", file, "--mode", way)
        assert cutting.connections > 3
        digest = layout.digest_of(file.read_bytes())
        assert berth("blob", "get", f"127.0.0.1:{real.port}/broken/{way}@{digest}").out == file.read_bytes()


class TestInterrupted:
    def begin(self, berth, *argv, until, **kwargs):
        """The command with -v, at the moment when it has said that."""
        running = subprocess.Popen([berth_path(), *map(str, argv), "-v"], env=berth.env, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, text=True, **kwargs)
        said = ""
        while until not in said:
            said += (read := running.stderr.readline())
            assert read, said
        return running, said

    def end(self, running, said, number):
        time.sleep(0.3)        # in the middle of it
        running.send_signal(number)
        began = time.monotonic()
        said += running.stderr.read()
        assert running.wait(60) == -number, said
        assert "Sanitizer" not in said, said
        return said, time.monotonic() - began

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("way", ["auto", "early", "chunked", "artifact"])
    def test_an_upload_takes_its_session_back(self, berth, server, line, file, way, number):
        address = line(server.port, rate=8 * MIB).address
        if way == "early":                             # it is hashed for a few seconds
            os.truncate(file, 4096 * MIB)
        argv = {"artifact": ["artifact", "push", f"{address}/stopped:v1", file],
                "early": ["blob", "put", f"{address}/stopped", file]}.get(way) or [
            "blob", "put", f"{address}/stopped", file, "--mode", way, "--chunk-size", "4MiB"]
        running, said = self.begin(berth, *argv, until="> PATCH" if way in ("chunked", "early") else "> PUT")
        said, _ = self.end(running, said, number)
        deleted = re.search(r"^> DELETE (/v2/stopped/blobs/uploads/\S+)", said, re.M)
        assert deleted and re.search(r"> DELETE.*?^< HTTP/1.1 204", said, re.M | re.S), said[-3000:]
        with pytest.raises(urllib.error.HTTPError) as gone:
            urllib.request.urlopen(f"http://{address}{deleted[1]}")
        assert gone.value.code == 404

    def test_one_that_may_be_gone_on_with_stays(self, berth, server, line, file, tmp_path):
        address, state = line(server.port, rate=8 * MIB).address, tmp_path / "state"
        command = ["blob", "put", f"{address}/kept", file, "--state", state, "--chunk-size", "4MiB"]
        running, said = self.begin(berth, *command, until="Content-Range: 4194304-")
        said, _ = self.end(running, said, signal.SIGINT)
        assert "> DELETE" not in said and state.exists()
        again = berth(*command, "-v").err
        assert "Content-Range: 0-" not in again and not state.exists()

    def test_a_dead_line_holds_nobody_for_long(self, berth, server, file):
        cable = Cable(server.port)
        cable.room, cable.dead = 3 * MIB, True
        running, said = self.begin(berth, "blob", "put", f"{cable.address}/dead", file, until="> PUT")
        cable.stuck.wait(60)
        said, took = self.end(running, said, signal.SIGINT)
        cable.close()
        assert took < 10, said

    def test_nor_does_a_pipe_that_says_nothing(self, berth, server):
        near, far = os.pipe()
        running, said = self.begin(berth, "blob", "put", f"{server.address}/silent", "-", until="< HTTP/1.1 202", stdin=near)
        said, took = self.end(running, said, signal.SIGINT)
        os.close(near)
        os.close(far)
        assert took < 15, said
