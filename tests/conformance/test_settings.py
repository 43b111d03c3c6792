"""The API under other settings: what an operator switches, and what a client then sees."""

import pytest

from .oci import (ABSENT, OCI_MANIFEST, Repo, digest_of, dump, expect_error, noise, path_of, send, with_query)


def test_settings__relative_urls(make_server):
    """POST then PUT: the location "MAY be relative (containing just the URL path)" (R027)."""
    repo = Repo(make_server("--http-relative-urls=true"))
    data = noise(20000)
    location = repo.start()
    assert location.startswith("/v2/"), location
    reply = repo.patch(location, data, 0)
    assert reply.header("Location") == location
    assert repo.status(location).header("Location") == location
    for reply in (repo.close(location, digest_of(data)), repo.put("v1", dump(repo.image_document()))):
        assert reply.status == 201 and reply.header("Location").startswith("/v2/"), reply


@pytest.mark.parametrize("relative", [False, True])
def test_settings__prefix(make_server, relative):
    """The registry below a path of its own: every URL it gives leads back there (R094)."""
    flags = ["--http-prefix=/my/path"] + (["--http-relative-urls=true"] if relative else [])
    server = make_server(*flags)
    assert send(server, "GET", "/my/path/v2/").status == 200
    assert send(server, "GET", "/v2/").status == 404
    repo = Repo(server, "team/app", prefix="/my/path")
    data = noise(20000)
    location = repo.start()
    assert path_of(location).startswith("/my/path/v2/team/app/"), location
    assert repo.patch(location, data, 0).header("Location") == location
    reply = repo.close(location, digest_of(data))
    assert send(server, "GET", reply.header("Location")).body == data
    body = dump(repo.image_document())
    reply = repo.put(digest_of(body), body, query="?tag=a&tag=b")
    assert send(server, "GET", reply.header("Location")).body == body
    assert "/my/path/v2/team/app/tags/list" in repo.get("tags/list?n=1").header("Link")
    assert send(server, "GET", "/my/pathx/v2/").status == 404


def test_settings__own_headers(make_server):
    """Headers of the operator's own on each answer, refusals included (R098)."""
    server = make_server("--http-headers=X-Example: one", "--http-headers=Strict-Transport-Security: max-age=60")
    for target in ("/v2/", "/v2/a/tags/list", "/nothing"):
        reply = send(server, "GET", target)
        assert reply.header("X-Example") == "one"
        assert reply.header("Strict-Transport-Security") == "max-age=60"
    assert b"X-Example: one" in server.raw(b"rubbish\r\n\r\n")


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "registry.example", "X-Forwarded-For": "192.0.2.7"}


def test_settings__forwarded_headers_of_strangers_are_ignored(repo):
    """A client cannot choose the host in an answer's URL by a header of proxies (R095)."""
    reply = repo.send("POST", "blobs/uploads/", headers=FORWARDED)
    assert reply.header("Location").startswith(f"http://{repo.server.host}:{repo.server.port}/"), reply
    forwarded = {"Forwarded": "for=192.0.2.7;proto=https;host=registry.example"}
    assert "registry.example" not in repo.send("POST", "blobs/uploads/", headers=forwarded).header("Location")


@pytest.mark.parametrize("trusted", ["127.0.0.1", "127.0.0.0/8"])
def test_settings__forwarded_headers_of_a_trusted_proxy_count(make_server, trusted):
    """Behind a proxy that is named, URLs are those of the outside (R095)."""
    repo = Repo(make_server("--http-trusted-proxies=" + trusted))
    reply = repo.send("POST", "blobs/uploads/", headers=FORWARDED)
    assert reply.header("Location").startswith("https://registry.example/v2/"), reply
    standard = {"Forwarded": 'for="[2001:db8::7]:4711";proto=https;host="standard.example:8443"'}
    reply = repo.send("POST", "blobs/uploads/", headers=standard)
    assert reply.header("Location").startswith("https://standard.example:8443/v2/"), reply
    # most proxies write the one kind, and pass on what their client made up in the other
    reply = repo.send("POST", "blobs/uploads/", headers={**FORWARDED, **standard})
    assert reply.header("Location").startswith("https://registry.example/v2/"), reply
    plain = repo.send("POST", "blobs/uploads/")
    assert plain.header("Location").startswith(f"http://{repo.server.host}:{repo.server.port}/"), plain


def test_settings__forwarded_rubbish_is_no_header_injection(make_server):
    """What a proxy passes on from a hostile client never breaks an answer."""
    repo = Repo(make_server("--http-trusted-proxies=127.0.0.1"))
    for host in ["a b", "a/b", "a<b", "x" * 2000, "", "a\tb", "a\"b"]:
        reply = repo.send("POST", "blobs/uploads/", headers={"X-Forwarded-Host": host, "X-Forwarded-Proto": "java<script"})
        assert reply.status in (202, 400), reply
        if reply.status == 202:
            assert path_of(reply.header("Location")).startswith("/v2/"), reply
        quoted = host.replace('"', '\\"')
        reply = repo.send("POST", "blobs/uploads/", headers={"Forwarded": f'for=_x;proto="java<script";host="{quoted}"'})
        assert reply.status in (202, 400), reply
        if reply.status == 202:
            assert reply.header("Location").startswith(f"http://{repo.server.host}:{repo.server.port}/v2/"), reply


def test_settings__read_only(make_server):
    """registry.read_only: pulls work, every write is a 405 that says so (R148)."""
    server = make_server()
    repo = Repo(server)
    data = noise(100)
    blob, image = repo.blob(data), repo.image(tag="v1")
    session = repo.start()
    server.stop()
    server = make_server("--registry-read-only=true", data=server.data)
    repo = Repo(server, repo.name)
    session = path_of(session)
    body = dump({"schemaVersion": 2})
    writes = [repo.send("POST", "blobs/uploads/"), repo.send("POST", "blobs/uploads/?digest=" + digest_of(data), data),
              repo.patch(session, data), repo.close(session, digest_of(data), data), repo.put("v2", body),
              repo.delete("manifests/v1"), repo.delete("manifests/" + image["digest"]), repo.delete("blobs/" + blob["digest"]),
              send(server, "DELETE", session), send(server, "DELETE", repo.base),
              repo.send("POST", f"blobs/uploads/?mount={blob['digest']}")]
    for reply in writes:
        expect_error(reply, 405, ("UNSUPPORTED", "DENIED"))
        assert reply.header("Allow") is not None
    assert repo.get("manifests/v1").header("Docker-Content-Digest") == image["digest"]
    assert repo.get("blobs/" + blob["digest"]).body == data
    assert repo.tags() == ["v1"] and repo.get("referrers/" + image["digest"]).status == 200


def test_settings__auto_create_off(make_server):
    """registry.auto_create off: a push into an unknown repository is NAME_UNKNOWN, and makes none (R247)."""
    server = make_server()
    known = Repo(server, "known")
    known.image(tag="v1")
    server.stop()
    server = make_server("--registry-auto-create=false", data=server.data)
    known, unknown = Repo(server, "known"), Repo(server, "unknown")
    assert known.image(tag="v2")
    data = noise(10)
    digest = known.blob(data)["digest"]
    for reply in (unknown.send("POST", "blobs/uploads/"), unknown.send("POST", f"blobs/uploads/?digest={digest}", data),
                  unknown.send("POST", f"blobs/uploads/?mount={digest}&from=known"),
                  unknown.put("v1", dump(unknown_index()), "application/vnd.oci.image.index.v1+json")):
        expect_error(reply, 404, "NAME_UNKNOWN", names="unknown")
        assert "registry.auto_create" in reply.errors()[0]["message"]
    assert unknown.get("tags/list").status == 404


def unknown_index():
    return {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}


def test_settings__content_type_white_list(make_server):
    """django-oci's CONTENT_TYPES: a blob of another type is a 415 (R047); parameters do not count."""
    repo = Repo(make_server("--registry-blob-content-types=application/octet-stream",
                            "--registry-blob-content-types=application/x-tar"))
    data = noise(100)
    query = "blobs/uploads/?digest=" + digest_of(data)
    expect_error(repo.send("POST", query, data, {"Content-Type": "text/plain"}), 415)
    assert repo.head("blobs/" + digest_of(data)).status == 404
    for kind in ("application/octet-stream", "application/x-tar", "Application/Octet-Stream; charset=x"):
        assert repo.send("POST", query, data, {"Content-Type": kind}).status == 201
    location = repo.start()
    expect_error(repo.patch(location, data, 0, headers={"Content-Type": "text/plain"}), 415)
    assert repo.patch(location, data, 0).status == 202
    assert repo.close(location, digest_of(data)).status == 201  # no body, no type to refuse


def test_settings__warnings(make_server):
    """Warnings: "MUST specify a warn-code of 299 and a warn-agent of -, and MUST NOT specify a warn-date"; by repository
    and tag (R082)."""
    server = make_server(config="""version: 1
registry:
  warnings:
    - text: for all
    - repository: old/*
      text: moved "away"
    - repository: app
      tag: v1*
      text: v1 is out of support
""")
    app, old = Repo(server, "app"), Repo(server, "old/app")
    for repo in (app, old):
        repo.image(tag="v1.2")
        repo.image(tag="v2")
    assert app.get("manifests/v2").all("Warning") == ['299 - "for all"']
    assert app.get("manifests/v1.2").all("Warning") == ['299 - "for all"', '299 - "v1 is out of support"']
    assert old.head("manifests/v1.2").all("Warning") == ['299 - "for all"', '299 - "moved \\"away\\""']


def test_settings__warnings_are_bounded(make_server):
    """Warnings: "A registry MUST NOT send more than 4096 bytes of warning data from all headers combined"."""
    lines = "".join(f"    - text: {chr(97 + i) * 700}\n" for i in range(10))
    try:
        server = make_server(config="version: 1\nregistry:\n  warnings:\n" + lines)
    except RuntimeError:
        return  # refused when the configuration is read: nothing longer is ever sent
    repo = Repo(server)
    repo.image(tag="v1")
    sent = repo.get("manifests/v1").all("Warning")
    assert sent and sum(len(value) for value in sent) <= 4096


def test_settings__no_warning_by_default(repo):
    """Warnings: MAY; none unless the operator wrote one."""
    repo.image(tag="v1")
    assert repo.get("manifests/v1").all("Warning") == []


@pytest.mark.parametrize("size, flag", [(500, "--storage-inline-size=0"), (100000, "--storage-inline-size=1MiB")])
def test_settings__inline_size_changes_nothing_a_client_sees(make_server, size, flag):
    """Where the bytes lie is the store's business."""
    repo = Repo(make_server(flag))
    data = noise(size)
    digest = repo.blob(data)["digest"]
    assert repo.get("blobs/" + digest).body == data
    assert repo.get("blobs/" + digest, Range="bytes=10-19").body == data[10:20]
    assert repo.head("blobs/" + digest).header("Content-Length") == str(size)
    assert repo.delete("blobs/" + digest).status == 202


def test_settings__memory_driver_serves_the_same_api(make_server):
    """storage.driver "memory": push, chunks, mount and pull."""
    server = make_server("--storage-driver=memory")
    repo, other = Repo(server), Repo(server)
    data = noise(300000)
    location = repo.start()
    for first in range(0, 300000, 100000):
        assert repo.patch(location, data[first:first + 100000], first).status == 202
    assert repo.close(location, digest_of(data)).status == 201
    assert other.send("POST", f"blobs/uploads/?mount={digest_of(data)}&from={repo.name}").status == 201
    assert other.get("blobs/" + digest_of(data), Range="bytes=5-").body == data[5:]
    assert repo.image(tag="v1") and repo.tags() == ["v1"]


def test_settings__limits_of_the_header_and_the_target(make_server):
    """RFC 9110 sections 15.5.15, RFC 6585 section 5: a target beyond the limit is 414, a header beyond it 431."""
    server = make_server("--http-max-uri-size=1KiB", "--http-max-header-size=2KiB")
    assert send(server, "GET", "/v2/?" + "x" * 900).status == 200
    assert send(server, "GET", "/v2/?" + "x" * 1100).status == 414
    assert send(server, "GET", "/v2/", headers={"X-Long": "x" * 3000}).status == 431


def test_settings__metrics_off(make_server):
    """metrics.enabled off: no such end-point."""
    assert send(make_server("--metrics-enabled=false"), "GET", "/metrics").status == 404


def test_settings__too_many_connections_are_told_when_to_return(make_server):
    """Error Codes: a 429 "SHOULD include a Retry-After header" (R081, R276)."""
    server = make_server("--http-max-connections-per-address=4")
    held = [server.connect() for _ in range(4)]
    try:
        for each in held:  # answered, so counted
            each.request("GET", "/v2/")
            assert each.getresponse().read()
        answer = server.raw(b"GET /v2/ HTTP/1.1\r\nHost: h\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"\r\nretry-after:" in head.lower() and b"TOOMANYREQUESTS" in body
    finally:
        for each in held:
            each.close()


@pytest.mark.parametrize("setting, status", [("max-requests", 503), ("max-requests-per-address", 429)])
def test_settings__too_many_requests_in_flight_are_told_when_to_return(make_server, setting, status):
    """Error Codes: a 429 "SHOULD include a Retry-After header"; a connection without a request does not count."""
    server = make_server(f"--http-{setting}=2")
    repo = Repo(server)
    idle = [server.connect() for _ in range(5)]
    for each in idle:
        each.connect()
    held = []
    try:
        for _ in range(2):
            wire = server.connect()
            wire.request("POST", f"{repo.base}blobs/uploads/", headers={"Content-Length": "0"})
            location = wire.getresponse().headers["Location"]
            wire.putrequest("PATCH", path_of(location))       # on the same connection: the first is in flight no more
            wire.putheader("Content-Length", "100000")
            wire.putheader("Expect", "100-continue")
            wire.endheaders()
            held.append(wire)
            assert b" 100 " in wire.sock.recv(4096)  # from here on it is in flight
        answer = send(server, "GET", "/v2/")
        assert answer.status == status and answer.header("Retry-After")
        assert answer.errors()[0]["code"] == "TOOMANYREQUESTS"
        assert "limit of 2" in answer.errors()[0]["message"]
    finally:
        for each in held + idle:
            each.close()
    server.wait_for(lambda: send(server, "GET", "/v2/").status == 200)


def test_settings__session_answers_survive_another_media_type(make_server):
    """registry.blob_content_types empty: all types (the default)."""
    repo = Repo(make_server())
    data = noise(10)
    reply = send(repo.server, "PUT", with_query(path_of(repo.start()), digest=digest_of(data)), data,
                 {"Content-Type": OCI_MANIFEST})
    assert reply.status == 201, reply
    expect_error(repo.get("blobs/" + ABSENT), 404, "BLOB_UNKNOWN")
