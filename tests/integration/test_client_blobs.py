"""`berth blob put` of several files: they go up at once, each is told of, and one that fails leaves the others alone."""

import os
import threading

import pytest

import layout
from commandline import FAILED, NOT_FOUND, USAGE, each_of
from registries import REAL

real = each_of(REAL)


@pytest.fixture
def files(tmp_path):
    """Forty files, one of them empty, and their digests."""
    names, digests = [], []
    for i in range(40):
        data = os.urandom(i * 1000)
        names.append(tmp_path / f"file-{i}")
        names[-1].write_bytes(data)
        digests.append(layout.digest_of(data))
    return names, digests


def test_several_files_go_up(berth, real, files):
    names, digests = files
    ref = f"{real.address}/team/several"
    lines = berth("blob", "put", ref, *names).out.decode().splitlines()
    assert lines == [f"{name}  {digest}  stored" for name, digest in zip(names, digests)]
    for name, digest in list(zip(names, digests))[::13]:
        assert berth("blob", "get", f"{ref}@{digest}").out == name.read_bytes()
    found = berth("blob", "put", ref, *names, "--format", "{{.digest}} {{.size}} {{.outcome}}").out.decode().splitlines()
    assert found == [f"{digest} {name.stat().st_size} present" for name, digest in zip(names, digests)]


def test_they_go_at_once(berth, scripted, files):
    s, names = scripted(), files[0][1:5]
    all_there = threading.Barrier(len(names), timeout=10)

    def ask(request):
        all_there.wait()
        return 200, {"Content-Length": "0"}, b""

    for digest in files[1][1:5]:
        s.routes[f"/v2/a/blobs/{digest}"] = ask
    assert berth("blob", "put", f"{s.address}/a", *names).out.count(b"  present\n") == len(names)


def test_one_that_fails_leaves_the_others_alone(berth, real, files, tmp_path):
    names, digests = files
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"",))
    writer.start()
    done = berth("blob", "put", f"{real.address}/team/most", tmp_path / "absent", names[1], tmp_path / "pipe", names[2], code=NOT_FOUND)
    writer.join()
    assert [line.split("  ")[1] for line in done.out.decode().splitlines()] == digests[1:3]
    assert "absent" in done.err and "a pipe can't be one of several files" in done.err
    done = berth("blob", "put", f"{real.address}/team/most", names[3], "-", code=USAGE)
    assert digests[3] in done.out.decode() and "one of several files" in done.err


def test_what_is_for_one_file_alone(berth, files, tmp_path):
    names, digests = files
    assert "for one FILE" in berth("blob", "put", f"localhost:1/a@{digests[1]}", *names[:2], code=USAGE).err
    assert "for one FILE" in berth("blob", "put", "localhost:1/a", *names[:2], "--state", tmp_path / "state", code=USAGE).err


def test_the_first_failure_is_the_exit_code(berth, scripted, files):
    s, (names, digests) = scripted(), files
    s.routes[f"/v2/a/blobs/{digests[1]}"] = lambda request: (200, {"Content-Length": "0"}, b"")
    s.routes["/v2/a/blobs/uploads/"] = lambda request: (400, {}, b"")
    done = berth("blob", "put", f"{s.address}/a", names[2], names[1], names[3], code=FAILED)
    assert done.out.decode() == f"{names[1]}  {digests[1]}  present\n" and done.err.count("berth blob put: ") == 2
