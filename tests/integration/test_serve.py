"""berth serve as scripts meet it: the address it prints, signals, ports that are taken, and an installation."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from clients import need
from server import ROOT

HELP_TIMEOUT = 30


def berth(binary, *args):
    return subprocess.run([binary, *map(str, args)], capture_output=True, text=True, timeout=HELP_TIMEOUT,
                          stdin=subprocess.DEVNULL)


def test_port_0_prints_the_port_it_took(make_server):
    first, second = make_server(), make_server()
    assert 0 < first.port != second.port > 0
    for each in (first, second):
        assert f"listening on http://127.0.0.1:{each.port}" in each.lines
        assert each.request("GET", "/v2/")[0] == 200


def test_several_addresses(make_server):
    own = make_server("--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    assert len(own.listeners) == 2
    for url in own.listeners:
        with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=10) as s:
            s.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert s.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("address, open_to_all", [(":0", True), ("0.0.0.0:0", True), ("127.0.0.1:0", False),
                                                  ("localhost:0", False), ("[::1]:0", False)])
def test_an_address_for_everybody_is_warned_of(make_server, address, open_to_all):
    own = make_server("--listen", address)
    assert ("anyone who reaches this address may push and delete" in own.stderr()) == open_to_all
    until = time.monotonic() + 10
    while not any(line.startswith("pull:") for line in own.lines) and time.monotonic() < until:
        time.sleep(0.05)
    host = "localhost" if open_to_all or address.startswith("[") else own.host
    assert f"pull:  podman pull --tls-verify=false {host}:{own.port}/NAME:TAG" in own.lines


def test_who_asks_for_client_certificates_is_not_warned_of_everybody(make_server, certificates):
    own = make_server("--listen", "0.0.0.0:0", "--tls-client-ca", certificates.ca, tls=certificates)
    assert "anyone" not in own.stderr()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_ends_on_a_signal(make_server, signal_number):
    own = make_server()
    idle = own.connect()
    idle.request("GET", "/v2/")
    idle.getresponse().read()
    own.process.send_signal(signal_number)
    assert own.process.wait(60) == 0


def test_a_port_that_is_taken_is_an_error(berth_binary, make_server, tmp_path):
    own = make_server()
    done = berth(berth_binary, "serve", "--data", tmp_path / "other", "--listen", own.address)
    assert done.returncode != 0
    assert str(own.port) in done.stderr


def test_a_data_folder_that_cannot_be_made_is_an_error(berth_binary, tmp_path):
    (tmp_path / "file").write_text("")
    done = berth(berth_binary, "serve", "--data", tmp_path / "file" / "data", "--listen", "127.0.0.1:0")
    assert done.returncode != 0
    assert "file" in done.stderr


def test_an_unknown_flag_is_an_error(berth_binary, tmp_path):
    done = berth(berth_binary, "serve", "--data", tmp_path / "data", "--no-such-flag")
    assert done.returncode != 0
    assert "no-such-flag" in done.stderr


def test_help_and_version(berth_binary):
    shown = berth(berth_binary, "--version")
    assert shown.returncode == 0 and shown.stdout.strip()
    shown = berth(berth_binary, "serve", "--help")
    assert shown.returncode == 0
    for flag in ("--data", "--listen", "--tls-certificate", "--tls-key"):
        assert flag in shown.stdout


@pytest.mark.heavy
def test_make_static_needs_no_library(tmp_path):
    """`make static`: one file that runs where nothing else is. It asks nobody what localhost is."""
    need("make", "meson", "ninja", "readelf")
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-C", ROOT, "static", f"BUILD={tmp_path}/b"], capture_output=True, text=True, env=env,
                          timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    binary = tmp_path / "b-static" / "berth"
    dynamic = subprocess.run(["readelf", "-ld", binary], capture_output=True, text=True, check=True).stdout
    assert "NEEDED" not in dynamic and "INTERP" not in dynamic
    room = tmp_path / "room"
    (room / "data").mkdir(parents=True)
    os.link(binary, room / "berth")
    command = ["/berth", "serve", "--data", "/data", "--listen", "localhost:0"]
    if os.geteuid():
        command = ["unshare", "--user", "--map-root-user", "chroot", room, *command]
    else:
        command = ["chroot", room, *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        url = process.stdout.readline().split()[-1]
        with urlopen(f"{url}/v2/", timeout=10) as answer:
            assert answer.read() == b'{"success":true}'
        process.terminate()


@pytest.mark.heavy
def test_make_builds_and_installs(tmp_path):
    """`make install PREFIX= DESTDIR=` from a build of its own, and what was installed serves."""
    need("make", "meson", "ninja")
    build, stage = tmp_path / "build", tmp_path / "stage"
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "DESTDIR")}
    done = subprocess.run(["make", "-C", ROOT, "install", f"BUILD={build}", "PREFIX=/opt/berth", f"DESTDIR={stage}"],
                          capture_output=True, text=True, env=env, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    installed = Path(f"{stage}/opt/berth/bin/berth")
    assert installed.stat().st_mode & 0o111
    assert (build / "berth").exists()
    # Installing with sudo leaves nothing there that keeps the owner of the checkout from building again.
    assert {p.lstat().st_uid for p in build.rglob("*")} == {os.stat(ROOT).st_uid}
    assert berth(installed, "--version").returncode == 0
    documents = Path(f"{stage}/opt/berth/share/doc/berth")  # what the server's messages and the README refer to
    assert (documents / "docs" / "api.md").exists() and not (documents / "docs" / "man").exists()

    # What systemd runs is what was installed, and nothing that another package would have to bring.
    unit = Path(f"{stage}/opt/berth/lib/systemd/system/berth.service").read_text()
    assert {line.split("=")[1].split()[0] for line in unit.splitlines() if line.startswith("Exec")} == {
        "/opt/berth/bin/berth"}
    # Its private /tmp vanishes with it: whatever a command wrote there would be lost.
    assert "PrivateTmp=yes" not in unit or "ReadOnlyPaths=/tmp /var/tmp" in unit

    # The library beside it, built against as a stranger does, in C and in C++.
    library = next(Path(f"{stage}/opt/berth").rglob("libberth-server.so"))  # lib, lib64, lib/<triplet>
    if os.path.exists("/etc/debian_version"):  # where lib64 is searched by nobody
        assert library.parent.name == "lib"
    exported = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    assert sorted(line.split()[-1] for line in exported.splitlines()) == [
        "berth_server_start", "berth_server_stop", "berth_server_url"]
    env |= {"PKG_CONFIG_PATH": str(library.parent / "pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(stage)}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "berth-server"], capture_output=True, text=True,
                           env=env, check=True).stdout.split()
    for language in ("c", "c++"):
        program = tmp_path / "embedded"
        subprocess.run(["cc" if language == "c" else "c++", "-x", language, ROOT / "examples" / "embedded.c", "-x", "none",
                        "-Wall", "-Werror", "-o", program, *flags, f"-Wl,-rpath,{library.parent}"], check=True)
        for data in ([], [tmp_path / "embedded-data"]):
            process = subprocess.Popen([program, *data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            url = process.stdout.readline().strip()
            with urlopen(f"{url}/v2/", timeout=10) as answer:
                assert answer.read() == b'{"success":true}'
            process.communicate("\n", timeout=30)
            assert process.returncode == 0

    # The client library likewise, and its archive.
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "berth"], capture_output=True, text=True, env=env,
                           check=True).stdout.split()
    archive = [*(f for f in flags if f.startswith("-I")), library.parent / "libberth.a", "-lcrypto", "-ljansson", "-pthread"]
    for language, linked in (("c", flags), ("c++", flags), ("c", archive)):
        program = tmp_path / "reference"
        subprocess.run(["cc" if language == "c" else "c++", "-x", language, ROOT / "examples" / "reference.c", "-x", "none",
                        "-Wall", "-Wextra", "-Werror", "-o", program, *linked, f"-Wl,-rpath,{library.parent}"], check=True)
        shown = subprocess.run([program, "alpine"], capture_output=True, text=True, timeout=30)
        assert (shown.returncode, shown.stdout) == (0, "ask registry-1.docker.io for latest of library/alpine\n")
        shown = subprocess.run([program, "Alpine"], capture_output=True, text=True, timeout=30)
        assert shown.returncode == 1 and "capital letters" in shown.stderr
