"""The comparison of two servers' readings of one table of requests, row by row."""

import http.client
import random
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from wire import Exchange, rest

CLIENTS = 24


def session(server):
    """The target of a new upload session."""
    wire = http.client.HTTPConnection(server.host, server.port, timeout=60)
    wire.request("POST", "/v2/hostile/rows/blobs/uploads/", headers={"Content-Length": "0"})
    answer = wire.getresponse()
    answer.read()
    wire.close()
    assert answer.status == 202
    parts = urlsplit(answer.headers["Location"])
    return (parts.path + (f"?{parts.query}" if parts.query else "")).encode()


def cuts(row, seed):
    """Up to eight pieces; where they are cut depends on the row's name alone."""
    chance = random.Random(seed)
    return [chance.choice((1, 1, 2, 3, 7, 20, len(row) // 2 + 1)) for _ in range(8)]


def all_outcomes(rows, nginx, berth, split=False):
    """{name: Outcome}, of one server, many connections at a time."""
    def one(row):
        name, data = row
        if b"@UP@" in data:
            data = data.replace(b"@UP@", session(berth) if berth else b"/v2/hostile/rows/blobs/uploads/session")
        address = nginx.address if nginx else (berth.host, berth.port)
        exchange = Exchange(address, data, cuts(data, name) if split else None)
        return name, exchange.outcome() if exchange.ended else exchange

    with ThreadPoolExecutor(CLIENTS) as pool:
        found = dict(pool.map(one, rows))
    rest((nginx or berth).process.pid)
    return {name: each.outcome() if isinstance(each, Exchange) else each for name, each in found.items()}


def compare(theirs, ours):
    """None, or the kind of difference:

    laxer      nginx refuses and ends the connection; we answer without an error
    softer     nginx refuses and ends the connection; we refuse as well, but read the next request
    otherwise  both read, but not the same number of requests or bytes; or one reads and the other waits for more
    stricter   we refuse what nginx reads"""
    if theirs.verdict == "refuses":
        if ours.verdict == "refuses":
            return "laxer" if ours.good > theirs.good else None
        return "softer" if ours.verdict == "reads" and ours.good <= theirs.good else "laxer"
    if ours.verdict == "refuses":
        return "stricter"
    if theirs.verdict != ours.verdict or len(theirs.answers) != len(ours.answers):
        return "otherwise"
    if theirs.good == ours.good and theirs.lengths != ours.lengths:
        return "otherwise"
    return None
