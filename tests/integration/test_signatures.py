"""Charts and signatures: by Helm and notation, and in the form that cosign gives them. What was stored is found in the
registry's own lists, comes back byte for byte, and is good where it was copied to."""

import base64
import json
import subprocess
from types import SimpleNamespace

import pytest

import layout
from clients import need

COSIGN_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN_SIGNATURE = "dev.cosignproject.cosign/signature"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
NOTATION_THUMBPRINTS = "io.cncf.notary.x509chain.thumbprint#S256"


def manifest(registry, repository, reference):
    """(digest, document) of a manifest, checked against the registry's header."""
    status, headers, body = registry.request("GET", f"/v2/{repository}/manifests/{reference}",
                                             headers={"Accept": f"{layout.MANIFEST}, {layout.INDEX}"})
    assert status == 200
    assert headers["Docker-Content-Digest"] == layout.digest_of(body)
    return layout.digest_of(body), json.loads(body)


def blob(registry, repository, descriptor):
    """The bytes of what a manifest names, checked against what it says of them."""
    status, _, body = registry.request("GET", f"/v2/{repository}/blobs/{descriptor['digest']}")
    assert (status, len(body), layout.digest_of(body)) == (200, descriptor["size"], descriptor["digest"])
    return body


def tags(registry, repository):
    status, _, body = registry.request("GET", f"/v2/{repository}/tags/list")
    assert status == 200
    return json.loads(body)["tags"]


def referrers(registry, repository, digest, kind=None):
    """The registry's list, each manifest of which must be there and name its subject."""
    query = f"?artifactType={kind.replace('+', '%2B')}" if kind else ""
    status, headers, body = registry.request("GET", f"/v2/{repository}/referrers/{digest}{query}")
    assert (status, headers["Content-Type"]) == (200, layout.INDEX)
    listed = json.loads(body)["manifests"]
    for each in listed:
        assert manifest(registry, repository, each["digest"])[1]["subject"]["digest"] == digest
    return listed


class TestHelm:
    @pytest.fixture
    def chart(self, clients, tmp_path):
        """chart(version) packages a chart of that version and gives its path."""
        def make(version):
            source = tmp_path / version / "berth-demo"
            (source / "templates").mkdir(parents=True)
            (source / "Chart.yaml").write_text(f"apiVersion: v2\nname: berth-demo\nversion: {version}\n")
            (source / "values.yaml").write_text("replicas: 3\n")
            (source / "templates" / "map.yaml").write_text(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n"
                "data:\n  replicas: \"{{ .Values.replicas }}\"\n")
            clients.alone("helm", "package", source, "-d", tmp_path / version)
            return tmp_path / version / f"berth-demo-{version}.tgz"
        return make

    def test_pushes_and_pulls(self, clients, registry, tmp_path, chart):
        made = chart("0.1.0")
        pushed = clients.helm("push", made, f"oci://{clients.ref('helm/pushed')}")
        digest, document = manifest(registry, "helm/pushed/berth-demo", "0.1.0")
        assert digest in pushed.stdout + pushed.stderr
        assert document["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
        assert json.loads(blob(registry, "helm/pushed/berth-demo", document["config"]))["name"] == "berth-demo"
        assert [d["mediaType"] for d in document["layers"]] == ["application/vnd.cncf.helm.chart.content.v1.tar+gzip"]
        there = f"oci://{clients.ref('helm/pushed/berth-demo')}"
        for name, version in (("tag", ["--version", "0.1.0"]), ("digest", [])):
            (tmp_path / name).mkdir()
            clients.helm("pull", there if version else f"{there}@{digest}", *version, "-d", tmp_path / name)
            assert [p.read_bytes() for p in (tmp_path / name).iterdir()] == [made.read_bytes()]

    def test_carries_the_provenance_along(self, clients, registry, tmp_path, chart):
        made = chart("0.2.0")
        provenance = made.with_name(made.name + ".prov")
        provenance.write_bytes(b"".join(layout.noise(3000, b"provenance")))
        clients.helm("push", made, f"oci://{clients.ref('helm/provenance')}")
        document = manifest(registry, "helm/provenance/berth-demo", "0.2.0")[1]
        assert "application/vnd.cncf.helm.chart.provenance.v1.prov" in [d["mediaType"] for d in document["layers"]]
        (tmp_path / "back").mkdir()
        clients.helm("pull", f"oci://{clients.ref('helm/provenance/berth-demo')}", "--version", "0.2.0", "--prov",
                     "-d", tmp_path / "back")
        assert (tmp_path / "back" / made.name).read_bytes() == made.read_bytes()
        assert (tmp_path / "back" / provenance.name).read_bytes() == provenance.read_bytes()

    def test_finds_versions_in_the_list_of_tags(self, clients, registry, tmp_path, chart):
        name = f"helm/versions-{registry.scheme}"
        made = {version: chart(version) for version in ("1.9.0", "1.10.0", "2.0.0-rc.1", "1.2.0+build.7")}
        for path in made.values():
            clients.helm("push", path, f"oci://{clients.ref(name)}")
        # A tag can't hold a plus sign: Helm writes and reads it as an underscore.
        assert sorted(tags(registry, f"{name}/berth-demo")) == ["1.10.0", "1.2.0_build.7", "1.9.0", "2.0.0-rc.1"]
        there = f"oci://{clients.ref(f'{name}/berth-demo')}"
        for wanted, found in (("~1.9", "1.9.0"), ("^1.0.0-0", "1.10.0"), (">=2.0.0-0", "2.0.0-rc.1"),
                              ("1.2.0+build.7", "1.2.0+build.7")):
            assert f"version: {found}" in clients.helm("show chart", there, "--version", wanted).stdout.splitlines()
        (tmp_path / "back").mkdir()
        clients.helm("pull", there, "--version", "1.2.0+build.7", "-d", tmp_path / "back")
        assert [p.read_bytes() for p in (tmp_path / "back").iterdir()] == [made["1.2.0+build.7"].read_bytes()]

    def test_logs_in_and_out(self, clients, registry, tmp_path, chart):
        """A registry that asks for no password takes any; what Helm keeps is what it then sends with each request."""
        kept = tmp_path / "registry.json"
        clients.helm("registry login", registry.address, "-u", "ada", "-p", "secret", HELM_REGISTRY_CONFIG=str(kept))
        assert list(json.loads(kept.read_text())["auths"]) == [registry.address]
        made, there = chart("0.4.0"), f"oci://{clients.ref('helm/private')}"
        clients.helm("push", made, there, HELM_REGISTRY_CONFIG=str(kept))
        (tmp_path / "back").mkdir()
        clients.helm("pull", f"{there}/berth-demo", "--version", "0.4.0", "-d", tmp_path / "back",
                     HELM_REGISTRY_CONFIG=str(kept))
        assert (tmp_path / "back" / made.name).read_bytes() == made.read_bytes()
        clients.alone("helm", "registry", "logout", registry.address, HELM_REGISTRY_CONFIG=str(kept))
        assert json.loads(kept.read_text())["auths"] == {}

    def test_renders_what_it_pulls(self, clients, chart):
        clients.helm("push", chart("0.3.0"), f"oci://{clients.ref('helm/rendered')}")
        there = f"oci://{clients.ref('helm/rendered/berth-demo')}"
        shown = clients.helm("template", "mine", there, "--version", "0.3.0", "--set", "replicas=5")
        assert "name: mine" in shown.stdout and 'replicas: "5"' in shown.stdout


@pytest.fixture
def signed(clients, registry, image, request):
    """An image in a repository of the test's own, to be signed there: repository, digest, and ref by digest."""
    repository = f"signed/{request.node.originalname.replace('_', '-')}-{registry.scheme}"
    if hasattr(request.node, "callspec"):
        repository += "".join(f"-{v}" for v in request.node.callspec.params.values() if v not in ("http", "tls"))
    clients.crane("push", image.path, clients.ref(repository, "v1"))
    return SimpleNamespace(repository=repository, digest=image.digest, ref=clients.ref(repository, image.digest))


class TestNotation:
    @pytest.fixture(autouse=True)
    def key(self, clients):
        """A key, its self-signed certificate, and a policy that trusts no other."""
        need("notation")
        clients.alone("notation", "cert", "generate-test", "--default", "berth.test")
        policy = {"version": "1.0", "trustPolicies": [{
            "name": "berth", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:berth.test"], "trustedIdentities": ["*"]}]}
        (clients.home / "policy.json").write_text(json.dumps(policy))
        clients.alone("notation", "policy", "import", clients.home / "policy.json")

    @pytest.mark.parametrize("form", ["jws", "cose"])
    def test_signs_lists_and_verifies(self, clients, registry, signed, form):
        assert clients.notation("verify", signed.ref, ok=False).returncode != 0
        clients.notation("sign", "--force-referrers-tag=false", "--signature-format", form, signed.ref)
        found, = referrers(registry, signed.repository, signed.digest, NOTATION)
        assert found["artifactType"] == NOTATION and NOTATION_THUMBPRINTS in found["annotations"]
        document = manifest(registry, signed.repository, found["digest"])[1]
        assert [d["mediaType"] for d in document["layers"]] == [f"application/{'jose+json' if form == 'jws' else form}"]
        envelope = blob(registry, signed.repository, document["layers"][0])
        if form == "jws":
            payload = json.loads(envelope)["payload"]
            target = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["targetArtifact"]
            assert target["digest"] == signed.digest
        assert tags(registry, signed.repository) == ["v1"]
        assert found["digest"] in clients.notation("list", signed.ref).stdout
        assert found["digest"] in clients.notation("inspect", signed.ref).stdout
        assert "Successfully verified" in clients.notation("verify", signed.ref).stdout

    def test_signs_for_registries_without_referrers(self, clients, registry, signed):
        """It keeps an index under a tag beside what it pushes; both ways lead to the same signature."""
        clients.notation("sign", "--force-referrers-tag=true", signed.ref)
        tag = signed.digest.replace(":", "-")
        assert sorted(tags(registry, signed.repository)) == [tag, "v1"]
        listed = manifest(registry, signed.repository, tag)[1]["manifests"]
        found, = referrers(registry, signed.repository, signed.digest)
        assert [m["digest"] for m in listed] == [found["digest"]]
        assert "Successfully verified" in clients.notation("verify", signed.ref).stdout

    def test_signatures_go_along_with_copies(self, clients, registry, signed, tmp_path):
        for note in ("first", "second"):
            clients.notation("sign", "--force-referrers-tag=false", "--user-metadata", f"note={note}", signed.ref)
        digests = sorted(m["digest"] for m in referrers(registry, signed.repository, signed.digest))
        assert len(digests) == 2
        copy = signed.repository + "-copy"
        clients.oras_copy("from", "-r", "--to-oci-layout", signed.ref, f"{tmp_path}/carried:v1")
        clients.oras_copy("to", "-r", "--from-oci-layout", f"{tmp_path}/carried:v1", clients.ref(copy, "v1"))
        assert sorted(m["digest"] for m in referrers(registry, copy, signed.digest, NOTATION)) == digests
        there = clients.ref(copy, signed.digest)
        assert "Successfully verified" in clients.notation("verify", "--user-metadata", "note=second", there).stdout
        for digest in digests:
            clients.crane("delete", clients.ref(copy, digest))
        assert referrers(registry, copy, signed.digest) == []
        assert clients.notation("verify", there, ok=False).returncode != 0


class TestCosign:
    """What cosign writes (3.1), made by hand after its sources, because the program itself takes too long to build.
    The signatures are real, and openssl verifies them when a client has carried them elsewhere."""

    @pytest.fixture
    def key(self, tmp_path):
        """sign(data) and verify(data, signature) as cosign does with a key pair: ECDSA over P-256 and SHA-256."""
        need("openssl")

        def openssl(*args, data=None):
            return subprocess.run(["openssl", *map(str, args)], input=data, cwd=tmp_path, check=True,
                                  capture_output=True).stdout

        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
        openssl("ec", "-in", "key.pem", "-pubout", "-out", "pub.pem")

        def verify(data, signature):
            (tmp_path / "signature").write_bytes(base64.b64decode(signature))
            said = openssl("dgst", "-sha256", "-verify", "pub.pem", "-signature", "signature", data=data)
            assert said == b"Verified OK\n"
        return SimpleNamespace(verify=verify, sign=lambda data: base64.b64encode(
            openssl("dgst", "-sha256", "-sign", "key.pem", data=data)).decode())

    @staticmethod
    def store(registry, repository, data, media_type, **more):
        """Pushes a blob as cosign's library does, in a PATCH and a PUT, and gives its descriptor."""
        digest = layout.digest_of(data)
        _, headers, _ = registry.request("POST", f"/v2/{repository}/blobs/uploads/")
        _, headers, _ = registry.request("PATCH", headers["Location"], body=data)
        where = headers["Location"]
        where += ("&" if "?" in where else "?") + f"digest={digest}"
        assert registry.request("PUT", where)[0] == 201
        return {"mediaType": media_type, "size": len(data), "digest": digest, **more}

    @staticmethod
    def put(registry, repository, document, reference=None):
        body = json.dumps(document, separators=(",", ":")).encode()
        reference = reference or layout.digest_of(body)
        status, headers, _ = registry.request("PUT", f"/v2/{repository}/manifests/{reference}", body=body,
                                              headers={"Content-Type": layout.MANIFEST})
        assert status == 201
        return layout.digest_of(body), headers

    @staticmethod
    def envelope(key, digest, predicate_type, predicate):
        """An in-toto statement in a DSSE envelope."""
        statement = json.dumps({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate_type,
                                "subject": [{"digest": {"sha256": digest.split(":")[1]}}],
                                "predicate": predicate}).encode()
        kind = "application/vnd.in-toto+json"
        return {"payload": base64.b64encode(statement).decode(), "payloadType": kind,
                "signatures": [{"sig": key.sign(TestCosign.encoded(kind, statement))}]}

    @staticmethod
    def encoded(kind, statement):
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(statement), statement)

    def check_envelope(self, key, envelope, digest):
        statement = base64.b64decode(envelope["payload"])
        assert json.loads(statement)["subject"][0]["digest"]["sha256"] == digest.split(":")[1]
        key.verify(self.encoded(envelope["payloadType"], statement), envelope["signatures"][0]["sig"])

    def put_tag(self, registry, signed, suffix, layers):
        """The image that cosign keeps under a tag made of the digest that it is about."""
        never = "0001-01-01T00:00:00Z"
        config = {"architecture": "", "created": never, "history": [{"created": never} for _ in layers], "os": "",
                  "rootfs": {"type": "layers", "diff_ids": [d["digest"] for d in layers]}, "config": {}}
        config = self.store(registry, signed.repository, json.dumps(config).encode(), layout.CONFIG)
        tag = signed.digest.replace(":", "-") + suffix
        self.put(registry, signed.repository, {"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": config,
                                               "layers": layers}, tag)
        return tag

    def sign(self, registry, signed, key, note):
        payload = json.dumps({"critical": {"identity": {"docker-reference": signed.ref.split("@")[0]},
                                           "image": {"docker-manifest-digest": signed.digest},
                                           "type": "cosign container image signature"},
                              "optional": {"note": note}}).encode()
        return self.store(registry, signed.repository, payload, COSIGN_PAYLOAD,
                          annotations={COSIGN_SIGNATURE: key.sign(payload)})

    def test_signatures_and_attestations_under_tags(self, clients, registry, key, signed, tmp_path):
        first = self.sign(registry, signed, key, "first")
        self.put_tag(registry, signed, ".sig", [first])
        sig = self.put_tag(registry, signed, ".sig", [first, self.sign(registry, signed, key, "second")])
        dsse = json.dumps(self.envelope(key, signed.digest, "https://cosign.sigstore.dev/attestation/v1", {"a": 1}))
        att = self.put_tag(registry, signed, ".att", [self.store(
            registry, signed.repository, dsse.encode(), "application/vnd.dsse.envelope.v1+json",
            annotations={COSIGN_SIGNATURE: "", "predicateType": "https://cosign.sigstore.dev/attestation/v1"})])
        assert clients.crane("ls", clients.ref(signed.repository)).stdout.split() == sorted([att, sig, "v1"])
        assert referrers(registry, signed.repository, signed.digest) == []
        # regctl knows tags of this form and takes them along.
        copy = signed.repository + "-copy"
        clients.regctl("image", "copy", "--digest-tags", clients.ref(signed.repository, "v1"),
                       f"ocidir://{tmp_path}/carried:v1")
        clients.regctl("image", "copy", "--digest-tags", f"ocidir://{tmp_path}/carried:v1", clients.ref(copy, "v1"))
        assert tags(registry, copy) == sorted([att, sig, "v1"])
        for tag in (sig, att):
            assert manifest(registry, copy, tag) == manifest(registry, signed.repository, tag)
        notes = []
        for each in manifest(registry, copy, sig)[1]["layers"]:
            payload = blob(registry, copy, each)
            key.verify(payload, each["annotations"][COSIGN_SIGNATURE])
            assert json.loads(payload)["critical"]["image"]["docker-manifest-digest"] == signed.digest
            notes.append(json.loads(payload)["optional"]["note"])
        assert notes == ["first", "second"]
        layer, = manifest(registry, copy, att)[1]["layers"]
        self.check_envelope(key, json.loads(blob(registry, copy, layer)), signed.digest)

    def test_bundles_as_referrers(self, clients, registry, key, signed, tmp_path):
        made = {}
        empty = self.store(registry, signed.repository, b"{}", layout.EMPTY, artifactType=BUNDLE)
        size = int(registry.request("HEAD", f"/v2/{signed.repository}/manifests/{signed.digest}",
                                    headers={"Accept": layout.MANIFEST})[1]["Content-Length"])
        for kind in ("https://sigstore.dev/cosign/sign/v1", "https://cosign.sigstore.dev/attestation/v1"):
            data = json.dumps({"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "key"}},
                               "dsseEnvelope": self.envelope(key, signed.digest, kind, {})}).encode()
            layer = self.store(registry, signed.repository, data, BUNDLE)
            notes = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z",
                     "dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": kind}
            digest, headers = self.put(registry, signed.repository, {
                "schemaVersion": 2, "mediaType": layout.MANIFEST, "config": empty, "layers": [layer],
                "annotations": notes, "artifactType": BUNDLE,
                "subject": {"mediaType": layout.MANIFEST, "size": size, "digest": signed.digest}})
            # Without this header cosign would keep an index under a tag as well.
            assert headers["OCI-Subject"] == signed.digest
            made[digest] = notes
        # cosign chooses among referrers by these annotations before it fetches any.
        found = referrers(registry, signed.repository, signed.digest, BUNDLE)
        assert {m["digest"]: m["annotations"] for m in found} == made
        assert {m["artifactType"] for m in found} == {BUNDLE}
        assert tags(registry, signed.repository) == ["v1"]
        seen = json.loads(clients.oras("discover", "--format", "json", "--artifact-type", BUNDLE, signed.ref).stdout)
        assert {m["digest"] for m in seen["manifests"]} == set(made)
        copy = signed.repository + "-copy"
        clients.regctl("image", "copy", "--referrers", clients.ref(signed.repository, "v1"),
                       f"ocidir://{tmp_path}/carried:v1")
        clients.regctl("image", "copy", "--referrers", f"ocidir://{tmp_path}/carried:v1", clients.ref(copy, "v1"))
        assert referrers(registry, copy, signed.digest, BUNDLE) == found
        for each in found:
            layer, = manifest(registry, copy, each["digest"])[1]["layers"]
            self.check_envelope(key, json.loads(blob(registry, copy, layer))["dsseEnvelope"], signed.digest)
