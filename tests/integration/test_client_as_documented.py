"""Commands as their documentation has them: folders that come whole or not at all, modes,
documents of several, and what the documentation promises."""

import json
import os
import re
import signal
import subprocess

import pytest

import layout
from commandline import FAILED, NOT_FOUND, REAL, USAGE, each_of
from server import ROOT, berth_path
from test_client_artifact_resume import Stock, names, packed, start, stop, wait_for

stock = each_of({"berth": REAL["berth"]}, Stock)
MANY = 3000
CONFIG = 3


class TestAFolder:
    """Issue 5, "a download goes on", and C168: a folder that is pulled has its name when it is whole."""

    def tree(self, stock, tag, *more):
        return f"{stock.host}/" + stock.push(tag, ("tree", packed(*((f"tree/d{i % 7}/f{i}", b"%d" % i) for i in range(MANY)), *more), "true"))

    def in_the_middle(self, berth, ref, to):
        process = start(berth, ref, "-o", to)
        wait_for(process, lambda: any(to.glob(".berth-unpack-*/tree/*/*")))
        return process

    def whole(self, to):
        assert sorted(os.listdir(to)) == ["tree"] and len(names(to)) == MANY
        assert all((to / "tree" / f"d{i % 7}" / f"f{i}").read_bytes() == b"%d" % i for i in range(MANY))

    def test_that_was_killed_comes_with_the_same_command(self, berth, stock, tmp_path):
        to, ref = tmp_path / "to", self.tree(stock, "killed")
        stop(self.in_the_middle(berth, ref, to))
        assert not (to / "tree").exists() and len(os.listdir(to)) == 1
        berth("artifact", "pull", ref, "-o", to)
        self.whole(to)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_that_was_interrupted_leaves_nothing(self, berth, stock, tmp_path, number):
        to, ref = tmp_path / "to", self.tree(stock, "interrupted")
        was = signal.signal(signal.SIGHUP, signal.SIG_DFL)      # the tests may run under nohup
        try:
            process = self.in_the_middle(berth, ref, to)
        finally:
            signal.signal(signal.SIGHUP, was)
        stop(process, number)
        assert os.listdir(to) == []

    def test_nohup_goes_on(self, berth, stock, tmp_path):
        to, ref = tmp_path / "to", self.tree(stock, "nohup")
        was = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            process = self.in_the_middle(berth, ref, to)
        finally:
            signal.signal(signal.SIGHUP, was)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
        self.whole(to)

    def test_that_is_refused_leaves_nothing(self, berth, stock, tmp_path):
        to = tmp_path / "to"
        berth("artifact", "pull", self.tree(stock, "refused", ("tree/x", "../out")), "-o", to, code=FAILED)
        assert os.listdir(to) == []
        ref = self.tree(stock, "max")
        berth("artifact", "pull", ref, "-o", to, "--unpack-max", "2k", code=FAILED)
        assert os.listdir(to) == []
        berth("artifact", "pull", ref, "-o", to)
        self.whole(to)

    def test_of_two_processes_comes_once(self, berth, stock, tmp_path):
        to, ref = tmp_path / "to", self.tree(stock, "two")
        first = self.in_the_middle(berth, ref, to)
        first.send_signal(signal.SIGSTOP)
        berth("artifact", "pull", ref, "-o", to)
        first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 0
        self.whole(to)

    def test_with_other_files_changes_none(self, berth, stock, tmp_path):
        to = tmp_path / "to"
        (to / "tree" / "d6").mkdir(parents=True)
        (to / "tree" / "d6" / "f6").write_bytes(b"mine")
        ref = self.tree(stock, "others")
        assert "'tree/d6/f6' is there already" in berth("artifact", "pull", ref, "-o", to, code=FAILED).err
        assert names(to) == ["tree/d6/f6"] and os.listdir(to / "tree") == ["d6"]
        berth("artifact", "pull", ref, "-o", to, "--overwrite")
        self.whole(to)

    def test_without_anything_in_it_is_none(self, berth, stock, tmp_path):
        to, ref = tmp_path / "to", stock.push("empty", ("f", b"", "true"))
        assert "empty" in berth("artifact", "pull", f"{stock.host}/{ref}", "-o", to, code=FAILED).err
        assert os.listdir(to) == []


@pytest.mark.parametrize("mask, mode", [(0o022, 0o755), (0o027, 0o750), (0o002, 0o775), (0o077, 0o700)])
def test_new_folders_obey_the_umask(berth, stock, tmp_path, mask, mode):
    ref = f"{stock.host}/" + stock.push("modes", ("sub/f", b"f"), ("tree", packed(("tree/d/f", b"f")), "true"))
    (tmp_path / "f").write_bytes(b"f")
    was = os.umask(mask)
    try:
        berth("artifact", "pull", ref, "-o", tmp_path / "new" / "to")
        berth("artifact", "push", f"oci:{tmp_path}/new/layout:v1", tmp_path / "f")
    finally:
        os.umask(was)
    folders = [tmp_path / "new", *(p for p in (tmp_path / "new").rglob("*") if p.is_dir())]
    assert len(folders) >= 8 and {oct(p.stat().st_mode & 0o7777) for p in folders} == {oct(mode)}


class TestSeveral:
    """Issue 5, "--output and --format on all": of several, each document says which it is of."""

    def files(self, tmp_path):
        for name in ("one", "two"):
            (tmp_path / name).write_text(name)
        return [tmp_path / "one", tmp_path / "nope", tmp_path / "two"]

    def documents(self, out):
        decoder, text, found = json.JSONDecoder(), out.decode(), []
        while text.strip():
            document, end = decoder.raw_decode(text.lstrip())
            text = text.lstrip()[end:]
            found.append(document)
        return found

    def test_blobs(self, berth, stock, tmp_path):
        files = self.files(tmp_path)
        put = ["blob", "put", f"{stock.host}/team/several", *files]
        found = self.documents(berth(*put, "--output", "json", code=NOT_FOUND).out)
        assert [d["file"] for d in found] == list(map(str, files))
        assert ["error" in d for d in found] == [False, True, False] and "nope" in found[1]["error"]
        assert found[0]["digest"] == layout.digest_of(b"one") and set(found[1]) == {"file", "error"}
        said = berth(*put, "--format", "{{.file}} {{if .error}}failed{{else}}{{.outcome}}{{end}}", code=NOT_FOUND).out.decode()
        assert said.splitlines() == [f"{files[0]} present", f"{files[1]} failed", f"{files[2]} present"]
        assert berth(*put, "--format", "{{.outcome}}", code=NOT_FOUND).out == b"present\npresent\n"

    def test_manifests(self, berth, stock):
        ref = f"{stock.host}/" + stock.push("head", ("f", b"f"))
        head = ["manifest", "head", ref, f"{stock.host}/team/files:nope"]
        said = berth(*head, "--format", "{{.reference}} {{if .error}}failed{{else}}{{.size}}{{end}}", code=NOT_FOUND).out.decode()
        assert said.splitlines()[0].startswith(f"{ref} ") and said.splitlines()[1] == f"{head[-1]} failed"
        assert berth("manifest", "head", ref, "--format", "{{.error}}").out == b"<no value>\n"
        assert "no field 'eror'; there are: " in berth("manifest", "head", ref, "--format", "{{.eror}}", code=FAILED).err


class TestWhatIsWritten:
    """docs/commands.md: its lines run as they stand, and options are where it says."""

    def test_a_layout_that_would_be_made(self, berth, stock):
        ref = f"{stock.host}/" + stock.push("image", ("f", b"f"))
        would = berth("index", "create", "oci:folder:v1", ref, "--dry-run")
        assert not (berth.home / "folder").exists() and would.json()["manifests"]
        assert berth("index", "create", "oci:folder:v1", ref).out.decode().strip() == layout.digest_of(would.out)

    def test_a_manifest_under_another_tag(self, berth, stock):
        ref = f"{stock.host}/" + stock.push("v1", ("f", b"f"))
        line = next(line.strip() for line in (ROOT / "docs" / "commands.md").read_text().splitlines()
                    if "manifest get" in line and "manifest put" in line)
        get, put = (part.split()[1:] for part in line.replace("localhost:5000/team/app", ref.removesuffix(":v1")).split("|"))
        berth(*put, stdin=berth(*get).out)
        assert berth("manifest", "digest", f"{ref[:-1]}2").out == berth("manifest", "digest", ref).out

    def test_quiet_is_for_all_that_have_output(self, berth, stock):
        for command in (["ping", stock.host], ["tag", "list", f"{stock.host}/team/files"], ["reference", "a"], ["version"]):
            assert berth(*command, "-q", "--no-progress").out == berth(*command).out
        text = (ROOT / "docs" / "commands.md").read_text()
        for part in re.split(r"^##+ ", text, flags=re.M):
            name, _, rest = part.partition("\n")
            if "(#output)" in rest:
                said = berth(*name.split()[1:], "--help").out.decode()
                assert all(f"--{option}" in said for option in ("quiet", "no-progress", "output", "format")), name


class TestConfig:
    """`config` has --output and --format, as all commands have."""

    def test_check(self, berth, tmp_path):
        good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
        good.write_text("data: x\n")
        bad.write_text("http: {prefix: x, idle_timeout: y}\n")
        assert berth("config", "check", good, "--output", "json").json() == {"file": str(good), "valid": True, "problems": []}
        done = berth("config", "check", bad, "--output", "json", code=CONFIG)
        assert done.json()["valid"] is False and len(done.json()["problems"]) == 2 and "bad.yaml:1" in done.json()["problems"][0]
        assert len(berth("config", "check", bad, code=CONFIG).err.splitlines()) == 2
        assert berth("config", "check", tmp_path / "none.yaml", "--format", "{{len .problems}} {{.valid}}", code=CONFIG).out == b"1 false\n"

    def test_show(self, berth, tmp_path):
        config = tmp_path / "berth.yaml"
        config.write_text("data: 'a\"b\\n'\nlisten: [{address: ':1', certificate: c, key: k}, unix:/x]\nhttp: {headers: ['A: b'], idle_timeout: 61s}\n"
                          "registry: {warnings: [{text: 'w', tag: v1}]}\n")
        shown = berth("config", "show", config, "--output", "json").json()
        assert shown["data"] == 'a"b\\n' and shown["listen"] == [{"address": ":1", "certificate": "c", "key": "k"}, {"address": "unix:/x"}]
        assert shown["http"]["headers"] == ["A: b"] and shown["http"]["idle_timeout"] == "1m1s"
        assert shown["registry"]["warnings"] == [{"tag": "v1", "text": "w"}]
        assert any(value is True for section in shown.values() if isinstance(section, dict) for value in section.values())
        keys = re.findall(r"^( *)(\w+):", berth("config", "show", config).out.decode(), re.M)
        assert {k for indent, k in keys if not indent} == set(shown)
        assert {k for indent, k in keys if len(indent) == 2} == {k for v in shown.values() if isinstance(v, dict) for k in v}
        assert berth("config", "show", config, "--format", "{{.http.idle_timeout}}").out == b"1m1s\n"

    def test_document(self, berth):
        schema = berth("config", "document", "--schema").json()
        assert berth("config", "document", "--output", "json").json() == schema
        assert berth("config", "document", "--format", "{{.properties.data.type}}").out.decode().strip()
        berth("config", "document", "--markdown", "--output", "json", code=USAGE)


class TestWhatIsSaid:
    @pytest.mark.parametrize("name, value", [("BERTH_DEFAULT_REGISTRY", "a/b"), ("BERTH_DEFAULT_NAMESPACE", "A"), ("BERTH_DEFAULT_TAG", "a b")])
    def test_of_a_wrong_default(self, berth, name, value):
        for command in (["reference", "a"], ["manifest", "digest", "a"]):
            assert f"{name}: a default for references" in berth(*command, code=USAGE if command[0] != "reference" else None, **{name: value}).err

    def test_of_what_is_in_the_way_of_a_beginning(self, berth, stock, tmp_path):
        blob = stock.one
        digest = layout.digest_of(blob)
        stock.running.push_blob("team/files", blob)
        part = tmp_path / f"dm.{digest[7:19]}.part"
        part.mkdir()
        assert part.name in berth("blob", "get", f"{stock.host}/team/files@{digest}", "-o", tmp_path / "dm", code=FAILED).err
        ref = f"{stock.host}/" + stock.push("dm", ("dm", blob))
        assert part.name in berth("artifact", "pull", ref, "-o", tmp_path, code=FAILED).err

    def test_of_a_folder(self, berth, stock, tmp_path):
        assert f"'{tmp_path}' is a folder" in berth("blob", "put", f"{stock.host}/team/files", tmp_path, code=None).err

    def test_of_an_image_that_is_no_index(self, berth, stock):
        ref = f"{stock.host}/" + stock.push("single", ("f", b"f"))
        assert f"{ref} is a single image" in berth("index", "add", ref, ref, code=None).err

    @pytest.mark.parametrize("command", [["help"], ["help", "tag"], ["tag", "--help"], ["tag", "list", "--help"], ["--help"]])
    def test_where_nothing_can_be_written(self, berth, command):
        with open("/dev/full", "w") as full:
            done = subprocess.run([berth_path(), *command], stdout=full, stderr=subprocess.PIPE, env=berth.env, timeout=60)
        assert done.returncode == FAILED and b"No space left" in done.stderr
