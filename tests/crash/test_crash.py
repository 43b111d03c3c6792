"""The short form of the crash tests; CRASH_ROUNDS and CRASH_STATES make it the whole one (docs/durability.md)."""

import os
import time

import pytest

import kill_rounds
import power
from server import berth_path

ROUNDS, STATES = (int(os.environ.get(name, n)) for name, n in (("CRASH_ROUNDS", 200), ("CRASH_STATES", 240)))
# A slow machine does fewer, never none; asked for a number, it does that number.
SECONDS = None if "CRASH_ROUNDS" in os.environ else 80
STATE_SECONDS = None if "CRASH_STATES" in os.environ else 40
SEED = int(os.environ.get("CRASH_SEED", time.time()))
DROPS = ("all", "dirs", "files", "wal", "objects") if "CRASH_STATES" in os.environ else ("all", "dirs")


def test_whatever_is_acknowledged_survives_kill_9(tmp_path):
    figures = kill_rounds.rounds(berth_path(), tmp_path, ROUNDS, SEED, seconds=SECONDS)
    print(figures)
    assert figures["rounds"] == ROUNDS or figures["seconds"] > SECONDS


@pytest.mark.parametrize("trace", range(max(1, STATES // 400)))
def test_whatever_is_acknowledged_survives_a_loss_of_power(trace):
    figures, found, folder = power.run(berth_path(), SEED + trace, min(STATES, 400), most=STATE_SECONDS)
    print(figures)
    assert figures["syncs"] > 100
    assert figures["states"] >= min(STATES, power.LEAST if STATE_SECONDS else 400) or found
    assert not found, f"seed {SEED + trace}, tests/crash/power.py --replay {folder}: {found[:2]}"


@pytest.mark.parametrize("drop", DROPS)
def test_a_server_whose_syncs_are_swallowed_is_found_out(drop):
    figures, found, _ = power.run(berth_path(), SEED, 60, seconds=1.5, drop=drop, enough=1)
    print(figures)
    assert found
