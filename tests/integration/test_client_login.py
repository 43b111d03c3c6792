"""`berth login` and `logout`: a real registry is asked, Docker's file and helpers keep, other clients find what was kept."""

import base64
import json
import os
import pty
import select
import shutil
import stat
import subprocess
import time

import pytest

from commandline import DENIED, FAILED, NOT_FOUND, USAGE, says
from server import berth_path

HELPER = """#!/usr/bin/python3
# A credential helper as github.com/docker/docker-credential-helpers has them: keeps a file of JSON beside itself.
import json, pathlib, sys
path = pathlib.Path(__file__).with_name("kept.json")
kept = json.loads(path.read_text()) if path.exists() else {}
words = sys.stdin.read()
with open(path.with_name("log"), "a") as log:
    log.write(sys.argv[1] + " " + (words if sys.argv[1] != "store" else json.loads(words)["ServerURL"]) + "\\n")
if sys.argv[1] == "store":
    entry = json.loads(words)
    kept[entry["ServerURL"]] = entry
elif sys.argv[1] == "erase":
    kept.pop(words.strip(), None)
elif words.strip() in kept:
    print(json.dumps(kept[words.strip()]))
else:
    print("credentials not found in native keychain")
    sys.exit(1)
path.write_text(json.dumps(kept))
"""


@pytest.fixture
def helper(berth):
    """docker-credential-real, found by PATH; its log and what it keeps lie in the folder."""
    folder = berth.home / "helpers"
    folder.mkdir()
    program = folder / "docker-credential-real"
    program.write_text(HELPER)
    program.chmod(0o755)
    berth.env["PATH"] = f"{folder}:{os.environ['PATH']}"
    return folder


def config_of(berth):
    return berth.home / ".docker" / "config.json"


def login(berth, host, password=b"secret\n", **options):
    return berth("login", host, "--username", "alice", "--password-stdin", stdin=password, **options)


class TestLogin:
    def test_is_kept_for_the_next_command(self, berth, locked):
        assert login(berth, locked.address).out.decode() == f"logged in to {locked.address} as alice\n"
        berth("ping", locked.address)
        config = config_of(berth)
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert json.loads(config.read_text()) == {
            "auths": {locked.address: {"auth": base64.b64encode(b"alice:secret").decode()}}}
        berth("logout", locked.address)
        assert json.loads(config.read_text()) == {"auths": {}}
        berth("ping", locked.address, code=DENIED)
        berth("logout", locked.address, code=NOT_FOUND)

    def test_takes_a_url_and_a_password_of_another_system(self, berth, locked):
        said = berth("login", f"http://{locked.address}/", "-u", "alice", "--password-stdin", stdin=b"secret\r\n").out.decode()
        assert said == f"logged in to {locked.address} as alice\n"
        berth("ping", locked.address)
        assert berth("logout", f"http://{locked.address}").out.decode() == f"logged out of {locked.address}\n"

    def test_is_kept_for_a_path(self, berth, locked):
        place = f"{locked.address}/team/app"
        said = berth("login", place, "--username", "alice", "--password-stdin", "--output", "json", stdin=b"secret").json()
        assert said == {"host": place, "username": "alice"}
        assert list(json.loads(config_of(berth).read_text())["auths"]) == [place]
        berth("tag", "list", place, code=NOT_FOUND)
        berth("tag", "list", f"{place}/below", code=NOT_FOUND)
        berth("tag", "list", f"{locked.address}/team/apple", code=DENIED)
        berth("logout", locked.address, code=NOT_FOUND)
        berth("logout", place)
        berth("tag", "list", place, code=DENIED)
        berth("login", f"{locked.address}/Team", "-u", "alice", "--password-stdin", stdin=b"secret", code=USAGE)

    def test_is_not_kept_for_a_path_where_a_helper_keeps_hosts(self, berth, locked, helper):
        config_of(berth).write_text('{"credsStore": "real"}')
        said = berth("login", f"{locked.address}/team", "-u", "alice", "--password-stdin", stdin=b"secret", code=FAILED).err
        assert "the helper 'real' keeps credentials of hosts alone" in said
        assert not (helper / "kept.json").exists()

    @pytest.mark.parametrize("text", ["", " \n"])
    def test_an_empty_file_is_a_file(self, berth, locked, text):
        config_of(berth).write_text(text)
        said = berth("ping", locked.address, code=DENIED).err
        assert "none are known" in said
        berth("logout", locked.address, code=NOT_FOUND)
        login(berth, locked.address)
        berth("ping", locked.address)

    def test_says_why_there_is_no_token(self, berth, scripted):
        s = scripted()
        s.routes["/v2/"] = says(401, b"{}", WWW_Authenticate=f'Bearer realm="{s.url}/token",service="s"')
        s.routes["/token"] = says(401, b'{"details":"incorrect username or password"}')
        said = login(berth, s.address, code=DENIED).err
        assert "the token endpoint answered 401: incorrect username or password" in said
        s.routes["/token"] = says(400, b'{"error":"invalid_grant","error_description":"no\\u001b[31m"}')
        assert "the token endpoint answered 400: no?[31m" in login(berth, s.address, code=DENIED).err

    def test_with_a_wrong_password_keeps_nothing(self, berth, locked):
        said = login(berth, locked.address, b"wrong-word", code=DENIED).err
        assert "wrong-word" not in said and not config_of(berth).exists()

    def test_keeps_what_else_the_file_says(self, berth, locked):
        config_of(berth).write_text('{"auths": {"other.example": {"auth": "b3Q6aA=="}}, "psFormat": "table", "n": 12345678901234}')
        login(berth, locked.address)
        berth("logout", locked.address)
        assert json.loads(config_of(berth).read_text()) == {
            "auths": {"other.example": {"auth": "b3Q6aA=="}}, "psFormat": "table", "n": 12345678901234}

    def test_is_found_by_other_clients_and_theirs_by_us(self, berth, locked):
        if not shutil.which("skopeo"):
            pytest.skip("skopeo is not here (tools/bootstrap test)")
        login(berth, locked.address)

        def skopeo(*words):
            return subprocess.run(["skopeo", *words], env=berth.env, capture_output=True, text=True, timeout=60)

        done = skopeo("login", "--get-login", "--authfile", config_of(berth), locked.address)
        assert done.stdout.strip() == "alice", done.stderr
        other = berth.home / "other.json"
        done = skopeo("login", "--tls-verify=false", "--authfile", other, "--username", "alice", "--password", "secret", locked.address)
        assert done.returncode == 0, done.stderr
        berth("ping", locked.address, "--auth-file", other)
        berth("logout", locked.address, "--auth-file", other)
        assert json.loads(other.read_text())["auths"] == {}

    def test_gives_the_secret_to_the_helper(self, berth, locked, helper):
        config_of(berth).write_text('{"credsStore": "real"}')
        login(berth, locked.address)
        assert json.loads(config_of(berth).read_text()) == {"credsStore": "real", "auths": {locked.address: {}}}
        assert json.loads((helper / "kept.json").read_text())[locked.address]["Secret"] == "secret"
        berth("logout", locked.address)
        assert json.loads((helper / "kept.json").read_text()) == {}
        assert json.loads(config_of(berth).read_text()) == {"credsStore": "real", "auths": {}}

    def test_says_when_the_helper_can_not_keep_it(self, berth, locked):
        config_of(berth).write_text('{"credsStore": "not-there"}')
        said = login(berth, locked.address, code=FAILED).err
        assert "docker-credential-not-there" in said and "secret" not in said

    def test_needs_somebody_to_ask(self, berth, locked):
        with open(os.devnull) as nothing:
            done = subprocess.run(["setsid", "-w", berth_path(), "login", locked.address], stdin=nothing, env=berth.env,
                                  capture_output=True, text=True, timeout=60)
        assert done.returncode == USAGE and "--password-stdin" in done.stderr


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, berth, *argv):
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(berth.home)
            os.execve(berth_path(), [berth_path(), *argv], berth.env)

    def expect(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.fd, 4096).decode()
                except OSError:
                    break
        assert text in self.shown, self.shown

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        os.waitpid(self.pid, 0)
        os.close(self.fd)


class TestTerminal:
    def test_asks_and_shows_no_password(self, berth, locked):
        terminal = Terminal(berth, "login", locked.address)
        terminal.expect("user name: ")
        terminal.type("alice\n")
        terminal.expect("password: ")
        terminal.type("secret\n")
        terminal.expect("logged in")
        terminal.end()
        assert "alice" in terminal.shown and "secret" not in terminal.shown
        berth("ping", locked.address)

    def test_an_interrupted_question_leaves_a_terminal_that_shows(self, berth, locked):
        terminal = Terminal(berth, "login", locked.address)
        terminal.expect("user name: ")
        terminal.type("alice\n")
        terminal.expect("password: ")
        terminal.type("\x03")
        _, status = os.waitpid(terminal.pid, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == 2
        os.close(terminal.fd)
        assert not config_of(berth).exists()
