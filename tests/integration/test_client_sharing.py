"""Many calls that need the same token at once, with a real registry and its token server: it is asked for once."""

import time

import pytest

from commandline import says
from server import ROOT
from test_client_examples import build  # noqa: F401
from test_client_examples import run
from test_client_tokens import guarded  # noqa: F401

CALLS = 100


@pytest.fixture(scope="module")
def program(build):
    return build(ROOT / "tests" / "integration" / "many_calls.c")


@pytest.fixture(autouse=True)
def unseen(guarded):
    guarded.tokens.seen.clear()
    yield
    guarded.tokens.failures = 0


@pytest.mark.parametrize("how", ["loop", "threads"])
def test_one_token_for_a_hundred_calls(program, guarded, how):
    done = run(program, guarded.address, "team/app", "v1", how, CALLS, "alice", "secret")
    assert done.stdout == f"{CALLS}\n", done.stderr
    assert len(guarded.tokens.seen) == 1


@pytest.mark.parametrize("how", ["loop", "threads"])
def test_a_failure_is_given_to_all(program, scripted, how):
    """To those who want the token when it is refused; who comes later asks for itself. So all are challenged at once, and
    the refusal comes behind that."""
    registry, tokens = scripted(), scripted()
    asked_for = f'Bearer realm="{tokens.url}/token",service="s",scope="repository:team/app:pull"'

    def when_all_are(what, answer):
        def route(request):
            end = time.monotonic() + 60
            while len(what) < CALLS and time.monotonic() < end:
                time.sleep(0.01)
            return answer(request)
        return route

    registry.routes["/v2/team/app/manifests/v1"] = when_all_are(registry.seen, says(401, WWW_Authenticate=asked_for))
    tokens.routes["/token"] = when_all_are(registry.answered, says(401))
    done = run(program, registry.address, "team/app", "v1", how, CALLS, "alice", "wrong")
    assert done.stdout == "0\n" and done.stderr.count("401 ") == CALLS and "wrong" not in done.stderr
    assert len(tokens.seen) == 1


def test_one_tries_again_for_all(program, guarded):
    guarded.tokens.failures = 2
    assert run(program, guarded.address, "team/app", "v1", "loop", CALLS, "alice", "secret").stdout == f"{CALLS}\n"
    assert len(guarded.tokens.seen) == 3


def test_calls_that_are_cancelled_harm_no_other(program, guarded):
    done = run(program, guarded.address, "team/app", "v1", "cancel", CALLS, "alice", "secret")
    assert done.stdout == f"{CALLS - CALLS // 10}\n", done.stderr
    assert 1 <= len(guarded.tokens.seen) <= CALLS // 10 + 1


def test_every_repository_has_a_token_of_its_own(program, guarded):
    """C020: no token grows with the number of repositories, whatever is done with one client."""
    run(program, guarded.address, "team/app,public/app", "v1", "loop", CALLS, "alice", "secret")
    assert sorted(s.query["scope"] for s in guarded.tokens.seen) == [["repository:public/app:pull"], ["repository:team/app:pull"]]
