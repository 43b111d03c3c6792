"""The frame of the command line: what --help, man pages, completion and docs/commands.md say of each command agrees; exit
codes by cause; progress; Ctrl-C; pipes that close early; terminals."""

import hashlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest

import layout
from clients import need
from commandline import BUSY, DENIED, DIGEST, FAILED, NETWORK, NOT_FOUND, OK, USAGE, says
from server import ROOT, berth_path

SPOKEN = re.compile(r"^      ?(?:-\w, )? *--([\w-]+)|^  -\w, --([\w-]+)", re.M)


class Slow:
    """Answers every request with one body, a piece at a time."""

    def __init__(self, body, pieces, pause):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.body, self.pieces, self.pause = body, pieces, pause
        self.digest = layout.digest_of(body)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)      # wakes accept(), which close() does not
        self.thread.join()
        self.socket.close()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        try:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.body))
            size = len(self.body) // self.pieces
            for i in range(self.pieces):
                connection.sendall(self.body[i * size:] if i == self.pieces - 1 else self.body[i * size:(i + 1) * size])
                time.sleep(self.pause)
            connection.close()
        except OSError:
            pass


@pytest.fixture
def slow():
    made = []

    def make(*args):
        made.append(Slow(*args))
        return made[-1]

    yield make
    for each in made:
        each.close()


# --- documents --------------------------------------------------------------------------------------------------------

def run(*argv):
    done = subprocess.run([berth_path(), *argv], capture_output=True, text=True, timeout=60)
    assert done.returncode == OK, (argv, done.stderr)
    return done.stdout


def listed(text):
    return re.findall(r"^  ([a-z][\w-]*) ", text.split("\nexit codes:")[0].split("\nexamples:")[0], re.M)


@pytest.fixture(scope="module")
def commands():
    """Every command with the options that its --help names."""
    found = {}
    for first in listed(run("help")):
        text = run(first, "--help")
        names = [f"{first} {second}" for second in listed(text)] if text.startswith(f"usage: berth {first} COMMAND") else [first]
        for name in names:
            text = run(*name.split(), "--help")
            head = text.split("\nevery setting has a flag")[0].split("\nfields of")[0].split("\nexample")[0]
            found[name] = SimpleNamespace(name=name, help=text, options=re.findall(r"^ {2}(?:-\w, | {4})--([\w-]+)", head, re.M))
    assert {"tag list", "blob get", "serve", "completion"} <= set(found) and all(c.options for c in found.values())
    return found


def page_of(name):
    return ROOT / "docs" / "man" / f"berth-{name.split()[0]}.1"


def manual(name):
    """The page as it is installed: written by hand, or made."""
    page = page_of(name)
    if name == "berth":
        return run("help", "--man", name)
    return page.read_text() if page.exists() else run("help", "--man", name.split()[0])


class TestDocuments:
    def test_help_shows_each_command_whole(self, commands):
        for c in commands.values():
            assert c.help.startswith(f"usage: berth {c.name} "), c.name
            assert "\nexample" in c.help and "help" in c.options, c.name
            assert max(map(len, c.help.split("\nexample")[0].split("\nevery setting")[0].splitlines())) <= 110, c.name

    def test_commands_md_is_what_the_tables_say(self, commands):
        written = (ROOT / "docs" / "commands.md").read_text()
        assert run("help", "--markdown") == written, "make documents"
        for c in commands.values():
            section = re.search(rf"^##+ berth {c.name}\n(.*?)(?=^##|\Z)", written, re.S | re.M).group(1)
            for title in re.findall(r"\[([A-Z][\w ]+)\]\(#", section):
                section += re.search(rf"^### {title}\n(.*?)(?=^##)", written, re.S | re.M).group(1)
            assert set(re.findall(r"`(?:-\w, )?--([\w-]+)", section)) >= set(c.options) - {"help"}, c.name

    def test_man_pages_name_every_option(self, commands):
        for c in commands.values():
            if c.name in ("version", "help"):
                continue                # in berth(1)
            page = manual(c.name)
            spoken = {o.replace("\\", "") for o in re.findall(r"Fl \\?-([\w-]+)", page)}
            missing = set(c.options) - spoken - {"help"} - ({"config", "data"} if page_of(c.name).exists() else set())
            assert not missing, (c.name, missing)
            assert f".Nm berth {c.name}" in page or page_of(c.name).exists(), c.name

    def test_man_pages_are_right(self, commands, tmp_path):
        need("mandoc")
        for name in {c.split()[0] for c in commands} - {"version", "help"} | {"berth"}:
            page = tmp_path / f"berth-{name}.1"
            page.write_text(manual(name))
            done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True, text=True)
            assert not done.stdout + done.stderr, done.stdout

    def test_every_page_is_installed(self, commands):
        made = (ROOT / "docs" / "man" / "meson.build").read_text()
        for name in {c.split()[0] for c in commands} - {"version", "help"}:
            assert page_of(name).exists() or f"'{name}'" in made or f"'berth-{name}'" in made, f"docs/man/meson.build: {name}"

    def test_the_overview_names_every_command(self, commands):
        page = run("help", "--man", "berth")
        for name in {c.split()[0] for c in commands}:
            assert f".It Cm {name}\n" in page, name
            assert name in ("version", "help") or f".Xr berth-{name} 1" in page.split(".Sh SEE ALSO")[1], name

    def test_exit_codes_are_the_same_everywhere(self):
        overview = dict(re.findall(r"^  (\d+) +(.*)$", run("help"), re.M))
        page = run("help", "--man", "berth").split(".Sh EXIT STATUS")[1].split(".El")[0]
        assert dict(re.findall(r"\.It (\d+)\n(.*)", page)) == overview
        assert dict(re.findall(r"^\| (\d+) \| (.*) \|$", (ROOT / "docs" / "commands.md").read_text(), re.M)) == overview


# --- completion -------------------------------------------------------------------------------------------------------

def in_bash(*lines):
    """What bash makes of each line, at its end."""
    script = f"source <('{berth_path()}' completion bash)\n" + "".join(
        f"COMP_LINE={line!r} COMP_POINT={len(line)}; COMPREPLY=(); _berth; echo \"${{COMPREPLY[*]}}\"\n" for line in lines)
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def in_fish(*lines):
    script = f"'{berth_path()}' completion fish | source\n" + "".join(f"complete -C '{line}'; echo ---\n" for line in lines)
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return [[line.split("\t")[0] for line in part.splitlines()] for part in done.stdout.split("---\n")[:-1]]


class Zsh:
    """An interactive zsh on a terminal of its own."""

    def __init__(self, folder):
        (folder / "_berth").write_text(run("completion", "zsh"))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", PS1="", PROMPT="", COLUMNS="200", LINES="200")
            os.execvp("zsh", ["zsh", "-f", "-i", "+o", "prompt_sp"])
        self.type(f"stty cols 200 rows 200; PS1='% '; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; "
                  "zstyle ':completion:*' list-prompt ''; LISTMAX=10000; echo rea''dy\n")
        self.read("ready")

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, *wanted, seconds=60):
        """What comes until all that is wanted has come."""
        text, end = "", time.monotonic() + seconds
        while not all(each in text for each in wanted):
            assert time.monotonic() < end, ([each for each in wanted if each not in text], text)
            if select.select([self.fd], [], [], 1)[0]:
                text += os.read(self.fd, 65536).decode(errors="replace")
        return text

    def line(self, text, *wanted):
        """Types it, presses Tab, and waits until zsh has shown all that is wanted."""
        self.type(text + "\t")
        self.read(*wanted)
        self.type("\x15echo rea''dy\n")  # the line is empty again, and nothing more comes of it
        self.read("ready")

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def settings(command):
    """Those of berth.yaml that it takes beside its options."""
    below = run(*command.name.split(), "--help").partition("every setting has a flag")[2].partition("\nexample")[0]
    return [flag for flag in re.findall(r"^  --([\w-]+)", below, re.M) if flag not in command.options]


class TestCompletion:
    def test_bash_knows_every_option(self, commands):
        got = in_bash(*(f"berth {name} --" for name in commands))
        for c, found in zip(commands.values(), got, strict=True):
            assert sorted(found) == sorted("--" + o for o in [*c.options, *settings(c)]), c.name

    def test_bash_completes_words_values_and_files(self, tmp_path, commands):
        (tmp_path / "some.pem").write_text("")
        got = in_bash("berth ", "berth ta", "berth tag ", "berth tag list --output ", "berth tag list --output=j",
                      f"berth tag list --ca-file {tmp_path}/so", "berth read-only o", "berth tag list ", "berth nonsense --", "berth help ta", "berth serve --http-pre")
        assert sorted(got[0]) == sorted({c.split()[0] for c in commands})
        assert got[1] == ["tag"] and "list" in got[2]
        assert got[3] == ["text", "json"] and got[4] == ["json"]
        assert got[5] == [f"{tmp_path}/some.pem"] and got[6] == ["on", "off"] and got[7] == [] and got[8] == []
        assert got[9] == ["tag"] and got[10] == ["--http-prefix"]

    BEFORE = {                                            # options that stand before the command, and help
        "berth --output json ta": ["tag"], "berth -v bl": ["blob"], "berth --output=json tag li": ["list"],
        "berth --outp": ["--output"], "berth --output ": ["json", "text"], "berth --output json tag list --outp": ["--output"],
        "berth -q --output text -v tag list --output ": ["json", "text"], "berth help tag ": ["add", "delete", "list"],
        "berth --output json help tag ad": ["add"], "berth help tag list ": []}

    def test_bash_passes_over_options_before_the_command(self):
        assert [sorted(found) for found in in_bash(*self.BEFORE)] == list(self.BEFORE.values())

    def test_fish_passes_over_options_before_the_command(self):
        need("fish")
        assert [sorted(found) for found in in_fish(*self.BEFORE)] == list(self.BEFORE.values())

    def test_fish_knows_every_option(self, commands):
        need("fish")
        got = in_fish(*(f"berth {name} --" for name in commands))
        for c, found in zip(commands.values(), got, strict=True):
            assert sorted(found) == sorted("--" + o for o in [*c.options, *settings(c)]), c.name

    def test_fish_completes_words_values_and_files(self, tmp_path, commands):
        need("fish")
        (tmp_path / "some.pem").write_text("")
        got = in_fish("berth ", "berth ta", "berth tag ", "berth tag list --output ", f"berth tag list --ca-file {tmp_path}/so",
                      "berth read-only o", "berth help ta", "berth serve --http-pre")
        assert sorted(got[0]) == sorted({c.split()[0] for c in commands})
        assert got[1] == ["tag"] and "list" in got[2]
        assert sorted(got[3]) == ["json", "text"] and got[4] == [f"{tmp_path}/some.pem"] and sorted(got[5]) == ["off", "on"]
        assert got[6] == ["tag"] and got[7] == ["--http-prefix"]

    def test_zsh_completes(self, tmp_path, commands):
        need("zsh")
        zsh = Zsh(tmp_path)
        try:
            zsh.line("berth ta", "berth tag")
            zsh.line("berth ", *{c.split()[0] for c in commands})
            for name in ("tag list", "blob get", "serve", "check"):
                zsh.line(f"berth {name} --", *(f"--{option}" for option in commands[name].options))
            zsh.line("berth tag list --output=", "json")
            zsh.line("berth completion ", "fish")
            zsh.line("berth help ta", "berth help tag")
            for line, found in self.BEFORE.items():
                zsh.line(line, *(found if len(found) != 1 or found[0].startswith("-") else [line.rpartition(" ")[0] + " " + found[0]]))
            zsh.line("berth serve --http-pre", "--http-prefix")
        finally:
            zsh.close()


# --- exit codes -------------------------------------------------------------------------------------------------------

class TestExitCodes:
    """0 and 2 are everywhere, 3 is in tests/unit/cli/serve.c, 6 in test_operations.py; the rest by a registry's answers."""

    @pytest.mark.parametrize("status, code", [(401, DENIED), (403, DENIED), (404, NOT_FOUND), (400, FAILED)])
    def test_by_the_registry_s_answer(self, berth, scripted, status, code):
        s = scripted()
        for path in ("/v2/", "/v2/a/tags/list", "/v2/a/manifests/latest"):
            s.routes[path] = says(status)
        for command in (["tag", "list"], ["manifest", "get"], ["manifest", "head"]):
            done = berth(*command, f"{s.address}/a", code=code)
            assert done.err.startswith(f"berth {' '.join(command)}: ") and done.out == b""
            assert len(done.err.splitlines()) == (2 if status == 401 else 1)        # and what to do about it

    def test_network(self, berth):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))    # and nobody listens
            berth("ping", "127.0.0.1:%d" % s.getsockname()[1], code=NETWORK)
        berth("ping", "no-such-host.invalid", code=NETWORK)

    def test_later(self, berth, scripted):
        s = scripted()
        s.routes["/v2/"] = says(429, Retry_After="100000")
        berth("ping", s.address, code=BUSY)

    def test_a_try_that_failed_is_told(self, berth, scripted):
        s = scripted()
        answers = iter([503, 200])
        s.routes["/v2/"] = lambda request: (next(answers), {}, b"")
        assert re.fullmatch(r"berth ping: .*503.*; trying again in 1s\n", berth("ping", s.address).err)

    def test_what_people_mean_is_said(self, berth, scripted):
        s = scripted()
        s.routes["/v2/"] = says(200)
        assert f"'{s.address}' is a host without a repository: {s.address}/NAME" in berth("tag", "list", s.address, code=USAGE).err
        assert "leave out what follows it" in berth("ping", f"{s.address}/team/app", code=USAGE).err
        assert berth("ping", f"http://{s.address}/").err == ""
        assert "did you mean --format?" in berth("ping", s.address, "--foramt", "x", code=USAGE).err
        assert "try: --plain-http" in berth("ping", f"https://{s.address}/", "--insecure", code=NETWORK).err

    def test_digest(self, berth, scripted, tmp_path):
        s, digest = scripted(), layout.digest_of(b"right")
        s.routes[f"/v2/a/blobs/{digest}"] = says(200, b"wrong")
        berth("blob", "get", f"{s.address}/a@{digest}", "-o", tmp_path / "f", code=DIGEST)
        assert list(tmp_path.iterdir()) == [tmp_path / "home"]

    def test_usage_comes_before_any_request(self, berth, scripted):
        s = scripted()
        for argv in (["manifest", "head", f"{s.address}/a", "--format", "{{.digest"], ["ping", s.address, "--nonsense"],
                     ["blob", "get", f"{s.address}/a:v1"], ["tag", "list", f"{s.address}/A"]):
            assert f"try: berth {' '.join(argv[:-3] if argv[0] == 'manifest' else argv[:1])}" in berth(*argv, code=USAGE).err
        assert not s.seen


# --- transfers --------------------------------------------------------------------------------------------------------

def on_terminal(env, *argv, columns=100, signal_after=None):
    """Runs with standard error on a terminal; its text, and the exit code."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", "40"], stdin=slave, check=True)
    child = subprocess.Popen([berth_path(), *map(str, argv)], env={**env, "TERM": "xterm"}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=slave, start_new_session=True)
    os.close(slave)
    text, began = "", time.monotonic()
    while time.monotonic() - began < 60:
        ready, _, _ = select.select([master], [], [], 0.1)
        try:
            text += os.read(master, 65536).decode() if ready else ""
        except OSError:
            break
        if signal_after and signal_after in text:
            child.send_signal(signal.SIGINT)
            signal_after = None
        if not ready and child.poll() is not None:
            break
    out = child.stdout.read()
    child.wait(10)
    os.close(master)
    return SimpleNamespace(text=text, out=out, code=child.returncode)


class TestTransfers:
    def test_bars_on_a_terminal(self, berth, slow, tmp_path):
        s = slow(bytes(1 << 20), 8, 0.1)
        target = tmp_path / "blob"
        done = on_terminal(berth.env, "blob", "get", f"{s.address}/a@{s.digest}", "-o", target)
        assert done.code == OK and target.stat().st_size == 1 << 20, done.text
        assert "sha256:" in done.text and "B/s" in done.text and "\x1b[K" in done.text
        assert done.text.endswith("\r\x1b[J"), done.text[-80:]      # gone when it is done

    @pytest.mark.parametrize("flag", ["--quiet", "--no-progress"])
    def test_none_when_not_wanted(self, berth, slow, tmp_path, flag):
        s = slow(bytes(1 << 20), 4, 0.1)
        done = on_terminal(berth.env, "blob", "get", f"{s.address}/a@{s.digest}", "-o", tmp_path / "blob", flag)
        assert done.code == OK and done.text == ""

    def test_lines_elsewhere(self, berth, slow, tmp_path):
        s = slow(bytes(1 << 20), 16, 0.5)
        err = berth("blob", "get", f"{s.address}/a@{s.digest}", "-o", tmp_path / "blob").err
        lines = err.splitlines()
        assert len(lines) >= 2 and "\x1b" not in err and "\r" not in err, err      # one every five seconds, and the last
        for line in lines[:-1]:
            assert re.fullmatch(r"berth blob get: sha256:\w+: [\d.]+ [KM]iB( of 1\.0 MiB)?, [\d.]+ KiB/s(, \d+s left)?", line), err
        assert re.fullmatch(r"berth blob get: 1\.0 MiB in \d+s, [\d.]+ KiB/s", lines[-1]), err

    def test_ctrl_c_leaves_what_the_next_one_goes_on_with(self, berth, slow, tmp_path):
        s = slow(bytes(1 << 20), 1000, 0.05)
        folder = tmp_path / "out"
        folder.mkdir()
        done = on_terminal(berth.env, "blob", "get", f"{s.address}/a@{s.digest}", "-o", folder / "blob", signal_after="KiB")
        assert done.code == -signal.SIGINT, done.text   # 130 for a shell
        assert [p.name for p in folder.iterdir()] == [f"blob.{s.digest[7:19]}.part"]
        assert done.text.endswith("\r\n") or done.text.endswith("\n")

    def test_a_shell_sees_130_and_ends_its_loop(self, berth, slow, tmp_path):
        s = slow(bytes(1 << 20), 1000, 0.05)
        script = f'for i in 1 2 3; do "{berth_path()}" blob get {s.address}/a@{s.digest} -o {tmp_path}/blob; echo "left $?"; done'
        child = subprocess.Popen(["bash", "-c", script], env=berth.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 start_new_session=True)
        part = tmp_path / f"blob.{s.digest[7:19]}.part"
        until = time.monotonic() + 60
        while time.monotonic() < until and not (part.exists() and part.stat().st_size):
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGINT)
        out, _ = child.communicate(timeout=60)
        assert child.returncode == -signal.SIGINT and out == b""
        assert sorted(p.name for p in tmp_path.iterdir()) == [f"blob.{s.digest[7:19]}.part", "home"]

    def test_a_blob_is_not_thrown_at_a_terminal(self, berth, slow):
        s = slow(b"\x1b[31m", 1, 0)
        master, slave = pty.openpty()
        done = subprocess.run([berth_path(), "blob", "get", f"{s.address}/a@{s.digest}"], env=berth.env, stdout=slave,
                              stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == USAGE and "-o FILE" in done.stderr
        for fd in (master, slave):
            os.close(fd)

    def test_a_device_stays_one(self, berth, slow, tmp_path):
        s = slow(b"x", 1, 0)
        os.mkfifo(tmp_path / "pipe")
        reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
        berth("blob", "get", f"{s.address}/a@{s.digest}", "-o", tmp_path / "pipe")
        assert reader.communicate(timeout=20)[0] == b"x" and (tmp_path / "pipe").is_fifo()

    def test_who_has_seen_enough_may_leave(self, berth, scripted):
        s = scripted()
        tags = [f"tag-{i:06}" for i in range(50000)]
        s.routes["/v2/a/tags/list"] = says(200, json.dumps({"name": "a", "tags": tags}).encode())
        blob = b"".join(layout.noise(4 << 20, b"pipe"))
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        s.routes[f"/v2/a/blobs/{digest}"] = says(200, blob)
        for command in (f"tag list {s.address}/a", f"tag list {s.address}/a --output json", f"blob get {s.address}/a@{digest}"):
            done = subprocess.run(["bash", "-o", "pipefail", "-c", f"'{berth_path()}' {command} | head -c 9"], env=berth.env,
                                  capture_output=True, timeout=60)
            assert done.returncode == 141 and done.stderr == b"", (command, done)

    def test_a_full_disk_is_told(self, berth, scripted):
        s = scripted()
        s.routes["/v2/a/tags/list"] = says(200, b'{"name":"a","tags":["v1"]}')
        with open("/dev/full", "wb") as full:
            done = subprocess.run([berth_path(), "tag", "list", f"{s.address}/a"], env=berth.env, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == FAILED and "No space left" in done.stderr


# --- formats ----------------------------------------------------------------------------------------------------------

class TestFormats:
    def test_every_document_has_the_fields_that_help_names(self, berth, scripted):
        s = scripted()
        manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "layers": []}).encode()
        digest = layout.digest_of(manifest)
        s.routes["/v2/"] = says(200, b"{}")
        s.routes["/v2/a/tags/list"] = says(200, b'{"name":"a","tags":["v1","v2"]}')
        s.routes["/v2/a/manifests/latest"] = says(200, manifest, Content_Type=layout.MANIFEST, Docker_Content_Digest=digest,
                                                  RateLimit_Limit="100;w=21600", RateLimit_Remaining="76;w=21600")
        for command, operand in (("ping", s.address), ("tag list", f"{s.address}/a"), ("manifest get", f"{s.address}/a"),
                                 ("manifest head", f"{s.address}/a"), ("reference", "alpine"), ("version", None)):
            argv = [*command.split(), *([operand] if operand else [])]
            document = berth(*argv, "--output", "json").json()
            assert berth(*argv, "--format", "{{json .}}").json() == document
            fields = re.search(r"\nfields of .*?:\n(.*?)\n\n", run(*command.split(), "--help"), re.S).group(1)
            assert {f.split("[")[0].split(".")[0] for f in re.findall(r"^  (\S+)", fields, re.M)} - {"error"} == set(document), command
        assert berth("tag", "list", f"{s.address}/a", "--format", r"{{range .Tags}}{{.}}\t{{end}}").out == b"v1\tv2\t\n"
        assert berth("manifest", "head", f"{s.address}/a", "--format", "{{.Digest}}").out.decode() == digest + "\n"

    def test_a_field_that_is_not_there(self, berth, scripted):
        s = scripted()
        s.routes["/v2/a/tags/list"] = says(200, b'{"name":"a","tags":["v1"]}')
        done = berth("tag", "list", f"{s.address}/a", "--format", "{{.tgas}}", code=FAILED)
        assert done.err == "berth tag list: --format: position 3: there is no field 'tgas'; there are: name, tags\n"
