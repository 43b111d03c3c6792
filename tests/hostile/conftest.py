"""Servers for the hostile tests."""

import pytest

from nginx import Nginx, find_nginx


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    if not find_nginx():
        pytest.skip("nginx is not here (tools/bootstrap test)")
    running = Nginx(tmp_path_factory.mktemp("nginx"))
    yield running
    running.stop()
