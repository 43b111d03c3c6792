"""The short form of the crash tests; CRASH_ROUNDS and CRASH_STATES make it the whole one (docs/durability.md)."""

import os
import random
import tempfile
import time

import pytest

import backup_power
import disk
import kill_rounds
import once_power
import power
import recording
import small_store
from server import berth_path

ROUNDS, STATES = (int(os.environ.get(name, n)) for name, n in (("CRASH_ROUNDS", 200), ("CRASH_STATES", 240)))
# A slow machine has shorter rounds and fewer states, unless it is asked for a number.
SECONDS = None if "CRASH_ROUNDS" in os.environ else 60
STATE_SECONDS = None if "CRASH_STATES" in os.environ else 40
FEW = max(12, STATES // 40)              # of a backup's, a restore's and the like
SEED = int(os.environ.get("CRASH_SEED", time.time()))
DROPS = ("all", "dirs", "files", "wal", "objects") if "CRASH_STATES" in os.environ else ("all", "dirs")


@pytest.fixture
def say(capsys):
    """Into the log, also of a test that passes."""
    def print_now(what):
        with capsys.disabled():
            print(f"\n{what}")
    return print_now


def test_whatever_is_acknowledged_survives_kill_9(tmp_path, say):
    figures = kill_rounds.rounds_of_stores(berth_path(), tmp_path, ROUNDS, SEED, seconds=SECONDS)
    say(figures)
    assert figures["rounds"] == ROUNDS


def writes_past_the_page_cache():
    """Whether the file system of temporary files has them."""
    with tempfile.NamedTemporaryFile() as f:
        try:
            os.close(os.open(f.name, os.O_WRONLY | os.O_DIRECT))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("trace", range(max(1, STATES // 400)))
def test_whatever_is_acknowledged_survives_a_loss_of_power(trace, say):
    figures, found, folder = power.run(berth_path(), SEED + trace, min(STATES, 400), most=STATE_SECONDS)
    say(figures)
    assert figures["syncs"] > 100
    assert figures["direct"] > 5 or not writes_past_the_page_cache()
    assert figures["states"] >= min(STATES, power.LEAST if STATE_SECONDS else 400) or found
    assert not found, f"seed {SEED + trace}, tests/crash/power.py --replay {folder}: {found[:2]}"


@pytest.mark.parametrize("drop", DROPS)
def test_a_server_whose_syncs_are_swallowed_is_found_out(drop, say):
    figures, found, _ = power.run(berth_path(), SEED, 60, seconds=1.5, drop=drop, enough=1)
    say(figures)
    assert found


def test_a_backup_survives_a_loss_of_power_while_it_is_made(say):
    figures, wrong = backup_power.run(berth_path(), SEED, 2 * FEW)
    say(figures)
    assert figures["states"] == 2 * FEW and figures.get("the last") and not wrong, f"seed {SEED}: {wrong[:2]}"


@pytest.mark.parametrize("work", once_power.WORKS)
def test_work_on_a_whole_store_survives_a_loss_of_power(work, say):
    figures, wrong = once_power.run(berth_path(), work, SEED, FEW)
    say(figures)
    assert figures["states"] == FEW and figures["unfinished"] and not wrong, f"seed {SEED}: {wrong[:2]}"


def test_work_whose_syncs_are_swallowed_is_found_out():
    assert backup_power.run(berth_path(), SEED, 40, drop="all", enough=1)[1]
    for work in once_power.WORKS:
        assert once_power.run(berth_path(), work, SEED, 40, drop="all", enough=1)[1], work


@pytest.mark.parametrize("sync", ["true", "false"])
def test_a_server_syncs_its_objects_unless_it_is_told_not_to(sync, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    server = recording.RecordedServer(berth_path(), root / "data", tmp_path / "log", *small_store.QUIET, f"--storage-sync={sync}",
                                      env=recording.recorded(root, tmp_path / "trace", tmp_path / "counter"))
    images = small_store.push_images(server, [f"t{i}" for i in range(8)], random.Random(1))
    assert small_store.images_of(server) == images
    server.kill9()
    server.start()                            # what the kernel has is not lost
    assert small_store.images_of(server) == images
    server.stop()
    records = disk.read(tmp_path / "trace")
    names = {r.inode: r.name for r in records if r.kind == disk.CREATE}
    objects = [name for name in names.values() if name.startswith("data/objects/")]
    synced = {names.get(r.inode) for r in records if r.kind == disk.SYNC and not r.flags & disk.FOLDER}
    assert objects and "data/berth.db-wal" in synced
    assert synced.intersection(objects) == (set(objects) if sync == "true" else set())
