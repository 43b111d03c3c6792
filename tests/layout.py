"""OCI image layouts written and read by hand, so that every byte of what clients carry is known."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
CHUNK = 1 << 20


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file_digest(path):
    with open(path, "rb") as f:
        return "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()


def noise(size, seed=b"berth"):
    """size bytes that no compression makes smaller, the same for the same seed, a piece at a time."""
    shake = hashlib.shake_128(seed)
    block = bytearray(shake.digest(CHUNK))
    number = 0
    while size:
        # A counter in every piece keeps the pieces, and so any part taken for another, apart.
        block[:8] = number.to_bytes(8, "big")
        piece = bytes(block[:min(size, CHUNK)])
        yield piece
        size -= len(piece)
        number += 1


class Layout:
    """A folder in OCI image layout form."""

    def __init__(self, path):
        self.path = Path(path)
        (self.path / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        if not (self.path / "index.json").exists():
            self._write_index([])

    def _write_index(self, manifests):
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        (self.path / "index.json").write_text(json.dumps(index))

    def blob_path(self, digest):
        return self.path / "blobs" / digest.replace(":", "/")

    def add(self, data, media_type, **more):
        """Stores bytes and returns their descriptor."""
        digest = digest_of(data)
        self.blob_path(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def add_stream(self, pieces, media_type):
        """The same for what does not fit into memory."""
        part, h, size = self.path / "part", hashlib.sha256(), 0
        with open(part, "wb") as f:
            for piece in pieces:
                h.update(piece)
                f.write(piece)
                size += len(piece)
        digest = "sha256:" + h.hexdigest()
        part.rename(self.blob_path(digest))
        return {"mediaType": media_type, "digest": digest, "size": size}

    def add_json(self, document, media_type, **more):
        return self.add(json.dumps(document, indent=1).encode(), media_type, **more)

    def add_image(self, layers, architecture="amd64", os="linux", diff_ids=None, variant=None, extra=None):
        """An image of layers (descriptors); its descriptor carries the platform."""
        platform = {"architecture": architecture, "os": os, **({"variant": variant} if variant else {})}
        config = {**platform, "config": {"Cmd": ["/bin/sh"]}, "created": "2024-01-01T00:00:00Z",
                  "rootfs": {"type": "layers", "diff_ids": diff_ids or [d["digest"] for d in layers]},
                  "history": [{"created_by": "by hand"} for _ in layers], **(extra or {})}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.add_json(config, CONFIG),
                    "layers": layers}
        return self.add_json(manifest, MANIFEST, platform=platform)

    def add_index(self, manifests):
        return self.add_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX)

    def tag(self, descriptor, name):
        index = json.loads((self.path / "index.json").read_text())
        entry = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}
        self._write_index(index["manifests"] + [entry])
        return descriptor["digest"]


def tar_layer(files, mtime=1700000000):
    """(gzipped tar, digest of the tar) of {path: bytes or mode-and-bytes}, the same bytes each time."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o755, mtime
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), 6, mtime=0), digest_of(raw.getvalue())


def reachable(layout_path, root):
    """{digest: bytes or size} of everything below root in a layout; each blob is checked against its name.
    What a layout does not hold is a KeyError, so equality of two of these is 'byte for byte'."""
    base, found, ahead = Path(layout_path) / "blobs", {}, [root]
    while ahead:
        digest = ahead.pop()
        if digest in found:
            continue
        path = base / digest.replace(":", "/")
        if not path.exists():
            raise KeyError(f"{digest} is not in {layout_path}")
        assert file_digest(path) == digest, f"{path} is not what its name says"
        found[digest] = path.stat().st_size
        if path.stat().st_size > 4 * CHUNK:
            continue
        try:
            document = json.loads(path.read_bytes())
        except ValueError:
            continue
        if not isinstance(document, dict):
            continue
        ahead += [d["digest"] for d in document.get("manifests", []) + document.get("layers", [])]
        if isinstance(document.get("config"), dict) and "digest" in document["config"]:
            ahead.append(document["config"]["digest"])
    return found


def root_of(layout_path):
    """The digest of the only entry of a layout's index."""
    entries = json.loads((Path(layout_path) / "index.json").read_text())["manifests"]
    digests = {e["digest"] for e in entries}
    assert len(digests) == 1, f"{layout_path} has {len(digests)} roots"
    return digests.pop()
