"""The clients that bench/clients compares: the command lines by which each does a job, and what a job is done with.

A job is a list of commands that run one after another. Where a tool cannot do a job in one process, as all but berth and
curl cannot ask for a thousand manifests, its list has a process for each. curl with openssl is the practical limit: the
transfer by one program, SHA-256 by another.
"""

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import CONFIG, LAYER, MANIFEST, digest_of, find, first_line, version_in

INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Blob:
    """A file, and the layout that has it as an image's only layer."""
    path: Path
    digest: str
    size: int


class Layout:
    """An OCI image layout of one image; its layers are the files of blobs/sha256."""

    def __init__(self, path, blobs):
        self.path, self.blobs = path, []
        self.folder = path / "blobs" / "sha256"
        self.folder.mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        for blob in blobs:
            there = self.folder / blob.digest.partition(":")[2]
            os.link(blob.path, there)
            self.blobs.append(Blob(there, blob.digest, blob.size))
        config = self.add(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {
            "type": "layers", "diff_ids": [b.digest for b in blobs]}}).encode(), CONFIG)
        titles = [{"org.opencontainers.image.title": b.path.name} for b in blobs]
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [
            {"mediaType": LAYER.partition("+")[0], "digest": b.digest, "size": b.size, "annotations": t}
            for b, t in zip(blobs, titles)]}).encode()
        entry = self.add(self.manifest, MANIFEST)
        entry["annotations"] = {"org.opencontainers.image.ref.name": "v1"}
        (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
        self.config = config["digest"]

    def add(self, data, media_type):
        digest = digest_of(data)
        (self.folder / digest.partition(":")[2]).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def load(self, server, repository):
        """Puts the image into a registry, without any of the clients."""
        server.push_blob(repository, (self.folder / self.config.partition(":")[2]).read_bytes())
        for blob in self.blobs:
            with open(blob.path, "rb") as f:
                server.push_blob(repository, f, blob.digest, blob.size)
        server.push_manifest(repository, "v1", self.manifest)


def shell(*commands):
    return ["sh", "-ec", "; ".join(commands)]


def quoted(*words):
    return " ".join(shlex.quote(str(w)) for w in words)


class Tool:
    """name is how results call it. Each job gets what it works on and returns its commands; None: it cannot."""

    name = ""

    def __init__(self):
        self.path = find(self.name)

    def available(self):
        return self.path is not None

    def version(self):
        return version_in(first_line([self.path, "version"]))

    def prepare(self, home, address):
        """What has to be said once in a new home, and is not measured."""

    def head(self, ref):
        raise NotImplementedError

    def heads(self, refs):
        return [command for ref in refs for command in self.head(ref)]

    def blob_down(self, repository, blob, to):
        raise NotImplementedError

    def blob_up(self, repository, layout, blob):
        raise NotImplementedError

    def many_down(self, repository, layout, to):
        raise NotImplementedError

    def many_up(self, repository, layout, files):
        raise NotImplementedError


class Berth(Tool):
    name = "berth"

    def __init__(self, path):
        self.path = path
        shown = subprocess.run([path, "help"], capture_output=True, text=True).stdout
        self.artifacts = "artifact" in shown

    def head(self, ref):
        return [[self.path, "manifest", "head", ref]]

    def heads(self, refs):
        return [[self.path, "manifest", "head", *refs]]

    def blob_down(self, repository, blob, to):
        return [[self.path, "blob", "get", f"{repository}@{blob.digest}", "-o", to / "blob"]]

    def blob_up(self, repository, layout, blob):
        return [[self.path, "blob", "put", repository, blob.path]]

    def many_down(self, repository, layout, to):
        return [[self.path, "artifact", "pull", f"{repository}:v1", "-o", to]] if self.artifacts else None

    def many_up(self, repository, layout, files):
        return [[self.path, "artifact", "push", f"{repository}:v1", *files]] if self.artifacts else None


class BerthAlone(Berth):
    """berth as the others are used: a process for each manifest."""

    name = "berth, one each"

    def heads(self, refs):
        return Tool.heads(self, refs)

    def blob_down(self, *_):
        return None

    blob_up = many_down = many_up = blob_down


class BerthTold(Berth):
    """berth with the digest of the blob, as crane and skopeo find it in a layout."""

    name = "berth, told"

    def heads(self, refs):
        return None

    def head(self, ref):
        return None

    def blob_up(self, repository, layout, blob):
        return [[self.path, "blob", "put", f"{repository}@{blob.digest}", blob.path]]

    blob_down = many_down = many_up = BerthAlone.blob_down


class Crane(Tool):
    name = "crane"

    def head(self, ref):
        return [[self.path, "digest", ref]]

    def blob_down(self, repository, blob, to):
        return [shell(f"{quoted(self.path, 'blob', f'{repository}@{blob.digest}')} >{quoted(to / 'blob')}")]

    def blob_up(self, repository, layout, blob):
        return [[self.path, "push", layout.path, f"{repository}:v1"]]

    def many_down(self, repository, layout, to):
        return [[self.path, "pull", "--format=oci", f"{repository}:v1", to / "layout"]]

    def many_up(self, repository, layout, files):
        return self.blob_up(repository, layout, None)


class Oras(Tool):
    name = "oras"

    def head(self, ref):
        return [[self.path, "manifest", "fetch", "--plain-http", "--descriptor", ref]]

    def blob_down(self, repository, blob, to):
        return [[self.path, "blob", "fetch", "--plain-http", "--output", to / "blob", f"{repository}@{blob.digest}"]]

    def blob_up(self, repository, layout, blob):
        return [[self.path, "blob", "push", "--plain-http", repository, blob.path]]

    def many_down(self, repository, layout, to):
        return [[self.path, "pull", "--plain-http", "--output", to, f"{repository}:v1"]]

    def many_up(self, repository, layout, files):
        return [[self.path, "push", "--plain-http", "--disable-path-validation", f"{repository}:v1", *files]]


class Regctl(Tool):
    name = "regctl"

    def version(self):
        shown = subprocess.run([self.path, "version"], capture_output=True, text=True).stdout
        tag = re.search(r"VCSTag:\s*(v\S+)", shown)
        built = next((p.name for p in Path(self.path).parent.glob(".regctl@*")), "regctl@?")
        return version_in(tag.group(1) if tag else built)

    def prepare(self, home, address):
        subprocess.run([self.path, "registry", "set", address, "--skip-check", "--tls", "disabled"], check=True,
                       capture_output=True, env={**os.environ, "HOME": str(home),
                                                 "REGCTL_CONFIG": str(home / "regctl.json")})

    def head(self, ref):
        return [[self.path, "manifest", "head", ref]]

    def blob_down(self, repository, blob, to):
        return [shell(f"{quoted(self.path, 'blob', 'get', repository, blob.digest)} >{quoted(to / 'blob')}")]

    def blob_up(self, repository, layout, blob):
        return [shell(f"{quoted(self.path, 'blob', 'put', repository)} <{quoted(blob.path)}")]

    def many_down(self, repository, layout, to):
        return [[self.path, "image", "copy", f"{repository}:v1", f"ocidir://{to}/layout:v1"]]

    def many_up(self, repository, layout, files):
        return [[self.path, "image", "copy", f"ocidir://{layout.path}:v1", f"{repository}:v1"]]


class Skopeo(Tool):
    """It has no command for a blob: it copies the image whose only layer that is."""

    name = "skopeo"

    def version(self):
        return version_in(first_line([self.path, "--version"]))

    def copy(self, *words):
        return [[self.path, "--insecure-policy", "copy", "--quiet", "--preserve-digests", *words]]

    def head(self, ref):
        return [[self.path, "inspect", "--raw", "--tls-verify=false", f"docker://{ref}"]]

    def blob_down(self, repository, blob, to):
        return self.copy("--src-tls-verify=false", f"docker://{repository}:v1", f"dir:{to}/image")

    def blob_up(self, repository, layout, blob):
        return self.copy("--dest-tls-verify=false", f"oci:{layout.path}:v1", f"docker://{repository}:v1")

    def many_down(self, repository, layout, to):
        return self.copy("--src-tls-verify=false", f"docker://{repository}:v1", f"oci:{to}/layout:v1")

    def many_up(self, repository, layout, files):
        return self.blob_up(repository, layout, None)


class Curl(Tool):
    """The practical limit: nobody reads a challenge, an error or a digest."""

    name = "curl"

    def version(self):
        return version_in(first_line([self.path, "--version"])) + ", " + first_line(["openssl", "version"])

    @staticmethod
    def url(repository, kind, reference):
        host, _, name = repository.partition("/")
        return f"http://{host}/v2/{name}/{kind}/{reference}"

    def head(self, ref):
        return self.heads([ref])

    def heads(self, refs):
        parts = [ref.rpartition(":") for ref in refs]
        return [[self.path, "-sSfI", "-o", "/dev/null", "-H", f"Accept: {MANIFEST}",
                 *(w for name, _, tag in parts for w in ("--url", self.url(name, "manifests", tag)))]]

    def blob_down(self, repository, blob, to):
        return [[self.path, "-sSf", "-o", to / "blob", self.url(repository, "blobs", blob.digest)],
                ["openssl", "dgst", "-sha256", to / "blob"]]

    def blob_up(self, repository, layout, blob):
        start = quoted(self.path, "-sSf", "-X", "POST", "-o", "/dev/null", "-w", "%header{location}",
                       self.url(repository, "blobs", "uploads/"))
        send = quoted(self.path, "-sSf", "-T", blob.path, "-H", "Expect:")
        return [["openssl", "dgst", "-sha256", blob.path],
                shell(f"where=$({start})", f'{send} "$where?digest={blob.digest}"')]

    def many_down(self, repository, layout, to):
        urls = [w for b in layout.blobs for w in ("-o", to / b.path.name, self.url(repository, "blobs", b.digest))]
        return [[self.path, "-sSf", "--parallel", "--parallel-max", "8", *urls],
                ["openssl", "dgst", "-sha256", *(to / b.path.name for b in layout.blobs)]]

    def many_up(self, repository, layout, files):
        return None


def tools(berth):
    """Those that are here, berth first."""
    every = [Berth(berth), BerthAlone(berth), BerthTold(berth), Crane(), Oras(), Regctl(), Skopeo(), Curl()]
    return [t for t in every if t.available()]
