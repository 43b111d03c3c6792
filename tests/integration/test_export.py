"""berth export: an OCI image layout that skopeo, oras and crane read, whole, while serving and without a server."""

import json
import threading

import layout
from clients import need
from test_clients import pushed, scheme
from test_operations import berth, objects, push_image


def export(binary, data, what, folder, code=0):
    return json.loads(berth(binary, "export", what, folder, "--data", data, "--output", "json", code=code).stdout)


def listed(folder):
    """[(reference name or None, digest)] of index.json, after a look at every file of the layout."""
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    for path in (folder / "blobs").rglob("*"):
        assert path.is_dir() or layout.file_digest(path) == f"{path.parent.name}:{path.name}"
    return [(m.get("annotations", {}).get("org.opencontainers.image.ref.name"), m["digest"])
            for m in json.loads((folder / "index.json").read_text())["manifests"]]


def test_skopeo_brings_an_index_back_byte_for_byte(berth_binary, clients, registry, tmp_path, platforms):
    name = f"export/{scheme(registry)}/platforms"
    there, back = (f"docker://{clients.ref(n, 'v1')}" for n in (name, f"{name}/back"))
    clients.skopeo("copy", "--all", *clients.skopeo_trust("dest"), f"oci:{platforms.path}:{platforms.tag}", there)
    done = export(berth_binary, registry.data, f"{name}:v1", tmp_path / "out")
    assert (done["tags"], done["manifests"], done["problems"]) == (1, 4, 0)
    assert listed(tmp_path / "out") == [("v1", platforms.digest)]
    assert layout.reachable(tmp_path / "out", platforms.digest) == layout.reachable(platforms.path, platforms.digest)
    clients.skopeo("copy", "--all", *clients.skopeo_trust("dest"), f"oci:{tmp_path}/out:v1", back)
    assert pushed(registry, f"{name}/back", "v1") == pushed(registry, name, "v1")


def test_oras_finds_the_referrers_in_it_and_brings_them_back(berth_binary, clients, registry, tmp_path, image):
    name = f"export/{scheme(registry)}/referrers"
    clients.skopeo("copy", *clients.skopeo_trust("dest"), f"oci:{image.path}:{image.tag}",
                   f"docker://{clients.ref(name, 'v1')}")
    (tmp_path / "sbom.json").write_text('{"packages": []}')
    clients.oras("attach", "--disable-path-validation", "--artifact-type", "application/vnd.example.sbom",
                 clients.ref(name, "v1"), tmp_path / "sbom.json")
    for what in (f"{name}:v1", name):
        out = tmp_path / what.replace("/", "_").replace(":", "_")
        assert export(berth_binary, registry.data, what, out)["manifests"] == 2
        (first, digest), (second, referrer) = sorted(listed(out), key=lambda m: m[0] is None)
        assert (first, digest, second) == ("v1", image.digest, None)
        clients.oras_copy("to", "--recursive", "--from-oci-layout", f"{out}:v1", clients.ref(f"{name}/back", "v1"))
        assert pushed(registry, f"{name}/back", "v1")[0] == image.digest
        assert pushed(registry, f"{name}/back", referrer)[2] == pushed(registry, name, referrer)[2]


def test_crane_pushes_it(berth_binary, clients, registry, tmp_path, image):
    need("crane")
    name = f"export/{scheme(registry)}/crane"
    clients.skopeo("copy", *clients.skopeo_trust("dest"), f"oci:{image.path}:{image.tag}",
                   f"docker://{clients.ref(name, 'v1')}")
    export(berth_binary, registry.data, f"{name}@{image.digest}", tmp_path / "out")
    assert listed(tmp_path / "out") == [(None, image.digest)]
    clients.crane("push", tmp_path / "out", clients.ref(f"{name}/back", "v1"),
                  *([] if clients.tls else ["--insecure"]))
    assert pushed(registry, f"{name}/back", "v1")[0] == image.digest


def test_an_import_reads_it_and_no_server_is_needed(berth_binary, make_server, tmp_path):
    own = make_server()
    images = {tag: push_image(own, "team/app", tag, tag.encode() * 20000)[0] for tag in ("v1", "v2")}
    serving = export(berth_binary, own.data, "team/app", tmp_path / "out")
    assert (serving["tags"], serving["copied"]) == (2, 5)
    own.stop()
    again = export(berth_binary, own.data, "team/app", tmp_path / "out")
    assert (again["tags"], again["bytes"], again["copied"]) == (2, serving["bytes"], 0)
    assert dict(listed(tmp_path / "out")) == images
    berth(berth_binary, "import", tmp_path / "out", "--name", "other/app", "--data", tmp_path / "new")
    other = make_server(data=tmp_path / "new")
    for tag, digest in images.items():
        assert pushed(other, "other/app", tag)[0] == digest
    other.stop()


def test_what_is_lost_is_named_and_not_listed(berth_binary, make_server, tmp_path):
    own = make_server()
    kept, _ = push_image(own, "team/app", "kept", b"k" * 20000)
    before = set(objects(own.data))
    _, manifest = push_image(own, "team/app", "lost", b"l" * 20000)
    (lost,) = set(objects(own.data)) - before
    lost.chmod(0o600)
    lost.write_bytes(b"x" * 20000)
    done = export(berth_binary, own.data, "team/app", tmp_path / "out", code=6)
    assert done["problems"] == 1
    assert any(json.loads(manifest)["layers"][0]["digest"] in line for line in done["lines"])
    assert listed(tmp_path / "out") == [("kept", kept)]


def test_refuses_what_is_not_there_and_folders_of_others(berth_binary, make_server, tmp_path):
    own = make_server()
    push_image(own, "team/app", "v1", b"layer")
    for what in ("team/none", "team/app:none", "team/app@sha256:" + "0" * 64):
        berth(berth_binary, "export", what, tmp_path / "out", "--data", own.data, code=4)
    berth(berth_binary, "export", "Team", tmp_path / "out", "--data", own.data, code=1)
    berth(berth_binary, "export", "team/app", own.data / "out", "--data", own.data, code=1)
    assert not (tmp_path / "out").exists() and not (own.data / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("dear")
    assert "not an image layout" in berth(berth_binary, "export", "team/app", tmp_path / "full", "--data", own.data,
                                          code=1).stderr
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["letter"]


def test_what_is_pushed_meanwhile_does_no_harm(berth_binary, make_server, tmp_path):
    own = make_server()
    for i in range(20):
        push_image(own, "team/app", f"v{i}", b"%d" % i * 5000)
    stop = threading.Event()

    def push():
        i = 0
        while not stop.is_set():
            push_image(own, "team/app", f"v{i % 30}", b"new%d" % i * 5000)
            own.request("DELETE", f"/v2/team/app/manifests/v{(i + 7) % 30}")
            i += 1

    thread = threading.Thread(target=push)
    thread.start()
    try:
        for i in range(5):
            assert export(berth_binary, own.data, "team/app", tmp_path / "out")["problems"] == 0
            for _, digest in listed(tmp_path / "out"):
                layout.reachable(tmp_path / "out", digest)
    finally:
        stop.set()
        thread.join()
