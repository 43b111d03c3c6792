"""A few images in one repository, for tests of what is done to a whole store: pushed, deleted, and read again with every
byte compared with its digest."""

import json
import subprocess

from workload import ACCEPT, BYTES, MANIFEST, Wire, descriptor, digest_of, image

NAME = "team/app"
SIZES = (300, 20_000, 90_000, 300_000)       # in the database, in files, past the page cache (kill_rounds.DIRECT)
QUIET = ["--storage-reserve", "0", "--gc-interval", "0", "--log-access=false"]


def command(berth, *args, good=(0,), env=None):
    """Runs a command of berth; returns what it said and its exit status."""
    done = subprocess.run([str(berth), *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env)
    assert done.returncode in good, f"berth {args[0]}: status {done.returncode}: {done.stdout[-600:]} {done.stderr[-600:]}"
    return done


def push_images(server, tags, rng):
    """tag to digest"""
    wire, made = Wire(server.host, server.port), {}
    for tag in tags:
        parts = []
        for data in (b"{}", rng.randbytes(rng.choice(SIZES))):
            answer = wire.ask("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest_of(data)}", data, {"Content-Type": BYTES})
            assert answer[0] == 201, answer
            parts.append(descriptor(data))
        body = image(parts[0], parts[1:], tag=tag)
        answer = wire.ask("PUT", f"/v2/{NAME}/manifests/{tag}", body, {"Content-Type": MANIFEST})
        assert answer[0] == 201, answer
        made[tag] = digest_of(body)
    wire.close()
    return made


def delete_image(server, digest):
    answer = server.request("DELETE", f"/v2/{NAME}/manifests/{digest}")
    assert answer[0] == 202, answer


def images_of(server):
    """tag to digest, after a look at every byte."""
    wire, found = Wire(server.host, server.port), {}

    def bytes_of(kind, reference, headers=None):
        status, answered, body = wire.ask("GET", f"/v2/{NAME}/{kind}/{reference}", headers=headers)
        assert status == 200, f"{kind} {reference}: {status} {body[:200]!r}"
        return answered, body

    status, _, body = wire.ask("GET", f"/v2/{NAME}/tags/list?n=1000")
    for tag in json.loads(body)["tags"] or () if status == 200 else ():
        headers, body = bytes_of("manifests", tag, ACCEPT)
        found[tag] = headers["docker-content-digest"]
        assert digest_of(body) == found[tag], f"{tag} has other bytes"
        document = json.loads(body)
        for blob in (document["config"], *document["layers"]):
            assert digest_of(bytes_of("blobs", blob["digest"])[1]) == blob["digest"], f"a blob of {tag} has other bytes"
    wire.close()
    return found
