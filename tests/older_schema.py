"""A database as the first version of the schema had it, made from one of today."""

import contextlib
import sqlite3
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
EDGES = ("manifest_blobs", "manifest_children", "manifest_missing")


def make_version_1(database):
    """What later versions of the schema changed, changed back."""
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.executescript(DATA.joinpath("version_1.sql").read_text())


def schema_of(database):
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        assert not db.execute("PRAGMA foreign_key_check").fetchall()
        return sorted((name, " ".join(sql.replace('"', "").split()) if sql else "") for name, sql in
                      db.execute("SELECT name, sql FROM sqlite_schema"))


def edges_of(database):
    """What manifests refer to, by table."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return {table: sorted((digest, *edge) for digest, _, *edge in db.execute(
            f"SELECT m.digest, e.* FROM {table} e JOIN manifests m ON m.id=e.manifest_id")) for table in EDGES}
