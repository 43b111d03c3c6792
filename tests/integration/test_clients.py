"""Real clients push and pull, over HTTP and over TLS, and what comes back is what went, byte for byte."""

import json
import subprocess
import tarfile
import time

import pytest

import layout
from clients import Clients, need


def pushed(registry, repository, reference):
    """(digest, media type, bytes) of a manifest as the registry hands it out, checked against its own header."""
    status, headers, body = registry.request("GET", f"/v2/{repository}/manifests/{reference}", headers={
        "Accept": f"{layout.MANIFEST}, {layout.INDEX}, application/vnd.docker.distribution.manifest.v2+json"})
    assert status == 200
    assert headers["Docker-Content-Digest"] == layout.digest_of(body)
    return layout.digest_of(body), headers["Content-Type"], body


def same(source, root, copy):
    assert layout.root_of(copy) == root
    assert layout.reachable(copy, root) == layout.reachable(source, root)


def scheme(registry):
    return "tls" if registry.scheme == "https" else "http"


class TestSkopeo:
    @pytest.mark.parametrize("which", ["image", "platforms"])
    def test_copies_there_and_back(self, clients, registry, tmp_path, request, which):
        made = request.getfixturevalue(which)
        there = f"docker://{clients.ref(f'skopeo/{which}', 'v1')}"
        clients.skopeo("copy", "--all", *clients.skopeo_trust("dest"), f"oci:{made.path}:{made.tag}", there)
        assert pushed(registry, f"skopeo/{which}", "v1")[0] == made.digest
        clients.skopeo("copy", "--all", *clients.skopeo_trust("src"), there, f"oci:{tmp_path}/back:v1")
        same(made.path, made.digest, tmp_path / "back")

    def test_copies_by_digest_and_from_one_repository_to_another(self, clients, registry, tmp_path, platforms):
        first, second = (f"docker://{clients.ref(f'skopeo/{n}', 'v1')}" for n in ("one", "two"))
        clients.skopeo("copy", "--all", *clients.skopeo_trust("dest"), f"oci:{platforms.path}:{platforms.tag}", first)
        both = clients.skopeo_trust("src") + clients.skopeo_trust("dest")
        clients.skopeo("copy", "--all", *both, f"docker://{clients.ref('skopeo/one', platforms.digest)}", second)
        assert pushed(registry, "skopeo/two", "v1")[0] == platforms.digest
        clients.skopeo("copy", "--all", *clients.skopeo_trust("src"), second, f"oci:{tmp_path}/back:v1")
        same(platforms.path, platforms.digest, tmp_path / "back")

    def test_converts_to_docker_form(self, clients, registry, tmp_path, image):
        there = f"docker://{clients.ref('skopeo/docker', 'v2s2')}"
        clients.skopeo("copy", "--format=v2s2", *clients.skopeo_trust("dest"), f"oci:{image.path}:{image.tag}", there)
        digest, media_type, body = pushed(registry, "skopeo/docker", "v2s2")
        assert media_type == "application/vnd.docker.distribution.manifest.v2+json"
        clients.skopeo("copy", *clients.skopeo_trust("src"), there, f"dir:{tmp_path}/back")
        assert (tmp_path / "back" / "manifest.json").read_bytes() == body
        for each in [json.loads(body)["config"], *json.loads(body)["layers"]]:
            assert layout.file_digest(tmp_path / "back" / each["digest"].split(":")[1]) == each["digest"]

    def test_lists_inspects_and_deletes(self, clients, registry, image):
        name = f"skopeo/listed-{scheme(registry)}"
        for tag in ("a", "c", "b"):
            clients.skopeo("copy", *clients.skopeo_trust("dest"), f"oci:{image.path}:{image.tag}",
                           f"docker://{clients.ref(name, tag)}")
        listed = clients.skopeo("list-tags", *clients.skopeo_trust(), f"docker://{clients.ref(name)}")
        assert json.loads(listed.stdout)["Tags"] == ["a", "b", "c"]
        seen = clients.skopeo("inspect", *clients.skopeo_trust(), f"docker://{clients.ref(name, 'a')}")
        assert json.loads(seen.stdout)["Digest"] == image.digest
        clients.skopeo("delete", *clients.skopeo_trust(), f"docker://{clients.ref(name, 'a')}")
        assert registry.request("GET", f"/v2/{name}/manifests/{image.digest}")[0] == 404


@pytest.fixture(params=["podman", "buildah"])
def store(request, clients):
    return clients.storage(request.param), request.param


class TestPodmanAndBuildah:
    def test_push_and_pull(self, clients, registry, store, image):
        run, tool = store
        again = clients.storage(tool)
        run("pull", f"oci:{image.path}:{image.tag}")
        local = run("images", "--quiet", "--no-trunc").stdout.split()[0]
        there = clients.ref(f"{tool}/image", "v1")
        run("push", "--digestfile", clients.home / "digest", local, f"docker://{there}")
        digest = (clients.home / "digest").read_text().strip()
        assert pushed(registry, f"{tool}/image", "v1")[0] == digest
        again("pull", f"docker://{there}")
        # The identity of an image is the digest of its configuration, which holds those of its layers.
        assert again("images", "--quiet", "--no-trunc").stdout.split()[0] == local
        assert digest in again("images", "--digests").stdout

    def test_builds_from_scratch_and_runs_on_what_comes_back(self, clients, registry, tmp_path, busybox):
        run, again = clients.storage("buildah"), clients.storage("buildah")
        (tmp_path / "busybox").write_bytes(busybox)
        container = run("from", "scratch").stdout.strip()
        run("copy", container, tmp_path / "busybox", "/bin/busybox")
        run("config", "--cmd", "/bin/busybox", "--label", "made=here", container)
        run("commit", container, "built:1")
        there = clients.ref("buildah/built", "1")
        run("push", "built:1", f"docker://{there}")
        again("pull", f"docker://{there}")
        made = again("from", there).stdout.strip()
        root = again("mount", made, inside=True).stdout.strip()
        with open(f"{root}/bin/busybox", "rb") as f:
            assert f.read() == busybox
        again("umount", made, inside=True)

    def test_pushes_a_manifest_list(self, clients, registry, tmp_path, platforms):
        run = clients.storage("buildah")
        run("manifest", "create", "list:1")
        run("manifest", "add", "--all", "list:1", f"oci:{platforms.path}:{platforms.tag}")
        trust = ([f"--cert-dir={clients.certificates.folder}"] if clients.tls else ["--tls-verify=false"])
        there = clients.ref("buildah/list", "1")
        run("manifest", "push", "--all", *trust, "list:1", f"docker://{there}")
        body = json.loads(pushed(registry, "buildah/list", "1")[2])
        assert {m["platform"]["architecture"] for m in body["manifests"]} == {"amd64", "arm64", "riscv64"}
        clients.skopeo("copy", "--all", *clients.skopeo_trust("src"), f"docker://{there}", f"oci:{tmp_path}/back:1")


class TestCrane:
    def test_pushes_and_pulls_an_image(self, clients, registry, tmp_path, image):
        there = clients.ref("crane/image", "v1")
        clients.crane("push", image.path, there)
        assert pushed(registry, "crane/image", "v1")[0] == image.digest
        clients.crane("pull", "--format=oci", there, tmp_path / "back")
        same(image.path, image.digest, tmp_path / "back")
        clients.crane("validate", "--remote", there)

    def test_pushes_and_pulls_an_index(self, clients, registry, tmp_path, platforms):
        there = clients.ref("crane/index", "v1")
        # crane keeps the index.json of a layout as the index that it pushes, so hand it one that is the index itself.
        made = layout.Layout(tmp_path / "outer")
        for digest in layout.reachable(platforms.path, platforms.digest):
            made.blob_path(digest).write_bytes(layout.Layout(platforms.path).blob_path(digest).read_bytes())
        (made.path / "index.json").write_bytes(made.blob_path(platforms.digest).read_bytes())
        clients.crane("push", "--index", made.path, there)
        assert pushed(registry, "crane/index", "v1")[0] == platforms.digest
        clients.crane("pull", "--format=oci", there, tmp_path / "back")
        same(platforms.path, platforms.digest, tmp_path / "back")

    def test_copies_tags_lists_and_deletes(self, clients, registry, image):
        name = f"crane/copied-{scheme(registry)}"
        clients.crane("push", image.path, clients.ref("crane/image", "v2"))
        clients.crane("copy", clients.ref("crane/image", "v2"), clients.ref(name, "v2"))
        clients.crane("tag", clients.ref(name, "v2"), "another")
        assert clients.crane("ls", clients.ref(name)).stdout.split() == ["another", "v2"]
        assert clients.crane("digest", clients.ref(name, "another")).stdout.strip() == image.digest
        assert name in clients.crane("catalog", registry.address).stdout.split()
        clients.crane("delete", clients.ref(name, image.digest))
        assert clients.crane("manifest", clients.ref(name, "v2"), ok=False).returncode != 0

    def test_appends_a_layer_and_exports(self, clients, registry, tmp_path, image, busybox):
        data, _ = layout.tar_layer({"opt/added": b"added later"})
        (tmp_path / "added.tar.gz").write_bytes(data)
        clients.crane("push", image.path, clients.ref("crane/appended", "base"))
        clients.crane("append", "-b", clients.ref("crane/appended", "base"), "-f", tmp_path / "added.tar.gz",
                      "-t", clients.ref("crane/appended", "more"))
        clients.crane("export", clients.ref("crane/appended", "more"), tmp_path / "all.tar")
        with tarfile.open(tmp_path / "all.tar") as tar:
            assert tar.extractfile("opt/added").read() == b"added later"
            assert tar.extractfile("bin/busybox").read() == busybox


@pytest.fixture(scope="session")
def sif(tmp_path_factory):
    """200 MiB in the manner of a Singularity image: a script line, the magic word, and what does not compress."""
    path = tmp_path_factory.mktemp("sif") / "image.sif"
    with open(path, "wb") as f:
        f.write(b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\0" + b"01\0")
        f.writelines(layout.noise((200 << 20) - f.tell(), b"sif"))
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def chart(tmp_path_factory):
    """A Helm chart as `helm package` would make it, and the configuration that Helm pushes with it."""
    path = tmp_path_factory.mktemp("chart")
    meta = {"apiVersion": "v2", "name": "berth-demo", "version": "0.1.0", "type": "application"}
    yaml = "".join(f"{k}: {v}\n" for k, v in meta.items()).encode()
    data, _ = layout.tar_layer({"berth-demo/Chart.yaml": yaml, "berth-demo/values.yaml": b"replicas: 1\n",
                                "berth-demo/templates/service.yaml": b"apiVersion: v1\nkind: Service\n"})
    (path / "berth-demo-0.1.0.tgz").write_bytes(data)
    (path / "config.json").write_text(json.dumps(meta))
    return path


class TestOras:
    def test_pushes_and_pulls_a_sif_of_200_mib(self, clients, registry, tmp_path, sif):
        there = clients.ref("oras/sif", "v1")
        clients.oras("push", "--artifact-type", "application/vnd.sylabs.sif.image", there,
                     f"{sif.name}:application/vnd.sylabs.sif.layer.v1.sif", cwd=sif.parent)
        clients.oras("pull", "-o", tmp_path / "back", there)
        assert layout.file_digest(tmp_path / "back" / sif.name) == layout.file_digest(sif)

    def test_pushes_and_pulls_a_helm_chart(self, clients, registry, tmp_path, chart):
        there = clients.ref("charts/berth-demo", "0.1.0")
        clients.oras("push", "--config", "config.json:application/vnd.cncf.helm.config.v1+json", there,
                     "berth-demo-0.1.0.tgz:application/vnd.cncf.helm.chart.content.v1.tar+gzip", cwd=chart)
        body = json.loads(pushed(registry, "charts/berth-demo", "0.1.0")[2])
        assert body["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
        clients.oras("pull", "--config", "back.json", "-o", tmp_path / "back", there)
        assert (tmp_path / "back" / "back.json").read_bytes() == (chart / "config.json").read_bytes()
        name = "berth-demo-0.1.0.tgz"
        assert (tmp_path / "back" / name).read_bytes() == (chart / name).read_bytes()

    def test_copies_a_layout_there_and_back(self, clients, registry, tmp_path, platforms):
        there = clients.ref("oras/platforms", "v1")
        clients.oras_copy("to", "--from-oci-layout", f"{platforms.path}:{platforms.tag}", there)
        assert pushed(registry, "oras/platforms", "v1")[0] == platforms.digest
        clients.oras_copy("from", "--to-oci-layout", there, f"{tmp_path}/back:v1")
        assert layout.reachable(tmp_path / "back", platforms.digest) == layout.reachable(platforms.path,
                                                                                         platforms.digest)

    def test_attaches_and_discovers(self, clients, registry, tmp_path, image):
        there = clients.ref(f"oras/attached-{scheme(registry)}", "v1")
        clients.oras_copy("to", "--from-oci-layout", f"{image.path}:{image.tag}", there)
        (tmp_path / "bom.json").write_text('{"bom": 1}')
        for kind in ("example/sbom", "example/signature"):
            clients.oras("attach", "--artifact-type", kind, there, "bom.json:application/json", cwd=tmp_path)
        every = json.loads(clients.oras("discover", "--format", "json", there).stdout)
        assert sorted(m["artifactType"] for m in every["manifests"]) == ["example/sbom", "example/signature"]
        some = json.loads(clients.oras("discover", "--format", "json", "--artifact-type", "example/sbom", there).stdout)
        assert [m["artifactType"] for m in some["manifests"]] == ["example/sbom"]
        # The referrers go along with the image.
        clients.oras_copy("from", "-r", "--to-oci-layout", there, f"{tmp_path}/back:v1")
        for each in every["manifests"]:
            assert (tmp_path / "back" / "blobs" / each["digest"].replace(":", "/")).exists()

    def test_blobs_and_manifests_one_by_one(self, clients, registry, tmp_path):
        name = f"oras/single-{scheme(registry)}"
        (tmp_path / "blob").write_bytes(b"one blob")
        digest = layout.digest_of(b"one blob")
        clients.run("oras", "blob", "push", *self.trust(clients), clients.ref(name, digest), tmp_path / "blob")
        clients.run("oras", "blob", "fetch", *self.trust(clients), "-o", tmp_path / "back", clients.ref(name, digest))
        assert (tmp_path / "back").read_bytes() == b"one blob"
        clients.run("oras", "blob", "delete", *self.trust(clients), "--force", clients.ref(name, digest))
        assert registry.request("GET", f"/v2/{name}/blobs/{digest}")[0] == 404

    @staticmethod
    def trust(clients):
        return ["--ca-file", clients.certificates.ca] if clients.tls else ["--plain-http"]


class TestRegctl:
    @pytest.mark.parametrize("which", ["image", "platforms"])
    def test_copies_there_and_back(self, clients, registry, tmp_path, request, which):
        made = request.getfixturevalue(which)
        there = clients.ref(f"regctl/{which}", "v1")
        clients.regctl("image", "copy", f"ocidir://{made.path}:{made.tag}", there)
        assert pushed(registry, f"regctl/{which}", "v1")[0] == made.digest
        clients.regctl("image", "copy", there, f"ocidir://{tmp_path}/back:v1")
        assert layout.reachable(tmp_path / "back", made.digest) == layout.reachable(made.path, made.digest)

    def test_pushes_a_blob_in_chunks(self, clients, registry, tmp_path):
        clients.regctl("version")
        clients.regctl("registry", "set", registry.address, "--skip-check", "--blob-max", "1000000",
                       "--blob-chunk", "300000")
        made = layout.Layout(tmp_path / "chunked")
        layer = made.add_stream(layout.noise(3_000_001, b"chunks"), "application/vnd.oci.image.layer.v1.tar")
        digest = made.tag(made.add_image([layer]), "v1")
        clients.regctl("image", "copy", f"ocidir://{made.path}:v1", clients.ref("regctl/chunked", "v1"))
        status, _, body = registry.request("GET", f"/v2/regctl/chunked/blobs/{layer['digest']}")
        assert (status, layout.digest_of(body)) == (200, layer["digest"])
        assert pushed(registry, "regctl/chunked", "v1")[0] == digest

    def test_copies_between_repositories_and_lists(self, clients, registry, image):
        name = f"regctl/listed-{scheme(registry)}"
        clients.regctl("image", "copy", f"ocidir://{image.path}:{image.tag}", clients.ref("regctl/first", "v1"))
        for tag in ("b", "a"):
            clients.regctl("image", "copy", clients.ref("regctl/first", "v1"), clients.ref(name, tag))
        assert clients.regctl("tag", "ls", clients.ref(name)).stdout.split() == ["a", "b"]
        clients.regctl("tag", "rm", clients.ref(name, "a"))
        assert clients.regctl("tag", "ls", clients.ref(name)).stdout.split() == ["b"]
        assert name in clients.regctl("repo", "ls", registry.address).stdout.split()

    def test_artifacts_with_a_subject(self, clients, registry, tmp_path, image):
        there = clients.ref(f"regctl/subject-{scheme(registry)}", "v1")
        clients.regctl("image", "copy", f"ocidir://{image.path}:{image.tag}", there)
        (tmp_path / "note").write_text("a note")
        clients.regctl("artifact", "put", "--subject", there, "--artifact-type", "example/note",
                       "-f", tmp_path / "note", "-m", "text/plain")
        listed = json.loads(clients.regctl("artifact", "list", there, "--format", "{{json .}}").stdout)
        text = json.dumps(listed)
        assert "example/note" in text
        got = clients.regctl("artifact", "get", "--subject", there, "--filter-artifact-type", "example/note")
        assert got.stdout == "a note"


def test_curl_takes_ranges(registry, certificates, tmp_path):
    need("curl")
    data = b"".join(layout.noise(1 << 20, b"ranges"))
    digest = layout.digest_of(data)
    status, headers, _ = registry.request("POST", f"/v2/curl/ranges/blobs/uploads/?digest={digest}", body=data,
                                          headers={"Content-Type": "application/octet-stream"})
    assert status in (201, 202)
    if status == 202:
        where = headers["Location"]
        registry.request("PUT", where + ("&" if "?" in where else "?") + f"digest={digest}", body=data)
    out = subprocess.run(["curl", "-fsS", "--cacert", certificates.ca, "-r", "1000-1999",
                          f"{registry.url}/v2/curl/ranges/blobs/{digest}"], capture_output=True, check=True)
    assert out.stdout == data[1000:2000]


def test_the_server_ends_soon_after_a_client_has_left(make_server, platforms, certificates, tmp_path):
    own = make_server()
    clients = Clients(own, certificates, tmp_path / "home")
    clients.crane("push", "--index", platforms.path, clients.ref("gone", "v1"))
    begin = time.monotonic()
    own.stop()
    assert time.monotonic() - begin < 25              # of the 30 s that it would be else
