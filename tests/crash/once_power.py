#!/usr/bin/env python3
"""once_power.py [--work WHAT] [--states N] [--seed N] [--drop WHAT] [--berth FILE]: what is done to a whole store at once - a restore,
a repair of a damaged index or table, a migration from an older schema, an import - with all its changes to the disk
recorded. Of what a loss of power may have left, at many positions and in many ways: once it had ended, every image must
be there; before, the same command again must bring it about.
"""

import argparse
import collections
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import disk as disks  # noqa: E402
from kill_rounds import Failed  # noqa: E402
from older_schema import make_version_1  # noqa: E402
from damaged import overwrite_root  # noqa: E402
from recording import RecordedServer, materialise, recorded, roomy, unlike, unsynced  # noqa: E402
from server import berth_path  # noqa: E402
from small_store import NAME, QUIET, command, images_of, push_images  # noqa: E402

IMAGES = 30


class Work:
    """One of the kinds. folder holds root, of which data is a folder, and what lies outside of what is recorded."""

    def __init__(self, berth, folder):
        self.berth, self.folder = berth, folder

    def prepare(self, data):
        """Makes of a store that was stopped what the work begins with."""

    def do(self, data, env):
        raise NotImplementedError

    def finish(self, data, env):
        """The work again, on what is left of an unfinished one."""
        self.do(data, env)


class Restore(Work):
    def prepare(self, data):
        command(self.berth, "backup", self.folder / "backup", "--data", data)
        shutil.rmtree(data)

    def do(self, data, env):
        command(self.berth, "restore", self.folder / "backup", "--data", data, env=env)


class Import(Work):
    def prepare(self, data):
        command(self.berth, "export", NAME, self.folder / "layout", "--data", data)
        shutil.rmtree(data)

    def do(self, data, env):
        command(self.berth, "import", self.folder / "layout", "--name", NAME, "--data", data, env=env)


class Repair(Work):
    def prepare(self, data):
        overwrite_root(data, self.damaged)

    def do(self, data, env):
        command(self.berth, "check", "--repair", "--data", data, env=env)


class Salvage(Repair):
    damaged = "tags"


class Index(Repair):
    damaged = "tags_manifest"


class Migration(Work):
    """Part of every start."""

    def prepare(self, data):
        make_version_1(data / "berth.db")
        for name in ("berth.db-wal", "berth.db-shm"):
            (data / name).unlink(missing_ok=True)

    def do(self, data, env):
        RecordedServer(self.berth, data, self.folder / "migration.log", *QUIET, env=env).stop()

    def finish(self, data, env):
        pass


WORKS = {w.__name__.lower(): w for w in (Restore, Import, Salvage, Index, Migration)}


def begin(berth, folder, work, rng):
    """tag to digest of what is there, and a disk with what the work begins with."""
    data = folder / "root" / "data"
    data.parent.mkdir()
    server = RecordedServer(berth, data, folder / "log", *QUIET)
    images = push_images(server, [f"t{i}" for i in range(IMAGES)], rng)
    server.stop()
    work.prepare(data)
    return images, disks.lasting(folder / "root")


def examine(work, state, finished, images):
    """What is wrong, or None."""
    try:
        if not finished:
            work.finish(state / "data", unsynced())
        server = RecordedServer(work.berth, state / "data", state / "log", *QUIET, "--http-loops", "1", env=unsynced())
    except (AssertionError, RuntimeError) as e:
        return str(e)[-900:]
    try:
        found = images_of(server)
    except AssertionError as e:
        return str(e)
    finally:
        server.kill9()
    if found != images:
        return f"has {len(found)} images of {len(images)}"
    done = subprocess.run([work.berth, "check", "--data", state / "data"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"berth check: {done.stdout[-600:]}"


def run(berth, what, seed, n, drop=None, enough=5):
    """(figures, [(cut, way, seed, what is wrong)])"""
    folder, rng = Path(tempfile.mkdtemp(prefix=f"berth-{what}-")), random.Random(seed)
    state = Path(tempfile.mkdtemp(prefix=f"berth-{what}-", dir=roomy()))
    work = WORKS[what](berth, folder)
    try:
        images, disk = begin(berth, folder, work, rng)
        again = disks.lasting(folder / "root")
        work.do(folder / "root" / "data", recorded(folder / "root", folder / "trace", folder / "counter", drop))
        records = disks.read(folder / "trace")
        if missed := unlike(folder / "root", records, again):
            raise Failed(f"seed {seed}: the recorder has missed changes of {', '.join(missed[:5])}")
        end, wrong, done = len(records), [], collections.Counter()
        cuts = sorted((rng.choice((end, rng.randint(0, end), rng.randint(max(0, end - 40), end))),
                       rng.choice(disks.WAYS), rng.random()) for _ in range(n))
        for cut, way, lot in cuts:
            while disk.at < cut:
                disk.feed(records[disk.at])
            shutil.rmtree(state)
            state.mkdir()
            materialise(disks.state(disk, disks.Choice(way, random.Random(lot), disk)), state)
            done["finished" if cut == end else "unfinished"] += 1
            if why := examine(work, state, cut == end, images):
                wrong.append((cut, way, lot, why))
            if len(wrong) >= enough:
                break
        return {"records": end, "states": done.total(), **done}, wrong
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=WORKS, help="this alone")
    parser.add_argument("--states", type=int, default=100, help="of each")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--drop", choices=["all", "dirs", "files", "wal", "objects"], help="syncs to swallow: it must be seen")
    parser.add_argument("--berth", default=berth_path())
    options, red = parser.parse_args(), False
    for what in [options.work] if options.work else WORKS:
        figures, wrong = run(options.berth, what, options.seed, options.states, options.drop)
        print(f"{what}, seed {options.seed}: {figures}, {len(wrong)} found wanting", flush=True)
        for cut, way, _, why in wrong:
            print(f"  position {cut}, {way}: {why}")
        red = red or bool(wrong)
    return int(red) if not options.drop else int(not red)


if __name__ == "__main__":
    sys.exit(main())
