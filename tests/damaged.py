"""A database with a page that can't be read."""

import sqlite3


def overwrite_root(data, name):
    """Fills the first page of the table or index with what no page looks like."""
    database = sqlite3.connect(data / "berth.db")
    page_size = database.execute("PRAGMA page_size").fetchone()[0]
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name=?", (name,)).fetchone()
    database.close()
    with open(data / "berth.db", "r+b") as f:
        f.seek((page - 1) * page_size)
        f.write(b"\xa5" * page_size)
