"""A program with an allocator of its own (C115): every block that libberth takes comes from there, and goes back there."""

import json
import re

import pytest

import layout
from server import ROOT
from test_client_examples import EXAMPLES
from test_client_examples import build  # noqa: F401
from test_client_examples import run

HERE = ROOT / "tests" / "integration"
ALLOCATOR = [ROOT / "tests" / "unit" / "allocator.c", "-I", ROOT / "tests" / "unit"]


@pytest.fixture(scope="module")
def with_its_own(build):
    """with_its_own(source, *arguments, **run's) runs a program whose allocator is set before main()."""
    def start(source, *arguments, packages=(), **how):
        program = build(source, packages=packages, options=["-DALLOCATOR_BY_ITSELF", *ALLOCATOR])
        done = run(program, *arguments, **how)
        taken, left = re.search(r"^allocator: (\d+) taken, (\d+) left$", done.stderr, re.M).groups()
        assert int(taken) > 0 and int(left) == 0
        return done
    return start


@pytest.fixture(scope="module")
def image(server):
    """The repository and the tag of an image with a config and a layer."""
    layer, config = layout.tar_layer({"etc/os-release": b"NAME=berth\n"})[0], b'{"architecture":"amd64","os":"linux"}'
    for blob in (layer, config):
        status, _, _ = server.request("POST", f"/v2/team/memory/blobs/uploads/?digest={layout.digest_of(blob)}", blob)
        assert status == 201
    manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": {
        "mediaType": layout.CONFIG, "digest": layout.digest_of(config), "size": len(config)}, "layers": [
            {"mediaType": layout.LAYER, "digest": layout.digest_of(layer), "size": len(layer)}]}).encode()
    status, _, _ = server.request("PUT", "/v2/team/memory/manifests/v1", manifest, {"Content-Type": layout.MANIFEST})
    assert status == 201
    return "team/memory", "v1", manifest


def test_takes_a_reference_apart(with_its_own):
    assert "ask " in with_its_own(EXAMPLES / "reference.c", "alpine:3").stdout


def test_pings_pushes_and_pulls(with_its_own, server):
    assert re.search(r"^sha256:[0-9a-f]{64}$", with_its_own(EXAMPLES / "push_pull.c", server.address).stdout, re.M)
    with_its_own(EXAMPLES / "push_pull.c", "127.0.0.1:1", code=1)


def test_reads_documents(with_its_own, server, image):
    repository, tag, _ = image
    assert "amd64" in with_its_own(EXAMPLES / "config.c", f"{server.address}/{repository}:{tag}").stdout
    with_its_own(EXAMPLES / "config.c", f"{server.address}/{repository}:none", code=1)


def test_brings_an_image_into_a_layout(with_its_own, server, image, tmp_path):
    repository, tag, manifest = image
    done = with_its_own(EXAMPLES / "layout.c", server.address, repository, tag, tmp_path / "folder")
    assert done.stdout == f"{layout.digest_of(manifest)}  v1\n"


def test_tags_under_other_names_are_its_own_memory(with_its_own, server, image, tmp_path):
    repository, _, manifest = image
    (tmp_path / "manifest").write_bytes(manifest)
    assert with_its_own(HERE / "tag_names.c", server.address, repository, tmp_path / "manifest").stdout.count("1.0+build") == 2


@pytest.mark.parametrize("how", ["loop", "threads"])
def test_many_at_once(with_its_own, server, image, how):
    repository, tag, _ = image
    assert with_its_own(HERE / "many_calls.c", server.address, repository, tag, how, 100, "alice", "secret").stdout == "100\n"


def test_memory_that_changes_hands(with_its_own, server, tmp_path):
    with_its_own(HERE / "own_allocator.c", server.address, "team/hands", tmp_path)


def test_comes_first_and_whole(build):
    lines = run(build(HERE / "own_allocator.c", options=ALLOCATOR)).stdout.splitlines()
    assert lines == ["-2 the allocator lacks a function",
                     "-8 memory is in use already: an allocator is set once, and first"]
