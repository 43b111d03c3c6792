"""`berth registry list|show|set|unset`, and commands that go by the settings kept so: with real registries, and with servers
that tell what was sent to them."""

import json
import os
import signal
import stat
import subprocess
import time

import pytest

import layout
from commandline import NETWORK, NOT_FOUND, OK, USAGE, fill, says
from server import berth_path

import servers

CONFIG = 3
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "layers": [],
                       "config": {"mediaType": layout.CONFIG, "digest": layout.digest_of(b"{}"), "size": 2}}).encode()


@pytest.fixture
def file(berth):
    return berth.home / ".config" / "berth" / "hosts.yaml"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    running = servers.Berth(berth_path()).start(tmp_path_factory.mktemp("real"))
    yield fill(running)
    running.close()


@pytest.fixture
def told(scripted):
    """Two registries with the same manifest, which tell who asked."""
    both = scripted(), scripted()
    for s in both:
        s.routes["/v2/"] = says(200)
        s.routes["/v2/a/manifests/v1"] = says(200, MANIFEST, Content_Type=layout.MANIFEST)
    return both


def agents(server):
    return [s.headers["User-Agent"] for s in server.seen]


# --- commands go by it ---

def test_a_certificate_is_for_its_registry(berth, tls_server, certificates):
    """A real registry over TLS, whose authority is known from the file alone; the environment comes before that, and the
    command line before both."""
    address = f"127.0.0.1:{tls_server.port}"
    berth("ping", address, code=NETWORK)          # HTTP is the rule for it
    berth("registry", "set", address, "--ca-file", certificates.ca)
    berth("ping", address)
    wrong = berth.home / "wrong.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=another authority", "-keyout", wrong, "-out", wrong], check=True, capture_output=True)
    berth("ping", address, code=NETWORK, BERTH_CA_FILE=str(wrong))
    berth("ping", address, "--ca-file", certificates.ca, BERTH_CA_FILE=str(wrong))
    berth("registry", "unset", address, "ca-file")
    berth("registry", "set", "default", "--ca-file", certificates.ca)
    berth("ping", address, code=NETWORK)          # which certificates for all registries do not change
    berth("ping", f"https://{address}")
    berth("registry", "set", address, "--https")
    berth("ping", address)


def test_plain_http_is_for_its_registry(berth, real):
    """By a name for which HTTPS would be the rule."""
    name = f"registry.example:{real.running.port}"
    berth("registry", "set", "default", "--resolve", f"{name}:127.0.0.1")
    berth("ping", name, code=NETWORK)
    berth("registry", "set", name, "--plain-http")
    berth("ping", name)
    assert berth("tag", "list", f"{name}/team/app").out.splitlines()[0] == b"v0"
    berth("ping", name, code=NETWORK, BERTH_PROTOCOL="https")
    berth("registry", "set", "default", "--plain-http")
    berth("registry", "set", name, "--plain-http=false")
    berth("ping", name, code=NETWORK)


def test_each_of_two_registries_has_its_own(berth, told):
    """One command on both: what is meant for one does not go to the other."""
    one, other = told
    berth("registry", "set", one.address, "--user-agent", "one", "--header", "X-Secret: of one")
    berth("registry", "set", "default", "--user-agent", "any", "--header", "X-Any: all", "--header", "X-More: all")
    berth("manifest", "head", f"{one.address}/a:v1", f"{other.address}/a:v1", f"{one.address}/a:v1")
    assert agents(one) == ["one", "one"] and agents(other) == ["any"]
    assert [s.headers["X-Secret"] for s in one.seen + other.seen] == ["of one", "of one", None]
    assert [s.headers["X-More"] for s in one.seen + other.seen] == [None, None, "all"]
    berth("manifest", "head", f"{other.address}/a:v1", f"{one.address}/a:v1")
    berth("manifest", "head", f"{other.address}/a:v1", f"{one.address}/a:v1", "--user-agent", "now")
    assert agents(one)[2:] == ["one", "now"] and agents(other)[1:] == ["any", "now"]


def test_an_image_goes_from_one_to_the_other(berth, real, tls_server, certificates):
    """Real ones: an index of an image that lies in a registry of other settings."""
    address = f"127.0.0.1:{tls_server.port}"
    berth("registry", "set", address, "--ca-file", certificates.ca)
    berth("index", "create", f"{real.host}/team/index:v1", f"{real.ref}:v0")
    berth("index", "create", f"{address}/team/index:v1", f"{real.ref}:v0")
    assert berth("manifest", "digest", f"{address}/team/index:v1").out == \
        berth("manifest", "digest", f"{real.host}/team/index:v1").out


def test_requests_go_by_it_too(berth, told):
    """`berth request` and `berth auth` find their host themselves."""
    one, _ = told
    berth("registry", "set", one.address, "--user-agent", "one")
    berth("request", "GET", f"http://{one.address}/v2/")
    berth("request", "GET", "/v2/", "--registry", one.address)
    berth("auth", "header", one.address)
    berth("registry", "set", "default", "--header", "X-Any: all")
    berth("request", "GET", "/v2/", "--registry", one.address, "--header", "X-Own: mine")
    assert agents(one) == ["one"] * 4
    assert (one.seen[3].headers["X-Any"], one.seen[3].headers["X-Own"]) == ("all", "mine")


def test_a_login_is_kept_where_it_says(berth, locked):
    berth("registry", "set", locked.address, "--auth-file", "own.json")
    berth("login", locked.address, "--username", "alice", "--password-stdin", stdin=b"secret")
    assert locked.address in json.loads((berth.home / "own.json").read_text())["auths"]
    assert not (berth.home / ".docker" / "config.json").exists()
    berth("ping", locked.address)
    berth("logout", locked.address)


def test_chunks_have_the_size_of_the_registry(berth, real):
    berth("registry", "set", real.host, "--chunk-size", "1MiB")
    blob = berth.home / "blob"
    blob.write_bytes(bytes(3 << 20) + b"end")

    def patches(*args, **env):
        said = berth("blob", "put", f"{real.host}/team/chunks", blob, "--mode", "chunked", "--force", "-v", *args, **env).err
        return sum(line.startswith("> PATCH ") for line in said.splitlines())

    assert patches() >= 3 and patches(BERTH_CHUNK_SIZE="8MiB") <= 1
    assert patches("--chunk-size", "2MiB", BERTH_CHUNK_SIZE="8MiB") in (1, 2)


def test_a_registry_has_its_rate(berth, told):
    one, _ = told
    references = [f"{one.address}/a:v1"] * 5
    berth("registry", "set", one.address, "--requests-per-second", 5)
    began = time.monotonic()
    berth("manifest", "head", *references)
    assert time.monotonic() - began >= 0.8


# --- the file ---

def test_it_is_edited_and_shown(berth, file):
    berth("registry", "set", "a.example:5000", "--ca-file", "ca.pem", "--timeout", 120, "--insecure",
          "--proxy", "http://u:secret@proxy.example:1", "--header", "X-Team: app", "--header", "Authorization: Basic secret")
    told = berth("registry", "set", "default", "--user-agent", "x: y # z", "--output", "json").json()
    assert told == {"file": str(file), "host": "default"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and os.listdir(file.parent) == ["hosts.yaml"]
    listed = berth("registry", "list").out.decode().splitlines()
    assert listed == [f"a.example:5000  ca-file  {berth.home}/ca.pem", "a.example:5000  insecure  true", "a.example:5000  timeout  120",
                      "a.example:5000  proxy  http://u:***@proxy.example:1", "a.example:5000  header  X-Team: app",
                      "a.example:5000  header  Authorization: ***", "default  user-agent  x: y # z"]
    document = berth("registry", "list", "--output", "json").json()
    assert document["file"] == str(file)
    assert {s["name"]: s["value"] for s in document["hosts"][0]["settings"]} == {
        "ca-file": f"{berth.home}/ca.pem", "insecure": True, "timeout": 120, "proxy": "http://u:***@proxy.example:1",
        "header": ["X-Team: app", "Authorization: ***"]}
    shown = berth("registry", "show", "a.example:5000", "--format", "{{range .settings}}{{.name}}={{.from}} {{end}}",
                  BERTH_CA_FILE="/env.pem").out.decode()
    assert shown.strip() == ("ca-file=environment insecure=a.example:5000 timeout=a.example:5000 proxy=a.example:5000 "
                             "header=a.example:5000 user-agent=default")
    berth("registry", "set", "a.example:5000", "--header", "X-Only: one", "--insecure=false")
    berth("registry", "unset", "a.example:5000", "ca-file", "proxy", "timeout")
    assert berth("registry", "list").out.decode().splitlines()[:2] == ["a.example:5000  insecure  false",
                                                                       "a.example:5000  header  X-Only: one"]
    berth("registry", "unset", "a.example:5000", "proxy", code=NOT_FOUND)
    berth("registry", "unset", "a.example:5000")
    berth("registry", "unset", "a.example:5000", code=NOT_FOUND)
    assert "a.example" not in file.read_text() and "secret" not in file.read_text()


@pytest.mark.parametrize("argv, said", [
    (["set", "a.example"], "nothing to set"),
    (["set", "a.example", "--output", "json"], "nothing to set"),
    (["set", "https://a.example", "--insecure"], "leave out what stands before the host"),
    (["set", "a/b", "--insecure"], "is no host"),
    (["set", "a.example", "--username", "u"], "'--username' is not an option"),
    (["set", "a.example", "--insecure=maybe"], "--insecure is true or false"),
    (["set", "a.example", "--timeout", "x"], "--timeout is a number"),
    (["set", "a.example", "--plain-http", "--insecure"], "exclude each other"),
    (["unset", "a.example", "timeuot"], "did you mean timeout?"),
    (["show", "a/b"], "is no host"),
])
def test_what_makes_no_sense_is_not_kept(berth, file, argv, said):
    assert said in berth("registry", *argv, code=USAGE).err
    assert not file.exists()


def test_a_mistake_in_it_is_told_with_its_place(berth, file, told):
    """Exit code 3, by every command that would go by it; nothing is sent, and nothing overwritten."""
    one, _ = told
    file.parent.mkdir(parents=True)
    text = f"default:\n  timeout: 60\n{one.address}:\n  time-out: 5\n"
    file.write_text(text)
    for argv in (["ping", one.address], ["registry", "list"], ["registry", "show", one.address],
                 ["registry", "set", one.address, "--timeout", 5], ["registry", "unset", one.address]):
        assert f"{file}:4:3: 'time-out' is no setting; did you mean timeout?" in berth(*argv, code=CONFIG).err
    assert not one.seen and file.read_text() == text
    assert berth("version", code=OK)


def test_it_is_where_the_environment_says(berth, file, told):
    one, _ = told
    elsewhere = berth.home / "elsewhere" / "mine.yaml"
    berth("registry", "set", one.address, "--user-agent", "elsewhere", BERTH_HOSTS_FILE=str(elsewhere))
    berth("registry", "set", one.address, "--user-agent", "xdg", XDG_CONFIG_HOME=str(berth.home / "xdg"))
    assert elsewhere.exists() and (berth.home / "xdg/berth/hosts.yaml").exists() and not file.exists()
    berth("ping", one.address, BERTH_HOSTS_FILE=str(elsewhere), XDG_CONFIG_HOME=str(berth.home / "xdg"))
    berth("ping", one.address, XDG_CONFIG_HOME=str(berth.home / "xdg"))
    berth("ping", one.address, BERTH_HOSTS_FILE=str(berth.home / "nothing"))
    assert agents(one)[:2] == ["elsewhere", "xdg"] and agents(one)[2].startswith("berth/")
    assert "nothing reads" not in berth("ping", one.address, BERTH_HOSTS_FILE=str(elsewhere)).err


def test_a_link_stays_and_comments_are_told_of(berth, file):
    """As people have it who keep such files under version control."""
    kept = berth.home / "dotfiles" / "hosts.yaml"
    kept.parent.mkdir()
    kept.write_text("# mine\na.example:\n  ca-file: ca.pem\n")
    file.parent.mkdir(parents=True)
    file.symlink_to(kept)
    assert "comments" in berth("registry", "set", "b.example", "--timeout", 5).err
    assert file.is_symlink() and "b.example" in kept.read_text() and "ca-file: ca.pem" in kept.read_text()
    assert "comments" not in berth("registry", "set", "b.example", "--timeout", 6).err
    assert f"ca-file  {file.parent}/ca.pem" in berth("registry", "show", "a.example").out.decode()


def test_two_at_a_time_lose_nothing(berth, file):
    running = [subprocess.Popen([berth_path(), "registry", "set", f"r{i}.example", "--timeout", str(i + 1)], env=berth.env,
                                cwd=berth.home, stdout=subprocess.DEVNULL) for i in range(8)]
    assert [p.wait(60) for p in running] == [0] * 8
    assert sorted(line.split()[0] for line in berth("registry", "list").out.decode().splitlines()) == \
        [f"r{i}.example" for i in range(8)]


def test_what_can_not_be_written_leaves_it_whole(berth, file):
    berth("registry", "set", "a.example", "--timeout", 5)
    was = file.read_bytes()
    done = subprocess.run(["prlimit", "--fsize=16", berth_path(), "registry", "set", "b.example", "--timeout", "5"],
                          env=berth.env, cwd=berth.home, capture_output=True, preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    assert done.returncode == 1 and b"registry set: " in done.stderr
    assert file.read_bytes() == was and os.listdir(file.parent) == ["hosts.yaml"]
