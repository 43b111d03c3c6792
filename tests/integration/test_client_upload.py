"""`berth blob put|head|mount|delete` against four real registries, over cables that are cut, and against a server that
misbehaves."""

import hashlib
import json
import os
import ssl
import subprocess

import pytest

import layout
from commandline import BUSY, DENIED, DIGEST, FAILED, NETWORK, NOT_FOUND, OK, USAGE, each_of, says
from registries import REAL, Cable
from server import berth_path

MIB = 1 << 20


real = each_of(REAL)


@pytest.fixture
def content(tmp_path, request):
    """5 MiB that no other test has: .data, .path, .digest"""
    def make(name="blob", size=5 * MIB):
        path = tmp_path / name
        path.write_bytes(b"".join(layout.noise(size, f"{request.node.nodeid} {name}".encode())))
        return path, layout.digest_of(path.read_bytes())
    return make


class TestRealRegistries:
    def test_puts_a_file_once(self, berth, real, content):
        path, digest = content()
        ref = f"{real.address}/team/app"
        assert berth("blob", "put", ref, path, "--output", "json").json() == {
            "file": str(path), "digest": digest, "size": 5 * MIB, "outcome": "stored"}
        assert berth("blob", "put", ref, path).out.decode() == f"{digest}  present\n"
        assert berth("blob", "put", f"{ref}@{digest}", path, "--force").out.decode() == f"{digest}  stored\n"
        assert berth("blob", "get", f"{ref}@{digest}").out == path.read_bytes()
        assert berth("blob", "head", f"{ref}@{digest}", "--output", "json").json() == {
            "digest": digest, "present": True, "size": 5 * MIB}

    def test_says_what_is_not_there(self, berth, real):
        ref = f"{real.address}/team/app@{layout.digest_of(b'absent')}"
        berth("blob", "head", ref, code=NOT_FOUND)
        assert berth("blob", "head", ref, "--absent-ok").out == b"absent\n"
        assert berth("blob", "head", ref, "--absent-ok", "--format", "{{.present}}").out == b"false\n"

    @pytest.mark.parametrize("size", [0, 10, 5 * MIB])
    @pytest.mark.parametrize("mode", ["auto", "single", "chunked"])
    def test_every_way_leads_there(self, berth, real, content, mode, size):
        path, digest = content(mode, size)
        ref = f"{real.address}/team/{mode}"
        berth("blob", "put", ref, path, "--mode", mode, "--chunk-size", "2MiB", "--force")
        assert berth("blob", "get", f"{ref}@{digest}").out == path.read_bytes()

    @pytest.mark.parametrize("size", [10, 5 * MIB])
    def test_a_pipe_has_no_length_and_its_digest_is_found(self, berth, real, content, size):
        path, digest = content("pipe", size)
        ref = f"{real.address}/team/pipe"
        data = path.read_bytes()
        assert berth("blob", "put", ref, "-", "--chunk-size", "2m", "--format", "{{.digest}}", stdin=data).out.decode() == digest + "\n"
        assert berth("blob", "get", f"{ref}@{digest}").out == data
        other = layout.digest_of(b"other")
        if size > 10:       # in chunks, the digest is compared before the registry sees it
            berth("blob", "put", f"{ref}@{other}", "-", "--chunk-size", "2m", stdin=data, code=DIGEST)

    def test_a_wrong_digest_is_refused(self, berth, real, content):
        path, _ = content("wrong", 100)
        other = layout.digest_of(b"other")
        berth("blob", "put", f"{real.address}/team/app@{other}", path, code=DIGEST)
        berth("blob", "put", f"{real.address}/team/app@{other}", "-", stdin=b"x" * 100, code=DIGEST)
        berth("blob", "head", f"{real.address}/team/app@{other}", code=NOT_FOUND)
        there, digest = content("there", 100)       # the registry has that one, and does not take another for it
        berth("blob", "put", f"{real.address}/team/app", there)
        assert layout.digest_of(path.read_bytes()) in berth("blob", "put", f"{real.address}/team/app@{digest}", path, code=DIGEST).err

    def test_sha512(self, berth, real, content):
        import hashlib
        path, _ = content("long", 100)
        digest = "sha512:" + hashlib.sha512(path.read_bytes()).hexdigest()
        ref = f"{real.address}/team/app@{digest}"
        done = subprocess.run([berth_path(), "blob", "put", ref, path], env=berth.env, capture_output=True)
        if real.name in ("berth", "olareg"):       # the others know sha256 alone, or say that it is there under that name
            assert done.returncode == OK, done.stderr
            assert berth("blob", "get", ref).out == path.read_bytes()

    def test_mounts(self, berth, real, content):
        path, digest = content("mounted", 100)
        berth("blob", "put", f"{real.address}/team/base", path)
        target = f"{real.address}/other/name@{digest}"
        assert "mounted" in berth("blob", "mount", target, "--from", "team/base").out.decode()
        assert berth("blob", "get", target).out == path.read_bytes()
        again = berth("blob", "put", f"{real.address}/third/name", path, "--mount", "team/base", "--output", "json").json()
        assert again["outcome"] == "mounted"
        absent = layout.digest_of(b"absent")
        berth("blob", "mount", f"{real.address}/other/name@{absent}", "--from", "team/base", code=NOT_FOUND)
        fresh, _ = content("fresh", 100)
        assert "stored" in berth("blob", "put", f"{real.address}/third/name", fresh, "--mount", "team/base").out.decode()

    def test_deletes(self, berth, real, content):
        path, digest = content("deleted", 100)
        ref = f"{real.address}/team/deleted@{digest}"
        berth("blob", "put", f"{real.address}/team/deleted", path)
        assert berth("blob", "delete", ref).out.decode() == f"{digest}  deleted\n"
        berth("blob", "head", ref, code=NOT_FOUND)

    def test_goes_on_after_the_connection_broke(self, berth, real, content):
        path, digest = content("broken", 20 * MIB)
        cable = Cable(real.port)
        cable.room = 8 * MIB
        berth("blob", "put", f"{cable.address}/team/broken", path)
        cable.close()
        assert cable.stuck.is_set()
        assert berth("blob", "get", f"{real.address}/team/broken@{digest}").out == path.read_bytes()

    def test_a_pipe_goes_on_after_the_connection_broke(self, berth, real, content):
        path, digest = content("broken-pipe", 20 * MIB)
        cable = Cable(real.port)
        cable.room = 8 * MIB
        forgets = real.name == "docker-registry"   # 2.8 cancels the upload that a chunk of broke off
        berth("blob", "put", f"{cable.address}/team/broken", "-", "--chunk-size", "3m", stdin=path.read_bytes(),
              code=NETWORK if forgets else OK)
        cable.close()
        assert cable.stuck.is_set()
        if forgets:
            return
        assert berth("blob", "get", f"{real.address}/team/broken@{digest}").out == path.read_bytes()

    def test_goes_on_after_it_was_killed(self, berth, real, content, tmp_path):
        path, digest = content("killed", 20 * MIB)
        cable, state = Cable(real.port), tmp_path / "state"
        cable.room, cable.dead = 13 * MIB, True
        ref = f"{cable.address}/team/killed"
        command = ["blob", "put", ref, path, "--state", state, "--chunk-size", "4MiB"]
        killed = subprocess.Popen([berth_path(), *map(str, command)], env=berth.env)
        assert cable.stuck.wait(60)
        killed.kill()
        killed.wait()
        cable.settle()
        said = json.loads(state.read_text())
        assert said["digest"] == digest and said["repository"] == "team/killed" and state.stat().st_mode & 0o777 == 0o600
        berth("blob", "put", f"{cable.address}/team/other", path, "--state", state, code=FAILED)      # another's
        cable.room, cable.up = None, 0
        berth(*command)
        cable.close()
        if real.name != "docker-registry":         # which has cancelled it: the command began anew
            assert cable.up < 13 * MIB, "it began anew"
        assert not state.exists()
        assert berth("blob", "get", f"{real.address}/team/killed@{digest}").out == path.read_bytes()


class TestMisbehaving:
    def opened(self, s, path="/up?a=b&c=%2F", **headers):
        s.routes["/v2/a/blobs/uploads/"] = says(202, Location=path, **headers)

    def test_anything_but_201_in_the_end_is_a_failure(self, berth, scripted, content):
        s, (path, digest) = scripted(), content("x", 10)
        self.opened(s)
        s.routes["/up"] = says(202, Location="/up")
        assert "it has no blob" in berth("blob", "put", f"{s.address}/a", path, code=FAILED).err
        assert [r.method for r in s.seen] == ["HEAD", "POST", "PUT", "GET", "DELETE"]
        assert s.seen[2].path == f"/up?a=b&c=%2F&digest={digest}" and s.seen[2].body == path.read_bytes()

    def test_a_location_on_plain_http_is_not_followed_from_https(self, berth, scripted, certificates, content):
        s, (path, _) = scripted(), content("x", 10)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)
        s.server.socket = context.wrap_socket(s.server.socket, server_side=True)
        self.opened(s, f"http://{s.address}/up")
        said = berth("blob", "put", f"{s.address}/a", path, "--ca-file", certificates.ca, code=DENIED).err
        assert "plain HTTP" in said and [r.method for r in s.seen] == ["HEAD", "POST"]

    def test_a_session_that_does_not_move_on_ends(self, berth, scripted, content):
        s, (path, _) = scripted(), content("x", 10)
        self.opened(s)
        s.routes["/up"] = lambda r: (204, {}, b"") if r.command == "DELETE" else (416, {}, b"") if r.command == "PATCH" else (
            204, {"Range": "0-4"}, b"")
        berth("blob", "put", f"{s.address}/a", path, "--mode", "chunked", code=FAILED)
        assert len(s.seen) < 30 and s.seen[-1].method == "DELETE"

    def test_words_that_make_no_sense(self, berth, content, tmp_path):
        path, _ = content("x", 10)
        berth("blob", "put", "localhost:1/a", code=USAGE)
        berth("blob", "put", "localhost:1/a", tmp_path / "absent", code=NOT_FOUND)
        berth("blob", "put", "localhost:1/a", "-", "--state", "x", code=USAGE)
        berth("blob", "put", "localhost:1/a", "-", "--mode", "single", code=USAGE)
        berth("blob", "put", "localhost:1/a", "-", "--username", "u", "--password-stdin", code=USAGE)
        (tmp_path / "state").write_text("{}")
        assert "no state" in berth("blob", "put", "localhost:1/a", path, "--state", tmp_path / "state", code=FAILED).err


class TestWhileItIsHashed:
    """A large file is on its way while its digest is computed."""

    @pytest.fixture
    def large(self, tmp_path):
        path = tmp_path / "large"
        path.write_bytes(b"begins")
        os.truncate(path, 257 * MIB)
        with path.open("rb") as f:
            return path, "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()

    def test_is_stored_once(self, berth, real, large):
        path, digest = large
        ref = f"{real.address}/team/large"
        done = berth("blob", "put", "-v", ref, path)
        assert done.out.decode() == f"{digest}  stored\n"
        assert max(done.err.index("> PATCH "), done.err.index("> HEAD ")) < done.err.index("> PUT ")
        assert berth("blob", "head", f"{ref}@{digest}", "--format", "{{.size}}").out == b"%d\n" % (257 * MIB)
        done = berth("blob", "put", "-v", ref, path)
        assert done.out.decode() == f"{digest}  present\n"
        assert "> PUT " not in done.err
        if real.name != "docker-registry" and "> PATCH " in done.err:          # 2.8 has forgotten it already
            assert "> DELETE " in done.err
        done = berth("blob", "put", "-v", ref, path, "--force", "--output", "json")
        assert done.json() == {"file": str(path), "digest": digest, "size": 257 * MIB, "outcome": "stored"}
        assert "> HEAD " not in done.err

    def test_goes_on_after_the_connection_broke(self, berth, real, large):
        path, digest = large
        cable = Cable(real.port)
        cable.room = 100 * MIB
        berth("blob", "put", f"{cable.address}/team/broken", path)
        cable.close()
        assert cable.stuck.is_set()
        assert berth("blob", "head", f"{real.address}/team/broken@{digest}", "--format", "{{.size}}").out == b"%d\n" % (257 * MIB)

    def refused(self, scripted, digest, at, status, head=404):
        s = scripted()
        s.routes[f"/v2/a/blobs/{digest}"] = says(head)
        s.routes["/v2/a/blobs/uploads/"] = says(status if at == "POST" else 202, Location="/up")
        s.routes["/up"] = lambda r: (status, {}, b"") if r.command == at else (201, {}, b"")
        return s

    @pytest.mark.parametrize("status", [400, 404, 411, 413])
    def test_goes_whole_where_a_patch_may_not_be(self, berth, scripted, large, status):
        path, digest = large
        s = self.refused(scripted, digest, "PATCH", status)
        assert berth("blob", "put", f"{s.address}/a", path).out.decode() == f"{digest}  stored\n"
        methods = self.sent(s)
        assert methods[:2] == ["POST", "PATCH"] and methods[-2:] == ["POST", "PUT"]

    def sent(self, s):
        return [r.method for r in s.seen if r.method in ("POST", "PATCH", "PUT")]

    @pytest.mark.parametrize("status", [403, 500])
    def test_what_is_there_is_there_for_who_may_only_read(self, berth, scripted, large, status):
        path, digest = large
        s = self.refused(scripted, digest, "POST", status, head=200)
        done = berth("blob", "put", f"{s.address}/a", path, "--output", "json", "--retries", "0").json()
        assert done["outcome"] == "present" and done["digest"] == digest and done["size"] == 257 * MIB
        assert self.sent(s) == ["POST"]

    @pytest.mark.parametrize("at, status, code", [("POST", 403, DENIED), ("POST", 503, BUSY), ("PATCH", 507, FAILED),
                                                  ("PUT", 400, FAILED)])
    def test_a_refusal_that_nothing_would_change_is_the_end(self, berth, scripted, large, at, status, code):
        path, digest = large
        s = self.refused(scripted, digest, at, status)
        berth("blob", "put", f"{s.address}/a", path, "--retries", "0", code=code)
        assert self.sent(s) == ["POST", "PATCH", "PUT"][:["POST", "PATCH", "PUT"].index(at) + 1]

    def while_hashed(self, berth, server, path, size):
        os.truncate(path, 512 * MIB)
        running = subprocess.Popen([berth_path(), "blob", "put", "-v", f"{server.address}/changes", path], env=berth.env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not (line := running.stderr.readline()).startswith("> PATCH"):
            assert line
        os.truncate(path, size)
        out, err = running.communicate()
        return running.returncode, out, err

    def test_a_file_that_grows_is_what_it_was(self, berth, server, large):
        code, out, err = self.while_hashed(berth, server, large[0], 513 * MIB)
        assert code == OK and out.endswith("  stored\n"), err
        ref = f"{server.address}/changes@{out.split()[0]}"
        assert berth("blob", "head", ref, "--format", "{{.size}}").out == b"%d\n" % (512 * MIB)

    def test_one_that_becomes_shorter_is_none(self, berth, server, large):
        code, out, err = self.while_hashed(berth, server, large[0], 100 * MIB)
        assert code == FAILED and not out and "shorter" in err, err
        assert "> DELETE" in err
