"""Servers and commands whose changes to a disk are recorded (recorder.c), and folders made of what may be left of them
(disk.py)."""

import mmap
import os
import random
import shutil
import struct
from pathlib import Path

import disk as disks
from server import ROOT, Server

def recorder_path():
    if "CRASH_RECORDER" in os.environ:
        return os.environ["CRASH_RECORDER"]
    found = sorted(ROOT.glob("build*/tests/crash/recorder.so")) + sorted(ROOT.glob("build-test/*/tests/crash/recorder.so"))
    if not found:
        raise SystemExit("recorder.so is not built: meson setup -Dtests=true")
    return str(found[-1])


class Position:
    """The recorder's count of records, as the clients see it, and the order to die from a number of them on."""

    def __init__(self, path):
        path.write_bytes(bytes(16))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 16)

    def __call__(self):
        return struct.unpack_from("<Q", self.map, 0)[0]

    def die(self, at):
        struct.pack_into("<Q", self.map, 8, at)


def recorded(root, trace, counter, drop=None):
    """The environment of a program whose changes below @root are recorded."""
    return {**os.environ, "LD_PRELOAD": recorder_path(), "CRASH_ROOT": str(root), "CRASH_TRACE": str(trace),
            "CRASH_COUNTER": str(counter), **({"CRASH_DROP": drop} if drop else {})}


def unsynced():
    """The environment of one that looks at a state, which is thrown away."""
    return {**os.environ, "LD_PRELOAD": recorder_path(), "CRASH_DROP": "all"}


class RecordedServer(Server):
    """One whose log is outside the recorded folder, and that makes its data folder itself."""

    def __init__(self, binary, data, log, *flags, env=None, start=True):
        self.binary, self.data, self.flags = str(binary), data, [str(f) for f in flags]
        self.env, self.timeout, self.ca, self.log = env or {}, 60, None, log
        self.process, self.port = None, None
        if start:
            self.start()


def unlike(folder, records, disk=None):
    """Names whose replay, on the disk as it was before, differs from what is left in @folder; none, or the recorder has
    missed a call."""
    disk = disk or disks.Disk()
    for r in records:
        disk.feed(r)
    tree = disks.state(disk, disks.Choice("everything", random.Random(), disk))
    real = {str(p.relative_to(folder)): p for p in folder.rglob("*")
            if not p.name.endswith("-shm") and (p.is_dir() or p.is_file())}
    wrong = sorted(set(tree) ^ set(real))
    for name in set(tree) & set(real):
        path, what = real[name], tree[name]
        if isinstance(what, int):
            same = path.is_dir()
        else:
            attributes = {a: os.getxattr(path, a) for a in os.listxattr(path) if a.startswith("user.")}
            same = path.is_file() and (path.read_bytes(), path.stat().st_mode & 0o7777, attributes) == what
        if not same:
            wrong.append(name)
    return wrong


def materialise(tree, folder):
    for name, what in tree.items():                    # sorted: folders come before what is in them
        path = folder / name
        if isinstance(what, int):
            path.mkdir(mode=what)
            continue
        content, mode, attributes = what
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, content) if content else None
        for key, value in attributes.items():
            try:
                os.setxattr(fd, key, value)
            except OSError:
                pass                                   # not every file system has them
        os.fchmod(fd, mode)
        os.close(fd)


def roomy():
    """A folder in memory where there is one: states are written and thrown away by the thousand."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > (1 << 29) else None
