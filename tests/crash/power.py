#!/usr/bin/env python3
"""power.py [--traces N] [--states N] [--seed N] [--drop WHAT] [--replay FOLDER] [--berth FILE]: records all that a
server does to its disk while clients work on it - first starts that are cut off, an end as by kill -9, a start that
recovers, a clean stop and another start - and then opens what a loss of power may have left at many positions of the
trace, in many ways. What was acknowledged by then must be there, nothing half there, and a push must succeed.

--drop has the server's syncs swallowed while it is recorded (all, dirs, files, wal or objects): the states must then
be found wanting, or this test is worth nothing. The exit status is 0 when that is so.
"""

import argparse
import collections
import multiprocessing
import os
import pickle
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
from ledger import Ledger  # noqa: E402
from recording import Position, RecordedServer, materialise, recorded, roomy, unlike, unsynced  # noqa: E402
from server import berth_path  # noqa: E402
from verify import Verifier  # noqa: E402
from workload import BYTES, Client, Gone, Wire, digest_of, run_clients, with_digest  # noqa: E402

CLIENTS, GRACE, SAMPLE, NEAR = 6, 1.0, 60, 400
LEAST = 40                               # states that are examined, however slow the machine is
RECORDED = ["--gc-interval", "100ms", "--gc-grace", "1s", "--gc-drain", "200ms", "--log-access=false",
            "--registry-session-timeout", "1h", "--storage-reserve", "0"]
EXAMINED = ["--gc-interval", "0", "--gc-grace", "1h", "--log-access=false", "--registry-session-timeout", "1h",
            "--storage-reserve", "0", "--http-loops", "1", "--http-workers", "2", "--log-level", "error"]
DATA = "srv/berth/data"                  # below the recorded folder, so that its parents are recorded too


def end_by_order(server, position):
    """kill -9 as far as the server can tell, but no change happens unrecorded."""
    position.die(1)
    try:
        Wire(server.host, server.port).ask("POST", "/v2/crash/last/blobs/uploads/")
    except Gone:
        pass
    server.process.wait(30)
    server.reader.join()
    position.die(0)


def interrupted_start(server, position, records):
    """A start that ends after so many more changes."""
    position.die(position() + records)
    try:
        server.start()
    except RuntimeError:
        position.die(0)
    else:
        end_by_order(server, position)


def record(berth, folder, seed, seconds, drop=None):
    """(records, ledger, positions of starts and ends) of one server's life."""
    root, counter = folder / "root", folder / "counter"
    root.mkdir()
    position = Position(counter)
    env = recorded(root, folder / "trace", counter, drop)
    ledger = Ledger(GRACE, position)
    clients = [Client(i, ledger, seed) for i in range(CLIENTS)]
    server = RecordedServer(berth, root / DATA, folder / "log", *RECORDED, env=env, start=False)
    rng = random.Random(seed)

    def start(part):
        server.flags = RECORDED + (DIRECT if (seed + part) % 2 else [])
        server.start()

    def work(part):
        stop, threads = run_clients(clients, server, part)
        time.sleep(seconds / 3)
        if part == 0:
            large_blob(server, ledger)
            end_by_order(server, position)
        stop.set()
        for t in threads:
            t.join()
    try:
        # The first three leave a folder each whose name was not synced.
        for records in (1, 1, 1, *(rng.randrange(1, 30) for _ in range(4))):
            interrupted_start(server, position, records)
        start(0)
        work(0)
        died = position()
        ledger.observed = []
        start(1)
        turns = [0, died, position()]
        verifier = Verifier(ledger, Wire(server.host, server.port), settle=True)
        verifier.look(ledger.touched | set(ledger.sessions))
        verifier.pushes("recovered")
        ledger.settle_observed(died)
        if verifier.wrong or ledger.mistakes:
            raise Failed("\n".join(ledger.mistakes + verifier.wrong))
        work(1)
        turns.append(position())
        server.stop()
        turns.append(position())
        start(2)
        work(2)
        turns.append(position())
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill9()
    if ledger.mistakes:
        raise Failed("\n".join(ledger.mistakes))
    return disks.read(folder / "trace"), ledger, turns


def large_blob(server, ledger):
    """Large enough for the store to ask for its writing before its sync."""
    wire, data = Wire(server.host, server.port), random.Random(1).randbytes(9 << 20)
    key, sent = ("blob", "crash/large", digest_of(data)), time.time()
    op = ledger.start(key, True)
    try:
        where = wire.ask("POST", "/v2/crash/large/blobs/uploads/")[1]["location"]
        if wire.ask("PUT", with_digest(where, key[2]), data, {"Content-Type": BYTES})[0] != 201:
            ledger.wrong("a large blob was refused")
    except Gone:
        ledger.wrong("the server is gone before its time")
    ledger.done(op)
    ledger.promise(key, sent)
    wire.close()


# --- examining states ------------------------------------------------------------------------------------------------

def keys_at(ledger, cut, rng):
    """What was under way shortly before, and a sample of the rest."""
    near, far = [], []
    for key, ops in ledger.history.items():
        begun = [o for o in ops if o.begin_at <= cut]
        if begun:
            (near if any(o.end_at is None or o.end_at > cut - NEAR for o in begun) else far).append(key)
    return set(near + rng.sample(far, min(SAMPLE, len(far))))


def examine(berth, ledger, disk, way, seed, folder, whole):
    """What is wrong with one state."""
    rng = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "root").mkdir()
    materialise(disks.state(disk, disks.Choice(way, rng, disk)), folder / "root")
    (folder / "root" / DATA).parent.mkdir(parents=True, exist_ok=True)
    try:
        server = RecordedServer(berth, folder / "root" / DATA, folder / "log", *EXAMINED, env=unsynced())
    except RuntimeError as e:
        return [f"does not start: {e}"[-600:]]
    try:
        wire = Wire(server.host, server.port)
        verifier = Verifier(ledger, wire, cut=disk.at, now=disk.time)
        verifier.listings()
        verifier.look(keys_at(ledger, disk.at, rng), finish=True)
        verifier.pushes(f"after {disk.at}")
        wire.close()
        wrong = verifier.wrong
        if whole and not wrong:
            done = subprocess.run([berth, "check", "--data", str(server.data)], capture_output=True, text=True)
            if done.returncode != 0:
                wrong.append(f"berth check: {done.stdout[-600:]}")
        return wrong
    except Gone as e:
        return [f"the server is gone: {e} {server.stderr()[-400:]}"]
    finally:
        server.kill9()


def share(task):
    """Examines some cuts, and at least so many; returns how many, and [(cut, way, seed, what is wrong)]."""
    berth, records, ledger, cuts, enough, least, end = task
    found, done = [], 0
    folder = Path(tempfile.mkdtemp(prefix="berth-power-", dir=roomy()))
    try:
        for turn in range(4):              # each over the whole trace: who runs out of time has seen all of it
            disk = disks.Disk()
            for cut, way, seed in cuts[turn::4]:
                if len(found) >= enough or end and done >= least and time.monotonic() > end:
                    break
                while disk.at < cut:
                    disk.feed(records[disk.at])
                wrong = examine(berth, ledger, disk, way, seed, folder, done % 10 == 0)
                done += 1
                if wrong:
                    found.append((cut, way, seed, wrong))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return done, found


def choose_cuts(records, ledger, turns, n, rng):
    """Sorted (cut, way, seed). Many in the moment of an answer, when least is left to chance; some while the server
    starts or ends."""
    answers = [o.end_at for ops in ledger.history.values() for o in ops if o.end_at]
    cuts = []
    for _ in range(n):
        kind = rng.random()
        at = rng.choice(answers) if kind < 0.5 else rng.randint(0, len(records)) if kind < 0.8 else \
            rng.choice(turns) + rng.randrange(-20, 150)
        cuts.append((min(max(at, 0), len(records)), rng.choice(disks.WAYS), rng.random()))
    return sorted(cuts)


def run(berth, seed, n, seconds=3.0, drop=None, enough=5, width=2, most=None):
    """Records one trace and examines n states of it, or as many as most seconds allow, but LEAST. Returns (figures,
    [(cut, way, seed, wrong)], where to replay)."""
    folder = Path(tempfile.mkdtemp(prefix="berth-trace-"))
    try:
        began = time.monotonic()
        records, ledger, turns = record(berth, folder, seed, seconds, drop)
        recorded = time.monotonic() - began
        missed = unlike(folder / "root", records)
        if missed:
            raise Failed(f"seed {seed}: the recorder has missed changes of {', '.join(missed[:5])}")
        shutil.rmtree(folder / "root")
        cuts = choose_cuts(records, ledger, turns, n, random.Random(seed))
        ledger.lock = ledger.position = ledger.counter = None        # none of these goes to another process
        end = most and time.monotonic() + most
        tasks = [(berth, records, ledger, cuts[i::width], enough, LEAST // width, end) for i in range(width)]
        with multiprocessing.get_context("fork").Pool(width) as pool:
            parts = pool.map(share, tasks, chunksize=1)
        found = [f for p in parts for f in p[1]]
        kinds = collections.Counter(r.kind for r in records)
        figures = {"records": len(records), "syncs": kinds[disks.SYNCED], "bytes": sum(len(r.bytes) for r in records),
                   "direct": sum(r.kind == disks.OPEN and r.flags == disks.DIRECT for r in records),
                   "operations": ledger.done_count, "states": sum(p[0] for p in parts),
                   "recorded": round(recorded, 1), "seconds": round(time.monotonic() - began, 1)}
        if found and not drop:
            (folder / "found").write_bytes(pickle.dumps((ledger, found)))
        return figures, found, folder
    finally:
        if not (folder / "found").exists():
            shutil.rmtree(folder, ignore_errors=True)


def replay(berth, folder):
    """Opens the states again that were found wanting; they stay in the folder for a look."""
    ledger, found = pickle.loads((folder / "found").read_bytes())
    records, left = disks.read(folder / "trace"), 0
    for number, (cut, way, seed, _) in enumerate(found):
        disk = disks.Disk()
        for r in records[:cut]:
            disk.feed(r)
        wrong = examine(berth, ledger, disk, way, seed, folder / f"state{number}", True)
        print(f"{folder}/state{number}, position {cut}, {way}:\n    " + "\n    ".join(wrong or ["nothing is wrong"]))
        left += bool(wrong)
    return int(left > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=10)
    parser.add_argument("--states", type=int, default=400, help="of each trace")
    parser.add_argument("--seconds", type=float, default=3.0, help="of work in each trace")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--drop", choices=["all", "dirs", "files", "wal", "objects"])
    parser.add_argument("--replay", type=Path, metavar="FOLDER")
    parser.add_argument("--berth", default=berth_path())
    options = parser.parse_args()
    if options.replay:
        return replay(options.berth, options.replay)
    red = False
    for number in range(options.traces):
        seed = options.seed + number
        try:
            figures, found, folder = run(options.berth, seed, options.states, options.seconds, options.drop)
        except Failed as e:
            figures, found, folder = {}, [(0, "while it was recorded", seed, [str(e)])], ""
        print(f"seed {seed}: {figures}, {len(found)} states found wanting", flush=True)
        if found and not options.drop and folder:
            print(f"  --replay {folder}")
        for cut, way, _, wrong in found[:3]:
            print(f"  position {cut}, {way}:\n    " + "\n    ".join(w[:400] for w in wrong[:5]))
        red = red or bool(found)
    return int(red) if not options.drop else int(not red)


if __name__ == "__main__":
    sys.exit(main())
