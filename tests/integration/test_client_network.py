"""The client over a line that is slow, loses packets, or falls silent; names and addresses that are only half alive.
Everything runs in network namespaces of its own, so this needs root."""

import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import layout
from commandline import NETWORK, Berth
from line import FAR, FAR6, Line
from server import Server, berth_path

PORT = 5000
HOST = f"{FAR}:{PORT}"
SIZE = 1 << 20


@pytest.fixture(scope="module")
def line():
    if os.getuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    try:
        made = Line()
    except (OSError, subprocess.CalledProcessError) as e:
        pytest.skip(f"no network namespaces here: {e}")
    yield made
    made.close()


@pytest.fixture(scope="module")
def registry(line, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTH_WRAP", f"ip netns exec {line.far}")
        running = Server(berth_path(), tmp_path_factory.mktemp("far") / "data", "--listen", HOST, "--listen", f"[{FAR6}]:{PORT}")
    yield running
    running.stop()


@pytest.fixture
def berth(line, registry, tmp_path):
    """The command line at the near end. Plain HTTP is for loopback alone, unless told."""
    line.condition()
    run = Berth(tmp_path / "home")
    run.prefix = ["ip", "netns", "exec", line.near]
    return lambda *argv, **more: run(*argv, "--plain-http", **more)


@pytest.fixture
def content(tmp_path, request):
    data = b"".join(layout.noise(SIZE, request.node.name.encode()))
    (tmp_path / "content").write_bytes(data)
    return tmp_path / "content", layout.digest_of(data), data


@pytest.mark.parametrize("condition", [dict(delay=0.1), dict(loss=0.03, delay=0.002), dict(rate=500_000),
                                       dict(delay=0.02, loss=0.02, rate=1_000_000)],
                         ids=["delay", "loss", "rate", "all of it"])
def test_what_goes_over_a_bad_line_is_whole(line, berth, content, tmp_path, condition):
    path, digest, data = content
    line.condition(**condition)
    began = time.monotonic()
    assert digest in berth("blob", "put", f"{HOST}/team/app", path).out.decode()
    berth("blob", "get", f"{HOST}/team/app@{digest}", "-o", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    if "rate" in condition:               # the line was one
        assert time.monotonic() - began > SIZE / condition["rate"]


def test_chunks_go_over_a_bad_line(line, berth, content, tmp_path):
    path, digest, data = content
    line.condition(delay=0.01, loss=0.02)
    berth("blob", "put", f"{HOST}/team/app", path, "--chunk-size", "128KiB", "--mode", "chunked")
    line.condition()
    berth("blob", "get", f"{HOST}/team/app@{digest}", "-o", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_a_download_outlives_a_silence(line, berth, content, tmp_path):
    """A line that says nothing for longer than the client waits: it connects anew, and goes on where it was."""
    path, digest, data = content
    berth("blob", "put", f"{HOST}/team/app", path)
    line.condition(rate=2_000_000)
    line.silent_behind = SIZE // 2

    def mend():
        line.silent.wait(60)
        time.sleep(2)
        line.condition()

    mender = threading.Thread(target=mend)
    mender.start()
    berth("blob", "get", f"{HOST}/team/app@{digest}", "-o", tmp_path / "back", "--timeout", "1")
    mender.join()
    assert (tmp_path / "back").read_bytes() == data
    assert line.passed < SIZE * 3 // 4 + 65536        # since it was mended: only what was left


def test_a_blob_that_stalls_ends_in_time(line, berth, content, tmp_path):
    path, digest, data = content
    berth("blob", "put", f"{HOST}/team/app", path)
    line.condition(rate=2_000_000)
    line.silent_behind = SIZE // 2
    began = time.monotonic()
    berth("blob", "get", f"{HOST}/team/app@{digest}", "-o", tmp_path / "back", "--timeout", "1", code=NETWORK)
    assert time.monotonic() - began < 60 and not (tmp_path / "back").exists()
    line.condition()
    berth("blob", "get", f"{HOST}/team/app@{digest}", "-o", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    assert line.passed < SIZE * 3 // 4 + 65536        # what had come was not fetched again


@pytest.mark.parametrize("addresses", [f"[2001:db8::1],{FAR}", f"192.0.2.1,[{FAR6}]"], ids=["IPv6 is dead", "IPv4 is dead"])
def test_a_dead_family_costs_little(berth, addresses):
    began = time.monotonic()
    berth("ping", f"both.example:{PORT}", "--resolve", f"both.example:{PORT}:{addresses}")
    assert time.monotonic() - began < 10              # the time-out is 30 s


RESOLVER = textwrap.dedent("""
    import socket, struct
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.53", 53))
    print("ready", flush=True)
    while True:
        query, peer = s.recvfrom(512)
        name, at = [], 12
        while query[at]:
            name.append(query[at + 1:at + 1 + query[at]].decode())
            at += query[at] + 1
        question = query[12:at + 5]
        known = name == ["registry", "berth", "example"]
        address = known and question[-4:-2] == b"\\0\\1"
        answer = query[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, 1 if address else 0, 0, 0) + question
        if address:
            answer += struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton("%s")
        s.sendto(answer, peer)
""") % FAR


def test_search_domains_complete_a_name(line, registry, tmp_path):
    """C041: "registry" is registry.berth.example where the resolver is told so."""
    resolver = subprocess.Popen(["ip", "netns", "exec", line.near, sys.executable, "-c", RESOLVER], stdout=subprocess.PIPE,
                                text=True)
    try:
        assert resolver.stdout.readline() == "ready\n"
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\nsearch berth.example\n")
        run = Berth(tmp_path / "home")
        run.prefix = ["ip", "netns", "exec", line.near, "unshare", "-m", "sh", "-c",
                      f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"', "sh"]
        run("ping", f"registry:{PORT}", "--plain-http")
        run("ping", f"none:{PORT}", "--plain-http", code=NETWORK)
    finally:
        resolver.kill()
        resolver.wait()
