"""How a registry is reached: proxies that want a password, certificates of clients, sockets, one family of addresses, mirrors."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from commandline import DENIED, FAILED, NETWORK, NOT_FOUND, TAGS, USAGE, Berth, fill, says, servers
from server import ROOT, Server, berth_path

sys.path.insert(0, str(ROOT / "tests"))


@pytest.fixture
def berth(tmp_path):
    made = Berth(tmp_path / "home")
    del made.env["no_proxy"]
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "NO_PROXY"):
        made.env.pop(name, None)
    return made


def wait_for_port(port, process, family=socket.AF_INET):
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < end and process.poll() is None, "it does not listen"
            time.sleep(0.02)


def program(name):
    found = shutil.which(name) or next((p for p in (f"/usr/sbin/{name}",) if os.path.exists(p)), None)
    if not found:
        pytest.skip(f"{name} is not here (tools/bootstrap test)")
    return found


@pytest.fixture(scope="module")
def squid(tmp_path_factory):
    """Debian's squid, which lets alice through alone; .log is what it was asked for, written when it is done with it."""
    path = program("squid")
    folder = tmp_path_factory.mktemp("squid")
    folder.chmod(0o777)
    for parent in list(folder.parents)[:2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    port = servers.free_port()
    (folder / "passwords").write_text("alice:" + subprocess.run(["openssl", "passwd", "-apr1", "secret"], check=True,
                                                                capture_output=True, text=True).stdout)
    (folder / "squid.conf").write_text(f"""http_port 127.0.0.1:{port}
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/passwords
auth_param basic realm test
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
pid_filename {folder}/pid
access_log stdio:{folder}/log
cache_log {folder}/cache.log
coredump_dir {folder}
pinger_enable off
netdb_filename none
shutdown_lifetime 0 seconds
logfile_rotate 0
""")
    process = subprocess.Popen([path, "-N", "-f", folder / "squid.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_port(port, process)

    def waits_for(text):
        end = time.monotonic() + 60
        while text not in (folder / "log").read_text():
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.02)

    yield SimpleNamespace(address=f"127.0.0.1:{port}", log=folder / "log", waits_for=waits_for)
    process.terminate()
    process.wait(20)


class TestProxy:
    def test_that_wants_a_password_is_gone_through(self, berth, server, squid):
        proxy = f"http://alice:secret@{squid.address}"
        berth("ping", server.address, "--proxy", proxy)
        squid.waits_for(f"GET http://{server.address}/v2/")
        berth("ping", server.address, http_proxy=proxy)
        for wrong in (f"http://{squid.address}", f"http://alice:wrong-word@{squid.address}"):
            said = berth("ping", server.address, "--proxy", wrong, code=DENIED).err
            assert "proxy" in said and "wrong-word" not in said
            assert "try: --proxy" in said and "login" not in said

    def test_sees_nothing_of_what_goes_through_tls(self, berth, tls_server, certificates, squid):
        host = f"localhost:{tls_server.port}"
        berth("ping", host, "--ca-file", certificates.ca, "--proxy", f"http://alice:secret@{squid.address}")
        squid.waits_for(f"CONNECT {host}")
        said = berth("ping", host, "--ca-file", certificates.ca, "--proxy", f"http://alice:wrong-word@{squid.address}",
                     code=DENIED).err
        assert "the proxy wants other credentials\ntry: --proxy" in said and "wrong-word" not in said

    def test_everything_goes_through_it(self, berth, squid, tmp_path):
        contestant = servers.Distribution()
        if not contestant.available():
            pytest.skip("distribution is not here (tools/bootstrap bench)")
        real = fill(contestant.start(tmp_path))
        proxy = ["--proxy", f"http://alice:secret@{squid.address}"]
        try:
            assert len(berth("tag", "list", real.ref, *proxy).out.split()) == TAGS
            assert berth("manifest", "get", f"{real.ref}:v1", *proxy).out == real.manifest
            assert berth("blob", "get", f"{real.ref}@{real.blob_digest}", *proxy).out == real.blob
        finally:
            real.running.close()
        for what in ("tags/list", "manifests/v1", "blobs/sha256:"):
            squid.waits_for(f"http://{real.host}/v2/team/app/{what}")

    def test_is_not_for_hosts_that_are_excepted(self, berth, server, squid):
        proxy = f"http://alice:secret@{squid.address}"
        words = ["tag", "list", f"{server.address}/excepted"]
        berth(*words, "--proxy", proxy, "--no-proxy", "127.0.0.1,other.example", code=4)
        berth(*words, http_proxy=proxy, no_proxy="127.0.0.1", code=4)
        berth(*words, "--proxy", "", http_proxy=proxy, code=4)
        berth("tag", "list", f"{server.address}/later", "--proxy", proxy, code=4)
        squid.waits_for("/v2/later/")
        assert "/v2/excepted/" not in squid.log.read_text()

    def test_that_is_down_is_named(self, berth, server, tls_server, certificates):
        nobody = f"127.0.0.1:{servers.free_port()}"
        for scheme in ("http", "socks5h"):
            said = berth("ping", server.address, "--proxy", f"{scheme}://{nobody}", code=NETWORK).err
            assert "the proxy can't be reached" in said and "try: another --proxy" in said
        said = berth("ping", tls_server.address, "--ca-file", certificates.ca, https_proxy=f"http://{nobody}", code=NETWORK).err
        assert "the proxy can't be reached" in said
        said = berth("ping", f"127.0.0.1:{servers.free_port()}", code=NETWORK).err
        assert "proxy" not in said

    def test_that_lets_nothing_through_is_asked_once(self, berth, scripted, certificates):
        s = scripted()
        said = berth("ping", "registry.example", "--ca-file", certificates.ca, "--proxy", s.url, code=NETWORK).err
        assert "the proxy answered 501" in said and "trying again" not in said

    def test_of_socks_is_gone_through(self, berth, server):
        port = servers.free_port()
        process = subprocess.Popen([program("microsocks"), "-i", "127.0.0.1", "-p", str(port), "-u", "alice", "-P", "secret"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port, process)
            berth("ping", server.address, "--proxy", f"socks5h://alice:secret@127.0.0.1:{port}")
            said = berth("ping", server.address, "--proxy", f"socks5h://alice:wrong-word@127.0.0.1:{port}", code=NETWORK).err
            assert "wrong-word" not in said
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def strict(berth_binary, certificates, tmp_path_factory):
    """A registry over TLS that wants to see a client's certificate, and one for alice."""
    folder = tmp_path_factory.mktemp("strict")
    ca = Path(certificates.ca).parent

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=alice",
            "-keyout", folder / "alice.key", "-out", folder / "alice.csr")
    openssl("x509", "-req", "-in", folder / "alice.csr", "-CA", ca / "ca.crt", "-CAkey", ca / "ca.key", "-CAserial",
            folder / "serial", "-CAcreateserial", "-days", "2", "-out", folder / "alice.cert")
    running = Server(berth_binary, folder / "data", "--tls-client-ca", certificates.ca, tls=certificates)
    yield SimpleNamespace(host=f"localhost:{running.port}", cert=folder / "alice.cert", key=folder / "alice.key",
                          ca=certificates.ca)
    running.stop()


class TestCertificates:
    def test_of_a_client_are_shown(self, berth, strict):
        berth("ping", strict.host, "--ca-file", strict.ca, "--client-cert", strict.cert, "--client-key", strict.key)
        both = berth.home / "both.pem"
        both.write_text(strict.cert.read_text() + strict.key.read_text())
        berth("ping", strict.host, "--ca-file", strict.ca, "--client-cert", both)
        berth("ping", strict.host, "--ca-file", strict.ca, "--client-cert", "/nowhere", code=NOT_FOUND)
        berth("ping", strict.host, "--client-key", strict.key, code=USAGE)

    @pytest.mark.parametrize("again", range(4))        # what the server says may come too late to be read
    def test_that_is_wanted_and_not_given_is_asked_for(self, berth, strict, again):
        said = berth("ping", strict.host, "--ca-file", strict.ca, code=DENIED).err
        assert said == (f"berth ping: {strict.host}: the registry wants a client's certificate\n"
                        "try: --client-cert FILE, with --client-key FILE\n")

    def test_is_asked_for_by_pages_too(self, berth, strict, certificates, tmp_path):
        nginx = servers.Nginx()
        if not nginx.available():
            pytest.skip("nginx is not here (tools/bootstrap test)")
        command = nginx.command

        def with_clients(folder, port, tls):
            argv = command(folder, port, tls)
            config = next(folder.glob("*.conf"))
            config.write_text(config.read_text().replace(
                "ssl_certificate ", f"ssl_client_certificate {strict.ca}; ssl_verify_client on; ssl_certificate ", 1))
            return argv

        nginx.command = with_clients
        running = nginx.start(tmp_path, (str(certificates.certificate), str(certificates.key)))
        try:
            said = berth("ping", f"localhost:{running.port}", "--ca-file", strict.ca, code=DENIED).err
            assert "wants a client's certificate\ntry: --client-cert" in said, said
        finally:
            running.close()

    def test_that_is_not_trusted_is_named(self, berth, strict):
        own = berth.home / "own"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=mallory", "-keyout", f"{own}.key", "-out", f"{own}.cert"], check=True, capture_output=True)
        done = subprocess.run([berth_path(), "ping", strict.host, "--ca-file", strict.ca, "--client-cert", f"{own}.cert",
                               "--client-key", f"{own}.key", "--retries", "0"], env=berth.env, capture_output=True, text=True)
        assert done.returncode in (DENIED, NETWORK)
        assert "client's certificate" in done.stderr and "try: another --client-cert" in done.stderr

    def test_lie_in_folders_by_host(self, berth, strict):
        folder = berth.home / ".docker/certs.d" / strict.host
        folder.mkdir(parents=True)
        shutil.copy(strict.ca, folder / "ca.crt")
        shutil.copy(strict.cert, folder / "client.cert")
        shutil.copy(strict.key, folder / "client.key")
        secure = ["--resolve", f"{strict.host}:127.0.0.1"]
        name = strict.host.replace("localhost", "registry.localhost")
        berth("ping", strict.host, "--user-agent", "x", "--insecure")
        (folder.parent / name).mkdir()
        berth("ping", name, "--resolve", f"{name}:127.0.0.1", code=NETWORK)     # another host's folder is empty
        other = berth.home / "elsewhere"
        shutil.move(folder.parent, other)
        berth("ping", strict.host, "--insecure", code=DENIED)
        berth("ping", strict.host, "--insecure", "--certs-dir", other, *secure)
        (other / strict.host / "client.key").unlink()
        assert "client.key" in berth("ping", strict.host, "--insecure", "--certs-dir", other, code=USAGE).err

    def test_trusted_ones_of_a_folder_are_enough(self, berth, tls_server, certificates):
        host = f"registry.example:{tls_server.port}"
        folder = berth.home / "certs" / host
        folder.mkdir(parents=True)
        shutil.copy(certificates.ca, folder / "ca.crt")
        found = ["--resolve", f"{host}:127.0.0.1", "--certs-dir", folder.parent]
        said = berth("ping", host, *found, code=NETWORK).err
        assert "another host name" in said and "--resolve" in said and "--ca-file" not in said    # trusted, but of localhost
        (folder / "ca.crt").unlink()
        said = berth("ping", host, *found, code=NETWORK).err
        assert "issuer" in said or "self-signed" in said


class TestInsecure:
    def test_https_comes_first_and_then_http(self, berth, server, tls_server):
        berth("ping", server.address, "--insecure")
        berth("ping", tls_server.address, "--insecure")
        assert berth("tag", "list", f"{server.address}/none", "--insecure", code=4)

    def test_nothing_falls_back_unasked(self, berth, server):
        host = f"registry.example:{server.port}"
        found = ["--resolve", f"{host}:127.0.0.1"]
        assert "plain HTTP" in berth("ping", host, *found, code=NETWORK).err
        berth("ping", host, *found, "--insecure")
        berth("ping", host, *found, "--plain-http")

    def test_http_where_https_is_spoken_is_a_clear_error(self, berth, tls_server, tmp_path, certificates):
        host = f"localhost:{tls_server.port}"
        for option in ([], ["--plain-http"]):
            assert "(it speaks HTTPS)\ntry: --https\n" in berth("ping", host, *option, code=NETWORK).err
        berth("ping", host, "--https", BERTH_CA_FILE=certificates.ca)
        berth("ping", host, "--https", "--plain-http", code=USAGE)
        nginx = servers.Nginx()
        if nginx.available():
            running = nginx.start(tmp_path, (str(certificates.certificate), str(certificates.key)))
            try:
                assert "HTTPS" in berth("ping", f"localhost:{running.port}", "--plain-http", code=NETWORK).err
            finally:
                running.close()


class TestAddresses:
    def test_a_socket_in_the_file_system_leads_to_a_registry(self, berth, make_server, tmp_path):
        path = tmp_path / "s"
        make_server("--listen", f"unix:{path}")
        berth("ping", "registry.example", "--plain-http", "--unix-socket", path)
        berth("tag", "list", "registry.example/none", "--plain-http", "--unix-socket", path, code=4)
        said = berth("ping", "registry.example", "--plain-http", "--unix-socket", tmp_path / "none", code=NETWORK).err
        assert f"connecting to the socket '{tmp_path}/none'" in said

    def test_the_family_that_is_alive_is_found(self, berth, make_server):
        six = make_server("--listen", "[::1]:0")
        host = f"both.example:{six.port}"
        both = ["--plain-http", "--resolve", f"{host}:127.0.0.1,[::1]"]      # nobody listens on 127.0.0.1
        began = time.monotonic()
        berth("ping", host, *both)
        assert time.monotonic() - began < 25          # of the 30 s that it would be else
        berth("ping", host, *both, "--ipv6")
        berth("ping", host, *both, "--ipv4", code=NETWORK)
        berth("ping", host, *both, "-4", "-6", code=USAGE)

    def test_the_other_family_is_tried_when_one_swallows_everything(self, berth, server):
        host = f"both.example:{server.port}"
        silent = ["--plain-http", "--resolve", f"{host}:[100::1],127.0.0.1"]      # RFC 6666: discarded
        began = time.monotonic()
        berth("ping", host, *silent)
        assert time.monotonic() - began < 25          # of the 30 s that it would be else


class TestRequests:
    def test_headers_of_ones_own_go_to_the_registry_alone(self, berth, scripted):
        s, other = scripted(), scripted()
        s.routes["/v2/"] = lambda r: (307, {"Location": f"{other.url}/there"}, b"") if r.headers.get("X-Team") == "blue" else (404, {}, b"")
        other.routes["/there"] = says(200)
        berth("ping", s.address, "--header", "X-Team: blue", "--header", "X-Other: x", "--user-agent", "mine/1")
        assert s.seen[0].headers["X-Other"] == "x" and s.seen[0].headers["User-Agent"] == "mine/1"
        assert other.seen[0].headers.get("X-Team") is None
        assert "is no header" in berth("ping", s.address, "--header", "no colon", code=USAGE).err

    def test_a_mirror_is_told_whose_content_is_wanted(self, berth, scripted):
        s = scripted()
        s.routes["/v2/a/tags/list"] = says(200, b'{"tags":["v1"]}', Link='</v2/a/tags/list?last=v1&ns=docker.io>; rel="next"')
        pages = iter([says(200, b'{"tags":["v1"]}', Link='</v2/a/tags/list?last=v1&ns=docker.io>; rel="next"'), says(200, b'{"tags":[]}')])
        s.routes["/v2/a/tags/list"] = lambda r: next(pages)(r)
        berth("tag", "list", f"{s.address}/a", "--ns", "docker.io")
        assert all(x.path.count("ns=docker.io") == 1 for x in s.seen) and len(s.seen) == 2
