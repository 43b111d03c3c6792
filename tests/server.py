"""A berth server as a test sees it: started on a free port, spoken to, killed, stopped and looked over.

The binary comes from BERTH, or is build/berth of this checkout. BERTH_WRAP is put before it (setarch -R, valgrind).
"""

import http.client
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer|FATAL: ThreadSanitizer")


# What the server reads of a body before a worker gets it. Asked for: it has changed before, and tests went on, of less.
UPLOAD_BUFFER = int(re.search(r"buffer_bytes, (\d+) \* KIB", (ROOT / "src/http/options.c").read_text())[1]) * 1024


def berth_path():
    return os.environ.get("BERTH", str(ROOT / "build" / "berth"))


class Server:
    """Server(binary, data, *flags, config=None, env=None) serves data on a free port of 127.0.0.1 at once.

    A flag "--listen" among the flags replaces the default one; config is the text of a configuration file.
    """

    def __init__(self, binary, data, *flags, config=None, env=None, tls=None, timeout=60):
        self.binary, self.data, self.flags = str(binary), Path(data), [str(f) for f in flags]
        self.env, self.timeout = env or {}, timeout
        self.ca = None
        self.data.mkdir(parents=True, exist_ok=True)
        self.log = self.data.parent / (self.data.name + ".stderr")
        if config is not None:
            path = self.data.parent / (self.data.name + ".yaml")
            path.write_text(config)
            self.flags += ["--config", str(path)]
        if tls is not None:
            self.ca = str(tls.ca)
            self.flags += ["--tls-certificate", str(tls.certificate), "--tls-key", str(tls.key)]
        self.process, self.port = None, None
        self.start()

    def command(self):
        listen = [] if "--listen" in self.flags else ["--listen", f"127.0.0.1:{self.port or 0}"]
        wrap = shlex.split(os.environ.get("BERTH_WRAP", ""))
        return [*wrap, self.binary, "serve", "--data", str(self.data), *listen, *self.flags]

    def environment(self):
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        env.setdefault("TSAN_OPTIONS", "second_deadlock_stack=1")
        env.update({k: str(v) for k, v in self.env.items()})
        return env

    def start(self):
        """Starts the process and waits until every listener is open. Started again on its port, it may have to wait: for a
        moment a client's connection may have that."""
        until = time.monotonic() + 60
        while True:
            try:
                self.launch()
                return
            except RuntimeError as e:
                if not self.port or "Address already in use" not in str(e) or time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def launch(self):
        command = self.command()
        wanted = command.count("--listen")
        self.lines, self.listeners = [], []
        ready = threading.Event()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            env=self.environment(), text=True, bufsize=1)

        def read(stream):
            for line in stream:
                self.lines.append(line.rstrip("\n"))
                if line.startswith("listening on "):
                    self.listeners.append(line.split()[2])
                    if len(self.listeners) >= wanted:
                        ready.set()
            ready.set()

        self.reader = threading.Thread(target=read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        ready.wait(self.timeout)
        if len(self.listeners) < wanted:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"{shlex.join(command)} does not listen: {self.stderr()[-4000:]}")
        self.url = self.listeners[0]
        parts = urlsplit(self.url)
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, parts.port
        self.address = f"{self.host}:{self.port}"

    def stderr(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def stop(self):
        """A quiet end: SIGTERM, exit status 0, and nothing from a sanitizer in the log."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.reader.join(self.timeout)        # the end of its output is seen at once; wait() with a time limit polls
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"the server did not end within {self.timeout} s of SIGTERM") from None
        self.check_log()
        assert status == 0, f"the server ended with status {status}: {self.stderr()[-4000:]}"

    def check_log(self):
        text = self.stderr()
        found = SANITIZER.search(text)
        assert not found, text[found.start():found.start() + 6000]

    def restart(self):
        """The same data behind the same port; stops the server first when it still runs."""
        if self.process.poll() is None:
            self.stop()
        self.start()

    def connect(self, timeout=60):
        """A fresh http.client connection to the server."""
        if self.scheme == "https":
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout,
                                               context=ssl.create_default_context(cafile=self.ca))
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        """One request on a connection of its own; path may be a whole Location of this server.
        Returns (status, headers, body); headers is http.client's case-insensitive mapping."""
        if path.startswith("http"):
            parts = urlsplit(path)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def raw(self, data, timeout=60):
        """Sends bytes as they are and returns everything that comes back until the server closes or is silent."""
        answer = b""
        with socket.create_connection((self.host, self.port), timeout=timeout) as s:
            try:
                s.sendall(data)
                while chunk := s.recv(65536):
                    answer += chunk
            except (TimeoutError, ConnectionError):
                pass
        return answer

    def wait_for(self, condition, seconds=60):
        """Waits until condition() is true; for what the server does in its own time."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)
