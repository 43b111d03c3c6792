"""Bytes to a server and what it makes of them: outcome()."""

import re
import socket
import time

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


def outcome(address, row, pieces=None, silence=0.6, deadline=15):
    """Sends @row and the marker, in @pieces (sizes) or at once, and reads until the server closes or is silent."""
    data, said, ended = row + MARKER, b"", False
    with socket.create_connection(address, timeout=deadline) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            at = 0
            for size in pieces or []:
                wire.sendall(data[at:at + size])
                at += size
                time.sleep(0.003)
            wire.sendall(data[at:])
        except (BrokenPipeError, ConnectionResetError):
            pass                      # refused before all was sent; the answer may be there to read
        end = time.monotonic() + deadline
        wire.settimeout(silence)
        try:
            while time.monotonic() < end:
                chunk = wire.recv(65536)
                if not chunk:
                    ended = True
                    break
                said += chunk
        except TimeoutError:
            pass
        except ConnectionResetError:
            ended = True
        if ended:                     # whatever is sent now is nobody's
            try:
                wire.sendall(MARKER)
                said += wire.recv(65536)
            except OSError:
                pass
    heads = {i for i, line in enumerate(re.findall(rb"(?:\A|\n)([A-Z]+) [^\r\n]* HTTP/1\.1\r\n", data)) if line == b"HEAD"}
    found, odd = answers_in(said, heads)
    read = bool(found) and found[-1][0] == 404 and NAMED in found[-1][2]
    if read:
        found.pop()
    lengths = [n for status, head, body in found if status < 300 and (n := body_length(head, body)) is not None]
    verdict = "reads" if read else "refuses" if ended else "waits"
    return Outcome(verdict, [f[0] for f in found], lengths, odd)
