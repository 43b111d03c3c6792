"""What the cases share: one HTTP client that hides nothing, digests, and the making of content.

The client opens a connection per request, follows no redirect, adds no header beyond Host and the body's framing,
and keeps repeated headers apart. It takes from the `server` fixture the address alone.
"""

import hashlib
import http.client
import itertools
import json
import os
import re
import threading
import urllib.parse

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

CODES = {
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED",
    "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS",
}

ABSENT = "sha256:" + "0" * 63 + "1"  # well-formed, and nobody's content
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_names = itertools.count(1)
_run = os.urandom(4).hex()


def digest_of(data, algorithm="sha256"):
    return algorithm + ":" + hashlib.new(algorithm, data).hexdigest()


def noise(size):
    """Bytes that no other test has pushed, so that deduplication cannot stand in for an upload."""
    return os.urandom(size)


def dump(document):
    return json.dumps(document).encode()


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def errors(self):
        return self.json()["errors"]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


def path_of(location):
    """A Location, absolute or not, as a request target."""
    parts = urllib.parse.urlsplit(location)
    return parts.path + ("?" + parts.query if parts.query else "")


def send(server, method, target, body=None, headers=None, chunked=False, length=True, timeout=60):
    """One request. `body` is bytes, or a list of chunks when `chunked`; length=False leaves Content-Length out."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=timeout)
    try:
        connection.putrequest(method, path_of(target) if "://" in target else target, skip_accept_encoding=True,
                              skip_host="Host" in (headers or {}))
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif length and (body is not None or method in ("POST", "PUT", "PATCH")):
            if "Content-Length" not in (headers or {}):
                connection.putheader("Content-Length", str(len(body or b"")))
        connection.endheaders()
        try:
            if chunked:
                for piece in body:
                    connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                connection.send(b"0\r\n\r\n")
            elif body:
                connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # an early answer: it must be readable all the same
        answer = connection.getresponse()
        return Reply(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def with_query(location, **query):
    separator = "&" if "?" in location else "?"
    return location + separator + urllib.parse.urlencode(query)


def expect_error(reply, status, code=None, names=None):
    """The refusal is the specification's JSON: one of `status`, one of `code`, a message, a detail with `names`."""
    wanted = (status,) if isinstance(status, int) else tuple(status)
    assert reply.status in wanted, reply
    kind = (reply.header("Content-Type") or "").split(";")[0].strip()
    assert kind == "application/json", reply
    errors = reply.errors()
    assert isinstance(errors, list) and errors, reply
    for error in errors:
        assert error["code"] in CODES, reply
        assert isinstance(error.get("message", ""), str) and len(error.get("message", "")) > 8, reply
    if code is not None:
        codes = (code,) if isinstance(code, str) else tuple(code)
        assert any(error["code"] in codes for error in errors), reply
    if names is not None:
        assert names in json.dumps([error.get("detail") for error in errors]), reply
    return errors


def next_link(reply):
    """The target of Link rel="next" (RFC 5988), or None."""
    links = reply.all("Link")
    assert len(links) <= 1, links
    if not links:
        return None
    match = re.fullmatch(r'<([^<>]+)>\s*;\s*rel="?next"?', links[0].strip())
    assert match, links
    return match.group(1)


def pages(server, target, limit=200):
    """Every page from `target` on, by Link alone."""
    found = []
    while target is not None:
        reply = send(server, "GET", target)
        assert reply.status == 200, reply
        found.append(reply)
        assert len(found) <= limit, "pages without end"
        step = next_link(reply)
        target = urllib.parse.urljoin(f"http://{server.host}:{server.port}{path_of(target)}", step) if step else None
    return found


def gather(count, work):
    """Runs work(0) … work(count-1) at once, each in a thread of its own; the results, or the first failure."""
    results, failures = [None] * count, []
    barrier = threading.Barrier(count)

    def run(i):
        try:
            barrier.wait(30)
            results[i] = work(i)
        except BaseException as failure:  # handed to the caller's thread below
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert not any(thread.is_alive() for thread in threads), "a request never ended"
    if failures:
        raise failures[0]
    return results


class Repo:
    """One repository of one server, and the usual ways to fill it."""

    def __init__(self, server, name=None, prefix=""):
        self.server = server
        self.name = name or f"conformance/{_run}/{next(_names)}"
        self.base = f"{prefix}/v2/{self.name}/"

    def send(self, method, rest, *args, **kwargs):
        return send(self.server, method, self.base + rest, *args, **kwargs)

    def get(self, rest, **headers):
        return self.send("GET", rest, headers=_spelled(headers))

    def head(self, rest, **headers):
        return self.send("HEAD", rest, headers=_spelled(headers))

    def delete(self, rest):
        return self.send("DELETE", rest)

    def start(self, query=""):
        """An upload session; its Location as the server gave it."""
        reply = self.send("POST", "blobs/uploads/" + query)
        assert reply.status == 202, reply
        return reply.header("Location")

    def patch(self, location, data, first=None, **kwargs):
        headers = kwargs.pop("headers", {"Content-Type": "application/octet-stream"})
        if first is not None:
            headers = dict(headers, **{"Content-Range": f"{first}-{first + len(data) - 1}"})
        return send(self.server, "PATCH", path_of(location), data, headers, **kwargs)

    def close(self, location, digest, data=b"", headers=None, **kwargs):
        return send(self.server, "PUT", with_query(path_of(location), digest=digest), data, headers, **kwargs)

    def status(self, location):
        return send(self.server, "GET", path_of(location))

    def blob(self, data=None, algorithm="sha256", media_type=OCI_LAYER):
        """Pushes by POST and PUT; its descriptor."""
        data = noise(64) if data is None else data
        reply = self.close(self.start(), digest_of(data, algorithm), data)
        assert reply.status == 201, reply
        return descriptor(data, media_type, algorithm)

    def put(self, reference, body, media_type=OCI_MANIFEST, query="", **headers):
        return self.send("PUT", f"manifests/{reference}{query}", body,
                         dict(_spelled(headers), **({"Content-Type": media_type} if media_type else {})))

    def push(self, body, media_type=OCI_MANIFEST, tag=None, algorithm="sha256"):
        """Pushes a manifest that must be accepted; its descriptor."""
        body = dump(body) if isinstance(body, dict) else body
        reply = self.put(tag or digest_of(body, algorithm), body, media_type)
        assert reply.status == 201, reply
        return descriptor(body, media_type, algorithm)

    def image_document(self, layers=1, algorithm="sha256", **fields):
        """An image manifest as a dict, its blobs pushed."""
        config = self.blob(b'{"architecture":"amd64","os":"linux","x":"%s"}' % noise(8).hex().encode(), algorithm,
                           OCI_CONFIG)
        return dict({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config,
                     "layers": [self.blob(algorithm=algorithm) for _ in range(layers)]}, **fields)

    def image(self, tag=None, algorithm="sha256", **fields):
        return self.push(self.image_document(algorithm=algorithm, **fields), tag=tag, algorithm=algorithm)

    def index_document(self, children, **fields):
        return dict({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}, **fields)

    def index(self, children, tag=None, algorithm="sha256", **fields):
        return self.push(self.index_document(children, **fields), OCI_INDEX, tag, algorithm)

    def referrer(self, subject, artifact_type="application/vnd.example.sbom", annotations=None):
        """An artifact whose subject is the descriptor given."""
        fields = {"artifactType": artifact_type} if artifact_type else {}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, **fields, "config": self.blob(b"{}", media_type=OCI_EMPTY),
                    "layers": [self.blob(b"{}", media_type=OCI_EMPTY)], "subject": subject,
                    "annotations": dict({"org.example.nonce": noise(8).hex()}, **(annotations or {}))}
        return self.push(document)

    def referrers(self, digest, query=""):
        reply = self.get(f"referrers/{digest}{query}")
        assert reply.status == 200, reply
        return reply.json()["manifests"]

    def tags(self):
        reply = self.get("tags/list")
        assert reply.status == 200, reply
        return reply.json()["tags"]


def descriptor(data, media_type=OCI_LAYER, algorithm="sha256"):
    return {"mediaType": media_type, "digest": digest_of(data, algorithm), "size": len(data)}


def platformed(what, os_name, architecture):
    return dict(what, platform={"os": os_name, "architecture": architecture})


def _spelled(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}
