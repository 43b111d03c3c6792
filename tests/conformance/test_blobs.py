"""Bodies of blobs (end-2): whole, one range, several, conditions."""

import email.parser
import email.policy

import pytest

from .oci import ABSENT, Repo, digest_of, expect_error, noise

SIZES = [0, 1, 4095, 16383, 16384, 16385, 65536, 262144, 262145, 3 * 1024 * 1024 + 7]


@pytest.mark.parametrize("size", SIZES)
def test_blob__comes_back_whole(repo, size):
    """Pulling blobs: "A GET request to an existing blob URL MUST provide the expected blob, with a response code that
    MUST be 200 OK", at each size where the store changes its ways."""
    data = noise(size)
    digest = repo.blob(data)["digest"]
    reply = repo.get("blobs/" + digest)
    assert reply.status == 200 and reply.body == data
    assert reply.header("Content-Length") == str(size)
    assert reply.header("Docker-Content-Digest") == digest
    assert reply.header("Accept-Ranges") == "bytes"
    assert reply.header("ETag") == f'"{digest}"'


def test_blob__sha512_comes_back_whole(repo):
    """Pulling blobs: "the value of this header MUST be a digest matching that of the response body", in the algorithm
    pushed (R031)."""
    data = noise(50000)
    digest = repo.blob(data, "sha512")["digest"]
    reply = repo.get("blobs/" + digest)
    assert reply.status == 200 and reply.body == data
    named = reply.header("Docker-Content-Digest")
    assert digest_of(data, named.split(":")[0]) == named


def test_blob__unknown_is_404(repo):
    """Pulling blobs: "If the blob is not found in the repository, the response code MUST be 404 Not Found"."""
    repo.blob()
    expect_error(repo.get("blobs/" + ABSENT), 404, "BLOB_UNKNOWN", names=ABSENT)


def test_blob__of_another_repository_is_404(repo, other):
    """Pulling blobs: "in the repository": neither GET nor HEAD reveals another's blob (R036)."""
    digest = repo.blob()["digest"]
    other.blob()
    expect_error(other.get("blobs/" + digest), 404, "BLOB_UNKNOWN")
    assert other.head("blobs/" + digest).status == 404


@pytest.mark.parametrize("size", [1000, 100000])
@pytest.mark.parametrize("value, first, last", [
    ("bytes=0-0", 0, 0),
    ("bytes=0-99", 0, 99),
    ("bytes=10-19", 10, 19),
    ("bytes=990-", 990, None),
    ("bytes=-10", -10, None),
    ("bytes=0-", 0, None),
    ("bytes=999-99999999", 999, 99999999),
    ("bytes=-99999999", 0, None),
    ("bytes=  5-6", 5, 6),
    ("BYTES=5-6", 5, 6),
    ("bytes=5-6,", 5, 6),
])
def test_blob__single_range(repo, size, value, first, last):
    """Pulling blobs: "A registry SHOULD support the Range request header in accordance with RFC 9110 (section 14)"
    (R007)."""
    data = noise(size)
    digest = repo.blob(data)["digest"]
    first = size + first if first < 0 else first
    last = size - 1 if last is None else min(last, size - 1)
    reply = repo.get("blobs/" + digest, Range=value)
    if value[5:7] in ("  ",) or value.endswith(","):  # odd spellings may be ignored, not misread
        if reply.status == 200:
            assert reply.body == data
            return
    assert reply.status == 206, reply
    assert reply.body == data[first:last + 1]
    assert reply.header("Content-Range") == f"bytes {first}-{last}/{size}"
    assert reply.header("Content-Length") == str(last - first + 1)
    assert reply.header("ETag") == f'"{digest}"'
    assert reply.header("Docker-Content-Digest") in (None, digest)


@pytest.mark.parametrize("value", ["bytes=1000-", "bytes=1000-2000", "bytes=99999999999-", "bytes=-0"])
def test_blob__range_beyond_the_end_is_416(repo, value):
    """RFC 9110 section 15.5.17: unsatisfiable is 416 with Content-Range: bytes */length."""
    digest = repo.blob(noise(1000))["digest"]
    reply = repo.get("blobs/" + digest, Range=value)
    expect_error(reply, 416)
    assert reply.header("Content-Range") == "bytes */1000"


@pytest.mark.parametrize("value", ["bytes=", "bytes=a-b", "bytes=--5", "bytes", "items=0-5", "bytes=0-5-6",
                                   "bytes=0x1-5", "bytes=+1-5", "bytes=-", ""])
def test_blob__malformed_range_is_ignored(repo, value):
    """RFC 9110 section 14.2: an invalid ranges-specifier, or a unit not understood, is ignored: 200 with the whole."""
    data = noise(1000)
    reply = repo.get("blobs/" + repo.blob(data)["digest"], Range=value)
    assert reply.status == 200 and reply.body == data, reply


def test_blob__range_that_ends_before_it_begins(repo):
    """RFC 9110 section 14.2: a server "MAY ignore or reject" an invalid ranges-specifier: whole or 416, never a part."""
    data = noise(1000)
    reply = repo.get("blobs/" + repo.blob(data)["digest"], Range="bytes=5-4")
    assert reply.status == 416 or (reply.status == 200 and reply.body == data), reply


@pytest.mark.parametrize("value", ["bytes=99999999999999999999999-", "bytes=0-99999999999999999999999",
                                   "bytes=-99999999999999999999999"])
def test_blob__range_of_any_number_is_no_failure(repo, value):
    """RFC 9110 section 14.2: a number beyond 64 bits is answered, never a 5xx."""
    reply = repo.get("blobs/" + repo.blob(noise(1000))["digest"], Range=value)
    assert reply.status in (200, 206, 416), reply


@pytest.mark.parametrize("size", [2000, 200000])
def test_blob__several_ranges_are_multipart(repo, size):
    """RFC 9110 section 15.3.7.2: several ranges come as multipart/byteranges, each part with its Content-Range (R008)."""
    data = noise(size)
    reply = repo.get("blobs/" + repo.blob(data)["digest"], Range="bytes=0-9,100-149,-20")
    assert reply.status == 206, reply
    assert reply.header("Content-Range") is None
    kind = reply.header("Content-Type")
    assert kind.startswith("multipart/byteranges; boundary=") or kind.startswith("multipart/byteranges;boundary=")
    assert reply.header("Content-Length") == str(len(reply.body))
    boundary = kind.split("boundary=")[1].strip('"')
    pieces = reply.body.split(b"--" + boundary.encode())
    assert pieces[-1].strip() == b"--"
    got = []
    for piece in pieces[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        fields = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head.lstrip(b"\r\n") + b"\r\n\r\n")
        got.append((fields["Content-Range"], body[:-2]))
    assert got == [(f"bytes 0-9/{size}", data[:10]), (f"bytes 100-149/{size}", data[100:150]),
                   (f"bytes {size - 20}-{size - 1}/{size}", data[-20:])]


def test_blob__overlapping_ranges_cost_no_more_than_the_blob(repo):
    """RFC 9110 section 14.2: many or overlapping ranges may be coalesced or ignored; they never multiply the answer."""
    data = noise(5000)
    digest = repo.blob(data)["digest"]
    merged = repo.get("blobs/" + digest, Range="bytes=0-99,50-199")
    assert merged.status == 206 and merged.body == data[:200], merged
    many = repo.get("blobs/" + digest, Range="bytes=" + ",".join(f"{i}-{i}" for i in range(0, 2000, 2)))
    assert many.status == 200 and many.body == data, many.status
    same = repo.get("blobs/" + digest, Range="bytes=" + ",".join(["0-4999"] * 16))
    assert len(same.body) <= 5000 + 500, len(same.body)


def test_blob__one_satisfiable_range_of_several_is_enough(repo):
    """RFC 9110 section 14.1.2: the set is satisfiable if one range is."""
    data = noise(1000)
    reply = repo.get("blobs/" + repo.blob(data)["digest"], Range="bytes=5000-,10-19")
    assert reply.status == 206 and data[10:20] in reply.body, reply


def test_blob__range_on_head_is_ignored(repo):
    """RFC 9110 section 14.2: "A server MUST ignore a Range header field received with a request method ... for which
    range handling is not defined": HEAD tells the whole length."""
    digest = repo.blob(noise(1000))["digest"]
    reply = repo.head("blobs/" + digest, Range="bytes=0-9")
    assert reply.status == 200 and reply.header("Content-Length") == "1000", reply


def test_blob__range_of_an_empty_blob(repo):
    """RFC 9110 section 14.1.2: nothing of an empty blob is satisfiable."""
    digest = repo.blob(b"")["digest"]
    assert repo.get("blobs/" + digest, Range="bytes=0-0").status == 416
    assert repo.get("blobs/" + digest, Range="bytes=-5").status in (200, 416)


def test_blob__if_range(repo):
    """RFC 9110 section 13.1.5: a matching strong validator keeps the range, any other answers the whole."""
    data = noise(1000)
    digest = repo.blob(data)["digest"]
    same = repo.get("blobs/" + digest, Range="bytes=0-9", If_Range=f'"{digest}"')
    assert same.status == 206 and same.body == data[:10], same
    for value in ['"other"', f'W/"{digest}"', "Wed, 21 Oct 2015 07:28:00 GMT", "rubbish"]:
        reply = repo.get("blobs/" + digest, Range="bytes=0-9", If_Range=value)
        assert reply.status == 200 and reply.body == data, (value, reply)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_blob__if_match_of_other_content_is_412(repo, method):
    """RFC 9110 section 13.1.1: a precondition that is false stops the request; for a manifest, too."""
    digest = repo.blob()["digest"]
    image = repo.image(tag="v1")["digest"]
    for path, tag in ("blobs/" + digest, digest), ("manifests/v1", image), ("manifests/" + image, image):
        for value in (f'"{tag}"', f'"other", "{tag}"', "*"):
            assert repo.send(method, path, headers={"If-Match": value}).status == 200
        for value in ('"other"', f'W/"{tag}"'):  # section 8.8.3.2: strongly compared, a weak one equals none
            reply = repo.send(method, path, headers={"If-Match": value, "If-None-Match": f'"{tag}"', "Range": "bytes=0-0"})
            assert reply.status == 412 and reply.header("ETag") == f'"{tag}"'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_blob__if_none_match_is_304(repo, method):
    """RFC 9110 section 13.1.2: 304 has the ETag and no body; a list, a weak tag and `*` match (R009)."""
    digest = repo.blob(noise(1000))["digest"]
    for value in [f'"{digest}"', f'W/"{digest}"', f'"x", "{digest}"', "*"]:
        reply = repo.send(method, "blobs/" + digest, headers={"If-None-Match": value})
        assert reply.status == 304 and reply.body == b"", (value, reply)
        assert reply.header("ETag") == f'"{digest}"'
    assert repo.send(method, "blobs/" + digest, headers={"If-None-Match": '"other"'}).status == 200
    assert repo.send(method, "blobs/" + ABSENT, headers={"If-None-Match": "*"}).status == 404


def test_blob__condition_comes_before_range(repo):
    """RFC 9110 section 13.2.2: If-None-Match is evaluated before Range."""
    digest = repo.blob(noise(1000))["digest"]
    assert repo.get("blobs/" + digest, Range="bytes=0-9", If_None_Match=f'"{digest}"').status == 304


def test_blob__bytes_are_never_recoded(repo):
    """The body is what was hashed: no Content-Encoding whatever the client would take (R016)."""
    data = b"a" * 100000
    digest = repo.blob(data)["digest"]
    reply = repo.get("blobs/" + digest, Accept_Encoding="gzip, zstd, br, *")
    assert reply.body == data and reply.header("Content-Encoding") is None


@pytest.mark.parametrize("digest", ["sha256:", "sha256:abc", "sha256:" + "A" * 64, "sha256:" + "g" * 64, "md5:" + "a" * 32,
                                    "sha256", "sha512:" + "a" * 64, "sha256:" + "a" * 65, ":" + "a" * 64,
                                    "sha256:" + "a" * 5000])
def test_blob__bad_digest_is_refused(repo, digest):
    """Pulling blobs: `<digest>` has a grammar; what is outside it is a 4xx with DIGEST_INVALID."""
    repo.blob()
    expect_error(repo.get("blobs/" + digest), (400, 404), ("DIGEST_INVALID", "UNSUPPORTED"))


def test_blob__same_bytes_under_two_algorithms(server):
    """descriptor.md, "Digests": a blob may be named by each supported algorithm it was pushed under."""
    repo, data = Repo(server), noise(30000)
    one, two = repo.blob(data)["digest"], repo.blob(data, "sha512")["digest"]
    assert repo.get("blobs/" + one).body == data
    assert repo.get("blobs/" + two).body == data
    assert repo.delete("blobs/" + one).status == 202
    assert repo.get("blobs/" + two).body == data
