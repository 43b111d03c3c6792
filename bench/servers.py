"""The servers that bench/run compares: how each is started with its own defaults, spoken to and looked at.

A contestant knows a server program; start() gives a Running in a fresh folder on a free port of 127.0.0.1. What they
write to their logs goes to /dev/null. nginx serves the same paths from files: the practical limit of reading.
"ceiling" is the driver's responder: what the load generators reach when the server does nothing.
"""

import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth"
TICK = os.sysconf("SC_CLK_TCK")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def find(name):
    """A program from the cache, where tools/bootstrap puts what it builds, or from PATH."""
    cached = CACHE / "bin" / name
    return str(cached) if cached.exists() else shutil.which(name)


def free_port():
    """One below those that the kernel gives to whoever asks for any: nobody else takes it before its server does."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", random.randrange(10_000, first) if first > 20_000 else 0))
                return s.getsockname()[1]
            except OSError:
                pass                  # that one is in use


def first_line(argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "?"


def version_in(text):
    found = re.search(r"\d+\.\d+\.\d+\S*", text)
    return found.group() if found else text


class Contestant:
    """name is how results call it; single: it takes a blob by one POST; stores: it is a registry, not files."""

    name, program, single, stores = "", "", False, True

    def __init__(self):
        self.path = find(self.program)

    def available(self):
        return self.path is not None

    def version(self):
        return version_in(first_line([self.path, "--version"]))

    def command(self, folder, port, tls):
        raise NotImplementedError

    def environment(self):
        return {}

    def start(self, base, tls=None, folder=None):
        return Running(self, base, tls, folder)

    def manifest_path(self, content):
        return "/v2/bench/small/manifests/latest"

    def blob_path(self, content, size):
        return f"/v2/bench/small/blobs/{content.blobs[size][0]}"

    def fill_tags(self, folder, repository, count):
        """Makes a repository of so many tags right in the stopped server's folder; False: no fast way is known."""
        return False


class Berth(Contestant):
    name, program, single = "berth", "berth", True

    def __init__(self, path, flags=()):
        self.path, self.flags = path, list(flags)

    def command(self, folder, port, tls):
        secure = ["--tls-certificate", tls[0], "--tls-key", tls[1]] if tls else []
        return [self.path, "serve", "--data", str(folder), "--listen", f"127.0.0.1:{port}", *secure, *self.flags]


class Nginx(Contestant):
    name, program, stores = "nginx", "nginx", False

    def __init__(self):
        self.path = shutil.which("nginx") or next((p for p in ("/usr/sbin/nginx",) if os.path.exists(p)), None)

    def version(self):
        return version_in(first_line([self.path, "-v"]))

    def command(self, folder, port, tls):
        listen = f"{port} ssl; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}" if tls else f"{port}"
        (folder / "root").mkdir(exist_ok=True)
        paths = " ".join(f"{kind}_temp_path {folder}/temp;" for kind in
                         ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(f"""{user}
worker_processes 2;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
    {paths}
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{listen};
        root {folder}/root;
        location = /v2/ {{ return 200; }}
        location /v2/bench/small/manifests/ {{ default_type {MANIFEST}; }}
    }}
}}
""")
        return [self.path, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/error.log"]


class Distribution(Contestant):
    name, program = "distribution", "registry"

    def environment(self):
        return {"OTEL_TRACES_EXPORTER": "none"}

    def command(self, folder, port, tls):
        secure = f"\n  tls: {{certificate: {tls[0]}, key: {tls[1]}}}" if tls else ""
        (folder / "config.yml").write_text(f"""version: 0.1
storage:
  filesystem: {{rootdirectory: {folder}/data}}
http:
  addr: 127.0.0.1:{port}{secure}
""")
        return [self.path, "serve", str(folder / "config.yml")]

    def fill_tags(self, folder, repository, count):
        top = folder / "data/docker/registry/v2/repositories" / repository / "_manifests/tags"
        tag = next(top.iterdir()).name
        for i in range(count):        # a listing reads names alone: a link to a tag's folder is as good as one
            (top / f"t{i:07}").symlink_to(tag)
        return True


class DockerRegistry(Distribution):
    name, program = "docker-registry", "docker-registry"

    def environment(self):
        return {}


class Olareg(Contestant):
    name, program, single = "olareg", "olareg", True

    def version(self):
        lines = subprocess.run([self.path, "version"], capture_output=True, text=True).stdout
        found = next((p.name for p in (CACHE / "bin").glob(".olareg@*")), "olareg@?")
        tag = re.search(r"VCSTag:\s*(v\S+)", lines)
        return version_in(tag.group(1) if tag else found)

    def command(self, folder, port, tls):
        secure = ["--tls-cert", tls[0], "--tls-key", tls[1]] if tls else []
        return [self.path, "serve", "--addr", "127.0.0.1", "--port", str(port), "--dir", str(folder), *secure]

    def fill_tags(self, folder, repository, count):
        path = folder / repository / "index.json"
        index = json.loads(path.read_text())
        seed = index["manifests"][0]
        index["manifests"] += [{**seed, "annotations": {"org.opencontainers.image.ref.name": f"t{i:07}"}}
                               for i in range(count)]
        path.write_text(json.dumps(index))
        return True


class Zot(Contestant):
    name, program, single = "zot", "zot", True

    def version(self):
        """Of itself it says what its build was told, which may be nothing; the module's stands in the program."""
        shown = subprocess.run(["go", "version", "-m", self.path], capture_output=True, text=True).stdout
        built = re.search(r"^\s*mod\s+\S+\s+v(\S+)", shown, re.M)
        return built.group(1) if built else "?"

    def command(self, folder, port, tls):
        secure = {"tls": {"cert": tls[0], "key": tls[1]}} if tls else {}
        (folder / "config.json").write_text(json.dumps({
            "storage": {"rootDirectory": str(folder / "data")}, "log": {"level": "info"},
            "http": {"address": "127.0.0.1", "port": str(port), **secure}}))
        return [self.path, "serve", str(folder / "config.json")]


class Ceiling(Contestant):
    name, single = "ceiling", True

    def __init__(self, driver):
        self.path = driver

    def version(self):
        return "bench/driver respond"

    def command(self, folder, port, tls):
        return [self.path, "respond", "--threads", "2", "--connect", f"127.0.0.1:{port}"]

    def manifest_path(self, content):
        return f"/{len(content.manifest)}"

    def blob_path(self, content, size):
        return f"/{size}"


class Running:
    """A started server. Its folder goes when it is closed, unless it was lent one."""

    def __init__(self, contestant, base, tls=None, folder=None):
        self.contestant, self.tls, self.lent = contestant, tls, folder is not None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=contestant.name + "-", dir=base))
        self.process = None
        self.start()

    @property
    def name(self):
        return self.contestant.name

    def start(self):
        for attempt in range(3):      # another program may take the port that was free
            self.port = free_port()
            self.address = f"127.0.0.1:{self.port}"
            argv = self.contestant.command(self.folder, self.port, self.tls)
            env = {**os.environ, **self.contestant.environment()}
            began = time.perf_counter()
            self.process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL)
            if self.answers(60):
                self.first_answer_ms = (time.perf_counter() - began) * 1000
                self.url = f"http{'s' if self.tls else ''}://{self.address}"
                return
            self.stop()
        try:
            said = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=3).stderr
        except subprocess.TimeoutExpired as e:
            said = str(e.stderr)
        raise RuntimeError(f"{self.name} does not answer on {self.address}: {said[-2000:]}")

    def answers(self, seconds):
        """Waits for the first answer. Over TLS an open port has to do."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                    if self.tls:
                        return True
                    s.sendall(b"GET /v2/ HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                    if s.recv(100).startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
                        return True
            except OSError:
                pass
            time.sleep(0.0005)
        return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def close(self):
        self.stop()
        if not self.lent:
            shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self):
        self.stop()
        self.start()

    # --- what the kernel knows about its processes ---

    def pids(self):
        """The process and its children, as nginx has."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    found += [int(p) for p in task.read_text().split()]
                except OSError:
                    pass
        return found

    def cpu(self):
        """Seconds of processor, user and system, of all its processes and of its children that ended."""
        ticks = 0
        for pid in self.pids():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(int(f) for f in fields[11:15 if pid == self.process.pid else 13])
        return ticks / TICK

    def memory(self, what):
        """MiB: VmRSS now, or VmHWM at its highest since reset_peak()."""
        kib = 0
        for pid in self.pids():
            try:
                m = re.search(rf"^{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
            except OSError:
                continue
            kib += int(m.group(1)) if m else 0
        return kib / 1024

    def reset_peak(self):
        for pid in self.pids():
            try:
                Path(f"/proc/{pid}/clear_refs").write_text("5")
            except OSError:
                pass

    # --- content ---

    def connect(self):
        if self.tls:                  # the certificate is our own: what it says is not at question
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=300,
                                               context=ssl._create_unverified_context())
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)

    def push_blob(self, repository, data, digest=None, size=None):
        """data: bytes, or a file with its digest and size."""
        digest, size = digest or digest_of(data), len(data) if size is None else size
        conn = self.connect()
        try:
            conn.request("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
            r = conn.getresponse()
            r.read()
            where = re.sub(r"^https?://[^/]*", "", r.headers["Location"] or "")
            where += ("&" if "?" in where else "?") + f"digest={digest}"
            conn.request("PUT", where, body=data, headers={"Content-Type": "application/octet-stream",
                                                           "Content-Length": str(size)})
            r = conn.getresponse()
            said = r.read()
            if r.status != 201:
                raise RuntimeError(f"{self.name}: pushing a blob was answered {r.status}: {said[:300]!r}")
        finally:
            conn.close()
        return digest

    def push_manifest(self, repository, reference, body, media_type=MANIFEST):
        conn = self.connect()
        try:
            conn.request("PUT", f"/v2/{repository}/manifests/{reference}", body=body,
                         headers={"Content-Type": media_type})
            r = conn.getresponse()
            said = r.read()
            if r.status != 201:
                raise RuntimeError(f"{self.name}: pushing a manifest was answered {r.status}: {said[:300]!r}")
        finally:
            conn.close()

    def get(self, path):
        conn = self.connect()
        try:
            conn.request("GET", path, headers={"Accept": f"{MANIFEST}, */*"})
            r = conn.getresponse()
            return r.status, r.read()
        finally:
            conn.close()


class Content:
    """What is read: a manifest of a few hundred bytes, and blobs by size, the same in every server."""

    def __init__(self, sizes, folder):
        noise = os.urandom(1 << 20)
        self.files, self.blobs = {}, {}
        for size in sizes:
            self.files[size] = folder / f"blob-{size}"
            h = hashlib.sha256()
            with open(self.files[size], "wb") as f:
                for at in range(0, size, len(noise)):
                    piece = noise[:size - at]
                    f.write(piece)
                    h.update(piece)
            self.blobs[size] = ("sha256:" + h.hexdigest(), size)
        config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
        self.config = config
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": LAYER, "digest": d, "size": n} for d, n in self.blobs.values()][:4],
        }).encode()

    def load(self, server):
        """Puts all into a server, and reads it back."""
        if isinstance(server.contestant, Ceiling):
            return
        if not server.contestant.stores:
            root = server.folder / "root/v2/bench/small"
            (root / "manifests").mkdir(parents=True)
            (root / "blobs").mkdir()
            (root / "manifests/latest").write_bytes(self.manifest)
            for size, (digest, _) in self.blobs.items():
                shutil.copyfile(self.files[size], root / "blobs" / digest)
        else:
            server.push_blob("bench/small", self.config)
            for size, (digest, _) in self.blobs.items():
                with open(self.files[size], "rb") as f:
                    server.push_blob("bench/small", f, digest, size)
            server.push_manifest("bench/small", "latest", self.manifest)
        small = {server.contestant.manifest_path(self): self.manifest}
        small |= {server.contestant.blob_path(self, n): f.read_bytes() for n, f in self.files.items() if n < 1 << 20}
        for path, wanted in small.items():
            if server.get(path) != (200, wanted):
                raise RuntimeError(f"{server.name} does not give back {path}")


def contestants(berth, driver, berth_flags=()):
    """Those that are here, berth first, nginx second; any of zot's kind is taken when it is on PATH."""
    every = [Berth(berth, berth_flags), Nginx(), Distribution(), DockerRegistry(), Olareg(), Zot(), Ceiling(driver)]
    return [c for c in every if c.available()]
