"""Pushing blobs: sessions, one request, chunks, status, cancelling (end-4a to end-6, end-13, end-14)."""

import time

import pytest

from .oci import (ABSENT, Repo, UUID, digest_of, expect_error, gather, noise, path_of, send, with_query)


def held(repo, location):
    """How many bytes a session holds, by its status answer."""
    reply = repo.status(location)
    assert reply.status == 204, reply
    last = int(reply.header("Range").split("-")[1])
    return last + 1 if last else 0  # nothing and one byte look alike; no case here sends one byte


# --- POST ---

@pytest.mark.parametrize("slash", ["/", ""])
def test_upload__post_opens_a_session(repo, slash):
    """POST then PUT: "the response MUST have a code of 202 Accepted, and MUST include ... Location"; it "MUST contain a
    UUID representing a unique session ID"."""
    reply = repo.send("POST", "blobs/uploads" + slash)
    assert reply.status == 202, reply
    found = UUID.search(reply.header("Location"))
    assert found
    assert reply.header("Docker-Upload-UUID") == found.group(0)
    assert reply.header("Range") == "0-0"
    assert reply.header("Content-Length") == "0"


def test_upload__sessions_are_unique(repo):
    """POST then PUT: "a unique session ID"."""
    assert len({repo.start() for _ in range(20)}) == 20


def test_upload__location_is_absolute_and_carries_no_query(server, repo):
    """POST then PUT: Location "MAY be absolute"; the seeds' clients want it so, and append `?digest=` themselves."""
    location = repo.start()
    assert location.startswith(f"http://{server.host}:{server.port}/v2/"), location
    assert "?" not in location


def test_upload__location_follows_the_host_the_client_used(repo):
    """RFC 7231 section 7.1.2: an absolute Location names the host that the client spoke to."""
    reply = repo.send("POST", "blobs/uploads/", headers={"Host": "registry.example:5443"})
    assert reply.header("Location").startswith("http://registry.example:5443/v2/"), reply


def test_upload__post_without_any_length_opens_a_session(repo):
    """POST then PUT: no body is asked for, so no length either."""
    reply = repo.send("POST", "blobs/uploads/", length=False)
    assert reply.status == 202, reply


def test_upload__minimum_chunk_is_told_only_if_there_is_one(repo):
    """Pushing a blob in chunks: OCI-Chunk-Min-Length "if the registry has a minimum chunk size" (R029): a number then,
    and chunks smaller than any minimum that is not told are taken."""
    reply = repo.send("POST", "blobs/uploads/")
    told = reply.header("OCI-Chunk-Min-Length")
    assert told is None or int(told) >= 0
    if not told or told == "0":
        assert repo.patch(reply.header("Location"), b"ab", 0).status == 202


# --- POST then PUT ---

@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 1000000])
def test_upload__post_then_put(repo, algorithm, size):
    """POST then PUT: "the response MUST have code 201 Created and MUST have ... Location: <blob-location>", "a pullable
    blob URL"."""
    data = noise(size)
    digest = digest_of(data, algorithm)
    reply = repo.close(repo.start(), digest, data, {"Content-Type": "application/octet-stream"})
    assert reply.status == 201, reply
    assert reply.header("Docker-Content-Digest") == digest
    assert "?" not in reply.header("Location")
    pulled = send(repo.server, "GET", reply.header("Location"))
    assert pulled.status == 200 and pulled.body == data


def test_upload__put_in_chunked_coding(repo):
    """RFC 9112 section 7.1: a body in chunked coding is a body (R020)."""
    data = noise(70000)
    digest = digest_of(data)
    reply = send(repo.server, "PUT", with_query(path_of(repo.start()), digest=digest),
                 [data[:1], data[1:50000], data[50000:]], chunked=True)
    assert reply.status == 201, reply
    assert repo.get("blobs/" + digest).body == data


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "application/x-tar", "text/plain; charset=x"])
def test_upload__any_content_type_or_none(repo, kind):
    """POST then PUT: blobs are bytes; a missing or another Content-Type is accepted unless a list says otherwise
    (R250)."""
    data = noise(100)
    location = repo.start()
    assert repo.patch(location, data[:50], headers={"Content-Type": kind} if kind else {}).status == 202
    assert repo.close(location, digest_of(data), data[50:], {"Content-Type": kind} if kind else {}).status == 201


@pytest.mark.parametrize("slash", ["", "/"])
def test_upload__session_with_and_without_a_trailing_slash(repo, slash):
    """Each method on a session takes both spellings (R002)."""
    data = noise(100)
    location = path_of(repo.start()).rstrip("/") + slash
    assert repo.patch(location, data, 0).status == 202
    assert repo.status(location).status == 204
    assert repo.close(location, digest_of(data)).status == 201
    location = path_of(repo.start()).rstrip("/") + slash
    assert send(repo.server, "DELETE", location).status == 204


# --- single POST ---

@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [0, 1, 16385, 500000])
@pytest.mark.parametrize("chunked", [False, True])
def test_upload__single_post(repo, algorithm, size, chunked):
    """Single POST (end-4b): "Successful completion of the request MUST return a 201 Created and MUST include ...
    Location: <blob-location>"."""
    data = noise(size)
    digest = digest_of(data, algorithm)
    pieces = [data[i:i + 100000] for i in range(0, size, 100000)]
    reply = repo.send("POST", "blobs/uploads/?digest=" + digest, pieces if chunked else data, chunked=chunked)
    assert reply.status == 201, reply
    assert reply.header("Docker-Content-Digest") == digest
    pulled = send(repo.server, "GET", reply.header("Location"))
    assert pulled.status == 200 and pulled.body == data


def test_upload__single_post_of_wrong_bytes_is_refused(repo):
    """Single POST: "the <digest> MUST match the blob's digest" (R028)."""
    data = noise(100)
    wrong = digest_of(b"other" + data)
    expect_error(repo.send("POST", "blobs/uploads/?digest=" + wrong, data), 400, "DIGEST_INVALID", names=wrong)
    assert repo.head("blobs/" + wrong).status == 404
    assert repo.head("blobs/" + digest_of(data)).status == 404


def test_upload__single_post_of_what_exists(repo):
    """Single POST: pushing the same bytes again is 201 again."""
    data = noise(100)
    for _ in range(3):
        assert repo.send("POST", "blobs/uploads/?digest=" + digest_of(data), data).status == 201


# --- PATCH ---

@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_upload__chunks_in_order(repo, algorithm):
    """Pushing a blob in chunks: each answer "MUST be 202 Accepted, and MUST have ... Location ... Range: 0-<end>", where
    the end is "the position of the last uploaded byte of the blob" (R268); closing "MUST be 201 Created"."""
    data = noise(100000)
    location = first_location = repo.start("?digest-algorithm=" + algorithm)
    for first in range(0, 100000, 20000):
        reply = repo.patch(location, data[first:first + 20000], first)
        assert reply.status == 202, reply
        assert reply.header("Range") == f"0-{first + 19999}"
        assert reply.header("Docker-Upload-UUID") in reply.header("Location")
        location = reply.header("Location")
        assert location == first_location  # a session's URL stays the same
    reply = repo.close(location, digest_of(data, algorithm))
    assert reply.status == 201, reply
    assert send(repo.server, "GET", reply.header("Location")).body == data


def test_upload__every_chunk_to_the_first_location(repo):
    """Pushing a blob in chunks: the next Location is only a SHOULD for clients; the seeds' clients keep the first."""
    data = noise(5000)
    location = repo.start()
    for first in range(0, 5000, 1000):
        assert repo.patch(location, data[first:first + 1000], first).status == 202
    assert repo.close(location, digest_of(data)).status == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_upload__patch_without_content_range_appends(repo, chunked):
    """Docker's and crane's streamed PATCH has no Content-Range and often no length (R020, R250)."""
    data = noise(300000)
    location = repo.start()
    for part in (data[:100000], data[100000:]):
        body = [part[:7], part[7:]] if chunked else part
        reply = send(repo.server, "PATCH", location, body, chunked=chunked)
        assert reply.status == 202, reply
    assert reply.header("Range") == "0-299999"
    assert repo.close(location, digest_of(data)).status == 201


def test_upload__chunked_coding_with_content_range(repo):
    """Pushing a blob in chunks: the range counts, whatever coding the body has."""
    data = noise(5000)
    location = repo.start()
    for first in (0, 2500):
        reply = send(repo.server, "PATCH", location, [data[first:first + 2500]],
                     {"Content-Range": f"{first}-{first + 2499}"}, chunked=True)
        assert reply.status == 202, reply
    assert repo.close(location, digest_of(data)).status == 201


def test_upload__content_range_with_unit_and_size(repo):
    """Pushing a blob in chunks: the form is `<first>-<last>`; RFC 9110's own form is understood as well."""
    data = noise(2000)
    location = repo.start()
    for first in (0, 1000):
        reply = repo.patch(location, data[first:first + 1000],
                           headers={"Content-Range": f"bytes {first}-{first + 999}/2000"})
        assert reply.status == 202, reply
    assert repo.close(location, digest_of(data)).status == 201


def test_upload__range_header_on_patch_is_ignored(repo):
    """RFC 9110 section 14.2: Range has no meaning on PATCH; some clients send it."""
    data = noise(2000)
    location = repo.start()
    assert repo.patch(location, data, headers={"Range": "bytes=500-600"}).status == 202
    assert repo.close(location, digest_of(data), headers={"Range": "0-1999"}).status == 201


@pytest.mark.parametrize("first", [0, 500, 999, 1001, 5000, 2 ** 63])
def test_upload__chunk_out_of_order_is_416(repo, first):
    """Pushing a blob in chunks: "If a chunk is uploaded out of order, the registry MUST respond with a 416"; the answer
    tells where to go on, and the session goes on."""
    data = noise(2000)
    location = repo.start()
    assert repo.patch(location, data[:1000], 0).status == 202
    reply = repo.patch(location, noise(1000), first)
    expect_error(reply, 416, ("BLOB_UPLOAD_INVALID", "SIZE_INVALID"))
    assert reply.header("Range") == "0-999"
    assert path_of(reply.header("Location")) == path_of(location)
    assert held(repo, location) == 1000
    assert repo.patch(location, data[1000:], 1000).status == 202
    assert repo.close(location, digest_of(data)).status == 201


def test_upload__first_chunk_begins_with_zero(repo):
    """Pushing a blob in chunks: "The first chunk's range MUST begin with 0"."""
    location = repo.start()
    expect_error(repo.patch(location, noise(100), 1), 416)
    assert repo.patch(location, noise(100), 0).status == 202


@pytest.mark.parametrize("value", ["", "-", "0", "0-", "-99", "99-0", "a-b", "0-99,100-199", "0-99/", "0--99",
                                   "0 - 99", "+0-99", "0x0-0x63", "bytes=0-99", "bytes 0-99", "items 0-99/100",
                                   "0-99999999999999999999999999", "99999999999999999999999999-0"])
def test_upload__odd_content_range_is_a_refusal(repo, value):
    """Pushing a blob in chunks: the range "MUST match" ^[0-9]+-[0-9]+$: anything else is a 4xx, and takes nothing from
    the session."""
    data = noise(100)
    location = repo.start()
    reply = repo.patch(location, data, headers={"Content-Range": value})
    if value in ("", "bytes 0-99") and reply.status == 202:
        return  # an empty field is no field; RFC 7233's form without a size is read by some
    expect_error(reply, (400, 416))
    assert held(repo, location) == 0
    assert repo.patch(location, data, 0).status == 202
    assert repo.close(location, digest_of(data)).status == 201


@pytest.mark.parametrize("last", [98, 100])
def test_upload__content_range_must_agree_with_the_length(repo, last):
    """Pushing a blob in chunks: the length is "the content-length, in bytes, of the current chunk": one that contradicts
    the range is refused."""
    data = noise(100)
    location = repo.start()
    expect_error(repo.patch(location, data, headers={"Content-Range": f"0-{last}"}), (400, 416))
    assert held(repo, location) == 0
    assert repo.patch(location, data, 0).status == 202


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_upload__body_with_neither_length_nor_chunked_coding_is_411(repo, method):
    """RFC 9110 section 15.5.12, and django-oci: where a body is asked for, its length is (R248)."""
    if method == "POST":
        reply = repo.send("POST", "blobs/uploads/?digest=" + ABSENT, length=False)
    else:
        reply = send(repo.server, "PATCH", repo.start(), length=False)
    expect_error(reply, 411, ("SIZE_INVALID", "BLOB_UPLOAD_INVALID"))


def test_upload__closing_put_without_a_length_closes(repo):
    """Pushing a blob in chunks: the body of the closing PUT is optional, and so is its length."""
    data = noise(100)
    location = repo.start()
    assert repo.patch(location, data, 0).status == 202
    reply = send(repo.server, "PUT", with_query(path_of(location), digest=digest_of(data)), length=False)
    assert reply.status == 201, reply


# --- the closing PUT ---

def test_upload__last_chunk_in_the_put(repo):
    """Pushing a blob in chunks: "The final chunk MAY be uploaded using a PATCH request or ... in the closing PUT
    request" (R021)."""
    for ranged in (True, False):
        data = noise(3000)
        location = repo.start()
        assert repo.patch(location, data[:2000], 0).status == 202
        reply = repo.close(location, digest_of(data), data[2000:], {"Content-Range": "2000-2999"} if ranged else None)
        assert reply.status == 201, reply
        assert repo.get("blobs/" + digest_of(data)).body == data


@pytest.mark.parametrize("value", ["0-999", "1999-2998", "2001-3000"])
def test_upload__last_chunk_out_of_order_is_416(repo, value):
    """Pushing a blob in chunks: "If the final chunk is uploaded out of order, the registry MUST respond with a 416"
    (R269)."""
    data = noise(3000)
    location = repo.start()
    assert repo.patch(location, data[:2000], 0).status == 202
    reply = repo.close(location, digest_of(data), data[2000:], {"Content-Range": value})
    expect_error(reply, 416)
    assert reply.header("Range") == "0-1999" and path_of(reply.header("Location")) == path_of(location)
    assert repo.close(location, digest_of(data), data[2000:], {"Content-Range": "2000-2999"}).status == 201


def test_upload__closing_without_a_digest_is_refused(repo):
    """Pushing a blob in chunks: "The closing PUT request MUST include the <digest> of the whole blob"."""
    data = noise(100)
    location = repo.start()
    assert repo.patch(location, data, 0).status == 202
    expect_error(send(repo.server, "PUT", location), 400, "DIGEST_INVALID")
    assert repo.close(location, digest_of(data)).status == 201


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:abc", "sha256:" + "A" * 64, "md5:" + "a" * 32, "rubbish",
                                    "blake3:" + "a" * 64, "sha384:" + "a" * 96, "sha512:" + "a" * 64,
                                    "sha256:" + "a" * 64 + "x"])
def test_upload__bad_or_unsupported_digest_is_400(repo, digest):
    """Pushing blobs: "if the client provided digest is invalid or uses an unsupported algorithm, the registry SHOULD
    respond with a response code 400 Bad Request" (R033, R266)."""
    data = noise(100)
    location = repo.start()
    assert repo.patch(location, data, 0).status == 202
    expect_error(repo.close(location, digest), 400, ("DIGEST_INVALID", "UNSUPPORTED"))
    assert repo.close(location, digest_of(data)).status == 201
    expect_error(repo.send("POST", "blobs/uploads/?digest=" + digest, data), 400, ("DIGEST_INVALID", "UNSUPPORTED"))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_upload__wrong_digest_after_chunks_leaves_the_session_usable(repo, algorithm):
    """code-4 DIGEST_INVALID: checked before each 201, also at the end of a chunked upload (R028); the session is usable
    again (R249)."""
    data = noise(50000)
    location = repo.start()
    assert repo.patch(location, data, 0).status == 202
    wrong = digest_of(noise(10), algorithm)
    expect_error(repo.close(location, wrong), 400, "DIGEST_INVALID", names=wrong)
    assert repo.head("blobs/" + wrong).status == 404
    assert held(repo, location) == 50000
    assert repo.close(location, digest_of(data, algorithm)).status == 201


def test_upload__wrong_digest_with_a_body_leaves_the_session_usable(repo):
    """The same where the bytes came in the closing PUT: the status says what is held, and the client goes on there."""
    data = noise(50000)
    location = repo.start()
    expect_error(repo.close(location, digest_of(b"wrong"), data), 400, "DIGEST_INVALID")
    rest = data[held(repo, location):]
    assert repo.close(location, digest_of(data), rest).status == 201
    assert repo.get("blobs/" + digest_of(data)).body == data


def test_upload__large_closing_put_with_a_wrong_digest_leaves_the_session_as_it_was(repo):
    """The same for a body beyond what a PATCH is recorded after: the whole body is sent again (R249)."""
    data = noise(1000) * 50000
    location = repo.start()
    expect_error(repo.close(location, digest_of(b"wrong"), data), 400, "DIGEST_INVALID")
    assert held(repo, location) == 0
    assert repo.close(location, digest_of(data), data).status == 201


def test_upload__repeated_closing_put_promises_nothing_that_is_gone(repo):
    """A 201 is a promise: not for a blob that was deleted since."""
    data = noise(2000)
    location = repo.start()
    assert repo.close(location, digest_of(data), data).status == 201
    assert repo.delete("blobs/" + digest_of(data)).status == 202
    assert repo.close(location, digest_of(data), data).status == 404


def test_upload__repeated_closing_put_gets_the_same_201(repo):
    """A client that lost the answer asks again: the same 201 for ten minutes, with the body or without."""
    data = noise(20000)
    location = repo.start()
    assert repo.patch(location, data[:10000], 0).status == 202
    first = repo.close(location, digest_of(data), data[10000:])
    assert first.status == 201, first
    for body in (data[10000:], b"", data[10000:]):
        again = repo.close(location, digest_of(data), body)
        assert again.status == 201, again
        assert again.header("Location") == first.header("Location")
        assert again.header("Docker-Content-Digest") == first.header("Docker-Content-Digest")
    expect_error(repo.close(location, digest_of(b"another")), (400, 404))


def test_upload__closed_session_takes_no_more(repo):
    """Pushing a blob in chunks: "the session MUST be closed with a PUT": after it nothing is appended."""
    data = noise(100)
    location = repo.start()
    assert repo.close(location, digest_of(data), data).status == 201
    expect_error(repo.patch(location, data), 404, "BLOB_UPLOAD_UNKNOWN")
    expect_error(repo.status(location), 404, "BLOB_UPLOAD_UNKNOWN")
    assert repo.get("blobs/" + digest_of(data)).body == data


# --- algorithms ---

def test_upload__digest_algorithm_announced(repo):
    """Pushing a blob in chunks (end-4c): `digest-algorithm` is "the algorithm the registry should use for the blob"
    (R030, R267)."""
    for algorithm in ("sha256", "sha512"):
        data = noise(40000)
        location = repo.start("?digest-algorithm=" + algorithm)
        assert repo.patch(location, data[:20000], 0).status == 202
        assert repo.close(location, digest_of(data, algorithm), data[20000:]).status == 201


@pytest.mark.parametrize("announced, used", [("sha256", "sha512"), ("sha512", "sha256"), (None, "sha512")])
def test_upload__digest_of_an_unannounced_algorithm(repo, announced, used):
    """Pushing a blob in chunks: the parameter is a SHOULD for clients, so a digest of the other algorithm is checked
    just the same."""
    data = noise(40000)
    location = repo.start("?digest-algorithm=" + announced if announced else "")
    assert repo.patch(location, data, 0).status == 202
    expect_error(repo.close(location, digest_of(b"wrong", used)), 400, "DIGEST_INVALID")
    assert repo.close(location, digest_of(data, used)).status == 201
    assert repo.get("blobs/" + digest_of(data, used)).body == data


@pytest.mark.parametrize("algorithm", ["md5", "blake3", "sha1", "SHA256", "sha256:", "rubbish", "a" * 1000])
def test_upload__unsupported_algorithm_is_400(repo, algorithm):
    """Pushing blobs: "uses an unsupported algorithm ... 400 Bad Request" (end-4c lists 400)."""
    expect_error(repo.send("POST", "blobs/uploads/?digest-algorithm=" + algorithm), 400, ("DIGEST_INVALID", "UNSUPPORTED"))


# --- status, cancelling ---

def test_upload__status_tells_where_to_go_on(repo):
    """Pushing a blob in chunks (end-13): "MUST be a 204 No Content response code, and MUST have ... Location ... Range"
    (R022)."""
    data = noise(3000)
    location = repo.start()
    reply = repo.status(location)
    assert reply.status == 204 and reply.body == b"" and reply.header("Range") == "0-0", reply
    for first in (0, 1500):
        assert repo.patch(location, data[first:first + 1500], first).status == 202
        reply = repo.status(location)
        assert reply.status == 204, reply
        assert reply.header("Range") == f"0-{first + 1499}"
        assert reply.header("Location") == location
        assert reply.header("Docker-Upload-UUID") in location
    assert repo.close(reply.header("Location"), digest_of(data)).status == 201


def test_upload__a_broken_chunk_is_resumed(server, repo):
    """Resumable Push: after a lost connection the status says what arrived, and the rest follows."""
    import socket
    data = noise(400000)
    location = repo.start()
    with socket.create_connection((server.host, server.port), 30) as wire:
        wire.sendall(f"PATCH {path_of(location)} HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: 400000\r\n\r\n".encode()
                     + data[:300000])
        time.sleep(0.3)
    deadline = time.monotonic() + 20
    while True:  # the server needs a moment to see that the client left
        have = held(repo, location)
        reply = repo.patch(location, data[have:], have)
        if reply.status == 202 or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert reply.status == 202, reply
    assert have <= 300000
    assert repo.close(location, digest_of(data)).status == 201


def test_upload__cancel(repo):
    """Cancel a blob upload (end-14): "the response SHOULD be a 204 No Content" (R023, R270)."""
    location = repo.start()
    assert repo.patch(location, noise(20000), 0).status == 202
    reply = send(repo.server, "DELETE", location)
    assert reply.status == 204 and reply.body == b"", reply
    expect_error(repo.status(location), 404, "BLOB_UPLOAD_UNKNOWN")
    expect_error(repo.patch(location, b"more"), 404, "BLOB_UPLOAD_UNKNOWN")
    expect_error(repo.close(location, ABSENT), 404, "BLOB_UPLOAD_UNKNOWN")
    expect_error(send(repo.server, "DELETE", location), 404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("session", ["00000000-0000-4000-8000-000000000000", "x", "..", "%2e%2e", "a" * 3000, "%00"])
def test_upload__unknown_session_is_404(repo, session):
    """end-5, end-6, end-13, end-14 list 404: a session nobody opened."""
    repo.blob()
    target = repo.base + "blobs/uploads/" + session
    for method, body in [("GET", None), ("PATCH", b"abc"), ("PUT", b"abc"), ("DELETE", None)]:
        reply = send(repo.server, method, target + ("?digest=" + ABSENT if method == "PUT" else ""), body)
        expect_error(reply, (400, 404))


def test_upload__session_belongs_to_its_repository(repo, other):
    """A session's URL under another name is unknown there."""
    other.blob()
    location = path_of(repo.start())
    moved = location.replace(repo.name, other.name)
    if moved == location:
        pytest.skip("sessions are not named below their repository")
    expect_error(repo.status(moved), 404, "BLOB_UPLOAD_UNKNOWN")
    expect_error(repo.patch(moved, b"abc"), 404, "BLOB_UPLOAD_UNKNOWN")
    assert repo.status(location).status == 204


def test_upload__refused_before_the_body_is_sent(server, repo):
    """RFC 9110 section 10.1.1: Expect: 100-continue lets a refused push keep its body (R048)."""
    from .test_raw_requests import exchange
    answers = exchange(server, f"PATCH {repo.base}blobs/uploads/00000000-0000-4000-8000-000000000000 HTTP/1.1\r\nHost: h\r\n"
                               "Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n".encode(), "PATCH")
    assert answers[0].status == 404, answers
    location = path_of(repo.start())
    answers = exchange(server, f"PATCH {location} HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                               "Expect: 100-continue\r\n\r\n".encode(), "PATCH", then=b"abc")
    assert [answer.status for answer in answers] == [100, 202], answers


def test_upload__early_refusal_is_seen_while_the_body_is_being_sent(repo):
    """A client in the middle of a large body reads the refusal, not a reset connection."""
    reply = send(repo.server, "PATCH", repo.base + "blobs/uploads/00000000-0000-4000-8000-000000000000", noise(8 << 20))
    expect_error(reply, 404)


def test_upload__two_requests_to_one_session_never_mix(repo):
    """Chunks "MUST be uploaded in order": of two at once each is whole or refused, and the status is the sum."""
    location = repo.start()
    parts = [bytes([65 + i]) * 30000 for i in range(4)]
    replies = gather(4, lambda i: repo.patch(location, parts[i]))
    taken = [part for part, reply in zip(parts, replies) if reply.status == 202]
    assert taken and all(reply.status < 500 or reply.status == 503 for reply in replies), replies
    assert held(repo, location) == 30000 * len(taken)


def test_upload__nothing_is_visible_before_the_closing_put(repo):
    """Pushing a blob in chunks: the blob exists from its 201 on, not earlier."""
    data = noise(30000)
    location = repo.start()
    assert repo.patch(location, data, 0).status == 202
    assert repo.head("blobs/" + digest_of(data)).status == 404
    assert repo.close(location, digest_of(data)).status == 201
    assert repo.head("blobs/" + digest_of(data)).status == 200


def test_upload__a_body_shorter_than_announced_stores_no_blob(server, repo):
    """Single POST: "The Content-Length header MUST match the blob's actual content length"."""
    import socket
    data = noise(1000)
    with socket.create_connection((server.host, server.port), 30) as wire:
        wire.sendall(f"POST {repo.base}blobs/uploads/?digest={digest_of(data)} HTTP/1.1\r\nHost: h\r\n"
                     "Content-Length: 2000\r\n\r\n".encode() + data)
        wire.shutdown(socket.SHUT_WR)
        wire.recv(65536)
    assert repo.head("blobs/" + digest_of(data)).status == 404


def test_upload__session_expires_and_activity_prolongs_it(make_server):
    """Cancel a blob upload: "the server SHOULD eventually timeout unfinished uploads" (R025, R252): the setting counts
    from the last activity."""
    server = make_server("--registry-session-timeout=5s")
    repo = Repo(server)
    idle, busy = repo.start(), repo.start()
    until, size = time.monotonic() + 6, 0
    while time.monotonic() < until:
        assert repo.patch(busy, b"x" * 100, size).status == 202
        size += 100
        time.sleep(0.3)
    expect_error(repo.patch(idle, b"x" * 100, 0), 404, "BLOB_UPLOAD_UNKNOWN")
    expect_error(repo.status(idle), 404, "BLOB_UPLOAD_UNKNOWN")
    assert repo.close(busy, digest_of(b"x" * size)).status == 201
