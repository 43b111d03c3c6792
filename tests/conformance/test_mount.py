"""Mounting a blob from another repository (end-11)."""

import pytest

from .oci import ABSENT, Repo, digest_of, expect_error, noise, send


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [100, 50000])
def test_mount__from_another_repository(repo, other, algorithm, size):
    """Mounting a blob: "The response to a successful mount MUST be 201 Created, and MUST contain ... Location" (R034)."""
    data = noise(size)
    digest = repo.blob(data, algorithm)["digest"]
    reply = other.send("POST", f"blobs/uploads/?mount={digest}&from={repo.name}")
    assert reply.status == 201, reply
    assert reply.header("Docker-Content-Digest") == digest
    pulled = send(repo.server, "GET", reply.header("Location"))
    assert pulled.status == 200 and pulled.body == data
    assert other.name in reply.header("Location")


def test_mount__outlives_its_source(repo, other):
    """Mounting a blob: the target has the blob in its own right."""
    data = noise(40000)
    digest = repo.blob(data)["digest"]
    assert other.send("POST", f"blobs/uploads/?mount={digest}&from={repo.name}").status == 201
    assert repo.delete("blobs/" + digest).status == 202
    assert other.get("blobs/" + digest).body == data


def test_mount__without_from_finds_the_blob(repo, other):
    """Mounting a blob: "The registry MAY treat the from parameter as optional, and it MAY cross-mount the blob if it can
    be found" (R035)."""
    data = noise(40000)
    digest = repo.blob(data)["digest"]
    reply = other.send("POST", f"blobs/uploads/?mount={digest}")
    assert reply.status == 201, reply
    assert other.get("blobs/" + digest).body == data


@pytest.mark.parametrize("query", ["?mount={absent}&from={name}", "?mount={absent}", "?mount={absent}&from=no/such/name",
                                   "?mount={present}&from=no/such/name"])
def test_mount__falls_back_to_a_session(repo, other, query):
    """Mounting a blob: "unable to mount the requested blob, it SHOULD return a 202": "the upload session has begun"
    (R037)."""
    present = repo.blob()["digest"]
    reply = other.send("POST", "blobs/uploads/" + query.format(absent=ABSENT, present=present, name=repo.name))
    assert reply.status == 202, reply
    data = noise(100)
    assert other.close(reply.header("Location"), digest_of(data), data).status == 201


def test_mount__into_its_own_repository(repo):
    """Mounting a blob: what is there already is 201 as well."""
    digest = repo.blob()["digest"]
    assert repo.send("POST", f"blobs/uploads/?mount={digest}&from={repo.name}").status == 201
    assert repo.send("POST", f"blobs/uploads/?mount={digest}").status == 201


@pytest.mark.parametrize("digest", ["sha256:abc", "rubbish", "md5:" + "a" * 32, "sha256:" + "A" * 64])
def test_mount__of_a_bad_digest_is_400(repo, digest):
    """Pushing blobs: an invalid or unsupported digest "SHOULD ... 400 Bad Request"."""
    expect_error(repo.send("POST", f"blobs/uploads/?mount={digest}&from=a/b"), 400, ("DIGEST_INVALID", "UNSUPPORTED"))


@pytest.mark.parametrize("name", ["UPPER", "a//b", "../x", "a%00b"])
def test_mount__from_a_bad_name_reveals_nothing(repo, name):
    """Mounting a blob: a name outside the grammar is refused, or is a blob that cannot be mounted."""
    digest = repo.blob()["digest"]
    reply = Repo(repo.server).send("POST", f"blobs/uploads/?mount={digest}&from={name}")
    assert reply.status in (202, 400), reply


def test_mount__without_from_by_setting(make_server):
    """Mounting a blob: `from` being optional is a MAY, so a setting switches it off."""
    server = make_server("--registry-mount-anywhere=false")
    one, two = Repo(server), Repo(server)
    digest = one.blob()["digest"]
    assert two.send("POST", f"blobs/uploads/?mount={digest}").status == 202
    assert two.send("POST", f"blobs/uploads/?mount={digest}&from={one.name}").status == 201


def test_mount__with_a_trailing_slash_or_none(repo, other):
    """Both spellings of the end-point (R002)."""
    digest = repo.blob()["digest"]
    assert other.send("POST", f"blobs/uploads?mount={digest}&from={repo.name}").status == 201
