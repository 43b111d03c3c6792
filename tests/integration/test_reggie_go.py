"""The example of Go Reggie's documentation (reggie/main.go), built with the real module and run as printed."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import layout
from clients import need

EXAMPLE = Path(__file__).parent / "reggie"


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    need("go")
    built = tmp_path_factory.mktemp("reggie") / "example"
    done = subprocess.run(["go", "build", "-o", built, "."], cwd=EXAMPLE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return built


def test_the_example_runs_as_printed(registry, certificates, example):
    env = dict(os.environ, SSL_CERT_FILE=str(certificates.ca), NO_PROXY="127.0.0.1")
    done = subprocess.run([example, registry.url], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^Status: (\d+)$", done.stdout, re.M) == ["202", "202", "201", "200", "201", "200"]
    manifest = ('{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": { "digest": '
                '"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", '
                '"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2 }, "layers": [], '
                '"schemaVersion": 2 }')
    assert "\nBlob content:\n{}\n" in done.stdout
    assert f"\nManifest content:\n{manifest}\n" in done.stdout
    status, headers, body = registry.request("GET", "/v2/myorg/myrepo/manifests/mytag",
                                             headers={"Accept": layout.MANIFEST})
    assert (status, body) == (200, manifest.encode())
    assert headers["Docker-Content-Digest"] == layout.digest_of(manifest.encode())


def test_the_example_runs_again_over_what_is_there(registry, certificates, example):
    env = dict(os.environ, SSL_CERT_FILE=str(certificates.ca), NO_PROXY="127.0.0.1")
    for _ in range(2):
        done = subprocess.run([example, registry.url], capture_output=True, text=True, env=env, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
