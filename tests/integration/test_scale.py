"""Large things and many things: a layer of 2 GiB, 10,000 tags, an index of 100 platforms, 1,000 referrers from 16
clients at once."""

import hashlib
import json
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

import layout
from clients import Clients, need

GIB = 1 << 30


def memory_of(server):
    """The most memory that the process has ever had, in bytes."""
    with open(f"/proc/{server.process.pid}/status") as f:
        return int(re.search(r"^VmHWM:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024


def connection(server):
    return server.connect(timeout=300)


def ask(conn, method, path, body=None, headers=None):
    conn.request(method, path, body=body, headers=headers or {})
    response = conn.getresponse()
    return response.status, response.headers, response.read()


def push_blob(conn, repository, data):
    status, headers, _ = ask(conn, "POST", f"/v2/{repository}/blobs/uploads/")
    assert status == 202
    where = headers["Location"]
    parts = urlsplit(where)
    path = parts.path + (f"?{parts.query}&" if parts.query else "?") + f"digest={layout.digest_of(data)}"
    status, _, body = ask(conn, "PUT", path, data, {"Content-Type": "application/octet-stream"})
    assert status == 201, body


def push_subject(conn, repository):
    push_blob(conn, repository, b"{}")
    empty = {"mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": empty,
                           "layers": [empty]}).encode()
    status, _, body = ask(conn, "PUT", f"/v2/{repository}/manifests/subject", manifest,
                          {"Content-Type": layout.MANIFEST})
    assert status == 201, body
    return empty, manifest


def pages(conn, path, key):
    """Everything of a paginated list, by the Link headers."""
    found, count = [], 0
    while path:
        status, headers, body = ask(conn, "GET", path)
        assert status == 200, body
        found += json.loads(body)[key] or []
        count += 1
        link = re.match(r'<([^>]*)>;\s*rel="?next"?', headers.get("Link") or "")
        parts = urlsplit(link.group(1)) if link else None
        path = parts and f"{parts.path}?{parts.query}"
    return found, count


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """An image in a layout whose one layer has 2 GiB and a bit."""
    path = tmp_path_factory.mktemp("big") / "layout"
    made = layout.Layout(path)
    layer = made.add_stream(layout.noise(2 * GIB + 4097, b"big"), "application/vnd.oci.image.layer.v1.tar")
    digest = made.tag(made.add_image([layer]), "big")
    yield path, digest, layer
    made.blob_path(layer["digest"]).unlink()


@pytest.mark.heavy
class TestLayerOf2GiB:
    def test_by_crane_there_and_back(self, clients, registry, big, tmp_path):
        path, digest, layer = big
        there = clients.ref("scale/crane", "big")
        clients.crane("push", path, there)
        before = memory_of(registry)
        conn = connection(registry)
        conn.request("GET", f"/v2/scale/crane/blobs/{layer['digest']}")
        response, h, size = conn.getresponse(), hashlib.sha256(), 0
        assert response.status == 200 and response.headers["Content-Length"] == str(layer["size"])
        while piece := response.read(layout.CHUNK):
            h.update(piece)
            size += len(piece)
        conn.close()
        assert ("sha256:" + h.hexdigest(), size) == (layer["digest"], layer["size"])
        clients.crane("pull", "--format=oci", there, tmp_path / "back")
        assert layout.root_of(tmp_path / "back") == digest
        back = layout.Layout(tmp_path / "back").blob_path(layer["digest"])
        assert layout.file_digest(back) == layer["digest"]
        back.unlink()
        # Bytes pass through; they are not gathered in memory.
        # (ASan's own memory, freed blocks that it keeps back, says nothing about that.)
        if os.environ.get("BERTH_BUILD") != "asan":
            assert memory_of(registry) < 256 << 20, f"{before >> 20} MiB after the push"

    def test_by_regctl_in_chunks(self, make_server, certificates, scheme, big, tmp_path):
        path, digest, layer = big
        # A registry of its own: where another repository has the layer, regctl would only mount it.
        registry = make_server(tls=certificates if scheme == "https" else None)
        clients = Clients(registry, certificates, tmp_path / "home")
        clients.run("regctl", "registry", "set", registry.address, "--skip-check", "--blob-max", "67108864",
                    "--blob-chunk", "33554432", *self.trust(clients))
        clients.run("regctl", "image", "copy", f"ocidir://{path}:big", clients.ref("scale/regctl", "big"))
        status, headers, _ = registry.request("HEAD", f"/v2/scale/regctl/blobs/{layer['digest']}")
        assert (status, headers["Content-Length"]) == (200, str(layer["size"]))
        status, headers, part = registry.request("GET", f"/v2/scale/regctl/blobs/{layer['digest']}",
                                                 headers={"Range": f"bytes={2 * GIB}-"})
        assert (status, len(part)) == (206, 4097)
        with open(layout.Layout(path).blob_path(layer["digest"]), "rb") as f:
            f.seek(2 * GIB)
            assert f.read() == part

    @pytest.fixture(params=["http", "https"])
    def scheme(self, request):
        return request.param

    @staticmethod
    def trust(clients):
        if clients.tls:
            return ["--cacert", clients.certificates.ca.read_text(), "--tls", "enabled"]
        return ["--tls", "disabled"]


@pytest.mark.heavy
def test_10000_tags(server, certificates, tmp_path):
    own = connection(server)
    _, manifest = push_subject(own, "scale/tags")
    own.close()                           # the server would, while it idles; what is asked next opens another
    names = [f"v{i:05d}" for i in range(10000)]

    def push(some):
        conn = connection(server)
        for name in some:
            status, _, body = ask(conn, "PUT", f"/v2/scale/tags/manifests/{name}", manifest,
                                  {"Content-Type": layout.MANIFEST})
            assert status == 201, body
        conn.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(push, [names[i::4] for i in range(4)]))
    wanted = sorted(names + ["subject"])
    for n, least in (("?n=1000", 11), ("?n=777", 13), ("", 1)):
        found, count = pages(own, f"/v2/scale/tags/tags/list{n}", "tags")
        assert found == wanted and count >= least, f"{len(found)} tags on {count} pages of {n}"
    assert pages(own, "/v2/scale/tags/tags/list?n=50&last=v09989", "tags")[0] == wanted[wanted.index("v09990"):]
    clients = Clients(server, certificates, tmp_path / "home")
    need("crane", "regctl", "skopeo")
    assert clients.crane("ls", clients.ref("scale/tags")).stdout.split() == wanted
    assert clients.regctl("tag", "ls", clients.ref("scale/tags")).stdout.split() == wanted
    listed = clients.skopeo("list-tags", *clients.skopeo_trust(), f"docker://{clients.ref('scale/tags')}")
    assert json.loads(listed.stdout)["Tags"] == wanted


@pytest.fixture(scope="module")
def hundred(tmp_path_factory):
    """An index of 100 platforms."""
    made = layout.Layout(tmp_path_factory.mktemp("hundred") / "layout")
    images = []
    for i in range(100):
        data, diff = layout.tar_layer({"platform": f"number {i}".encode()})
        images.append(made.add_image([made.add(data, layout.LAYER)], f"arch{i % 10}", f"os{i // 10}", [diff]))
    return made.path, made.tag(made.add_index(images), "all")


class TestIndexOf100Platforms:
    def test_skopeo(self, clients, hundred, tmp_path):
        path, digest = hundred
        there = f"docker://{clients.ref('scale/hundred-skopeo', 'v1')}"
        clients.skopeo("copy", "--all", *clients.skopeo_trust("dest"), f"oci:{path}:all", there)
        clients.skopeo("copy", "--all", *clients.skopeo_trust("src"), there, f"oci:{tmp_path}/back:v1")
        assert layout.reachable(tmp_path / "back", digest) == layout.reachable(path, digest)

    def test_regctl(self, clients, hundred, tmp_path):
        path, digest = hundred
        there = clients.ref("scale/hundred-regctl", "v1")
        clients.regctl("image", "copy", f"ocidir://{path}:all", there)
        clients.regctl("image", "copy", there, f"ocidir://{tmp_path}/back:v1")
        assert layout.reachable(tmp_path / "back", digest) == layout.reachable(path, digest)

    def test_oras(self, clients, hundred, tmp_path):
        path, digest = hundred
        there = clients.ref("scale/hundred-oras", "v1")
        clients.oras_copy("to", "--from-oci-layout", f"{path}:all", there)
        clients.oras_copy("from", "--to-oci-layout", there, f"{tmp_path}/back:v1")
        assert layout.reachable(tmp_path / "back", digest) == layout.reachable(path, digest)


@pytest.mark.threads
def test_1000_referrers_by_16_clients_at_once(registry, certificates, tmp_path):
    """None is lost, none is listed twice, and filters see their share; two clients then read the list."""
    name, own = f"scale/referrers-{registry.scheme}", connection(registry)
    empty, manifest = push_subject(own, name)
    own.close()                           # the server would, while it idles; what is asked next opens another
    subject = {"mediaType": layout.MANIFEST, "digest": layout.digest_of(manifest), "size": len(manifest)}
    wanted, lock, start = {}, threading.Lock(), threading.Barrier(16)

    def push(who):
        conn = connection(registry)
        start.wait()
        for i in range(who, 1000, 16):
            kind = f"example/kind-{i % 4}"
            document = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "artifactType": kind,
                                   "config": empty, "layers": [empty], "subject": subject,
                                   "annotations": {"number": str(i)}}).encode()
            digest = layout.digest_of(document)
            status, headers, body = ask(conn, "PUT", f"/v2/{name}/manifests/{digest}", document,
                                        {"Content-Type": layout.MANIFEST})
            assert status == 201, body
            assert headers["OCI-Subject"] == subject["digest"]
            with lock:
                wanted[digest] = (kind, str(i))
        conn.close()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(push, range(16)))
    assert len(wanted) == 1000
    found, _ = pages(own, f"/v2/{name}/referrers/{subject['digest']}", "manifests")
    assert len(found) == 1000
    assert {m["digest"]: (m["artifactType"], m["annotations"]["number"]) for m in found} == wanted
    some, _ = pages(own, f"/v2/{name}/referrers/{subject['digest']}?artifactType=example/kind-3", "manifests")
    assert {m["digest"] for m in some} == {d for d, (kind, _) in wanted.items() if kind == "example/kind-3"}
    assert len(some) == 250

    clients = Clients(registry, certificates, tmp_path / "home")
    need("oras", "regctl")
    seen = json.loads(clients.oras("discover", "--format", "json", clients.ref(name, "subject")).stdout)
    assert {m["digest"] for m in seen["manifests"]} == set(wanted)
    seen = json.loads(clients.regctl("artifact", "list", clients.ref(name, "subject"), "--format",
                                     "{{json .}}").stdout)
    assert {m["digest"] for m in seen["descriptors"]} == set(wanted)


@pytest.mark.threads
def test_16_clients_push_the_same_and_different_images_at_once(server):
    """Everybody's push succeeds, whoever comes first; blobs that all share are there once it is over."""
    shared = b"".join(layout.noise(100_000, b"shared"))
    start = threading.Barrier(16)

    def push(who):
        conn = connection(server)
        start.wait()
        for repository in ("scale/same", f"scale/own-{who}"):
            own = b"".join(layout.noise(50_000, str(who).encode()))
            for data in (shared, own, b"{}"):
                push_blob(conn, repository, data)
            layers = [{"mediaType": "application/octet-stream", "digest": layout.digest_of(d), "size": len(d)}
                      for d in (shared, own)]
            config = {"mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2}
            document = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": config,
                                   "artifactType": "example/x", "layers": layers}).encode()
            for reference in (f"by-{who}", "latest"):
                status, _, body = ask(conn, "PUT", f"/v2/{repository}/manifests/{reference}", document,
                                      {"Content-Type": layout.MANIFEST})
                assert status == 201, body
        conn.close()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(push, range(16)))
    conn = connection(server)
    tags, _ = pages(conn, "/v2/scale/same/tags/list", "tags")
    assert tags == sorted([f"by-{i}" for i in range(16)] + ["latest"])
    for who in range(16):
        for repository in ("scale/same", f"scale/own-{who}"):
            body = ask(conn, "GET", f"/v2/{repository}/manifests/by-{who}", headers={"Accept": layout.MANIFEST})[2]
            for each in json.loads(body)["layers"]:
                status, _, data = ask(conn, "GET", f"/v2/{repository}/blobs/{each['digest']}")
                assert (status, layout.digest_of(data)) == (200, each["digest"])
