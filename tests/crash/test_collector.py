"""The collector under load; the whole of it when CRASH_ROUNDS asks for the whole (docs/durability.md)."""

import os
import time

import collector
from server import berth_path

SECONDS = 300 if "CRASH_ROUNDS" in os.environ else 15
SEED = int(os.environ.get("CRASH_SEED", time.time()))


def test_no_promise_is_broken_and_nothing_is_left_behind(tmp_path):
    count = collector.stress(berth_path(), tmp_path, SECONDS, SEED)
    print(count)
    for what in ("pushed", "promised by HEAD", "mounted", "uploaded", "deleted", "pulled"):
        assert count.get(what), f"seed {SEED}: never {what}"
