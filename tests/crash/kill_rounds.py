#!/usr/bin/env python3
"""kill_rounds.py [--rounds N] [--seed N] [--stores N] [--berth FILE]: 16 clients push, move, delete, mount, upload in pieces while
the collector runs; kill -9 at a random moment; start again; everything acknowledged must be there and everything
deleted gone. The store is kept over the rounds.

Each round verifies all that changed and a sample of the rest; every 50th, and the last, everything, the listings and
`berth check`. A failure prints the seed and the round. The seed fixes what the clients do and when they are cut off;
how far they have got by then is the machine's affair.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from ledger import Ledger  # noqa: E402
from server import Server, berth_path  # noqa: E402
from verify import Verifier, everything  # noqa: E402
from workload import Client, Gone, Wire, run_clients  # noqa: E402

CLIENTS, GRACE, SAMPLE, WHOLE_EVERY = 16, 2.0, 40, 50
SETTINGS = ["--gc-interval", "100ms", "--gc-grace", "2s", "--gc-drain", "300ms", "--log-access=false",
            "--registry-session-timeout", "1h", "--storage-reserve", "0",
            "--http-idle-timeout", "1h"]           # a machine that stands still for minutes is no failure of the server
# Every other server writes all but the smallest files past the page cache: the switch at 32 MiB is beyond any blob here.
DIRECT = ["--storage-direct-from", "64KiB"]
STORES = 2                     # at once: half of a round is waiting for syncs, and for chance


class Failed(Exception):
    pass


def interrupted_start(server, rng):
    """Cut off while it opens its store."""
    with open(server.log, "ab") as log:
        process = subprocess.Popen(server.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                                   env=server.environment())
    time.sleep(rng.uniform(0, 0.05))
    process.kill()
    process.wait()


def check(server):
    done = subprocess.run([server.binary, "check", "--data", str(server.data)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"berth check: status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-1000:]}")


def verify(server, ledger, rng, whole):
    verifier = Verifier(ledger, Wire(server.host, server.port), settle=True)
    touched, ledger.touched = ledger.touched, set()
    sessions = [k for k in ledger.sessions if ledger.possible(k) != {None}]
    if whole:
        there, gone = everything(ledger)
        keys = touched.union(sessions, there, rng.sample(gone, min(len(gone), 2000)))
    else:
        keys = list(ledger.history)
        keys = touched.union(sessions, rng.choices(keys, k=SAMPLE) if keys else ())
    keys = {k for k in keys if k[0] != "session" or k in sessions}
    verifier.look(keys)
    if whole:
        verifier.listings()
    verifier.wire.close()
    return verifier.wrong, len(verifier.seen)


def rounds(berth, folder, n, seed, most=0.4, seconds=None, say=print):
    """Runs n rounds, short ones while they would take longer than so many seconds. Returns figures; raises Failed."""
    ledger, rng = Ledger(GRACE), random.Random(seed)
    clients = [Client(i, ledger, seed) for i in range(CLIENTS)]
    server, began, looked, done = Server(berth, folder / "data", *SETTINGS), time.monotonic(), 0, 0
    try:
        for number in range(1, n + 1):
            # Whole looks are spread over the rounds; they also find what a sample has passed by.
            whole = number == n or number % WHOLE_EVERY == 0
            late = seconds is not None and (time.monotonic() - began) * n > seconds * number
            _, threads = run_clients(clients, server, number)
            time.sleep(rng.uniform(0.005, most / 4 if late else most))
            server.kill9()
            for t in threads:
                t.join()
            server.flags = SETTINGS + (DIRECT if number % 2 else [])
            if rng.random() < 0.1:
                interrupted_start(server, rng)
            server.start()
            wrong, seen = verify(server, ledger, rng, whole)
            looked += seen
            done = number
            wrong = ledger.mistakes + wrong
            if wrong:
                raise Failed("\n".join(wrong[:20]))
            if whole:
                check(server)
                server.check_log()
                say(f"seed {seed}, round {number}: {ledger.done_count} operations acknowledged, {looked} things looked "
                    f"at, {time.monotonic() - began:.0f} s", flush=True)
        server.stop()
    except (Failed, Gone, AssertionError, RuntimeError) as e:
        raise Failed(f"seed {seed}, {n} rounds, in round {done + 1}: {type(e).__name__} {e}\n"
                     f"{server.stderr()[-1000:]}") from None
    finally:
        if server.process.poll() is None:
            server.kill9()
    return {"rounds": done, "operations": ledger.done_count, "looked": looked,
            "seconds": round(time.monotonic() - began)}


def rounds_of_stores(berth, folder, n, seed, stores=STORES, seconds=None):
    """The same, shared by some stores at once, each with a seed of its own."""
    shares = [(n + i) // stores for i in range(stores)]
    folders = [folder / f"store{i}" for i in range(stores)]
    for each in folders:
        each.mkdir()
    with multiprocessing.get_context("fork").Pool(stores) as pool:
        figures = pool.starmap(rounds, [(berth, f, share, seed + i, 0.4, seconds)
                                        for i, (f, share) in enumerate(zip(folders, shares))])
    total = {key: sum(f[key] for f in figures) for key in figures[0]}
    return total | {"seconds": max(f["seconds"] for f in figures)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first store; the next has the next")
    parser.add_argument("--stores", type=int, default=STORES, help="that share the rounds, all at once")
    parser.add_argument("--berth", default=berth_path())
    parser.add_argument("--keep", action="store_true", help="leave the store when a round fails")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="berth-kill-"))
    print(f"seed {options.seed}", flush=True)
    try:
        print(rounds_of_stores(options.berth, folder, options.rounds, options.seed, options.stores))
    except Failed as e:
        print(f"FAILED {e}" + (f"\nthe store is in {folder}" if options.keep else ""))
        if not options.keep:
            shutil.rmtree(folder)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
