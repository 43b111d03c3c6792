"""Bytes to a server and what it makes of them: Exchange."""

import re
import socket
import time
from pathlib import Path

# The request behind every row. Its answer names the repository, at both servers; a connection that comes to it was
# read to the end.
MARKER_TARGET = b"/v2/hostile/marker/tags/list"
MARKER = b"GET " + MARKER_TARGET + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
NAMED = b"hostile/marker"


class Outcome:
    """verdict: "reads" (the marker was answered), "refuses" (an error or nothing, and the connection is closed) or
    "waits" (for more bytes). answers: the statuses before the marker's. lengths: the body bytes that a PATCH is said to
    have had. odd: what is no HTTP."""

    def __init__(self, verdict, answers, lengths, odd=b""):
        self.verdict, self.answers, self.lengths, self.odd = verdict, answers, lengths, odd

    def __repr__(self):
        said = " ".join(map(str, self.answers)) or "nothing"
        return f"{self.verdict} ({said}{f', body {self.lengths}' if self.lengths else ''})"

    @property
    def good(self):
        """Requests that were answered without an error."""
        return sum(status < 400 for status in self.answers)


def answers_in(data, heads):
    """(status, header block, body) of each answer; the last may be cut. heads: which of them, by index, answer HEAD."""
    found = []
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        line = re.match(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]", head + b"\r")
        if not line or not end:
            return found, data
        status = int(line.group(1))
        if status < 200:
            data = rest
            continue
        length = re.search(rb"(?i)\r\nContent-Length: *([0-9]+)", head)
        n = int(length.group(1)) if length and status not in (204, 304) and len(found) not in heads else 0
        if re.search(rb"(?i)\r\nTransfer-Encoding:", head):
            return found, data
        found.append((status, head, rest[:n]))
        data = rest[n:]
    return found, b""


def body_length(head, body):
    """How long the PATCH's body was: ours says it in Range, nginx's upstream in the body."""
    if said := re.fullmatch(rb"length=([0-9]*)", body):
        return int(said.group(1) or 0)
    if re.search(rb"(?i)\r\nDocker-Upload-UUID:", head):
        have = re.search(rb"(?i)\r\nRange: 0-([0-9]+)", head)
        return int(have.group(1)) + 1 if have and have.group(1) != b"0" else 0
    return None


class Exchange:
    """A connection over which @row and the marker were sent, in @pieces (sizes) or at once. ended: the server has closed
    it; else outcome() is for a server at rest."""

    def __init__(self, address, row, pieces=None):
        self.data, self.said, self.ended = row + MARKER, b"", False
        self.wire = socket.create_connection(address, timeout=60)
        self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            at = 0
            for size in pieces or []:
                self.wire.sendall(self.data[at:at + size])
                at += size
                time.sleep(0.003)
            self.wire.sendall(self.data[at:])
        except (BrokenPipeError, ConnectionResetError):
            pass                      # refused before all was sent; the answer may be there to read
        self.receive(0.1)             # most end at once

    def receive(self, patience):
        self.wire.settimeout(patience)
        try:
            while chunk := self.wire.recv(65536):
                self.said += chunk
            self.ended = True
        except (TimeoutError, BlockingIOError):
            pass
        except ConnectionResetError:
            self.ended = True

    def outcome(self):
        with self.wire:
            if not self.ended:
                self.receive(0)
            if self.ended:            # whatever is sent now is nobody's
                self.wire.settimeout(60)
                try:
                    self.wire.sendall(MARKER)
                    self.said += self.wire.recv(65536)
                except OSError:
                    pass
        requests = enumerate(re.findall(rb"(?:\A|\n)([A-Z]+) [^\r\n]* HTTP/1\.1\r\n", self.data))
        found, odd = answers_in(self.said, {i for i, method in requests if method == b"HEAD"})
        read = bool(found) and found[-1][0] == 404 and NAMED in found[-1][2]
        if read:
            found.pop()
        lengths = [n for status, head, body in found if status < 300 and (n := body_length(head, body)) is not None]
        verdict = "reads" if read else "refuses" if self.ended else "waits"
        return Outcome(verdict, [f[0] for f in found], lengths, odd)


def rest(pid):
    """Waits until every thread of the process sleeps, and stays asleep: it has read what was sent to it, and has said what
    there is to say. Who only has to wait for a processor does not sleep."""
    calm, end = 0, time.monotonic() + 120
    while calm < 5:
        assert time.monotonic() < end, "the server never rests"
        states = [(task / "stat").read_text().rpartition(") ")[2][0] for task in Path(f"/proc/{pid}/task").iterdir()]
        calm = calm + 1 if set(states) == {"S"} else 0
        time.sleep(0.02)
