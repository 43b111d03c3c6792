"""The client of a pull-through cache whose own upstream breaks off in the middle of a blob, or lies: Debian's
docker-registry and distribution, before a berth behind a line that can be cut."""

import pytest

import layout
import registries
from commandline import DIGEST, NETWORK, fill, servers
from server import berth_path
from test_client_robust import BreakingProxy

CACHES = {"distribution": registries.Distribution, "docker-registry": registries.DockerRegistry}


def behind(kind, upstream):
    """A contestant that fetches what it lacks from upstream."""
    class PullThrough(CACHES[kind]):
        def command(self, folder, port, tls):
            argv = super().command(folder, port, tls)
            with open(folder / "config.yml", "a") as config:
                config.write(f"proxy: {{remoteurl: 'http://{upstream}'}}\n")
            return argv
    return PullThrough()


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    running = servers.Berth(berth_path()).start(tmp_path_factory.mktemp("origin"))
    yield fill(running)
    running.close()


@pytest.fixture(params=list(CACHES))
def cache(request, tmp_path):
    """cache(upstream) starts one."""
    started = []

    def start(upstream):
        contestant = behind(request.param, upstream)
        if not contestant.available():
            pytest.skip(f"{request.param} is not here (tools/bootstrap bench)")
        started.append(contestant.start(tmp_path / "cache"))
        return started[-1]

    (tmp_path / "cache").mkdir()
    yield start
    for each in started:
        each.close()


class Line(BreakingProxy):
    """Cuts the next connections, as many as cuts says, behind a megabyte of answers; None: every one."""

    cuts = 0

    @property
    def cut_after(self):
        if self.cuts:
            self.cuts -= 1
            return 1 << 20
        return 1 << 20 if self.cuts is None else None

    @cut_after.setter
    def cut_after(self, value):
        pass


@pytest.fixture
def line(origin):
    made = Line(int(origin.host.rsplit(":", 1)[1]))
    yield made
    made.close()


def test_a_blob_that_breaks_off_upstream_comes_whole_or_not_at_all(berth, origin, line, cache, tmp_path):
    ref = f"{cache(line.address).address}/team/app@{origin.blob_digest}"
    line.cuts = None
    said = berth("blob", "get", ref, "-o", tmp_path / "blob", code=NETWORK).err
    assert not (tmp_path / "blob").exists() and "digest" not in said
    line.cuts = 0
    berth("blob", "get", ref, "-o", tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == origin.blob
    assert [p.name for p in tmp_path.glob("blob*")] == ["blob"]


def test_a_break_in_passing_is_not_noticed(berth, origin, line, cache, tmp_path):
    """The first connections break; the client asks again, and has it in the end."""
    ref = f"{cache(line.address).address}/team/app@{origin.blob_digest}"
    line.cuts = 2
    berth("blob", "get", ref, "-o", tmp_path / "blob")
    assert (tmp_path / "blob").read_bytes() == origin.blob and line.cuts == 0


def test_a_lie_upstream_is_found_out(berth, scripted, cache, tmp_path):
    """As many bytes as were announced, but others."""
    upstream, right, wrong = scripted(), b"right" * 4096, b"wrong" * 4096
    digest = layout.digest_of(right)
    upstream.routes["/v2/"] = lambda request: (200, {}, b"{}")
    upstream.routes[f"/v2/team/app/blobs/{digest}"] = lambda request: (
        200, {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}, wrong)
    ref = f"{cache(upstream.address).address}/team/app@{digest}"
    berth("blob", "get", ref, "-o", tmp_path / "blob", code=DIGEST)
    assert list(tmp_path.glob("blob*")) == []
    assert berth("blob", "get", ref, code=DIGEST).out != right
