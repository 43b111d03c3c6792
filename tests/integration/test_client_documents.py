"""`berth inspect` and `berth index` on image layouts and on real registries; what they say is compared with skopeo, regctl
and crane."""

import gzip
import io
import json
import re
import shutil
import tarfile
from types import SimpleNamespace

import pytest

import layout
from clients import Clients
from commandline import DIGEST, FAILED, NOT_FOUND, PROBLEMS, REAL, USAGE, each_of



def tar(entries):
    """(gzipped tar, digest of the tar) of (name, bytes or link target or None for a folder, type)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as t:
        for name, data, kind in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(data)
            elif data:
                info.linkname = data
            t.addfile(info, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
    return gzip.compress(raw.getvalue(), mtime=0), layout.digest_of(raw.getvalue())


FILE, FOLDER, SYMLINK, HARDLINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
LOWER = [("usr/", None, FOLDER), ("usr/bin/real", b"#!/bin/sh\n", FILE), ("bin", "usr/bin", SYMLINK),
         ("etc/old", b"old", FILE), ("etc/name", b"lower", FILE), ("var/a/x", b"x", FILE),
         ("usr/bin/hard", "usr/bin/real", HARDLINK), ("abs", "/etc/name", SYMLINK), ("loop", "loop", SYMLINK)]
UPPER = [("etc/.wh.old", b"", FILE), ("./etc/name", b"upper", FILE), ("var/a/.wh..wh..opq", b"", FILE),
         ("var/a/y", b"y", FILE)]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A layout with an image of two layers for three platforms, alone and as an index."""
    made = layout.Layout(tmp_path_factory.mktemp("documents") / "layout")
    (lower, lower_diff), (upper, upper_diff) = tar(LOWER), tar(UPPER)
    single = []
    for architecture, variant in (("amd64", None), ("arm64", "v8"), ("arm", "v7")):
        image = made.add_image([made.add(lower, layout.LAYER), made.add(upper, layout.LAYER)], architecture,
                               diff_ids=[lower_diff, upper_diff], variant=variant,
                               extra={"config": {"Labels": {"k": "v"}, "Env": ["A=1"], "Cmd": ["/bin/real"]}})
        single.append(image)
        made.tag({k: v for k, v in image.items() if k != "platform"}, architecture)
    made.tag(made.add_index(single), "all")
    return SimpleNamespace(path=made.path, layout=made, single=single, ref=f"oci:{made.path}", lower=lower, upper=upper)


class TestInspect:
    def test_says_what_an_image_says(self, berth, images):
        said = berth("inspect", f"{images.ref}:amd64", "--output", "json").json()
        assert said["digest"] == images.single[0]["digest"] and said["architecture"] == "amd64" and said["os"] == "linux"
        assert said["labels"] == {"k": "v"} and said["env"] == ["A=1"] and said["cmd"] == ["/bin/real"]
        assert [d["digest"] for d in said["layers"]] == [layout.digest_of(images.lower), layout.digest_of(images.upper)]
        assert said["layers"][0]["diffID"] == tar(LOWER)[1] and said["created"] == "2024-01-01T00:00:00Z"
        assert "tags" not in said                                           # C158
        want = len(images.lower) + len(images.upper) + said["config"]["size"] + images.single[0]["size"]
        assert said["size"] == want
        text = berth("inspect", f"{images.ref}:amd64").out.decode()
        assert said["digest"] in text and "k=v" in text

    def test_tags_on_demand(self, berth, images):
        said = berth("inspect", f"{images.ref}:amd64", "--tags", "--output", "json").json()
        assert said["tags"] == ["amd64", "arm64", "arm", "all"]

    def test_chooses_a_platform_of_an_index(self, berth, images):
        said = berth("inspect", f"{images.ref}:all", "--platform", "linux/arm64", "--output", "json").json()
        assert said["architecture"] == "arm64" and said["variant"] == "v8"
        assert said["imageDigest"] == images.single[1]["digest"] and len(said["manifests"]) == 3
        assert said["manifests"][2]["platform"] == "linux/arm/v7"
        missing = berth("inspect", f"{images.ref}:all", "--platform", "linux/s390x", code=NOT_FOUND)
        assert "linux/arm64/v8" in missing.err

    def test_raw_and_config_are_bytes(self, berth, images, tmp_path):
        index = images.layout.blob_path(layout.digest_of(berth("inspect", f"{images.ref}:all", "--raw").out))
        assert json.loads(index.read_bytes())["manifests"]
        one = berth("inspect", f"{images.ref}:all", "--raw", "--platform", "linux/amd64").out
        assert layout.digest_of(one) == images.single[0]["digest"]
        done = berth("inspect", f"{images.ref}:arm", "--config", "-o", tmp_path / "config", "--output", "json").json()
        assert layout.file_digest(tmp_path / "config") == done["digest"]

    def test_layers_by_number_and_digest(self, berth, images, tmp_path):          # C157
        for which, want in (("0", images.lower), ("-1", images.upper), ("1", images.upper),
                            (layout.digest_of(images.lower), images.lower)):
            assert berth("inspect", f"{images.ref}:amd64", "--layer", which).out == want
        berth("inspect", f"{images.ref}:amd64", "--layer", "0", "-o", tmp_path / "layer")
        assert (tmp_path / "layer").read_bytes() == images.lower
        for which in ("2", "-3", "sha256:" + "0" * 64, "x"):
            berth("inspect", f"{images.ref}:amd64", "--layer", which, code=NOT_FOUND)

    @pytest.mark.parametrize("path, want", [
        ("etc/name", b"upper"), ("/etc//name", b"upper"), ("usr/bin/real", b"#!/bin/sh\n"), ("bin/real", b"#!/bin/sh\n"),
        ("usr/bin/hard", b"#!/bin/sh\n"), ("abs", b"upper"), ("var/a/y", b"y")])
    def test_a_file_of_an_image(self, berth, images, path, want):                  # C161
        assert berth("inspect", f"{images.ref}:amd64", "--file", path).out == want

    @pytest.mark.parametrize("path, code", [("etc/old", NOT_FOUND), ("var/a/x", NOT_FOUND), ("nothing", NOT_FOUND),
                                            ("loop", FAILED), ("usr", FAILED)])
    def test_a_file_that_is_not_there(self, berth, images, path, code, tmp_path):
        berth("inspect", f"{images.ref}:amd64", "--file", path, "-o", tmp_path / "out", code=code)
        assert not (tmp_path / "out").exists()

    def test_lists_files(self, berth, images):
        files = berth("inspect", f"{images.ref}:amd64", "--files", "--output", "json").json()["files"]
        found = {f["path"]: (f["type"], f["size"]) for f in files}
        assert found == {"etc/name": ("file", 5), "var/a/y": ("file", 1), "usr": ("folder", 0), "bin": ("symlink", 0),
                         "usr/bin/real": ("file", 10), "usr/bin/hard": ("hardlink", 0), "abs": ("symlink", 0),
                         "loop": ("symlink", 0)}
        assert len(files) == len(found) and b"etc/name" in berth("inspect", f"{images.ref}:amd64", "--files").out

    def test_sizes_in_common(self, berth, images):                                  # C165
        said = berth("inspect", f"{images.ref}:amd64", "--shared-with", f"{images.ref}:arm", "--output", "json").json()
        assert said["sharedWith"]["sharedSize"] == len(images.lower) + len(images.upper)
        assert said["sharedWith"]["digest"] == images.single[2]["digest"]

    def test_nothing_acts_on_the_terminal(self, berth, tmp_path):
        made = layout.Layout(tmp_path / "made")
        layer, diff = tar([("etc/\x1b[31m", b"", FILE)])
        image = made.add_image([made.add(layer, layout.LAYER)], diff_ids=[diff], extra={
            "config": {"Labels": {"\x1b[31m": "\x9b31m"}, "Env": ["\x1b]0;x\x07"]}, "created": "\x1b[31m"})
        made.tag({k: v for k, v in image.items() if k != "platform"}, "v1")
        for option, code in ((), 0), (("--files",), 0), (("--validate",), PROBLEMS):
            out = berth("inspect", f"oci:{made.path}:v1", *option, code=code).out.decode()
            assert "\x1b" not in out and "\x9b" not in out and "\x07" not in out and out

    def test_makes_no_sense(self, berth, images, tmp_path):
        berth("inspect", f"{images.ref}:amd64", "--raw", "--config", code=USAGE)
        berth("inspect", f"{images.ref}:amd64", "-o", "x", code=USAGE)
        berth("inspect", f"{images.ref}:amd64", "--raw", "--output", "json", code=USAGE)
        berth("inspect", f"{images.ref}:none", code=NOT_FOUND)
        berth("inspect", f"oci:{tmp_path}/nowhere:v1", code=NOT_FOUND)


    def test_manifest_get_reads_layouts(self, berth, images):
        raw = berth("manifest", "get", f"{images.ref}:amd64").out
        assert layout.digest_of(raw) == images.single[0]["digest"]
        said = berth("manifest", "get", f"{images.ref}@{images.single[1]['digest']}", "--output", "json").json()
        assert said["mediaType"] == layout.MANIFEST and said["digest"] == images.single[1]["digest"]
        berth("manifest", "get", f"{images.ref}:none", code=NOT_FOUND)


class TestValidate:                                                                 # C164
    def test_what_is_right(self, berth, images):
        said = berth("inspect", f"{images.ref}:all", "--validate", "--output", "json").json()
        assert said["valid"] and said["problems"] == []
        assert b"valid" in berth("inspect", f"{images.ref}:amd64", "--validate").out

    def broken(self, images, tmp_path, damage):
        copy = tmp_path / "copy"
        shutil.copytree(images.path, copy)
        damage(copy)
        return f"oci:{copy}"

    def test_a_damaged_blob(self, berth, images, tmp_path):
        path = layout.digest_of(images.upper).replace(":", "/")
        ref = self.broken(images, tmp_path, lambda c: (c / "blobs" / path).write_bytes(images.upper[:-1] + b"x"))
        said = berth("inspect", f"{ref}:amd64", "--validate", "--output", "json", code=PROBLEMS).json()
        assert not said["valid"] and any("digest" in p for p in said["problems"])
        berth("inspect", f"{ref}:amd64", "--layer", "-1", "-o", tmp_path / "layer", code=DIGEST)
        assert not (tmp_path / "layer").exists()

    def test_a_missing_blob(self, berth, images, tmp_path):
        path = layout.digest_of(images.upper).replace(":", "/")
        ref = self.broken(images, tmp_path, lambda c: (c / "blobs" / path).unlink())
        assert b"upper" not in berth("inspect", f"{ref}:amd64", "--validate", code=PROBLEMS).out

    @pytest.mark.parametrize("make, says", [
        (lambda m, lower, diff: m.add_image([m.add(lower, layout.LAYER)], diff_ids=["sha256:" + "0" * 64]), "unpacked"),
        (lambda m, lower, diff: m.add_image([m.add(lower, layout.LAYER)], diff_ids=[diff, diff]), "names 2"),
        (lambda m, lower, diff: m.add_image([m.add(lower, layout.LAYER)], diff_ids=[diff], extra={"created": "now"}), "created"),
        (lambda m, lower, diff: m.add_image([{**m.add(lower, layout.LAYER), "size": 7}], diff_ids=[diff]), "not the 7"),
        (lambda m, lower, diff: m.add_image([m.add(lower[:-9], layout.LAYER)], diff_ids=[diff]), "unpacked"),
        (lambda m, lower, diff: m.add_index([{**m.add_image([m.add(lower, layout.LAYER)], diff_ids=[diff]),
                                              "platform": {"os": "linux", "architecture": "arm"}}]), "lists it for"),
    ])
    def test_what_contradicts_itself(self, berth, tmp_path, make, says):
        made = layout.Layout(tmp_path / "made")
        lower, diff = tar(LOWER)
        made.tag({k: v for k, v in make(made, lower, diff).items() if k != "platform"}, "v1")
        done = berth("inspect", f"oci:{made.path}:v1", "--validate", code=PROBLEMS)
        assert says in done.out.decode()


real = each_of(REAL)


class TestIndex:
    def test_dry_run_writes_nothing(self, berth, images, tmp_path):
        made = berth("index", "create", f"oci:{tmp_path}/new:v1", f"{images.ref}:amd64", f"{images.ref}:arm64", "--dry-run")
        assert not (tmp_path / "new").exists() and len(made.json()["manifests"]) == 2
        berth("index", "create", f"oci:{tmp_path}/new:v1", f"{images.ref}:amd64", "--dry-run", "--subject", "v0", code=NOT_FOUND)
        index = json.loads(berth("index", "create", f"{images.ref}:new", f"{images.ref}:amd64", f"{images.ref}:arm",
                                 "--dry-run", "--annotation", "a=b").out)
        assert [d["platform"] for d in index["manifests"]] == [
            {"architecture": "amd64", "os": "linux"}, {"architecture": "arm", "os": "linux", "variant": "v7"}]
        assert index["annotations"] == {"a": "b"} and "subject" not in index
        berth("inspect", f"{images.ref}:new", code=NOT_FOUND)

    def test_in_a_layout(self, berth, images, tmp_path):
        to = f"oci:{tmp_path}/new"
        digest = berth("index", "create", f"{to}:v1", f"{images.ref}:amd64", f"{images.ref}:all", "--tag", "v2").out.decode().strip()
        assert berth("inspect", f"{to}:v2", "--validate", "--output", "json").json()["valid"]
        said = berth("inspect", f"{to}:v1", "--output", "json", "--platform", "linux/amd64").json()
        assert said["digest"] == digest and len(said["manifests"]) == 3
        removed = berth("index", "remove", f"{to}:v1", "--platform", "linux/arm/v7", "--output", "json").json()
        assert [m["platform"] for m in removed["manifests"]] == ["linux/amd64", "linux/arm64/v8"]
        berth("index", "remove", f"{to}:v1", "--platform", "linux/arm/v7", code=NOT_FOUND)
        added = berth("index", "add", f"{to}:v1", f"{images.ref}:arm", "--output", "json").json()
        assert added["digest"] == digest and added["written"]

    def test_tags_of_a_layout_are_listed(self, berth, images):
        listed = berth("tag", "list", images.ref, "--output", "json").json()
        assert listed["name"] == images.ref and {"amd64", "arm64", "all"} <= set(listed["tags"])
        assert berth("tag", "list", images.ref).out.decode().split() == listed["tags"]
        assert "no pages" in berth("tag", "list", images.ref, "--last", "a", code=USAGE).err

    def test_docker_and_oci_are_not_mixed(self, berth, images, tmp_path):          # C110
        made = layout.Layout(tmp_path / "docker")
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                    "config": made.add(b'{"os":"linux","architecture":"amd64"}', "application/vnd.docker.container.image.v1+json"),
                    "layers": []}
        made.tag(made.add_json(manifest, manifest["mediaType"]), "v1")
        said = berth("index", "create", f"oci:{made.path}:list", f"oci:{made.path}:v1", "--output", "json").json()
        assert said["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
        assert said["manifests"][0]["platform"] == "linux/amd64"
        assert "not mixed" in berth("index", "add", f"oci:{made.path}:list", f"{images.ref}:amd64", code=FAILED).err

    def test_of_another_repository_moves_no_layer(self, berth, images, real):
        """As regctl index create and docker buildx imagetools create do it."""
        theirs, to = f"{real.address}/team/parts", f"{real.address}/team/whole"
        for arch in ("amd64", "arm64"):
            berth("index", "create", f"{theirs}:{arch}", f"{images.ref}:all", "--platform", f"linux/{arch}")
        said = berth("index", "create", f"{to}:v1", f"{theirs}:amd64", f"{theirs}:arm64", "--debug").err
        assert "mount=sha256" in said and "from=team" in said
        child = json.loads(berth("manifest", "get", f"{to}:v1").out)["manifests"][0]["digest"]
        for layer in json.loads(berth("manifest", "get", f"{to}@{child}").out)["layers"]:
            assert f"> GET /v2/team/parts/blobs/{layer['digest']}" not in said
        assert "> PATCH" not in said and not re.search("> PUT /v2/team/whole/blobs", said)
        assert berth("inspect", f"{to}:v1", "--validate", "--output", "json").json()["valid"]

    def test_of_another_repository_copies_where_nothing_is_mounted(self, berth, scripted):
        config, layer = b'{"architecture":"amd64","os":"linux"}', b"layer"
        digests = {layout.digest_of(b): b for b in (config, layer)}
        image = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": {
            "mediaType": layout.CONFIG, "digest": layout.digest_of(config), "size": len(config)}, "layers": [
                {"mediaType": layout.LAYER, "digest": layout.digest_of(layer), "size": len(layer)}]}).encode()
        s, put = scripted(), {}
        s.routes["/v2/a/manifests/v1"] = lambda r: (200, {"Content-Type": layout.MANIFEST}, image)
        for digest, blob in digests.items():
            s.routes[f"/v2/a/blobs/{digest}"] = lambda r, blob=blob: (200, {}, blob)
        s.routes["/v2/b/blobs/uploads/"] = lambda r: (
            (403, {}, b"") if "mount=" in r.path else (202, {"Location": "/v2/b/blobs/uploads/1"}, b""))
        s.routes["/v2/b/blobs/uploads/1"] = lambda r: (put.update({r.path.split("digest=")[1]: r.body}), (201, {}, b""))[1]
        for name in (layout.digest_of(image), "v1"):
            s.routes[f"/v2/b/manifests/{name}"] = lambda r: (
                201, {"Location": "/", "Docker-Content-Digest": layout.digest_of(r.body)}, b"")
        berth("index", "create", f"{s.address}/b:v1", f"{s.address}/a:v1")
        assert {k.replace("%3A", ":"): v for k, v in put.items()} == digests

    def test_in_a_registry(self, berth, images, real, tmp_path):
        to = f"{real.address}/team/app"
        digest = berth("index", "create", f"{to}:v1", f"{images.ref}:all", "--platform", "linux/amd64",
                       "--platform", "linux/arm/v7", "--annotation", "a=b").out.decode().strip()
        assert berth("inspect", f"{to}:v1", "--validate", "--output", "json").json()["valid"]
        berth("index", "add", f"{to}:v1", f"{images.ref}:arm64", "--tag", "v2")
        said = berth("inspect", f"{to}:v2", "--tags", "--output", "json", "--platform", "linux/arm64").json()
        assert said["architecture"] == "arm64" and {"v1", "v2"} <= set(said["tags"]) and said["digest"] != digest
        assert berth("inspect", f"{to}:v2", "--platform", "linux/arm64", "--file", "bin/real").out == b"#!/bin/sh\n"
        clients = Clients(SimpleNamespace(address=real.address, scheme="http"), None, tmp_path / "clients")
        theirs = json.loads(clients.skopeo("inspect", "--tls-verify=false", "--override-arch", "arm64", f"docker://{to}:v2").stdout)
        assert theirs["Digest"] == said["digest"] and theirs["Layers"] == [d["digest"] for d in said["layers"]]
        assert theirs["Labels"] == said["labels"] and theirs["Env"] == said["env"]
        assert clients.crane("digest", "--insecure", f"{to}:v2").stdout.strip() == said["digest"]
        listed = json.loads(clients.regctl("manifest", "get", "--format", "raw-body", f"{to}:v2").stdout)
        assert len(listed["manifests"]) == 3 and listed["annotations"] == {"a": "b"}
