"""How far a command is that moves several blobs: bars on a terminal, lines elsewhere, and nothing where nobody wants to know."""

import re
import threading

import pytest

from commandline import OK, REAL, each_of, fill
from test_client_frame import on_terminal
from test_client_robust import through

real = each_of({"berth": REAL["berth"]}, fill)


@pytest.fixture
def slow(real):
    """The same behind a network that holds each answer after its third MiB, for a time."""
    made = []

    def make(seconds):
        proxy = through(real, hold_after=3 << 20)
        timer = threading.Timer(seconds, proxy.go.set)
        timer.start()
        made.append((proxy, timer))
        return proxy

    yield make
    for proxy, timer in made:
        timer.cancel()
        proxy.close()


class TestIndexCreate:
    def test_has_bars_on_a_terminal(self, berth, slow, real, tmp_path):
        done = on_terminal(berth.env, "index", "create", f"oci:{tmp_path}/new:v1", f"{slow(0.5).address}/team/app:v1")
        assert done.code == OK, done.text
        assert re.search(rf"{real.blob_digest[:19]} +\S*\[=+> *\]", done.text) and "1 of 2 done, " in done.text, done.text
        assert done.text.endswith("\r\x1b[J") and done.out.startswith(b"sha256:")      # gone when it is done

    def test_has_lines_elsewhere(self, berth, slow, tmp_path):
        err = berth("index", "create", f"oci:{tmp_path}/new:v1", f"{slow(5.5).address}/team/app:v1").err
        assert re.fullmatch(r"berth index create: [\d.]+ of \d .*\n+berth index create: [\d.]+ MiB in \ds, .*/s\n", err), err

    @pytest.mark.parametrize("flag", ["--quiet", "--no-progress"])
    def test_says_nothing_when_not_wanted(self, berth, slow, tmp_path, flag):
        done = on_terminal(berth.env, "index", "create", f"oci:{tmp_path}/new:v1", f"{slow(0.5).address}/team/app:v1", flag)
        assert done.code == OK and done.text == ""
