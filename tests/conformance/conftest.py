"""A repository of its own for each case, on a server that the cases share."""

import pytest

from .oci import Repo


@pytest.fixture
def repo(server):
    return Repo(server)


@pytest.fixture
def other(server):
    return Repo(server)
