"""What a real nginx refuses, we refuse: malformed.py against both, row by row.

Behind each row stands one more request, the marker. A server that answers it has read the row as whole requests; one
that closes has refused it. Every difference between the two must be explained in differences.txt."""

import fnmatch
from pathlib import Path

import pytest

import malformed
from differential import all_outcomes, compare
from server import Server

ROWS = malformed.rows()
LISTED = Path(__file__).with_name("differences.txt")


def listed():
    for line in LISTED.read_text().splitlines():
        if line and not line.startswith("#"):
            kind, pattern, reason = line.split(None, 2)
            yield kind, pattern, reason


@pytest.fixture(scope="module")
def server(berth_binary, tmp_path_factory):
    """One that waits for more bytes until it is asked what it does."""
    running = Server(berth_binary, tmp_path_factory.mktemp("differential") / "data", "--http-header-timeout=10m",
                     "--http-body-timeout=10m")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def theirs(nginx):
    return all_outcomes(ROWS, nginx, None)


@pytest.fixture(scope="module")
def ours(server):
    return all_outcomes(ROWS, None, server)


def test_differential__what_is_well_formed_is_read_by_both(theirs, ours):
    """The table is known to be able to pass, and the harness to see that."""
    good = [name for name, _ in ROWS if name.startswith("good/")]
    assert len(good) >= 10
    for name in good:
        assert theirs[name].verdict == ours[name].verdict == "reads", (name, theirs[name], ours[name])
        assert theirs[name].lengths == ours[name].lengths, (name, theirs[name], ours[name])


def test_differential__every_difference_from_nginx_has_a_reason(theirs, ours):
    reasons, needed, unlisted = list(listed()), set(), []
    for name, _ in ROWS:
        kind = compare(theirs[name], ours[name])
        if kind is None:
            continue
        found = [(k, p) for k, p, _ in reasons if k == kind and fnmatch.fnmatchcase(name, p)]
        needed.update(found)
        if not found:
            unlisted.append(f"{kind}: {name}: nginx {theirs[name]}, berth {ours[name]}")
    refused = [sum(o.verdict == "refuses" for o in each.values()) for each in (theirs, ours)]
    print(f"{len(ROWS)} rows; nginx refuses {refused[0]}, berth {refused[1]}")
    assert not unlisted, "\n".join(unlisted)
    stale = [f"{k} {p}" for k, p, _ in reasons if (k, p) not in needed]
    assert not stale, f"no row needs these lines of {LISTED.name} any more: {stale}"
    assert refused[0] > 1000


def test_differential__after_a_refusal_no_byte_is_read_as_a_request(ours):
    """A message that is malformed is the last one of its connection, whatever comes behind it."""
    refused = 0
    for name, row in ROWS:
        o = ours[name]
        assert not o.odd, (name, o.odd[:200])
        malformed_at = [i for i, status in enumerate(o.answers) if status in (400, 414, 417, 431, 501, 505)]
        assert malformed_at in ([], [len(o.answers) - 1]) and not (malformed_at and o.verdict == "reads"), (name, o)
        refused += bool(malformed_at)
        if o.verdict == "refuses" and o.good == len(o.answers):
            # A body beside GET that is too long to wait for, HTTP/1.0, or "close".
            assert name.startswith("cl-get/") or b"HTTP/1.0" in row or b"close" in row, (name, o)
    assert refused > 1000


def test_differential__where_the_network_cuts_has_no_meaning(server, ours):
    """The same rows in small pieces: as many requests are read, and the same ones refused."""
    split = all_outcomes(ROWS, None, server, split=True)
    for name, _ in ROWS:
        a, b = ours[name], split[name]
        assert (a.verdict, a.good, a.lengths) == (b.verdict, b.good, b.lengths), (name, a, b)


def test_differential__server_is_as_good_as_before(server, ours):
    assert server.request("GET", "/v2/")[0] == 200
    server.check_log()
