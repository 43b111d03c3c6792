"""The registry clients that people use, as tests call them: each in a home of its own, so that nothing of the user's
configuration is read, and each told in its own way whether to trust a certificate or to speak plain HTTP."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

TIMEOUT = 600


def need(*tools):
    """Skips the test where a tool is missing; tests/permitted-skips says whether that is in order."""
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not here (tools/bootstrap test)")


class Clients:
    """The command lines of the clients, with what each needs to trust this registry. Every one has a home of its own."""

    def __init__(self, registry, certificates, home):
        self.registry, self.home, self.tls = registry, Path(home), registry.scheme == "https"
        self.certificates = certificates
        self.home.mkdir(parents=True, exist_ok=True)
        theirs = re.compile(r"(REGCTL|DOCKER|REGISTRY|ORAS|HELM|NOTATION)_")
        self.env = {k: v for k, v in os.environ.items() if not theirs.match(k)}
        self.env.update(HOME=str(self.home), XDG_RUNTIME_DIR=str(self.home / "run"), XDG_DATA_HOME=str(self.home),
                        XDG_CONFIG_HOME=str(self.home / "config"), TMPDIR=str(self.home / "tmp"),
                        XDG_CACHE_HOME=str(self.home / "cache"), DOCKER_CONFIG=str(self.home / "docker"),
                        REGCTL_CONFIG=str(self.home / "regctl.json"),
                        NO_PROXY="127.0.0.1,localhost", no_proxy="127.0.0.1,localhost")
        for folder in ("run", "tmp", "config", "docker"):
            (self.home / folder).mkdir(exist_ok=True)
        (self.home / "docker" / "config.json").write_text("{}")
        if self.tls:
            self.env["SSL_CERT_FILE"] = str(certificates.ca)
        self.stores = []

    def ref(self, repository, reference=None):
        """127.0.0.1:PORT/repository[:tag or @digest]"""
        name = f"{self.registry.address}/{repository}"
        if reference is None:
            return name
        return f"{name}@{reference}" if reference.startswith("sha256:") else f"{name}:{reference}"

    def run(self, *argv, cwd=None, ok=True, **env):
        argv = [str(a) for a in argv]
        need(argv[0])
        done = subprocess.run(argv, cwd=cwd or self.home, env={**self.env, **env}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=TIMEOUT)
        if ok:
            assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def skopeo(self, command, *args, **more):
        """skopeo; the flags of trust are for "src", "dest" or "" (commands with one end)."""
        return self.run("skopeo", "--insecure-policy", command, *args, **more)

    def skopeo_trust(self, end=""):
        end = end and end + "-"
        return [f"--{end}cert-dir={self.certificates.folder}"] if self.tls else [f"--{end}tls-verify=false"]

    def crane(self, *args, **more):
        return self.run("crane", *args, **more)

    def oras(self, command, *args, **more):
        trust = ["--ca-file", self.certificates.ca] if self.tls else ["--plain-http"]
        return self.run("oras", command, *trust, *args, **more)

    def oras_copy(self, direction, *args, **more):
        trust = [f"--{direction}-ca-file", self.certificates.ca] if self.tls else [f"--{direction}-plain-http"]
        return self.run("oras", "cp", *trust, *args, **more)

    def regctl(self, *args, **more):
        if not (self.home / "regctl.json").exists():
            trust = (["--cacert", self.certificates.ca.read_text(), "--tls", "enabled"] if self.tls
                     else ["--tls", "disabled"])
            self.run("regctl", "registry", "set", self.registry.address, "--skip-check", *trust)
        return self.run("regctl", *args, **more)

    def alone(self, *argv, **more):
        """For tools that would ask services outside: a proxy that is not there answers for all but this machine."""
        return self.run(*argv, HTTPS_PROXY="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1", **more)

    def helm(self, command, *args, **more):
        trust = ["--ca-file", self.certificates.ca] if self.tls else ["--plain-http"]
        return self.alone("helm", *command.split(), *args, *trust, **more)

    def notation(self, command, *args, **more):
        """notation's commands that speak to a registry."""
        return self.alone("notation", command, *([] if self.tls else ["--insecure-registry"]), *args, **more)

    def storage(self, tool):
        """podman or buildah with a new, empty store: store("push", …)."""
        need(tool)
        base = Path(tempfile.mkdtemp(prefix="berth-"))    # podman refuses a run root of more than 50 characters
        self.stores.append(base)
        flags = ["--root", base / "root", "--runroot", base / "run", "--storage-driver", "vfs"]
        if tool == "podman":
            flags += ["--tmpdir", base / "tmp", "--events-backend", "none"]
        trust = [f"--cert-dir={self.certificates.folder}"] if self.tls else ["--tls-verify=false"]

        # Who is not root mounts inside a user namespace; what the vfs driver mounts is a folder, there afterwards as well.
        def run(command, *args, inside=False, **more):
            unshare = [tool, *flags, "unshare"] if inside and os.geteuid() else []
            return self.run(*unshare, tool, *flags, command, *(trust if command in ("push", "pull") else []), *args, **more)
        return run

    def remove(self):
        """The stores of podman and buildah lie outside the test's own folder."""
        for base in self.stores:
            if os.geteuid():                              # layers hold files of the user's further ids
                subprocess.run(["buildah", "unshare", "rm", "-rf", base], capture_output=True, timeout=TIMEOUT)
            shutil.rmtree(base, ignore_errors=True)
