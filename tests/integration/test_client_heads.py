"""`berth manifest head REF...`: many references of one registry or more, told of in their order, whatever fails."""

import json

import pytest

import layout


def push(server, repository, tags):
    """A manifest under each tag: {tag: digest}."""
    server.request("POST", f"/v2/{repository}/blobs/uploads/?digest={layout.digest_of(b'{}')}", b"{}")
    empty = {"mediaType": layout.EMPTY, "digest": layout.digest_of(b"{}"), "size": 2}
    found = {}
    for tag in tags:
        body = json.dumps({"schemaVersion": 2, "mediaType": layout.MANIFEST, "config": empty, "layers": [empty],
                           "annotations": {"tag": tag}}).encode()
        status, _, said = server.request("PUT", f"/v2/{repository}/manifests/{tag}", body,
                                         {"Content-Type": layout.MANIFEST})
        assert status == 201, said
        found[tag] = (layout.digest_of(body), len(body))
    return found


def test_tells_of_each_in_the_order_in_which_it_is_named(berth, server):
    pushed = push(server, "heads/many", [f"v{i}" for i in range(100)])
    refs = {f"{server.address}/heads/many:{tag}": found for tag, found in reversed(pushed.items())}
    done = berth("manifest", "head", *refs)
    assert done.out.decode().splitlines() == [f"{ref}  {digest}  {layout.MANIFEST}  {size}"
                                        for ref, (digest, size) in refs.items()]
    done = berth("manifest", "head", *refs, "--format", "{{.digest}}")
    assert done.out.decode().split() == [digest for digest, _ in refs.values()]
    text, documents = berth("manifest", "head", *refs, "--output", "json").out.decode(), []
    while text.strip():
        document, end = json.JSONDecoder().raw_decode(text.lstrip())
        documents.append((document["reference"], (document["digest"], document["size"])))
        text = text.lstrip()[end:]
    assert documents == list(refs.items())


def test_one_that_fails_leaves_the_others_alone(berth, server):
    pushed = push(server, "heads/some", ["a", "b"])
    name = f"{server.address}/heads/some"
    done = berth("manifest", "head", f"{name}:a", f"{name}:none", f"{name}:b", f"{name}@sha256:{'0' * 64}", code=4)
    assert [line.split()[1] for line in done.out.decode().splitlines()] == [pushed["a"][0], pushed["b"][0]]
    assert len(done.err.splitlines()) == 2 and f"{name}:none" in done.err.splitlines()[0]
    said = berth("manifest", "head", f"{name}:a", f"{name}:none", f"{name}:b", "--output", "json", code=4).out.decode()
    documents = json.loads("[" + said.replace("}\n{", "},{") + "]")
    assert [d["reference"] for d in documents] == [f"{name}:a", f"{name}:none", f"{name}:b"]
    assert ["error" in d for d in documents] == [False, True, False] and "digest" not in documents[1]


def test_asks_several_registries(berth, server, make_server):
    others = [make_server(), make_server()]
    wanted = {}
    for each in (server, *others):
        for tag, (digest, _) in push(each, "heads/several", [f"t{each.port}", "same"]).items():
            wanted[f"{each.address}/heads/several:{tag}"] = digest
    refs = sorted(wanted, key=lambda ref: ref[::-1])          # one host after the other, again and again
    done = berth("manifest", "head", *refs)
    assert [line.split()[:2] for line in done.out.decode().splitlines()] == [[ref, wanted[ref]] for ref in refs]
    others[0].stop()
    gone = [ref for ref in refs if ref.startswith(others[0].address)]
    done = berth("manifest", "head", *refs, code=8)
    assert [line.split()[0] for line in done.out.decode().splitlines()] == [ref for ref in refs if ref not in gone]
    assert len(done.err.splitlines()) == len(gone)


@pytest.mark.parametrize("bad", ["UPPER/case:v1", "localhost:5000/a@sha256:short"])
def test_asks_nobody_when_one_is_no_reference(berth, server, bad):
    push(server, "heads/bad", ["v1"])
    done = berth("manifest", "head", f"{server.address}/heads/bad:v1", bad, code=2)
    assert done.out == b"" and bad in done.err
