"""Fixtures that every Python test shares: the server, and factories of servers."""

import itertools
import signal

import pytest

from server import Server, berth_path

# A shell's background jobs ignore it, and so would the programs that are to be interrupted here.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def berth_binary():
    return berth_path()


@pytest.fixture(scope="session")
def server(berth_binary, tmp_path_factory):
    """One server for the whole run; tests keep apart by the names of their repositories."""
    running = Server(berth_binary, tmp_path_factory.mktemp("server") / "data")
    yield running
    running.stop()


@pytest.fixture
def make_server(berth_binary, tmp_path):
    """make_server(*flags, config=None, env=None, tls=None, data=None) starts servers that end with the test."""
    running, numbers = [], itertools.count()

    def make(*flags, data=None, **options):
        new = Server(berth_binary, data or tmp_path / f"data{next(numbers)}", *flags, **options)
        running.append(new)
        return new

    yield make
    for each in running:
        if each.process.poll() is None:
            each.stop()
        else:
            each.check_log()
