"""Docker's schema 1, signed as its engine signed it, against the registries that still take it: `berth manifest get|head|
put|digest|delete` and `tag add`."""

import base64
import hashlib
import json
import subprocess

import pytest

import layout
import registries
import servers
from clients import need
from commandline import DIGEST, NOT_FOUND, OK, USAGE, each_of, says
from server import berth_path

SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
UNSIGNED = "application/vnd.docker.distribution.manifest.v1+json"
EMPTY_LAYER = bytes.fromhex("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")


class DockerRegistry(registries.DockerRegistry):
    def command(self, folder, port, tls):
        argv = super().command(folder, port, tls)
        config = folder / "config.yml"
        config.write_text(config.read_text() + "compatibility:\n  schema1: {enabled: true}\n")
        return argv


REAL = {"berth": lambda: servers.Berth(berth_path(), ["--registry-schema1"]), "docker-registry": DockerRegistry}
real = each_of(REAL)


def plain(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(der):
    """The first INTEGER of DER as 32 bytes, and what follows it."""
    assert der[0] == 2
    return int.from_bytes(der[2:2 + der[1]], "big").to_bytes(32, "big"), der[2 + der[1]:]


@pytest.fixture(scope="session")
def sign(tmp_path_factory):
    """Puts a signature into a schema 1 manifest, in the way of Docker's libtrust."""
    need("openssl")
    key = tmp_path_factory.mktemp("key") / "key.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True)
    public = subprocess.run(["openssl", "ec", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    short = base64.b32encode(hashlib.sha256(public).digest()[:30]).decode()
    jwk = {"crv": "P-256", "kid": ":".join(short[i:i + 4] for i in range(0, 48, 4)), "kty": "EC",
           "x": plain(public[-64:-32]), "y": plain(public[-32:])}

    def made(payload):
        cut = payload.rstrip(b"}").rstrip()
        protected = plain(json.dumps({"formatLength": len(cut), "formatTail": plain(payload[len(cut):]),
                                      "time": "2016-01-01T00:00:00Z"}).encode())
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=f"{protected}.{plain(payload)}".encode(),
                             check=True, capture_output=True).stdout
        r, rest = number(der[2:])
        s, _ = number(rest)
        signature = {"header": {"jwk": jwk, "alg": "ES256"}, "signature": plain(r + s), "protected": protected}
        return cut + b',\n   "signatures": ' + json.dumps([signature], indent=3).encode() + b"\n}"

    return made


@pytest.fixture
def signed(real, sign):
    """In the registry as team/old:v1: the bytes, those that are signed, and the digest that the registry uses."""
    real.push_blob("team/old", EMPTY_LAYER)
    payload = json.dumps({"schemaVersion": 1, "name": "team/old", "tag": "v1", "architecture": "amd64",
                          "fsLayers": [{"blobSum": layout.digest_of(EMPTY_LAYER)}],
                          "history": [{"v1Compatibility": json.dumps({"id": "0" * 64})}]}, indent=3).encode()
    body = sign(payload)
    real.push_manifest("team/old", "v1", body, SIGNED)
    return body, payload, layout.digest_of(body if real.name == "berth" else payload)


def test_it_is_fetched_with_the_accept_that_it_needs(berth, real, signed):
    """C218 (29): by tag and by digest, whether all kinds are wanted or it alone."""
    body, payload, digest = signed
    for reference in (":v1", "@" + digest):
        for accept in ([], ["--accept", "any"], ["--accept", "schema1"]):
            got = berth("manifest", "get", f"{real.address}/team/old{reference}", *accept).out
            assert got.startswith(payload.rstrip(b"}").rstrip()) and len(json.loads(got).pop("signatures")) == 1
            assert got == body or real.name != "berth"           # docker-registry signs anew, which no digest counts
    told = berth("manifest", "get", f"{real.address}/team/old:v1", "--output", "json").json()
    assert (told["digest"], told["mediaType"]) == (digest, SIGNED)
    assert berth("manifest", "digest", f"{real.address}/team/old:v1").out.decode().split()[0] == digest


def test_it_is_put_where_its_digest_is_counted_without_signatures(berth, real, signed, sign):
    body, payload, digest = signed
    args = ("--media-type", SIGNED)
    assert digest in berth("manifest", "put", f"{real.address}/team/old:v1", "-", *args, stdin=body).out.decode()
    if real.name != "berth":               # which keeps it by the digest of all its bytes
        berth("manifest", "put", f"{real.address}/team/old@{digest}", "-", *args, stdin=body)
    berth("manifest", "put", f"{real.address}/team/old@{layout.digest_of(b'x')}", "-", *args, stdin=body, code=DIGEST)


def test_what_it_says_is_what_was_signed(berth, scripted, sign):
    """The digest of the payload counts only for the bytes that carry that payload and nothing beside."""
    payload = b'{\n   "schemaVersion": 1,\n   "name": "a",\n   "tag": "v1",\n   "fsLayers": [],\n   "history": []\n}'
    body = sign(payload)
    server = scripted()
    for changed, code in ((body, OK), (body.replace(b'"v1"', b'"v2"'), DIGEST),
                          (body.replace(b'"signatures"', b'"more": 1, "signatures"'), DIGEST)):
        server.routes["/v2/a/manifests/v1"] = says(200, changed, Content_Type=SIGNED,
                                                   Docker_Content_Digest=layout.digest_of(payload))
        got = berth("manifest", "get", f"{server.address}/a:v1", code=code)
        assert got.out == (body if code == OK else b"")


def test_accept_says_what_is_wanted(berth, scripted):
    """What goes over the wire: schema 1 last among all, and alone where it is asked for."""
    server = scripted()
    server.routes["/v2/a/manifests/v1"] = says(404)
    for accept in ("any", "image", "index", "schema1"):
        berth("manifest", "head", f"{server.address}/a:v1", "--accept", accept, code=NOT_FOUND)
    wanted = [s.headers["Accept"].split(", ") for s in server.seen]
    assert wanted[0][-2:] == wanted[3] == [SIGNED, UNSIGNED] and len(wanted[0]) == 6
    assert SIGNED not in wanted[1] + wanted[2]
    berth("manifest", "head", f"{server.address}/a:v1", "--accept", "schema3", code=USAGE)
