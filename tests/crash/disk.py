"""A recorded trace (recorder.c), and the states that a loss of power may have left at any position of it.

The model is strict. A sync covers what had happened when it was called, and counts once it has returned. The sync of a
file makes its bytes and size last (fdatasync) and its mode and attributes (fsync), never its name; names last by a sync
of their folder. Of all the rest each change is kept or lost on its own, writes also in part, by sectors.
"""

import os
import struct
from dataclasses import dataclass, field

(CREATE, OPEN, WRITE, TRUNCATE, CHMOD, XATTR, MKDIR, UNLINK, RMDIR, RENAME, LINK, SYNC, SYNCED, MAPPED,
 UNSEEN) = range(1, 16)
HEAD = struct.Struct("<IIQQQII")
DATA_ONLY, FOLDER = 1, 2        # of SYNC
DIRECT = 1                      # of OPEN


@dataclass(slots=True)
class Record:
    at: int
    kind: int
    flags: int
    time: float
    inode: int
    offset: int
    name: str
    bytes: bytes


def read(path):
    """All records of a trace file."""
    data, at, records = memoryview(path.read_bytes()), 0, []
    while at < len(data):
        kind, flags, ms, inode, offset, n, length = HEAD.unpack_from(data, at)
        at += HEAD.size
        name, piece = bytes(data[at:at + n]).decode(), bytes(data[at + n:at + n + length])
        at += n + length
        records.append(Record(len(records), kind, flags, ms / 1000, inode, offset, name, piece))
    return records


@dataclass(slots=True)
class File:
    content: bytearray = field(default_factory=bytearray)
    mode: int = 0o600
    attributes: dict = field(default_factory=dict)
    pending: list = field(default_factory=list)


def parent(name):
    return name.rpartition("/")[0]


def put(content, offset, piece):
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(piece)] = piece


def resize(content, size):
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def change(content, record):
    put(content, record.offset, record.bytes) if record.kind == WRITE else resize(content, record.offset)


def rename_or(names, record, files):
    """One change of names, as far as what is there allows it. files: inode and position to file."""
    name = record.name
    if record.kind == CREATE or record.kind == LINK:
        names[name] = files[record.at]
    elif record.kind == MKDIR:
        names.setdefault(name, record.offset)
    elif record.kind in (UNLINK, RMDIR):
        names.pop(name, None)
    elif record.kind == RENAME and name in names:
        names[record.bytes.decode()] = names.pop(name)


class Disk:
    """What lasts, and what is pending, after the records so far."""

    def __init__(self):
        self.names = {}            # what lasts: name to File, or to a folder's mode
        self.pending = []          # changes of names
        self.files, self.made = {}, {}
        self.syncs, self.touched = {}, []
        self.time, self.at = 0, 0

    def feed(self, r):
        self.time, self.at = r.time, r.at + 1
        if r.kind == CREATE:
            self.files[r.inode] = self.made[r.at] = File(mode=r.offset)
            self.pending.append(r)
        elif r.kind == LINK:
            self.made[r.at] = self.files[r.inode]
            self.pending.append(r)
        elif r.kind in (MKDIR, UNLINK, RMDIR, RENAME):
            if r.kind == RENAME and parent(r.name) != parent(r.bytes.decode()):
                raise ValueError(f"{r.name} goes to another folder: this model does not know that")
            self.pending.append(r)
        elif r.kind in (WRITE, TRUNCATE, CHMOD, XATTR):
            self.files[r.inode].pending.append(r)
        elif r.kind == SYNC:
            self.syncs[r.offset] = (r, None if r.flags & FOLDER else self.files[r.inode])
        elif r.kind == SYNCED:
            self.synced(*self.syncs.pop(r.offset))
        elif r.kind == OPEN and r.inode in self.files:
            pass
        else:
            raise ValueError(f"record {r.at}: kind {r.kind} {r.name}: this model does not know that")

    def synced(self, began, file):
        if file is None:
            left = []
            for r in self.pending:
                if r.at < began.at and parent(r.name) == began.name:
                    rename_or(self.names, r, self.made)
                else:
                    left.append(r)
            self.pending = left
            return
        left = []
        for r in file.pending:
            if r.at > began.at or (r.kind in (CHMOD, XATTR) and began.flags & DATA_ONLY):
                left.append(r)
            elif r.kind == CHMOD:
                file.mode = r.offset
            elif r.kind == XATTR:
                file.attributes[r.name] = r.bytes
            else:
                change(file.content, r)
        file.pending = left


def lasting(folder):
    """A disk that holds what is in @folder, all of it synced."""
    disk = Disk()
    for path in folder.rglob("*"):
        name, st = str(path.relative_to(folder)), path.stat()
        mode = st.st_mode & 0o7777
        if path.is_dir():
            disk.names[name] = mode
        elif path.is_file():
            attributes = {a: os.getxattr(path, a) for a in os.listxattr(path) if a.startswith("user.")}
            disk.names[name] = disk.files[st.st_ino] = File(bytearray(path.read_bytes()), mode, attributes)
    return disk


# --- states after a loss of power ------------------------------------------------------------------------------------

WAYS = ("nothing", "everything", "prefix", "prefix", "each file", "each file", "subset", "subset", "subset", "names only",
        "bytes only")


class Choice:
    """Which of the pending changes reached the disk."""

    def __init__(self, way, rng, disk):
        self.way, self.rng, self.files = way, rng, {}
        self.share = rng.choice((0.1, 0.5, 0.9))
        self.torn = rng.choice((0, 0, 0.3, 1)) if way in ("subset", "prefix", "each file") else 0
        self.sector = rng.choice((512, 4096))
        # A lost write that had made its file longer may leave the length, with zeros.
        self.zeros = rng.random() < 0.5
        old = min([r.at for r in disk.pending] + [r.at for f in disk.files.values() for r in f.pending[:1]],
                  default=disk.at)
        self.end = rng.randint(old, disk.at)
        self.old, self.now = old, disk.at

    def keeps(self, record, whose):
        """whose: a file, or the text of a folder."""
        way = self.way
        if way in ("nothing", "everything"):
            return way == "everything"
        if way == "prefix":
            return record.at < self.end
        if way == "each file":
            end = self.files.setdefault(whose if isinstance(whose, str) else id(whose),
                                        self.rng.randint(self.old, self.now))
            return record.at < end
        if way == "subset":
            return self.rng.random() < self.share
        return isinstance(whose, str) == (way == "names only")

    def sectors(self, record):
        """The pieces (offset, bytes) of a write that were kept."""
        if not self.torn or self.rng.random() >= self.torn:
            return [(record.offset, record.bytes)]
        ends = list(range((record.offset // self.sector + 1) * self.sector, record.offset + len(record.bytes), self.sector))
        cuts = [record.offset, *ends, record.offset + len(record.bytes)]
        pieces = list(zip(cuts, cuts[1:]))
        pieces = pieces[:self.rng.randint(0, len(pieces))] if self.rng.random() < 0.5 else \
            [p for p in pieces if self.rng.random() < 0.5]
        return [(a, record.bytes[a - record.offset:b - record.offset]) for a, b in pieces]

    def file(self, f):
        """(bytes, mode, attributes)"""
        if not f.pending:
            return f.content, f.mode, f.attributes
        content, mode, attributes = bytearray(f.content), f.mode, dict(f.attributes)
        for r in f.pending:
            if not self.keeps(r, f):
                if self.zeros and r.kind == WRITE and len(content) < r.offset + len(r.bytes):
                    resize(content, r.offset + len(r.bytes))
            elif r.kind == WRITE:
                for offset, piece in self.sectors(r):
                    put(content, offset, piece)
            elif r.kind == TRUNCATE:
                resize(content, r.offset)
            elif r.kind == CHMOD:
                mode = r.offset
            else:
                attributes[r.name] = r.bytes
        return content, mode, attributes


def state(disk, choice):
    """name to (bytes, mode, attributes), or to the mode of a folder; only what a path leads to."""
    names = dict(disk.names)
    for r in disk.pending:
        if choice.keeps(r, parent(r.name)):
            rename_or(names, r, disk.made)
    reached = {}
    for name in sorted(names):
        if parent(name) == "" or parent(name) in reached:
            what = names[name]
            reached[name] = choice.file(what) if isinstance(what, File) else what
    return reached
