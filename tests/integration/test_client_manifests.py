"""`berth manifest put|delete|digest`, `tag add|delete`, `catalog` against four real registries, and against a server that
misbehaves."""

import json

import pytest

import layout
from commandline import DENIED, DIGEST, FAILED, NOT_FOUND, OK, USAGE, each_of, says
from registries import REAL

NO_REFERRERS = ("distribution", "docker-registry")      # they have no referrers API


real = each_of(REAL)


def image(running, repository, note="", subject=None, media_type=layout.MANIFEST):
    """The bytes of a manifest whose blobs are in the repository."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "note": note}).encode()
    running.push_blob(repository, config)
    manifest = {"schemaVersion": 2, "config": {"mediaType": layout.CONFIG, "digest": layout.digest_of(config), "size": len(config)},
                "layers": [], "annotations": {"note": note}}
    if media_type:
        manifest["mediaType"] = media_type
    if subject:
        manifest.update(subject={"mediaType": layout.MANIFEST, "digest": layout.digest_of(subject), "size": len(subject)},
                        artifactType="application/vnd.example.signature")
    return json.dumps(manifest, indent=1).encode() + b"\n"


class TestRealRegistries:
    def test_puts_a_manifest_byte_for_byte(self, berth, real, tmp_path):
        ref, body = f"{real.address}/team/put", image(real, "team/put")
        digest, path = layout.digest_of(body), tmp_path / "manifest"
        path.write_bytes(body)
        assert berth("manifest", "put", f"{ref}:v1", path).out.decode() == digest + "\n"
        assert berth("manifest", "put", f"{ref}:v2", "-", "--output", "json", stdin=body).json() == {
            "digest": digest, "mediaType": layout.MANIFEST, "size": len(body)}
        berth("manifest", "put", ref, path)
        berth("manifest", "put", f"{ref}@{digest}", path, "--tag", "t1", "-t", "t2")
        for tag in (":v1", ":v2", ":t1", ":t2", f"@{digest}"):
            assert berth("manifest", "get", ref + tag).out == body
            assert berth("manifest", "digest", ref + tag).out.decode() == digest + "\n"
        berth("manifest", "put", f"{ref}@{layout.digest_of(b'other')}", path, code=DIGEST)

    def test_finds_the_type_by_the_fields(self, berth, real):
        body = image(real, "team/put", "no type", media_type=None)
        assert berth("manifest", "put", f"{real.address}/team/put:untyped", "-", "--format", "{{.mediaType}}",
                     stdin=body).out.decode().strip() == layout.MANIFEST
        index = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
        assert berth("manifest", "put", f"{real.address}/team/put:index", "-", "--format", "{{.mediaType}}",
                     stdin=index).out.decode().strip() == layout.INDEX
        berth("manifest", "put", f"{real.address}/team/put:bad", "-", stdin=b"<html>", code=FAILED)

    def test_names_what_is_missing(self, berth, real):
        other = json.loads(image(real, "team/put", "x"))
        other["config"]["digest"] = layout.digest_of(b"absent")
        said = berth("manifest", "put", f"{real.address}/team/put:sparse", "-", stdin=json.dumps(other).encode(),
                     code=NOT_FOUND).err                   # though some answer 404, others 400
        assert "BLOB_UNKNOWN" in said

    def test_sets_further_tags(self, berth, real):
        ref, body = f"{real.address}/team/tags", image(real, "team/tags")
        berth("manifest", "put", f"{ref}:1.2.3", "-", stdin=body)
        said = berth("tag", "add", f"{ref}:1.2.3", "1.2", "1", "--output", "json").json()
        assert said == {"name": "team/tags", "digest": layout.digest_of(body), "tags": ["1.2", "1"]}
        berth("tag", "add", f"{ref}@{layout.digest_of(body)}", "latest")
        for tag in ("1.2", "1", "latest"):
            assert berth("manifest", "get", f"{ref}:{tag}").out == body
        berth("tag", "add", f"{ref}:absent", "x", code=NOT_FOUND)
        berth("tag", "add", f"{ref}:1", "no tag", code=USAGE)

    def test_removes_tags(self, berth, real):
        ref, body = f"{real.address}/team/untag", image(real, "team/untag")
        berth("manifest", "put", f"{ref}:a", "-", "-t", "b", "-t", "c", stdin=body)
        if real.name == "docker-registry":      # 2.8 deletes manifests alone
            said = berth("tag", "delete", f"{ref}:a", code=FAILED).err
            assert "the registry deletes manifests alone, and no tags\ntry: --purge" in said
        else:
            assert berth("tag", "delete", f"{ref}:a").out.decode() == f"{ref}:a  deleted\n"
            berth("manifest", "head", f"{ref}:a", code=NOT_FOUND)
            assert berth("manifest", "get", f"{ref}:b").out == body
        berth("tag", "delete", f"{ref}:b", "--purge")
        for name in (":b", ":c", f"@{layout.digest_of(body)}"):
            berth("manifest", "head", f"{ref}{name}", code=NOT_FOUND)
        berth("tag", "delete", f"{ref}@{layout.digest_of(body)}", code=USAGE)

    def test_deletes_manifests(self, berth, real):
        ref, body = f"{real.address}/team/gone", image(real, "team/gone")
        digest = layout.digest_of(body)
        berth("manifest", "put", f"{ref}:a", "-", stdin=body)
        assert berth("manifest", "delete", f"{ref}@{digest}").out.decode() == f"{digest}  deleted\n"
        berth("manifest", "head", f"{ref}@{digest}", code=NOT_FOUND)
        berth("manifest", "delete", f"{ref}@{digest}", code=NOT_FOUND)
        berth("manifest", "delete", f"{ref}:a", code=USAGE)

    def test_lists_repositories_and_tags_in_pages(self, berth, real):
        for name in ("page/a", "page/b", "page/c"):
            berth("manifest", "put", f"{real.address}/{name}:v1", "-", stdin=image(real, name))
        if real.name == "olareg":                # it has no catalogue
            berth("catalog", real.address, code=NOT_FOUND)
        else:
            names = berth("catalog", real.address).out.decode().split()
            assert {"page/a", "page/b", "page/c"} <= set(names)
            assert berth("catalog", real.address, "--page-size", "1", "--output", "json").json() == {"repositories": names}
            one = berth("catalog", real.address, "--page-size", "1", "--one-page", "--last", "page/a").out.decode().split()
            assert one == ["page/b"]
        ref = f"{real.address}/page/a"
        berth("tag", "add", f"{ref}:v1", "v2", "v3", "v4")
        assert sorted(berth("tag", "list", ref, "--page-size", "1").out.decode().split()) == ["v1", "v2", "v3", "v4"]
        if real.name != "docker-registry":       # 2.8 has no pages of tags
            assert berth("tag", "list", ref, "--page-size", "2", "--one-page", "--last", "v1").out.decode().split() == ["v2", "v3"]

    def test_keeps_up_the_referrers_tag_where_there_is_no_api(self, berth, real):
        ref, subject = f"{real.address}/team/signed", image(real, "team/signed", "subject")
        tag = layout.digest_of(subject).replace(":", "-")
        berth("manifest", "put", f"{ref}:v1", "-", stdin=subject)
        signatures = [image(real, "team/signed", f"signature {i}", subject) for i in range(2)]
        for body in signatures:
            berth("manifest", "put", ref, "-", stdin=body)
        if real.name not in NO_REFERRERS:
            berth("manifest", "head", f"{ref}:{tag}", code=NOT_FOUND)
            return
        index = berth("manifest", "get", f"{ref}:{tag}", "--output", "json").json()
        assert index["mediaType"] == layout.INDEX
        assert [(m["digest"], m["size"], m["artifactType"], m["annotations"]) for m in index["manifest"]["manifests"]] == [
            (layout.digest_of(b), len(b), "application/vnd.example.signature", {"note": f"signature {i}"})
            for i, b in enumerate(signatures)]
        berth("manifest", "put", ref, "-", stdin=signatures[0])          # again: there once
        berth("manifest", "delete", f"{ref}@{layout.digest_of(signatures[1])}")
        left = json.loads(berth("manifest", "get", f"{ref}:{tag}").out)["manifests"]
        assert [m["digest"] for m in left] == [layout.digest_of(signatures[0])]
        berth("manifest", "delete", f"{ref}@{layout.digest_of(signatures[0])}")
        if real.name == "distribution":
            berth("manifest", "head", f"{ref}:{tag}", code=NOT_FOUND)
        else:
            assert json.loads(berth("manifest", "get", f"{ref}:{tag}").out)["manifests"] == []
        third = image(real, "team/signed", "third", subject)
        berth("manifest", "put", ref, "-", "--no-referrers-tag", stdin=third)
        said = berth("manifest", "get", f"{ref}:{tag}", code=NOT_FOUND if real.name == "distribution" else OK)
        assert layout.digest_of(third).encode() not in said.out


class TestMisbehaving:
    BODY = b'{"schemaVersion":2,"manifests":[]}'

    def test_tags_that_the_registry_did_not_set_are_put_singly(self, berth, scripted):
        s, digest = scripted(), layout.digest_of(self.BODY)
        s.routes[f"/v2/a/manifests/{digest}"] = says(201, OCI_Tag="v1, v3")
        s.routes["/v2/a/manifests/v2"] = says(201)
        berth("manifest", "put", f"{s.address}/a:v1", "-", "-t", "v2", "-t", "v3", stdin=self.BODY)
        assert [r.path for r in s.seen] == [f"/v2/a/manifests/{digest}?tag=v2&tag=v3&tag=v1", "/v2/a/manifests/v2"]
        assert all(r.body == self.BODY and r.headers["Content-Type"] == layout.INDEX for r in s.seen)

    def test_a_registry_that_stored_other_bytes_is_found_out(self, berth, scripted):
        s = scripted()
        s.routes["/v2/a/manifests/v1"] = says(201, Docker_Content_Digest=layout.digest_of(b"other"))
        berth("manifest", "put", f"{s.address}/a:v1", "-", stdin=self.BODY, code=DIGEST)

    @pytest.mark.parametrize("head", [says(200, Content_Type=layout.INDEX), says(405),
                                      says(200, Content_Type=layout.INDEX, Docker_Content_Digest="sha256:short")])
    def test_a_digest_that_is_not_named_is_computed(self, berth, scripted, head):
        s = scripted()
        s.routes["/v2/a/manifests/v1"] = lambda r: head(r) if r.command == "HEAD" else (200, {"Content-Type": layout.INDEX}, self.BODY)
        assert berth("manifest", "digest", f"{s.address}/a:v1").out.decode().strip() == layout.digest_of(self.BODY)

    def test_smaller_pages_where_the_registry_wants_them(self, berth, scripted):
        s = scripted()
        s.routes["/v2/a/tags/list"] = lambda r: (400, {}, b"") if "n=1000" in r.path else (200, {}, b'{"tags":["v1"]}')
        assert berth("tag", "list", f"{s.address}/a").out == b"v1\n"
        assert [r.path.partition("?")[2] for r in s.seen] == ["n=1000", "n=100"]

    def test_a_catalogue_that_is_none(self, berth, scripted):
        s = scripted()
        s.routes["/v2/_catalog"] = says(401, WWW_Authenticate='Basic realm="x"')
        berth("catalog", s.address, code=DENIED)
        s.routes["/v2/_catalog"] = says(200, b'{"repositories":["../etc"]}')
        berth("catalog", s.address, code=FAILED)
