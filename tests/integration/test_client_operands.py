"""What operands and options of the client's commands mean, and what is refused instead of being passed over."""

import gzip
import shlex

import pytest

import layout
from commandline import DIGEST, FAILED, NOT_FOUND, PROBLEMS, USAGE
from test_client_heads import push


class TestWarnings:
    def test_each_is_said_once_and_acts_on_no_terminal(self, berth, scripted):
        s = scripted()
        s.routes["/v2/a/tags/list"] = lambda r: (200, [("Warning", '299 - "it is old \\"x\\""'), ("Warning", '299 - "it is old \\"x\\""'),
                                                       ("Warning", '299 - "and\xc2\x9b31m moves"')], b'{"tags":["t"]}')
        said = berth("tag", "list", f"{s.address}/a")
        assert said.out == b"t\n"
        assert said.err.splitlines() == ['berth tag list: warning: the registry says: it is old "x"',
                                         "berth tag list: warning: the registry says: and?31m moves"]

    def test_quiet_is_of_progress_alone(self, berth, scripted):
        s, blob = scripted(), b"blob"
        s.routes[f"/v2/a/blobs/{layout.digest_of(blob)}"] = lambda r: (200, [("Warning", '299 - "old"')], blob)
        said = berth("blob", "get", f"{s.address}/a@{layout.digest_of(blob)}", "-q")
        assert said.out == blob and said.err == "berth blob get: warning: the registry says: old\n"


class TestTagBesideDigest:
    def test_a_manifest_is_put_under_both(self, berth, server):
        pushed = push(server, "operands/put", ["a", "b"])
        ref, (digest, _), (other, _) = f"{server.address}/operands/put", pushed["a"], pushed["b"]
        body = berth("manifest", "get", f"{ref}:a").out
        berth("manifest", "put", f"{ref}:v9@{digest}", "-", "-t", "v8", stdin=body)
        for tag in ("v8", "v9"):
            assert berth("manifest", "digest", f"{ref}:{tag}").out.decode().strip() == digest
        berth("manifest", "put", f"{ref}:v10@{other}", "-", stdin=body, code=DIGEST)
        berth("manifest", "head", f"{ref}:v10", code=NOT_FOUND)

    @pytest.mark.parametrize("where", ["registry", "layout"])
    def test_an_index_has_to_have_the_digest_and_gets_the_tag(self, berth, server, where, tmp_path):
        push(server, "operands/index", ["a", "b"])
        name = f"{server.address}/operands/index"
        images, ref = [f"{name}:a", f"{name}:b"], name if where == "registry" else f"oci:{tmp_path}/folder"
        digest = berth("index", "create", f"{ref}:one", images[0]).out.decode().strip()
        said = berth("index", "create", f"{ref}:v9@{digest}", *images, code=DIGEST).err
        assert digest[:20] in said
        berth("manifest", "head", f"{ref}:v9", code=NOT_FOUND)
        berth("index", "create", f"{ref}:v9@{digest}", images[0])
        assert berth("manifest", "digest", f"{ref}:v9").out.decode().strip() == digest
        more = berth("index", "add", f"{ref}:v9@{digest}", images[1]).out.decode().strip()
        assert berth("manifest", "digest", f"{ref}:v9").out.decode().strip() == more != digest


class TestPlatform:
    @pytest.fixture
    def three(self, berth, server, platforms):
        """{architecture: digest} of an index in a registry, and where it is."""
        ref = f"{server.address}/operands/three:v1"
        berth("index", "create", ref, f"oci:{platforms.path}:{platforms.tag}")
        index = berth("manifest", "get", ref, "--output", "json").json()["manifest"]
        return ref, {m["platform"]["architecture"]: m["digest"] for m in index["manifests"]}

    def test_chooses_the_image_of_an_index(self, berth, three, platforms, tmp_path):
        ref, digests = three
        for where in (ref, f"oci:{platforms.path}:{platforms.tag}"):
            for architecture in ("amd64", "riscv64"):
                of = ("--platform", f"linux/{architecture}")
                assert layout.digest_of(berth("manifest", "get", where, *of).out) == digests[architecture]
                assert berth("manifest", "head", where, *of, "--format", "{{.digest}}").out.decode().strip() == digests[architecture]
                assert berth("manifest", "digest", where, *of).out.decode().strip() == digests[architecture]
            for command in ("get", "head", "digest"):
                assert "linux/s390x" in berth("manifest", command, where, "--platform", "linux/s390x", code=NOT_FOUND).err
        berth("manifest", "get", ref, "--platform", "linux/amd64", "-o", tmp_path / "m")
        assert layout.digest_of((tmp_path / "m").read_bytes()) == digests["amd64"]
        said = berth("manifest", "head", ref, f"oci:{platforms.path}:{platforms.tag}", "--platform", "linux/amd64").out
        assert [line.split()[1] for line in said.decode().splitlines()] == [digests["amd64"]] * 2

    def test_a_single_image_has_to_be_for_it(self, berth, three):
        ref, digests = three
        single = f"{ref.rpartition(':')[0]}@{digests['amd64']}"
        berth("manifest", "get", single, "--platform", "linux/amd64")
        for command in (("manifest", "get"), ("manifest", "head"), ("manifest", "digest"), ("inspect",)):
            said = berth(*command, single, "--platform", "linux/s390x", code=NOT_FOUND).err
            assert "for linux/amd64 and not for linux/s390x" in said

    def test_what_comes_is_of_the_kind_that_was_asked_for(self, berth, three, platforms):
        ref, digests = three
        single = f"{ref.rpartition(':')[0]}@{digests['amd64']}"
        for where in (ref, f"oci:{platforms.path}:{platforms.tag}"):
            for command in ("get", "head"):
                berth("manifest", command, where, "--accept", "index")
                assert "--platform" in berth("manifest", command, where, "--accept", "image", code=NOT_FOUND).err
        berth("manifest", "get", single, "--accept", "image")
        berth("manifest", "get", single, "--accept", "index", code=NOT_FOUND)
        berth("manifest", "get", ref, "--accept", "image", "--platform", "linux/amd64", code=USAGE)


class TestManifestFile:
    def test_is_replaced_when_all_is_well(self, berth, server, tmp_path):
        digest, _ = push(server, "operands/file", ["a"])["a"]
        ref, path = f"{server.address}/operands/file", tmp_path / "m.json"
        path.write_text("before")
        berth("manifest", "get", f"{ref}:none", "-o", path, code=NOT_FOUND)
        assert path.read_text() == "before"
        assert berth("manifest", "get", f"{ref}:a", "-o", path).out == b""
        assert layout.digest_of(path.read_bytes()) == digest
        path.unlink()
        assert berth("manifest", "get", f"{ref}:a", "--to", path, "--output", "json").json()["digest"] == digest
        assert layout.digest_of(path.read_bytes()) == digest


class TestMistakesOfTheCommandLine:
    """Told before anybody is asked, with exit code 2."""

    @pytest.mark.parametrize("words", [
        "inspect HOST/a --platform linux", "manifest get HOST/a --platform linux", "index create HOST/a HOST/b --platform linux",
        "artifact push HOST/a:v1 f --artifact-type bad", "artifact push HOST/a:v1 f --annotation bad",
        "artifact push HOST/a:v1 f --tag b,d", "artifact push HOST/a:v1 -", "artifact pull HOST/a:v1 --platform linux", "index create HOST/a HOST/b --artifact-type bad",
        "index create HOST/a HOST/b --annotation =x", "index remove HOST/a --digest bad", "manifest put HOST/a f --tag b,d",
        "manifest put HOST/a f --media-type bad", "auth header HOST/a --actions 'foo bar'", "ping HOST --resolve bad", "ping HOST --proxy ftp://x",
        "ping HOST --username= --password-stdin", "login HOST --username= --password-stdin", "request POST /v2/x/blobs/uploads/ --registry HOST --data @- --password-stdin --username u",
        "blob get HOST/a@DIGEST --ranges 4", "blob get HOST/a@DIGEST --sync", "blob get HOST/a@DIGEST -o - --ranges-from 1k", "blob put HOST/a:v1 f",
    ])
    def test_is_a_usage_error(self, berth, scripted, words):
        s = scripted()
        (berth.home / "f").write_text("f")
        words = words.replace("HOST", s.address).replace("DIGEST", layout.digest_of(b""))
        said = berth(*shlex.split(words), code=USAGE, stdin=b"secret").err
        assert "try: berth" in said and "secret" not in said
        assert s.seen == []

    @pytest.mark.parametrize("option", ["--ca-file", "--client-cert", "--bearer-file"])
    def test_a_file_that_is_not_there(self, berth, scripted, option):
        said = berth("ping", scripted().address, option, "/nowhere/x", code=NOT_FOUND).err
        assert "'/nowhere/x'" in said

    def test_a_folder_is_no_body(self, berth, scripted):
        s = scripted()
        said = berth("request", "POST", "/v2/x/blobs/uploads/", "--registry", s.address, "--data", f"@{berth.home}", code=FAILED).err
        assert "directory" in said and s.seen == []


class TestCompressed:
    def test_a_manifest_that_nobody_asked_to_compress_is_refused(self, berth, scripted):
        body = b'{"schemaVersion":2,"manifests":[]}'
        s, packed = scripted(), gzip.compress(body)
        headers = {"Content-Type": layout.INDEX, "Content-Encoding": "gzip"}
        s.routes["/v2/a/manifests/v1"] = lambda r: (200, headers, packed)
        said = berth("manifest", "get", f"{s.address}/a:v1", code=FAILED)
        assert said.out == b"" and "compressed" in said.err
        s.routes["/v2/a/manifests/v1"] = lambda r: (200, {**headers, "Docker-Content-Digest": layout.digest_of(body)}, body)
        assert berth("manifest", "get", f"{s.address}/a:v1").out == body    # it only says so


class TestTexts:
    def test_a_bad_host_has_a_reason(self, berth):
        assert "has a port that is none of 1 to 65535" in berth("ping", "x:99999", code=USAGE).err
        assert "several colons" in berth("ping", "::1", code=USAGE).err

    def test_a_reference_is_named_once(self, berth, server):
        for ref in (f"{server.address}/operands/none:v1", "BAD", "127.0.0.1:1/a:v1"):
            said = berth("index", "create", f"{server.address}/operands/i:v1", ref, "--timeout", "1", code=None).err
            assert said.splitlines()[0].count(ref) == 1, said
        said = berth("index", "create", f"{server.address}/operands/i:v1", "oci:nowhere:v1", code=NOT_FOUND).err
        assert said.count("oci:nowhere:v1") == 1

    def test_a_file_that_is_no_manifest_is_named(self, berth, server):
        for text in ("x", "{}"):
            (berth.home / "m.json").write_text(text)
            said = berth("manifest", "put", f"{server.address}/operands/none:v1", "m.json", code=FAILED).err
            assert said.startswith("berth manifest put: 'm.json': ") and "Content-Type" not in said

    def test_a_mount_that_is_refused(self, berth, server):
        said = berth("blob", "mount", f"{server.address}/operands/mount@{layout.digest_of(b'none')}", code=NOT_FOUND).err
        assert "did not mount" in said and "there" not in said

    def test_inspect_shows_titles_and_what_is_shared(self, berth, server):
        ref = f"{server.address}/operands/artifact:v1"
        (berth.home / "notes.txt").write_text("notes")
        berth("artifact", "push", ref, "notes.txt")
        said = berth("inspect", ref, "--shared-with", ref).out.decode()
        assert "  notes.txt\n" in said and "=" not in said
        size = berth("inspect", ref, "--format", "{{.size}}").out.decode().strip()
        assert f"shared with      {ref}\n" in said and f"shared size      {size}\n" in said

    def test_a_layer_that_images_share_is_told_of_once(self, berth, server, tmp_path):
        made = layout.Layout(tmp_path / "shared")
        layer = made.add(b"no archive", layout.LAYER)
        images = [made.add_image([layer], architecture, diff_ids=[layout.digest_of(b"other")]) for architecture in ("amd64", "arm64")]
        made.tag(made.add_index(images), "v1")
        said = berth("inspect", f"oci:{tmp_path}/shared:v1", "--validate", code=PROBLEMS).out.decode()
        assert [line.split(":")[1] for line in said.splitlines()] == [layer["digest"].partition(":")[2]]


class TestLayouts:
    def test_are_taken_where_a_reference_is(self, berth, server, tmp_path):
        push(server, "operands/layouts", ["a", "b"])
        name, folder = f"{server.address}/operands/layouts", f"oci:{tmp_path}/folder"
        for tag in ("a", "b"):
            berth("index", "create", f"{folder}:{tag}", f"{name}:{tag}")
        digest = berth("manifest", "digest", f"{folder}:a").out.decode().strip()
        size = len(berth("manifest", "get", f"{folder}:a").out)
        assert berth("manifest", "head", f"{folder}:a", "--output", "json").json() == {
            "reference": f"{folder}:a", "digest": digest, "mediaType": layout.INDEX, "size": size}
        assert berth("tag", "add", f"{folder}:a", "c", "d", "--output", "json").json() == {"name": folder, "digest": digest, "tags": ["c", "d"]}
        berth("tag", "add", f"{folder}:a", "no,tag", code=USAGE)
        assert berth("tag", "delete", f"{folder}:c").out.decode() == f"{folder}:c  deleted\n"
        assert berth("tag", "list", folder).out.split() == [b"a", b"b", b"d"]
        berth("tag", "delete", f"{folder}:a", "--purge")
        assert berth("tag", "list", folder).out.split() == [b"b"]
        for words in (("tag", "delete", f"{folder}:d"), ("tag", "add", f"{folder}:d", "e"), ("manifest", "head", f"{folder}:d"), ("manifest", "digest", f"{folder}:d")):
            berth(*words, code=NOT_FOUND)
        berth("tag", "delete", folder, code=USAGE)

    def test_give_their_blobs(self, berth, server, tmp_path):
        push(server, "operands/blobs", ["a"])
        folder = f"oci:{tmp_path}/folder"
        berth("index", "create", f"{folder}:a", f"{server.address}/operands/blobs:a")
        ref = f"{folder}@{layout.digest_of(b'{}')}"
        assert berth("blob", "get", ref).out == b"{}"
        assert berth("blob", "get", ref, "-o", tmp_path / "blob", "--sync", "--output", "json").json() == {"digest": layout.digest_of(b"{}"), "size": 2}
        assert (tmp_path / "blob").read_bytes() == b"{}"
        berth("blob", "get", f"{folder}@{layout.digest_of(b'none')}", code=NOT_FOUND)
        berth("blob", "get", f"{folder}:a", code=USAGE)
        berth("blob", "get", ref, "-o", tmp_path / "blob", "--ranges", "2", code=USAGE)
