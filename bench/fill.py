"""Fills a stopped berth's database with what would take long to push: manifests, tags, referrers, repositories.

One of each was pushed before; rows are copies of that one with other names, digests and bytes, so that whatever
columns a table has are filled as the server fills them. The manifest's bytes hold MARK, which becomes a number.
"""

import hashlib
import sqlite3

MARK = "0000000000"


class Filler:
    def __init__(self, folder):
        self.db = sqlite3.connect(folder / "berth.db", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-400000"):
            self.db.execute(f"PRAGMA {pragma}")
        self.db.row_factory = sqlite3.Row
        self.db.execute("BEGIN")
        self.history = self.one("SELECT max(id) AS id FROM tag_history")["id"] or 0

    def close(self):
        self.db.execute("COMMIT")
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.close()

    def one(self, query, *args):
        return self.db.execute(query, args).fetchone()

    def repository(self, name):
        return self.one("SELECT id FROM repositories WHERE name=?", name)["id"]

    def copy(self, table, row, changes, rows):
        """Inserts copies of row; the columns named in changes get the values of rows."""
        columns = list(row.keys())
        fixed = tuple(row)
        places = [columns.index(c) for c in changes]

        def each():
            for values in rows:
                line = list(fixed)
                for place, value in zip(places, values):
                    line[place] = value
                yield line

        self.db.executemany(f"INSERT INTO {table}({', '.join(columns)}) VALUES({', '.join('?' * len(columns))})", each())

    def manifests(self, repository, reference, count, tag=None):
        """count manifests like the one under reference (a digest); with tag, a name with {}, each gets one.
        Rows go in by digest, and tags in the same order, so that every index grows at its end."""
        repo = self.repository(repository)
        seed = self.one("SELECT * FROM manifests WHERE repo_id=? AND digest=?", repo, reference)
        body = bytes(seed["body"])
        assert body.count(MARK.encode()) == 1
        head, _, tail = body.partition(MARK.encode())
        text = seed["annotations"]

        def bytes_of(n):
            return head + b"%010d" % n + tail

        made = sorted(("sha256:" + hashlib.sha256(bytes_of(n)).hexdigest(), n) for n in range(1, count + 1))
        first = self.one("SELECT max(id) AS id FROM manifests")["id"] + 1
        changes = ["id", "digest", "body"]
        if isinstance(text, str) and MARK in text:
            self.copy("manifests", seed, changes + ["annotations"],
                      ((first + i, d, bytes_of(n), text.replace(MARK, f"{n:010}")) for i, (d, n) in enumerate(made)))
        else:
            self.copy("manifests", seed, changes, ((first + i, d, bytes_of(n)) for i, (d, n) in enumerate(made)))
        for edge in self.db.execute("SELECT * FROM manifest_blobs WHERE manifest_id=?", (seed["id"],)).fetchall():
            self.copy("manifest_blobs", edge, ["manifest_id"], ((first + i,) for i in range(count)))
        if not tag:
            return
        seed = self.one("SELECT * FROM tags WHERE repo_id=? AND manifest=?", repo, reference)
        names = [(tag.format(f"{i:07}"), d) for i, (d, _) in enumerate(made)]
        self.copy("tags", seed, ["name", "manifest"], names)
        seed = self.one("SELECT * FROM tag_history WHERE repo_id=? AND manifest=?", repo, reference)
        base = self.history
        self.history += len(names)
        self.copy("tag_history", seed, ["name", "manifest", "id"],
                  ((name, d, base + i + 1) for i, (name, d) in enumerate(names)))

    def repositories(self, like, count, name):
        """count repositories, each with the links and manifests of the one called like."""
        old = self.repository(like)
        first = (self.one("SELECT max(id) AS id FROM repositories")["id"] or 0) + 1
        ids = range(first, first + count)
        self.copy("repositories", self.one("SELECT * FROM repositories WHERE id=?", old), ["id", "name"],
                  ((n, name.format(f"{i:07}")) for i, n in enumerate(ids)))
        for row in self.db.execute("SELECT * FROM repo_blobs WHERE repo_id=?", (old,)).fetchall():
            self.copy("repo_blobs", row, ["repo_id"], ((n,) for n in ids))
        for row in self.db.execute("SELECT * FROM manifests WHERE repo_id=?", (old,)).fetchall():
            first = self.one("SELECT max(id) AS id FROM manifests")["id"] + 1
            self.copy("manifests", row, ["id", "repo_id"], ((first + i, n) for i, n in enumerate(ids)))
            for edge in self.db.execute("SELECT * FROM manifest_blobs WHERE manifest_id=?", (row["id"],)).fetchall():
                self.copy("manifest_blobs", edge, ["manifest_id", "repo_id"],
                          ((first + i, n) for i, n in enumerate(ids)))
        for row in self.db.execute("SELECT * FROM tags WHERE repo_id=?", (old,)).fetchall():
            self.copy("tags", row, ["repo_id"], ((n,) for n in ids))
