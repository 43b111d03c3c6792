"""The programs of examples/ and of the documents, built as a stranger builds them and run against registries."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import layout
from clients import need
from server import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import servers  # noqa: E402

EXAMPLES = ROOT / "examples"
OTHERS = {"distribution": servers.Distribution, "docker-registry": servers.DockerRegistry, "olareg": servers.Olareg}
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-D_POSIX_C_SOURCE=200809L"]


@pytest.fixture(scope="module")
def build(berth_binary, tmp_path_factory):
    """build(source, language="c", packages=(), options=()) compiles against the library beside the binary under test."""
    folder, library = tmp_path_factory.mktemp("examples"), Path(berth_binary).resolve().parent
    sanitized = b"__asan_init" in (library / "libberth.so").read_bytes()

    def build(source, language="c", packages=(), options=()):
        need("cc" if language == "c" else "c++")
        program = folder / f"{Path(source).stem}-{language}"
        flags = []
        if packages:
            need("pkg-config")
            flags = shlex.split(subprocess.run(["pkg-config", "--cflags", "--libs", *packages], capture_output=True,
                                               text=True, check=True).stdout)
        strict = STRICT if language == "c" else ["-std=c++17", *STRICT[1:]]
        done = subprocess.run(["cc" if language == "c" else "c++", *strict, "-x", language, source, *options, "-x", "none",
                               *(["-fsanitize=address,undefined"] if sanitized else []), "-I", ROOT / "include",
                               "-o", program, library / "libberth.so", f"-Wl,-rpath,{library}", *flags],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return program
    return build


def run(*argv, code=0, **env):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "no_proxy": "*", **env})
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    return done


@pytest.fixture(scope="module", params=["berth", *OTHERS])
def anywhere(request, tmp_path_factory):
    """The address of each of four registries."""
    if request.param == "berth":
        yield request.getfixturevalue("server").address
        return
    contestant = OTHERS[request.param]()
    if not contestant.available():
        pytest.skip(f"{request.param} is not here (tools/bootstrap bench)")
    running = contestant.start(tmp_path_factory.mktemp("registry"))
    yield running.address
    running.close()


def test_reggies_readme_step_by_step(anywhere, build):
    """C001, C003, C225: the program of the seed's README."""
    done = run(build(EXAMPLES / "template.c"), f"http://{anywhere}/")
    assert re.findall(r"^Status: (\d+)$", done.stdout, re.M) == ["202", "202", "201", "200", "201", "200"]
    assert "\nBlob content:\n{}\n" in done.stdout
    manifest = json.loads(done.stdout.split("Manifest content:\n")[1])
    assert manifest["config"] == {"digest": layout.digest_of(b"{}"), "mediaType": layout.CONFIG, "size": 2}
    assert re.search(r"^\[3\] PUT /v2/\S+digest=sha256:", done.stderr, re.M)


@pytest.mark.parametrize("language", ["c", "c++"])
def test_twenty_lines_ping_push_and_pull(anywhere, build, language):
    program = build(EXAMPLES / "push_pull.c", language)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", run(program, anywhere).stdout)
    assert "127.0.0.1:1" in run(program, "127.0.0.1:1", code=1).stderr


def test_drcas_readme_gets_a_config(server, build):
    """DRCA's first example: the config of an image by its reference."""
    config = b'{"architecture":"amd64","os":"linux"}'
    digest = layout.digest_of(config)
    status, headers, _ = server.request("POST", f"/v2/library/busybox/blobs/uploads/?digest={digest}", config)
    assert status == 201
    manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "layers": [],
                           "config": {"mediaType": layout.CONFIG, "digest": digest, "size": len(config)}}).encode()
    status, _, _ = server.request("PUT", "/v2/library/busybox/manifests/1.30.1", manifest, {"Content-Type": layout.MANIFEST})
    assert status == 201
    program = build(EXAMPLES / "config.c")
    assert run(program, f"{server.address}/library/busybox:1.30.1").stdout.encode() == config
    index = json.dumps({"schemaVersion": 2, "mediaType": layout.INDEX, "manifests": []}).encode()
    status, _, said = server.request("PUT", "/v2/library/busybox/manifests/index", index, {"Content-Type": layout.INDEX})
    assert status == 201, said
    assert "is an index" in run(program, f"{server.address}/library/busybox:index", code=1).stderr
    assert "MANIFEST_UNKNOWN" in run(program, f"{server.address}/library/busybox:none", code=1).stderr


def test_an_image_comes_into_a_layout(server, build, tmp_path):
    """C143: what berth/layout.h wrote, skopeo reads."""
    need("skopeo")
    layer, config = layout.tar_layer({"etc/os-release": b"NAME=berth\n"})[0], b'{"architecture":"amd64","os":"linux"}'
    for blob in (layer, config):
        status, _, _ = server.request("POST", f"/v2/team/laid/blobs/uploads/?digest={layout.digest_of(blob)}", blob)
        assert status == 201
    manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": {
        "mediaType": layout.CONFIG, "digest": layout.digest_of(config), "size": len(config)}, "layers": [
            {"mediaType": layout.LAYER, "digest": layout.digest_of(layer), "size": len(layer)}]}).encode()
    status, _, _ = server.request("PUT", "/v2/team/laid/manifests/v1", manifest, {"Content-Type": layout.MANIFEST})
    assert status == 201
    program, digest = build(EXAMPLES / "layout.c"), layout.digest_of(manifest)
    assert run(program, server.address, "team/laid", "v1", tmp_path / "here").stdout == f"{digest}  v1\n"
    done = run("skopeo", "inspect", "--raw", f"oci:{tmp_path}/here:v1")
    assert done.stdout.encode() == manifest
    run("skopeo", "--insecure-policy", "copy", f"oci:{tmp_path}/here:v1", f"oci:{tmp_path}/there:v1")
    assert "MANIFEST_UNKNOWN" in run(program, server.address, "team/laid", "none", tmp_path / "here", code=1).stderr


LIBRARY = (ROOT / "docs" / "library.md").read_text()
BLOCKS = [re.sub(r"^    ", "", m.group(), flags=re.M) for m in re.finditer(r"(?:^    .*\n|^\n(?=    ))+", LIBRARY, re.M)]
# What the fragments of the tour take for granted.
AROUND = """#include <poll.h>
#include <stdio.h>
%s
void *pool_alloc(void *user, size_t n);
void *pool_realloc(void *user, void *p, size_t n);
void pool_free(void *user, void *p);
void fragment(berth_client *registry, const berth_content *content, berth_call *call, int running, int fd);
void fragment(berth_client *registry, const berth_content *content, berth_call *call, int running, int fd)
{
    berth_error err = BERTH_ERROR_INIT;
    berth_client_options options = BERTH_CLIENT_OPTIONS_INIT;
    (void)registry, (void)content, (void)call, (void)running, (void)fd, (void)err, (void)options;
%s
}
"""


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_tour_compiles(number, tmp_path):
    """Every example of docs/library.md is C against the headers as they are."""
    need("cc")
    code = BLOCKS[number]
    if "int main(" not in code:
        headers = "".join(f"#include <berth/{p.name}>\n" for p in sorted((ROOT / "include" / "berth").glob("*.h")))
        code = AROUND % (headers, code.replace("berth_client_options options = BERTH_CLIENT_OPTIONS_INIT;\n", ""))
    (tmp_path / "tour.c").write_text(code)
    done = subprocess.run(["cc", *STRICT, "-std=gnu17", "-Wno-unused", "-Wno-unused-but-set-variable", "-I", ROOT / "include",
                           "-fsyntax-only", tmp_path / "tour.c"], capture_output=True, text=True)
    assert done.returncode == 0, code + done.stderr


class TestEventLoops:
    """C051: a thousand calls on one thread."""

    @pytest.fixture(scope="class")
    def image(self, server):
        manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.INDEX, "manifests": []}).encode()
        status, _, _ = server.request("PUT", "/v2/team/loops/manifests/v1", manifest, {"Content-Type": layout.INDEX})
        assert status == 201
        return [server.address, "team/loops", "v1"]

    def threads_of(self, program, argv):
        """How many threads a run has at most, looked at while it waits for answers."""
        process = subprocess.Popen([program, *argv], stdout=subprocess.PIPE, text=True)
        most = 0
        while process.poll() is None:
            try:
                most = max(most, len(os.listdir(f"/proc/{process.pid}/task")))
            except FileNotFoundError:
                break
        out = process.communicate()[0]
        assert process.returncode == 0, out
        return most

    def test_poll(self, image, build):
        done = run(build(EXAMPLES / "loop_poll.c"), *image)
        assert done.stdout == "1000 calls are under way\n1000 of them have ended well\n"

    def test_poll_says_what_goes_wrong(self, image, build):
        done = run(build(EXAMPLES / "loop_poll.c"), *image[:2], "none", code=1)
        assert "0 of them have ended well" in done.stdout and done.stderr.count("\n") == 1000

    def test_libuv(self, image, build):
        program = build(EXAMPLES / "loop_uv.c", packages=["libuv"])
        assert run(program, *image).stdout == "1000 of 1000 calls have ended well, the loop has ticked meanwhile\n"

    def test_no_thread_is_started(self, image, build):
        assert self.threads_of(build(EXAMPLES / "loop_poll.c"), image) == 1
