#!/usr/bin/env python3
"""backup_power.py [--states N] [--seed N] [--drop WHAT] [--berth FILE]: backups of a store that is pushed to, deleted from and
collected, with all that the server does to its disk recorded. Of what a loss of power may have left, at many positions
and in many ways, the backup is restored: it is the last that was acknowledged or one that was being made, with every
byte, and before the first is done there may be none.
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
from kill_rounds import DIRECT, Failed  # noqa: E402
from recording import Position, RecordedServer, materialise, recorded, roomy, unlike, unsynced  # noqa: E402
from server import berth_path  # noqa: E402
from small_store import QUIET, command, delete_image, images_of, push_images  # noqa: E402

BACKUPS, IMAGES = 4, 5
DATA, BACKUP = "data", "backup"


def record(berth, folder, rng, drop):
    """(records, [(position before a backup, after it, tag to digest)])"""
    root = folder / "root"
    root.mkdir()
    position, images, backups = Position(folder / "counter"), {}, []
    env = recorded(root, folder / "trace", folder / "counter", drop)
    server = RecordedServer(berth, root / DATA, folder / "log", *QUIET, *DIRECT, "--gc-grace", "0", "--gc-drain", "0",
                            "--gc-untagged", "1ms", env=env)
    try:
        for number in range(BACKUPS):
            images |= push_images(server, [f"b{number}-{i}" for i in range(IMAGES)], rng)
            if number:
                for tag in [t for t in images if t.startswith(f"b{number - 1}-")][:2]:
                    delete_image(server, images.pop(tag))
                for _ in range(2):            # takes rows and lists their objects, then removes those
                    command(berth, "gc", "--data", server.data)
            before = position()
            command(berth, "backup", root / BACKUP, "--data", server.data)
            backups.append((before, position(), dict(images)))
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill9()
    return disks.read(folder / "trace"), backups


def choose_cuts(records, backups, n, rng):
    """Sorted (cut, way, seed), most while a backup is made, many right after it."""
    cuts = []
    for _ in range(n):
        before, after, _ = rng.choice(backups)
        at = rng.choice((after, after + rng.randint(0, 60), rng.randint(before, after), rng.randint(before, after)))
        cuts.append((min(at, len(records)), rng.choice(disks.WAYS), rng.random()))
    return sorted(cuts)


def examine(berth, state, cut, backups):
    """(what is wrong or None, what was found)"""
    whole = [images for _, after, images in backups if after <= cut]
    begun = [images for before, after, images in backups if before <= cut < after]
    done = subprocess.run([berth, "restore", state / BACKUP, "--data", state / "new"], capture_output=True, text=True,
                          env=unsynced())
    if done.returncode != 0:
        return (f"can't be restored: {done.stdout} {done.stderr}"[-600:] if whole else None), "none"
    server = RecordedServer(berth, state / "new", state / "log", *QUIET, "--http-loops", "1", env=unsynced())
    try:
        found = images_of(server)
    except AssertionError as e:
        return str(e), "damaged"
    finally:
        server.kill9()
    if whole and found == whole[-1]:
        return None, "the last"
    return (None, "the next") if found in begun else (f"is another: {sorted(found)}", "another")


def run(berth, seed, n, drop=None, enough=5):
    """(figures, [(cut, way, seed, what is wrong)])"""
    folder, rng = Path(tempfile.mkdtemp(prefix="berth-backup-")), random.Random(seed)
    state = Path(tempfile.mkdtemp(prefix="berth-backup-", dir=roomy()))
    try:
        records, backups = record(berth, folder, rng, drop)
        if missed := unlike(folder / "root", records):
            raise Failed(f"seed {seed}: the recorder has missed changes of {', '.join(missed[:5])}")
        disk, wrong, found = disks.Disk(), [], collections.Counter()
        for cut, way, lot in choose_cuts(records, backups, n, rng):
            while disk.at < cut:
                disk.feed(records[disk.at])
            shutil.rmtree(state)
            state.mkdir()
            materialise(disks.state(disk, disks.Choice(way, random.Random(lot), disk)), state)
            why, what = examine(berth, state, cut, backups)
            found[what] += 1
            if why:
                wrong.append((cut, way, lot, why))
            if len(wrong) >= enough:
                break
        return {"records": len(records), "states": sum(found.values()), **found}, wrong
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--drop", choices=["all", "dirs", "files", "wal", "objects"], help="syncs to swallow: it must be seen")
    parser.add_argument("--berth", default=berth_path())
    options = parser.parse_args()
    figures, wrong = run(options.berth, options.seed, options.states, options.drop)
    print(f"seed {options.seed}: {figures}, {len(wrong)} found wanting")
    for cut, way, _, why in wrong:
        print(f"  position {cut}, {way}: {why}")
    return int(bool(wrong)) if not options.drop else int(not wrong)


if __name__ == "__main__":
    sys.exit(main())
