"""What a client can do wrong: tests/data/raw-requests.txt over a bare socket.

Whatever is sent, the answer is well-formed HTTP, its status one that the table allows, its refusal the specification's
JSON below /v2/, and no byte behind a malformed request is read as another one.
"""

import json
import re
import socket
import time
from pathlib import Path

import pytest

from .oci import ABSENT, CODES, Repo, Reply

TABLE = Path(__file__).resolve().parent.parent / "data" / "raw-requests.txt"
PING = b"GET /v2/ HTTP/1.1\r\nHost: h\r\nX-Second: yes\r\n\r\n"
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


def expand(text):
    """The escapes and repetitions of the table, as bytes."""
    text = text.replace("{absent}", ABSENT).replace("{b*0}", "")
    text = re.sub(r"\{((?:[^{}\\]|\\.|\\x..)+)\*(\d+)\}", lambda match: match.group(1) * int(match.group(2)), text)
    data = re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda match: {
        b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\",
    }.get(match.group(1)) or bytes([int(match.group(1)[1:], 16)]), text.encode())
    return data.replace(b"{cl}", b"%d" % len(data.partition(b"\r\n\r\n")[2]))


def table():
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            name, statuses, then, request = line.split(None, 3)
            yield pytest.param({int(status) for status in statuses.split("|")}, then, request, id=name)


ROWS = list(table())


def parse(buffer, method):
    """One complete, well-formed answer off the front of @buffer and what follows it; None while more is to come."""
    head, separator, rest = buffer.partition(b"\r\n\r\n")
    if not separator:
        return None
    lines = head.split(b"\r\n")
    status_line = re.fullmatch(rb"HTTP/1\.[01] ([1-5][0-9][0-9]) [\t -~]*", lines[0])
    assert status_line, lines[0]
    status, headers = int(status_line.group(1)), []
    for line in lines[1:]:
        field = re.fullmatch(rb"(" + TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*)", line)
        assert field, f"malformed header {line!r}"
        headers.append((field.group(1).decode(), field.group(2).decode("latin-1").strip()))
    answer = Reply(status, headers, b"")
    lengths = answer.all("Content-Length")
    assert len(lengths) <= 1 and not (lengths and answer.all("Transfer-Encoding")), answer
    if method == "HEAD" or status < 200 or status in (204, 304):
        return answer, rest
    assert lengths, f"no length: {answer}"
    length = int(lengths[0])
    if len(rest) < length:
        return None
    answer.body = rest[:length]
    return answer, rest[length:]


def exchange(server, data, method="GET", then=None, count=1, quiet=1.0, deadline=20):
    """Sends @data; the answers that come until the server closes, or until @count are there and @quiet seconds have
    brought no more. @then is sent once an interim answer (1xx) has come. `ended`: the server closed."""
    answers, buffer, ended = [], b"", False
    methods = [method, "GET"]
    wire = socket.create_connection((server.host, server.port), timeout=deadline)
    try:
        try:
            wire.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent; the answer is there to read
        limit = time.monotonic() + deadline
        while time.monotonic() < limit:
            final = sum(answer.status >= 200 for answer in answers)
            wire.settimeout(quiet if final >= count else max(0.1, limit - time.monotonic()))
            try:
                chunk = wire.recv(65536)
            except TimeoutError:
                break
            except ConnectionResetError:
                ended = True
                break
            if not chunk:
                ended = True
                break
            buffer += chunk
            while found := parse(buffer, methods[min(sum(a.status >= 200 for a in answers), 1)]):
                answers.append(found[0])
                buffer = found[1]
                if found[0].status < 200 and then is not None:
                    wire.sendall(then)
                    then = None
    finally:
        wire.close()
    assert not buffer, f"bytes that are no answer: {buffer[:200]!r}"
    answers_ended.append(ended)
    del answers_ended[:-1]
    return answers


answers_ended = []  # of the last exchange: whether the server closed the connection


@pytest.mark.parametrize("statuses, then, request_text", ROWS)
def test_raw__request_gets_an_answer_of_the_table(server, statuses, then, request_text):
    """API: "implementations SHOULD follow the HTTP semantics defined in RFC 9110"; RFC 9112 sections 2.2, 3, 5, 6, 7 and
    11.2 for framing and smuggling; Error Codes for the body of each 4xx."""
    request = expand(request_text)
    method = request.lstrip(b"\r\n").split(b" ")[0].decode("latin-1")
    pipelined = request.count(b"HTTP/1.1\r\nHost") > 1 and then == "next"
    wanted = 1 + (then == "next") + pipelined
    answers = exchange(server, request + (PING if then == "next" else b""), method, count=wanted,
                       quiet=10 if then == "close" else 0.3)
    assert answers, "no answer at all"
    first = answers[0]
    assert first.status in statuses, first
    if first.status >= 400 and method != "HEAD" and (b" /v2" in request[:12] or b" /v2" not in request):
        kind = (first.header("Content-Type") or "").split(";")[0]
        assert kind == "application/json", first
        errors = json.loads(first.body)["errors"]
        assert errors and all(" " in error["message"] and error["detail"] for error in errors), first
        assert first.status >= 500 or all(error["code"] in CODES for error in errors), first
    assert not first.all("X-Injected")
    if first.status == 405:
        assert first.header("Allow"), first
    if then == "close":
        assert answers_ended[0], "the connection stays open"
        assert len(answers) == 1, answers
    elif then == "next":
        assert len(answers) == wanted and answers[-1].status == 200, answers
    else:
        assert all(answer.status in statuses | {400, 404, 408, 414, 431} for answer in answers[1:]), answers


def test_raw__table_is_not_short():
    """At least a hundred and fifty rows, no name twice."""
    names = [row.id for row in ROWS]
    assert len(names) >= 150 and len(set(names)) == len(names)


def test_raw__server_lives_after_all_of_it(server):
    """None of the rows above hurt those who come later."""
    repo = Repo(server)
    digest = repo.image(tag="v1")["digest"]
    assert repo.get("manifests/v1").header("Docker-Content-Digest") == digest


@pytest.mark.parametrize("size", [1, 2, 7])
def test_raw__request_in_small_pieces(server, size):
    """RFC 9112 section 2.2: a message is a sequence of octets: where the network cuts it has no meaning."""
    repo = Repo(server)
    location = repo.start().split(str(server.port), 1)[1]
    request = (f"PATCH {location} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
               "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-T: y\r\n\r\n").encode()
    with socket.create_connection((server.host, server.port), timeout=20) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(request), size):
            wire.sendall(request[i:i + size])
            time.sleep(0.001)
        answer = b""
        while chunk := wire.recv(4096):
            answer += chunk
    found, rest = parse(answer, "PATCH")
    assert found.status == 202 and found.header("Range") == "0-10" and not rest


def test_raw__many_pipelined_requests_are_answered_in_order(server):
    """RFC 9112 section 9.3.2: "A server MUST send its responses in the same order that it received the requests"."""
    repo = Repo(server)
    repo.image(tag="v1")
    requests, expected = b"", []
    for i in range(60):
        name = "v1" if i % 3 else "absent"
        requests += f"GET {repo.base}manifests/{name} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
        expected.append(200 if i % 3 else 404)
    answers = exchange(server, requests, count=60)
    assert [answer.status for answer in answers] == expected


def test_raw__pipelined_writes_keep_their_order(server):
    """RFC 9112 section 9.3.2: also where the first is slow: a tag set, read, deleted, read."""
    repo = Repo(server)
    repo.image()
    body = b'{"schemaVersion":2,"manifests":[]}'
    target = f"{repo.base}manifests/v1 HTTP/1.1\r\nHost: h\r\n"
    put = f"PUT {target}Content-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    answers = exchange(server, put + f"GET {target}\r\nDELETE {target}\r\nGET {target}\r\n".encode(), "PUT", count=4)
    assert [answer.status for answer in answers] == [201, 200, 202, 404], answers


def test_raw__nothing_sent_is_nothing_answered(server):
    """A connection that is opened and closed leaves no trace."""
    for _ in range(50):
        socket.create_connection((server.host, server.port), timeout=5).close()
    assert exchange(server, b"GET /v2/ HTTP/1.1\r\nHost: h\r\n\r\n")[0].status == 200


def test_raw__client_that_leaves_in_the_middle(server):
    """A request cut anywhere is dropped; the next one is served."""
    whole = b"POST /v2/raw/rows/blobs/uploads/?digest=" + ABSENT.encode() + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel"
    for cut in range(1, len(whole), 5):
        with socket.create_connection((server.host, server.port), timeout=5) as wire:
            wire.sendall(whole[:cut])
    assert exchange(server, PING)[0].status == 200


def test_raw__slow_header_is_cut_off(make_server):
    """R099: a header that trickles is ended by its deadline, not by each byte's (RFC 9110 section 15.5.9: 408)."""
    server = make_server("--http-header-timeout=2s")
    started = time.monotonic()
    with socket.create_connection((server.host, server.port), timeout=20) as wire:
        answer = b""
        wire.sendall(b"GET /v2/ HTTP/1.1\r\nHost: h\r\nX-Slow: ")
        wire.settimeout(0.25)
        while time.monotonic() - started < 25:
            try:
                wire.sendall(b"a")
                chunk = wire.recv(4096)
                if not chunk:
                    break
                answer += chunk
            except TimeoutError:
                continue
            except OSError:
                break
    assert time.monotonic() - started < 25             # of the 30 s that it would be else
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 "), answer


def test_raw__slow_body_is_cut_off(make_server):
    """R099: a body without progress ends, and its session is usable at once by the next request."""
    server = make_server("--http-body-timeout=2s")
    repo = Repo(server)
    location = repo.start()
    with socket.create_connection((server.host, server.port), timeout=20) as wire:
        wire.sendall(f"PATCH {location.split(str(server.port), 1)[1]} HTTP/1.1\r\nHost: h\r\n"
                     "Content-Length: 100000\r\n\r\nabc".encode())
        answer = b""
        try:
            while chunk := wire.recv(4096):             # for 20 s, of the 30 s that it would be else
                answer += chunk
        except ConnectionResetError:
            pass
    assert answer == b"" or answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")), answer
    server.wait_for(lambda: repo.status(location).status == 204)
    first = repo.status(location).header("Range")
    have = int(first.split("-")[1]) + 1 if first != "0-0" else 0
    server.wait_for(lambda: repo.patch(location, b"defg", have).status == 202)


def test_raw__idle_connection_is_closed(make_server):
    """RFC 9112 section 9.5: a server closes what idles."""
    server = make_server("--http-idle-timeout=1s")
    with socket.create_connection((server.host, server.port), timeout=15) as wire:
        wire.sendall(PING)
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert wire.recv(1) == b""                      # within 15 s, of the 75 s that it would be else


def test_raw__every_answer_has_an_id_and_a_date(server):
    """RFC 9110 section 6.6.1: "An origin server with a clock MUST generate a Date header field"; ours names the request
    as well, so that a user's report finds its line in the log."""
    for request in (PING, b"GET /v2/absent/tags/list HTTP/1.1\r\nHost: h\r\n\r\n"):
        answer = exchange(server, request)[0]
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.header("Date")), answer
        assert answer.header("X-Request-Id")
