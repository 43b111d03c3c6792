"""libberth as it is installed: a program outside the tree finds it by pkg-config alone, and pings, pushes and pulls."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from clients import need
from server import ROOT


@pytest.fixture(scope="module")
def stage(berth_binary, tmp_path_factory):
    """What `make install` puts below DESTDIR, of the build under test."""
    need("meson", "pkg-config", "cc", "c++")
    folder = tmp_path_factory.mktemp("stage")
    done = subprocess.run(["meson", "install", "-C", Path(berth_binary).resolve().parent, "--no-rebuild", "--destdir", folder],
                          capture_output=True, text=True, env={k: v for k, v in os.environ.items() if k != "DESTDIR"})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def flags(stage):
    """What pkg-config says, and nothing of the checkout's own."""
    package = next(stage.rglob("berth.pc"))
    env = {**os.environ, "PKG_CONFIG_LIBDIR": f"{package.parent}:/usr/lib/pkgconfig:/usr/share/pkgconfig:"
           f"/usr/lib/{os.uname().machine}-linux-gnu/pkgconfig", "PKG_CONFIG_SYSROOT_DIR": str(stage)}
    said = subprocess.run(["pkg-config", "--cflags", "--libs", "berth"], env=env, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert str(ROOT) not in said.stdout
    library = package.parent.parent / "libberth.so"
    sanitized = ["-fsanitize=address,undefined"] if b"__asan_init" in library.read_bytes() else []
    return [*shlex.split(said.stdout), *sanitized, f"-Wl,-rpath,{library.parent}"]


@pytest.mark.parametrize("language, example", [("c", "push_pull.c"), ("c++", "push_pull.c"), ("c", "template.c")])
def test_a_program_outside_the_tree(flags, server, tmp_path, example, language):
    """C115: built in a folder of its own, and run against a real registry."""
    shutil.copy(ROOT / "examples" / example, tmp_path)
    compiler = ["cc", "-std=c99"] if language == "c" else ["c++", "-std=c++17"]
    done = subprocess.run([*compiler, "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", language,
                           example, "-x", "none", "-o", "program", *flags], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    argument = server.address if example == "push_pull.c" else f"http://{server.address}/"
    done = subprocess.run(["./program", argument], cwd=tmp_path, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "no_proxy": "*"})
    assert done.returncode == 0 and "Sanitizer" not in done.stderr, done.stderr
    if example == "push_pull.c":
        assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", done.stdout)
        status, headers, _ = server.request("HEAD", "/v2/team/hello/manifests/v1")
        assert status == 200 and headers["Docker-Content-Digest"] == done.stdout.strip()


def test_every_header_is_installed(stage):
    installed = {p.name for p in stage.rglob("include/berth/*.h")}
    assert installed == {p.name for p in (ROOT / "include" / "berth").glob("*.h")}


def test_the_installed_command_runs(stage):
    binary = next(p for p in stage.rglob("berth") if p.parent.name == "bin")
    assert subprocess.run([binary, "--version"], capture_output=True).returncode == 0
