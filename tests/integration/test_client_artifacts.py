"""`berth artifact push|pull|attach|tree` on image layouts and real registries: what oras and regctl wrote is read, and they
read what berth wrote. Nothing hostile leaves the folder."""

import io
import json
import os
import signal
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

import layout
from clients import Clients, need
from commandline import DIGEST, FAILED, NOT_FOUND, REAL, USAGE, each_of, says
from server import berth_path

TITLE, UNPACK = "org.opencontainers.image.title", "io.deis.oras.content.unpack"
NOT_ASCII = "n\u0308\u00e4"  # composed and not: names stay the bytes that they are


@pytest.fixture
def files(berth, tmp_path):
    """In the folder where the commands run: a file, one below a folder, and a tree."""
    home = berth.home
    (home / "one.json").write_text('{"a":1}')
    (home / "sub").mkdir()
    (home / "sub" / "two.bin").write_bytes(b"".join(layout.noise(300000)))
    (home / "tree" / "deep").mkdir(parents=True)
    (home / "tree" / "deep" / ("n" * 120)).write_text("long")
    (home / "tree" / NOT_ASCII).write_text("name")
    (home / "tree" / "run.sh").write_text("#!/bin/sh\n")
    (home / "tree" / "run.sh").chmod(0o755)
    (home / "tree" / "link").symlink_to("deep")
    return home


def same(a, b):
    for name in ("one.json", "sub/two.bin", "tree/deep/" + "n" * 120, "tree/" + NOT_ASCII, "tree/run.sh"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    assert os.readlink(b / "tree" / "link") == "deep" and os.access(b / "tree" / "run.sh", os.X_OK)


class TestLayout:
    def test_comes_back_as_it_was(self, berth, files, tmp_path):
        ref = f"oci:{tmp_path}/place:v1"
        said = berth("artifact", "push", ref, "one.json:application/json", "sub/two.bin", "tree", "--artifact-type", "x/y",
                     "--annotation", "a=b", "--output", "json").json()
        assert [f["title"] for f in said["files"]] == ["one.json", "sub/two.bin", "tree"]
        manifest = json.loads(berth("inspect", ref, "--raw").out)
        assert manifest["artifactType"] == "x/y" and manifest["annotations"] == {"a": "b"}
        assert manifest["config"] == {"mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2, "data": "e30="}
        assert manifest["layers"][0]["mediaType"] == "application/json"
        assert manifest["layers"][2]["annotations"][UNPACK] == "true"
        assert berth("inspect", ref, "--validate", "--output", "json").json()["valid"]
        pulled = berth("artifact", "pull", ref, "-o", tmp_path / "out").out.decode().split()
        assert pulled == ["one.json", "sub/two.bin", "tree"]
        same(files, tmp_path / "out")
        again = berth("artifact", "push", f"oci:{tmp_path}/place:v2", "one.json:application/json", "sub/two.bin", "tree",
                      "--artifact-type", "x/y", "--annotation", "a=b").out.decode().strip()
        assert again == said["digest"]                     # the same from the same files

    def test_does_not_overwrite_unless_told(self, berth, files, tmp_path):
        ref = f"oci:{tmp_path}/place:v1"
        berth("artifact", "push", ref, "one.json", "tree")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "one.json").write_text("mine")
        assert "already" in berth("artifact", "pull", ref, "-o", tmp_path / "out", code=FAILED).err
        assert (tmp_path / "out" / "one.json").read_text() == "mine"
        berth("artifact", "pull", ref, "-o", tmp_path / "out", "--overwrite")
        berth("artifact", "pull", ref, "-o", tmp_path / "out", "--overwrite")
        assert (tmp_path / "out" / "one.json").read_text() == '{"a":1}'
        assert not [p for p in (tmp_path / "out").rglob("*") if p.name.endswith(".part")]

    def test_picks_by_media_type_and_keeps_archives(self, berth, files, tmp_path):
        ref = f"oci:{tmp_path}/place:v1"
        berth("artifact", "push", ref, "one.json:application/json", "tree")
        berth("artifact", "pull", ref, "-o", tmp_path / "json", "--media-type", "application/json")
        assert [p.name for p in (tmp_path / "json").iterdir()] == ["one.json"]
        berth("artifact", "pull", ref, "-o", tmp_path / "packed", "--keep-packed")
        packed = tmp_path / "packed" / "tree"
        names = ["tree", "tree/deep", "tree/deep/" + "n" * 120, "tree/link", "tree/" + NOT_ASCII, "tree/run.sh"]
        assert tarfile.open(packed).getnames() == names
        for reader in (["tar"], ["busybox", "tar"]):
            need(reader[0])
            listed = subprocess.run([*reader, "-tzf", packed], capture_output=True, check=True)
            assert len(listed.stdout.splitlines()) == len(names) and listed.stderr == b""

    def test_attach_and_tree(self, berth, files, tmp_path):
        ref = f"oci:{tmp_path}/place:v1"
        root = berth("artifact", "push", ref, "one.json").out.decode().strip()
        berth("artifact", "attach", ref, "one.json", code=USAGE)
        sbom = berth("artifact", "attach", ref, "one.json", "--artifact-type", "application/sbom").out.decode().strip()
        signature = berth("artifact", "attach", f"oci:{tmp_path}/place@{sbom}", "--artifact-type", "application/sig",
                          "--annotation", "k=v").out.decode().strip()
        tree = berth("artifact", "tree", ref, "--output", "json").json()
        assert tree["digest"] == root and [r["digest"] for r in tree["referrers"]] == [sbom]
        below = tree["referrers"][0]["referrers"]
        assert below[0]["digest"] == signature and below[0]["annotations"] == {"k": "v"} and below[0]["referrers"] == []
        text = berth("artifact", "tree", ref).out.decode()
        assert f"└── application/sbom  {sbom}" in text and f"    └── application/sig  {signature}" in text
        assert signature not in berth("artifact", "tree", ref, "--depth", "1").out.decode()
        assert berth("artifact", "tree", ref, "--artifact-type", "x/y", "--output", "json").json()["referrers"] == []

    @pytest.mark.parametrize("names", [["."], [".."], ["/"], ["tree/.."], ["one.json", "one.json"], ["tree", "tree/run.sh"],
                                       ["tree/run.sh", "./tree/"], ["one.json", "./one.json:text/plain"], ["sub//two.bin", "sub/two.bin"],
                                       ["one.json", "{}/one.json"]])
    def test_what_could_not_be_pulled_is_not_pushed(self, berth, files, tmp_path, names):
        names = [name.format(files) for name in names]
        berth("artifact", "push", f"oci:{tmp_path}/place:v1", *names, code=USAGE)
        berth("artifact", "attach", f"oci:{tmp_path}/place:v1", *names, "--artifact-type", "x/y", code=USAGE)
        assert not (tmp_path / "place").exists()

    def test_titles_are_plain_paths(self, berth, files, tmp_path):
        ref = f"oci:{tmp_path}/place:v1"
        (files / "tree.txt").write_text("beside")
        names = ["./one.json", "sub//two.bin", "tree/./run.sh", "tree/deep/", f"{files}/tree.txt", "sub/../tree/" + NOT_ASCII]
        said = berth("artifact", "push", ref, *names, "--output", "json").json()
        assert [f["title"] for f in said["files"]] == ["one.json", "sub/two.bin", "tree/run.sh", "tree/deep", "tree.txt", NOT_ASCII]
        berth("artifact", "pull", ref, "-o", tmp_path / "out")

    @pytest.mark.parametrize("attempt", range(6))
    def test_many_make_one_at_the_same_time(self, berth, files, tmp_path, attempt):
        tags = [f"t{i}" for i in range(8)]
        place = f"oci:{tmp_path}/place"
        with ThreadPoolExecutor(len(tags)) as pool:
            list(pool.map(lambda tag: berth("artifact", "push", f"{place}:{tag}", "one.json"), tags))
        index = json.loads((tmp_path / "place" / "index.json").read_text())
        assert sorted(m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"]) == tags
        assert sorted(p.name for p in (tmp_path / "place").iterdir()) == ["blobs", "index.json", "oci-layout"]

    def test_what_is_not_there(self, berth, files, tmp_path):
        berth("artifact", "push", f"oci:{tmp_path}/place:v1", "nothing", code=NOT_FOUND)
        berth("artifact", "pull", f"oci:{tmp_path}/nowhere:v1", code=NOT_FOUND)
        berth("artifact", "push", f"oci:{tmp_path}/place:v1", "one.json", "--annotation", "novalue", code=USAGE)


class TestInterrupted:
    """Of a small file whose pull ends in the middle nothing stays in the folder."""

    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_leaves_nothing(self, berth, scripted, tmp_path, how):
        s, blob = scripted(), b"x" * 1000000
        layers = [{"mediaType": "text/plain", "digest": layout.digest_of(blob), "size": len(blob), "annotations": {TITLE: "file"}}]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "layers": layers, "config": {
            "mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2}}).encode()
        s.routes["/v2/a/manifests/v1"] = says(200, manifest, Content_Type=layout.MANIFEST)
        s.routes[f"/v2/a/blobs/{layout.digest_of(blob)}"] = says(200, blob[:500000], Content_Length=str(len(blob)))
        running = subprocess.Popen([berth_path(), "artifact", "pull", f"{s.address}/a:v1", "-o", tmp_path / "out"], env=berth.env,
                                   stderr=subprocess.PIPE)
        while b"trying again" not in running.stderr.readline():      # half of it is there
            assert running.poll() is None
        running.send_signal(how)
        assert running.wait(20) == -how
        running.stderr.close()
        assert list((tmp_path / "out").iterdir()) == []


class TestWithoutLibarchive:
    """Only who has an archive before it asks for the library."""

    def test_says_what_is_missing(self, berth, files, tmp_path):
        ref, other = f"oci:{tmp_path}/place:v1", f"oci:{tmp_path}/place:v2"
        berth("artifact", "push", ref, "one.json", "tree")
        (tmp_path / "libarchive.so.13").write_bytes(b"")
        without = {"LD_LIBRARY_PATH": str(tmp_path)}
        for wanting in (["push", other, "tree"], ["pull", ref, "-o", tmp_path / "out"]):
            assert "libarchive can't be used" in berth("artifact", *wanting, code=FAILED, **without).err
        berth("artifact", "push", other, "one.json", **without)
        berth("artifact", "pull", ref, "-o", tmp_path / "packed", "--keep-packed", **without)


class TestHostile:                                                                  # C168
    def artifact(self, tmp_path, data, **annotations):
        made = layout.Layout(tmp_path / "hostile")
        manifest = {"schemaVersion": 2, "mediaType": layout.MANIFEST, "artifactType": "x/y",
                    "config": made.add(b"{}", layout.EMPTY),
                    "layers": [made.add(data, "application/octet-stream", annotations=annotations)]}
        made.tag(made.add_json(manifest, layout.MANIFEST), "v1")
        return f"oci:{made.path}:v1"

    @pytest.mark.parametrize("title", ["../out", "/tmp/berth-out", "a/../../out", "..", ".", "up/out"])
    def test_titles(self, berth, tmp_path, title):
        ref = self.artifact(tmp_path, b"data", **{TITLE: title})
        to = tmp_path / "below" / "to"
        to.mkdir(parents=True)
        (to / "up").symlink_to("..")
        berth("artifact", "pull", ref, "-o", to, "--overwrite", code=FAILED)
        assert sorted(p.name for p in (tmp_path / "below").iterdir()) == ["to"] and not os.path.exists("/tmp/berth-out")
        assert [p.name for p in to.iterdir()] == ["up"]

    @pytest.mark.parametrize("name, kind, link", [
        ("t/../../out", tarfile.REGTYPE, ""), ("/tmp/berth-out", tarfile.REGTYPE, ""), ("other/x", tarfile.REGTYPE, ""),
        ("t/out", tarfile.SYMTYPE, "../../.."), ("t/out", tarfile.SYMTYPE, "/etc/passwd"), ("t/out", tarfile.LNKTYPE, "../x"),
        ("t/out", tarfile.LNKTYPE, "/etc/passwd"), ("t/out", tarfile.CHRTYPE, ""), ("t/out", tarfile.FIFOTYPE, "")])
    def test_archives(self, berth, tmp_path, name, kind, link):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as t:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            t.addfile(info)
        ref = self.artifact(tmp_path, raw.getvalue(), **{TITLE: "t", UNPACK: "true"})
        to = tmp_path / "below" / "to"
        berth("artifact", "pull", ref, "-o", to, code=FAILED)
        assert [p.name for p in (tmp_path / "below").iterdir()] == ["to"] and not os.path.exists("/tmp/berth-out")
        assert [p for p in to.rglob("*") if not p.is_dir()] == []

    def test_a_bomb(self, berth, tmp_path):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w:gz") as t:
            info = tarfile.TarInfo("t/zeros")
            info.size = 64 << 20
            t.addfile(info, io.BytesIO(bytes(64 << 20)))
        ref = self.artifact(tmp_path, raw.getvalue(), **{TITLE: "t", UNPACK: "true"})
        done = berth("artifact", "pull", ref, "-o", tmp_path / "to", "--unpack-max", "1MiB", code=FAILED)
        assert "unpacks to more" in done.err and not list((tmp_path / "to").rglob("zeros"))

    def test_wrong_bytes_have_no_name(self, berth, tmp_path):
        ref = self.artifact(tmp_path, b"right", **{TITLE: "file"})
        path = layout.digest_of(b"right").replace(":", "/")
        (tmp_path / "hostile" / "blobs" / path).write_bytes(b"wrong")
        berth("artifact", "pull", ref, "-o", tmp_path / "to", code=DIGEST)
        assert list((tmp_path / "to").iterdir()) == []


real = each_of(REAL)


@pytest.fixture
def clients(real, tmp_path):
    return Clients(SimpleNamespace(address=real.address, scheme="http"), None, tmp_path / "clients")


class TestOthers:
    def test_oras_pulls_what_berth_pushed(self, berth, files, real, clients, tmp_path):
        ref = f"{real.address}/team/files:v1"
        digest = berth("artifact", "push", ref, "one.json:application/json", "sub/two.bin", "tree").out.decode().strip()
        clients.oras("pull", ref, "-o", tmp_path / "theirs")
        same(files, tmp_path / "theirs")
        assert clients.crane("digest", "--insecure", ref).stdout.strip() == digest
        clients.skopeo("copy", *clients.skopeo_trust("src"), f"docker://{ref}", f"dir:{tmp_path}/skopeo")

    def test_berth_pulls_what_oras_pushed(self, berth, files, real, clients, tmp_path):
        ref = f"{real.address}/team/theirs:v1"
        clients.oras("push", ref, "one.json:application/json", "sub/two.bin", "tree", cwd=files)
        berth("artifact", "pull", ref, "-o", tmp_path / "ours")
        same(files, tmp_path / "ours")

    def test_they_see_the_same_tree(self, berth, files, real, clients):
        ref = f"{real.address}/team/tree:v1"
        berth("artifact", "push", ref, "one.json")
        ours = berth("artifact", "attach", ref, "one.json", "--artifact-type", "application/sbom").out.decode().strip()
        clients.oras("attach", ref, "one.json", "--artifact-type", "application/theirs", cwd=files)
        tree = berth("artifact", "tree", ref, "--output", "json").json()
        assert sorted(r["artifactType"] for r in tree["referrers"]) == ["application/sbom", "application/theirs"]
        theirs = json.loads(clients.oras("discover", "--format", "json", ref).stdout)
        found = {r["digest"] for r in theirs.get("referrers") or theirs.get("manifests")}
        assert found == {r["digest"] for r in tree["referrers"]} and ours in found
        assert ours in clients.regctl("artifact", "tree", ref).stdout
