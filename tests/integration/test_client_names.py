"""Tags that programs call otherwise than the registry does (C102), with a real registry."""

import json

import pytest

from commandline import each_of, fill
from registries import REAL
from server import ROOT
from test_client_examples import build  # noqa: F401
from test_client_examples import run

real = each_of({"berth": REAL["berth"]}, fill)


@pytest.fixture(scope="module")
def program(build):
    return build(ROOT / "tests" / "integration" / "tag_names.c")


def test_tags_have_another_name_there(program, real, tmp_path):
    (tmp_path / "manifest").write_bytes(real.manifest)
    real.running.push_blob("team/names", b'{"architecture":"amd64","os":"linux"}')
    real.running.push_blob("team/names", real.blob)
    done = run(program, real.host, "team/names", tmp_path / "manifest")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1.0+build\n1.1+build\n1.0+build\n"
    assert json.loads(real.running.get("/v2/team/names/tags/list")[1])["tags"] == ["1.0_build"]
