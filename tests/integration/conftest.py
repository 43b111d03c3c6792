"""Images made here, certificates, and the registry with and without TLS."""

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import layout
from clients import Clients, need
from commandline import berth, locked, scripted  # noqa: F401 - fixtures for all
from server import Server

@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A certificate authority of our own and a server's certificate for the loopback addresses."""
    need("openssl")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=berth test authority", "-keyout", "ca.key", "-out", "ca.crt",
            "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
            "-keyout", "server.key", "-out", "server.csr")
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "server.ext", "-out", "server.crt")
    trust = folder / "trust"
    trust.mkdir()
    shutil.copy(folder / "ca.crt", trust / "ca.crt")
    return SimpleNamespace(ca=folder / "ca.crt", certificate=folder / "server.crt", key=folder / "server.key",
                           folder=trust)


@pytest.fixture(scope="session")
def tls_server(berth_binary, certificates, tmp_path_factory):
    running = Server(berth_binary, tmp_path_factory.mktemp("tls-server") / "data", tls=certificates)
    yield running
    running.stop()


@pytest.fixture(scope="session", params=["http", "tls"])
def registry(request):
    """The registry to which a client speaks: without and with TLS."""
    return request.getfixturevalue("server" if request.param == "http" else "tls_server")


@pytest.fixture
def clients(registry, certificates, tmp_path):
    made = Clients(registry, certificates, tmp_path / "home")
    yield made
    made.remove()


@pytest.fixture(scope="session")
def busybox():
    path = shutil.which("busybox")
    if not path:
        pytest.skip("busybox is not here (tools/bootstrap test)")
    return Path(path).read_bytes()


@pytest.fixture(scope="session")
def platforms(tmp_path_factory, busybox):
    """A layout with an index of three platforms; attributes path, digest, tag."""
    path = tmp_path_factory.mktemp("layouts") / "platforms"
    made = layout.Layout(path)
    images = []
    for architecture, variant in (("amd64", None), ("arm64", "v8"), ("riscv64", None)):
        data, diff = layout.tar_layer({"bin/busybox": busybox, "etc/arch": architecture.encode()})
        below, below_diff = layout.tar_layer({"etc/os-release": b"NAME=berth\n"})
        images.append(made.add_image([made.add(below, layout.LAYER), made.add(data, layout.LAYER)],
                                     architecture, diff_ids=[below_diff, diff], variant=variant))
    digest = made.tag(made.add_index(images), "three")
    return SimpleNamespace(path=path, digest=digest, tag="three")


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """An image that umoci made of a busybox root file system; attributes path, digest, tag."""
    need("umoci", "busybox")
    base = tmp_path_factory.mktemp("umoci")
    path = base / "layout"

    def umoci(*args):
        subprocess.run(["umoci", *map(str, args)], check=True, capture_output=True, cwd=base)

    umoci("init", "--layout", path)
    umoci("new", "--image", f"{path}:busybox")
    rootless = [] if os.getuid() == 0 else ["--rootless"]
    umoci("unpack", *rootless, "--image", f"{path}:busybox", base / "bundle")
    root = base / "bundle" / "rootfs"
    for folder in ("bin", "etc", "tmp", "usr/share"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(shutil.which("busybox"), root / "bin" / "busybox")
    for name in ("sh", "ls", "cat"):
        (root / "bin" / name).symlink_to("busybox")
    with open(root / "usr" / "share" / "noise", "wb") as f:
        f.writelines(layout.noise(8 << 20, b"umoci"))
    umoci("repack", "--image", f"{path}:busybox", base / "bundle")
    umoci("config", "--image", f"{path}:busybox", "--config.cmd", "/bin/sh")
    return SimpleNamespace(path=path, digest=layout.root_of(path), tag="busybox")
