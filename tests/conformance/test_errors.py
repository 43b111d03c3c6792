"""Refusals: the specification's JSON, codes and statuses; names, references and routes as hostile as they come."""

import pytest

from .oci import ABSENT, OCI_MANIFEST, Repo, digest_of, dump, expect_error, noise, send

GOOD_NAMES = ["a", "0", "a/b", "a.b", "a_b", "a__b", "a-b", "a--b", "a---b/c.d_e", "a/b/c/d/e/f/g/h/i/j", "manifests",
              "a/blobs/b", "tags/list", "a/manifests", "blobs/uploads", "v2/x", "referrers/x", "a/" + "b" * 200]
BAD_NAMES = ["A", "a/B", "_a", "a_", "-a", "a-", ".a", "a.", "a..b", "a___b", "a._b", "a//b", "a/./b", "a/../b", "%2e%2e/a",
             "a%2F%2Fb", "a b".replace(" ", "%20"), "a%00b", "a:b", "a@b", "a+b", "%C3%A9", "%ff%fe", "a%0d%0ab", "a\\b", "a~b",
             "a%", "a%g1", "a%2", "a/_b", "a/-", "%41", "a*b", "a;b=c", "a&b"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_error__names_of_the_grammar_work(server, name):
    """Pulling manifests: `<name>` MUST match the grammar: each of these does, also where it looks like a route."""
    repo = Repo(server, name)
    data = noise(50)
    blob = repo.blob(data)["digest"]
    image = repo.image(tag="v1")
    assert repo.get("blobs/" + blob).body == data
    assert repo.get("manifests/v1").header("Docker-Content-Digest") == image["digest"]
    assert repo.get("tags/list").json() == {"name": name, "tags": ["v1"]}
    assert repo.get("referrers/" + image["digest"]).status == 200
    assert repo.delete("manifests/v1").status == 202


@pytest.mark.parametrize("name", BAD_NAMES)
def test_error__names_outside_the_grammar_are_refused(server, name):
    """code-8 NAME_INVALID: on every end-point, with nothing created."""
    for method, rest in [("GET", "manifests/v1"), ("PUT", "manifests/v1"), ("DELETE", "manifests/v1"), ("GET", "tags/list"),
                         ("POST", "blobs/uploads/"), ("GET", "blobs/" + ABSENT), ("GET", "referrers/" + ABSENT)]:
        reply = send(server, method, f"/v2/{name}/{rest}", b"{}" if method == "PUT" else None, {"Content-Type": OCI_MANIFEST})
        expect_error(reply, (400, 404), ("NAME_INVALID", "NAME_UNKNOWN", "UNSUPPORTED"))


@pytest.mark.parametrize("length", [255, 256, 500, 1024, 1025, 4000, 12000])
def test_error__names_of_any_length(server, length):
    """Pulling manifests, implementers note: the grammar sets no length: long names work or are refused, never a 5xx."""
    name = ("a" * 60 + "/") * (length // 61) + "b" * (length % 61 or 1)
    repo = Repo(server, name[:length].rstrip("/"))
    reply = repo.send("POST", "blobs/uploads/")
    if reply.status == 202:
        digest = repo.image(tag="v1")["digest"]
        assert repo.get("manifests/v1").header("Docker-Content-Digest") == digest
    else:
        expect_error(reply, (400, 414), "NAME_INVALID")
    assert reply.status == 202 or length > 255


@pytest.mark.parametrize("target", ["/", "/v1/", "/v3/", "/v2x", "/v", "/V2/", "/favicon.ico", "/healthz/x", "//v2/", "/v2//", "/./v2/"])
def test_error__unknown_paths_are_404(server, target):
    """RFC 9110 section 15.5.5: what is no route is a 404, and no redirect."""
    assert send(server, "GET", target).status in (404, 400)


@pytest.mark.parametrize("rest", ["", "x", "a/b/c", "a/manifests", "a/manifests/", "a/blobs/", "a/blobs", "a/tags", "a/tags/", "a/tags/lists",
                                  "a/tags/list/x", "a/referrers/", "a/uploads/", "a/manifests/v1/x", "_catalog/x", "_oci",
                                  "_oci/ext", "_oci/ext/discover/x", "a/_oci/ext/x", "a/blobs/uploads/x/y", "token"])
def test_error__unknown_routes_are_404_in_json(server, rest):
    """Error Codes: what stands below /v2/ and is no end-point is refused in the specification's form."""
    target = "/v2/" + rest
    if not rest:
        target = "/v2/a"
    expect_error(send(server, "GET", target), (404, 405))


@pytest.mark.parametrize("target, allowed", [
    ("/v2/", {"GET", "HEAD"}), ("/v2/a/tags/list", {"GET", "HEAD"}), ("/v2/_catalog", {"GET", "HEAD"}),
    ("/v2/a/manifests/v1", {"GET", "HEAD", "PUT", "DELETE"}), ("/v2/a/blobs/" + ABSENT, {"GET", "HEAD", "DELETE"}),
    ("/v2/a/blobs/uploads/", {"POST"}), ("/v2/a/blobs/uploads/00000000-0000-4000-8000-000000000000", {"GET", "PATCH", "PUT", "DELETE"}),
    ("/v2/a/referrers/" + ABSENT, {"GET", "HEAD"}), ("/v2/_oci/ext/discover", {"GET", "HEAD"}),
])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"])
def test_error__wrong_method_is_405_with_allow(server, target, allowed, method):
    """RFC 9110 section 15.5.6: "The origin server MUST generate an Allow header field in a 405 response" naming the
    methods that work there."""
    if method in allowed:
        return
    reply = send(server, method, target)
    if method == "OPTIONS" and reply.status in (200, 204):
        assert allowed <= {name.strip() for name in reply.header("Allow").split(",")}
        return
    if method == "get" and reply.status == 400:
        return
    expect_error(reply, 405, "UNSUPPORTED")
    listed = {name.strip() for name in reply.header("Allow").split(",")}
    assert allowed <= listed and method not in listed, listed


def test_error__head_has_the_status_and_length_without_the_body(repo):
    """RFC 9110 section 9.3.2: HEAD's refusal is GET's without content."""
    repo.image()
    head = repo.head("blobs/" + ABSENT)
    assert head.status == 404 and head.body == b"" and head.header("Content-Type").startswith("application/json")


def test_error__codes_by_case(repo):
    """Error Codes: `code` "MUST be one of the following", the one that fits; the detail names the thing."""
    repo.image(tag="v1")
    absent = Repo(repo.server)
    body = dump(repo.image_document())
    cases = [
        (repo.get("blobs/" + ABSENT), 404, "BLOB_UNKNOWN", ABSENT),
        (repo.get("manifests/none"), 404, "MANIFEST_UNKNOWN", "none"),
        (absent.get("tags/list"), 404, "NAME_UNKNOWN", absent.name),
        (repo.status(repo.base + "blobs/uploads/00000000-0000-4000-8000-000000000000"), 404, "BLOB_UPLOAD_UNKNOWN", "00000000-"),
        (repo.put(ABSENT, body), 400, "DIGEST_INVALID", ABSENT),
        (repo.put("v2", b"{"), 400, "MANIFEST_INVALID", None),
        (repo.put("v2", dump(dict(repo.image_document(), layers=[{"mediaType": "a/b", "digest": ABSENT, "size": 1}]))),
         (400, 404), "MANIFEST_BLOB_UNKNOWN", ABSENT),
        (send(repo.server, "GET", "/v2/UPPER/tags/list"), (400, 404), "NAME_INVALID", "UPPER"),
        (send(repo.server, "POST", "/v2/"), 405, "UNSUPPORTED", None),
        (repo.patch(repo.start(), b"abc", 7), 416, "BLOB_UPLOAD_INVALID", None),
    ]
    for reply, status, code, names in cases:
        expect_error(reply, status, code, names)


def test_error__messages_are_one_sentence_for_a_person(repo):
    """Error Codes: message "SHOULD be a human readable string": not the code over again."""
    repo.image()
    for reply in (repo.get("blobs/" + ABSENT), repo.get("manifests/none"), repo.put("v2", b"{"), repo.delete("manifests/none")):
        for error in reply.errors():
            assert " " in error["message"] and error["message"] != error["code"] and len(error["message"]) < 400


def test_error__detail_names_what_was_wrong(repo):
    """code: what is refused in a query, a method or a reference is in `detail`, and the message says what to do."""
    push, image = "blobs/uploads/", repo.image_document()
    blob = image["layers"][0]["digest"]
    assert repo.put("v1", dump(image)).status == 201
    for method, rest, status, kind, named, said in [
            ("POST", push + "?digest=md5:00", 400, "digest", "md5:00", "sha256"),
            ("POST", push + "?mount=sha256:1&from=x", 400, "mount", "sha256:1", "64"),
            ("POST", push + f"?mount={ABSENT}&from=X", 400, "from", "X", "repository name"),
            ("POST", push + "?digest-algorithm=md5", 400, "digest-algorithm", "md5", "sha512"),
            ("GET", "tags/list?n=-1", 400, "n", "-1", "0 or more"),
            ("PUT", "tags/list", 405, "method", "PUT", "Allow"),
            ("GET", "manifests/sha256:12", 404, "digest", "sha256:12", "this digest"),
            ("GET", "manifests/.x", 404, "tag", ".x", "this tag"),
            ("PATCH", push + "gone", 404, "session", "gone", "begin again"),
            ("DELETE", "blobs/" + blob, 405, "digest", blob, "delete those first")]:
        reply = repo.send(method, rest, b"" if method in ("POST", "PATCH") else None)
        expect_error(reply, status)
        error = reply.errors()[0]
        assert error["detail"][kind] == named and said in error["message"], reply


def test_error__a_parameter_that_contradicts_itself(repo):
    """code: which of two values would count nobody says, so neither does; the same twice is no contradiction, `tag` may repeat."""
    blob, other = repo.blob(noise(40))["digest"], digest_of(b"other")
    push, closing = "blobs/uploads/", repo.start()
    repo.image(tag="v1")
    for method, rest, code, key in [
            ("POST", push + f"?mount={blob}&from={repo.name}&mount={other}", "DIGEST_INVALID", "mount"),
            ("POST", push + f"?mount={blob}&from={repo.name}&from=other/name", "NAME_INVALID", "from"),
            ("POST", push + f"?digest={digest_of(b'')}&digest={other}", "DIGEST_INVALID", "digest"),
            ("POST", push + "?digest-algorithm=sha256&digest-algorithm=sha512", "DIGEST_INVALID", "digest-algorithm"),
            ("GET", "tags/list?n=1&n=2", "UNSUPPORTED", "n"),
            ("GET", "tags/list?last=a&last=b", "UNSUPPORTED", "last"),
            ("GET", f"referrers/{blob}?artifactType=a/b&artifactType=a/c", "UNSUPPORTED", "artifactType")]:
        reply = repo.send(method, rest, b"" if method == "POST" else None)
        expect_error(reply, 400, code)
        assert key in reply.errors()[0]["detail"], reply
    reply = send(repo.server, "PUT", f"{closing}{'&' if '?' in closing else '?'}digest={digest_of(b'')}&digest={other}", b"")
    expect_error(reply, 400, "DIGEST_INVALID")
    assert repo.status(closing).status == 204                       # it can still be closed
    assert repo.get("tags/list?n=1&n=1").status == 200
    assert repo.send("POST", push + f"?mount={blob}&mount={blob}&from={repo.name}", b"").status == 201


def test_error__no_path_of_the_server_in_an_answer(server, repo):
    """A refusal tells about the request, never about the server's disk."""
    repo.image()
    for reply in (repo.get("blobs/" + ABSENT), repo.get("manifests/none"), repo.put("v2", b"{"), send(server, "GET", "/v2/..%2f..%2fetc/tags/list")):
        assert str(server.data).encode() not in reply.body and b".c:" not in reply.body


@pytest.mark.parametrize("text", ["%zz", "%", "%2", "%00", "%ff", "%u0041", "%%%"])
def test_error__wrong_percent_coding(repo, text):
    """RFC 3986 section 2.1: malformed percent-coding is a 4xx wherever it stands."""
    repo.image(tag="v1")
    for rest in [f"manifests/{text}", f"blobs/{text}", f"referrers/{text}", f"manifests/v1{text}"]:
        expect_error(repo.get(rest), (400, 404))
    for rest in [f"tags/list?n={text}", f"tags/list?last={text}", f"referrers/{ABSENT}?artifactType={text}"]:
        reply = repo.get(rest)
        assert reply.status in (200, 400), reply
    for query in [f"?digest={text}", f"?mount={text}", f"?digest-algorithm={text}"]:
        expect_error(repo.send("POST", "blobs/uploads/" + query, b""), 400)


def test_error__percent_coded_is_the_same_as_plain(repo):
    """RFC 3986 section 6.2.2.2: %3A in a digest, %31 in a tag, are what they code for."""
    image = repo.image(tag="v1")
    assert repo.get("manifests/" + image["digest"].replace(":", "%3A")).status == 200
    assert repo.get("manifests/v%31").status == 200
    blob = repo.blob()["digest"]
    assert repo.get("blobs/" + blob.replace(":", "%3a")).status == 200
    data = noise(10)
    reply = repo.send("POST", "blobs/uploads/?digest=" + digest_of(data).replace(":", "%3A"), data)
    assert reply.status == 201, reply


def test_error__a_query_key_given_twice(repo):
    """API: a digest given twice, differently, has no one meaning: refused, or the first counts; never mixed."""
    data = noise(20)
    reply = repo.send("POST", f"blobs/uploads/?digest={digest_of(data)}&digest={ABSENT}", data)
    assert reply.status in (201, 400), reply
    assert repo.head("blobs/" + ABSENT).status == 404


def test_error__length_that_is_too_large_to_be_true(server, repo):
    """code-10, RFC 9112 section 6.2: a length of 2^63 is refused or waited for, never believed in memory."""
    location = repo.start()
    from .oci import path_of
    answer = server.raw(f"PATCH {path_of(location)} HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nabc".encode())
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")), answer
