"""Compares a running registry with the ledger: whatever was acknowledged is there, whatever is there is whole."""

import json
import time

from ledger import ABSENT, NOTHING, OPEN, SETTLED
from workload import ACCEPT, BYTES, digest_of, with_digest


class Verifier:
    """One look at a server. cut: the ledger as it stood at that position. now: the time of that moment; the clock's,
    if nothing is said. settle: what is seen is what counts from now on."""

    def __init__(self, ledger, wire, cut=None, now=None, settle=False):
        self.ledger, self.wire, self.cut, self.now, self.settle = ledger, wire, cut, now, settle
        self.wrong, self.seen = [], {}

    def say(self, key, text):
        history = [(o.value, o.began, o.ended, o.begin_at, o.end_at) for o in self.ledger.history.get(key, ())][-6:]
        self.wrong.append(f"{' '.join(key)}: {text}; history {history}")

    def judge(self, key, value):
        """value was seen; is it one that may be?"""
        self.seen[key] = value
        possible = self.ledger.possible(key, self.cut)
        if value not in possible and not self.collected(key, value):
            self.say(key, f"is {value!r}, not one of {sorted(map(repr, possible))} ({len(possible)})")
        elif self.settle:
            self.ledger.settle(key, value)

    def collected(self, key, value):
        """Absent, and the collector was free to remove it."""
        if value is not False:
            return False
        if key[0] == "manifest":
            return self.ledger.subject_gone(key, self.cut)
        return key[0] == "blob" and not self.ledger.held(key, self.cut) and \
            self.ledger.expired(key, self.cut, self.now)

    def blob(self, key, needed_by=None):
        if key in self.seen:
            there = self.seen[key]
        else:
            sent = time.time()
            status, _, body = self.wire.ask("GET", f"/v2/{key[1]}/blobs/{key[2]}")
            there = status == 200
            if status not in (200, 404):
                self.say(key, f"answered {status} {body[:200]!r}")
            elif there and digest_of(body) != key[2]:
                self.say(key, "has other bytes")
            self.judge(key, there)
            if there and self.settle:
                self.ledger.promise(key, sent)
        if needed_by and not there:
            self.say(key, f"is absent, and {' '.join(needed_by)} refers to it")

    def manifest(self, key, reference=None, needed_by=None):
        """Everything below a manifest that is there must be there as well."""
        if key in self.seen:
            there = self.seen[key]
        else:
            status, headers, body = self.wire.ask("GET", f"/v2/{key[1]}/manifests/{key[2]}", headers=ACCEPT)
            there = status == 200
            if status not in (200, 404):
                self.say(key, f"answered {status} {body[:200]!r}")
            elif there and (digest_of(body) != key[2] or headers.get("docker-content-digest") != key[2]):
                self.say(key, "has other bytes")
            self.judge(key, there)
            if there and key in self.ledger.manifests:
                for each in self.ledger.manifests[key].blobs:
                    self.blob(each, key)
                for each in self.ledger.manifests[key].children:
                    self.manifest(each, needed_by=key)
        if needed_by and not there:
            self.say(key, f"is absent, and {' '.join(needed_by)} refers to it")

    def tag(self, key):
        status, headers, body = self.wire.ask("GET", f"/v2/{key[1]}/manifests/{key[2]}", headers=ACCEPT)
        digest = headers.get("docker-content-digest") if status == 200 else None
        if status not in (200, 404):
            self.say(key, f"answered {status} {body[:200]!r}")
        if digest and digest_of(body) != digest:
            self.say(key, "leads to other bytes")
        self.judge(key, digest)
        if digest:
            self.manifest(("manifest", key[1], digest), needed_by=key)

    def session(self, key, finish=False):
        """It goes on from where it was acknowledged; if not, it has ended and the blob is there."""
        s = self.ledger.sessions[key]
        possible = self.ledger.possible(key, self.cut)
        status, headers, body = self.wire.ask("GET", s.where)
        if status == 404:
            self.blob(s.blob)
            if None not in possible:
                self.say(key, f"is unknown, and may be at one of {possible}")
            elif not self.seen[s.blob] and not self.ledger.expired(s.blob, self.cut, self.now):
                self.say(key, "has ended without its blob")
            if self.settle:
                self.ledger.settle(key, None)
            return
        end = headers.get("range", "").partition("-")[2]
        sizes = [v for v in possible if v is not None]
        # "0-0" is nothing as well as one byte.
        size = int(end) + 1 if end and end != "0" else 0
        if status != 204 or not sizes or not min(sizes) <= size <= max(sizes):
            self.say(key, f"answered {status}, Range {headers.get('range')}, and may be at one of {possible}")
        elif self.settle:
            self.ledger.settle(key, size)
        elif finish:
            status, _, body = self.wire.ask("PUT", with_digest(s.where, s.digest), s.data[size:],
                                            {"Content-Type": BYTES, "Content-Range": f"{size}-{len(s.data) - 1}"})
            if status != 201:
                self.say(key, f"can't be finished from {size}: {status} {body[:200]!r}")

    def look(self, keys, finish=False):
        order = {"tag": 0, "manifest": 1, "blob": 2, "session": 3}
        for key in sorted(keys, key=lambda k: (order[k[0]], k)):
            if key[0] == "session":
                self.session(key, finish)
            elif key not in self.seen:
                getattr(self, key[0])(key)

    def listings(self):
        """Tags and referrers as lists: no more and no less than what single requests say."""
        by_repo = {}
        for key in list(self.ledger.history):
            by_repo.setdefault(key[1], []).append(key)
        for repo, keys in sorted(by_repo.items()):
            status, _, body = self.wire.ask("GET", f"/v2/{repo}/tags/list")
            if status not in (200, 404):
                self.wrong.append(f"tags of {repo}: {status} {body[:200]!r}")
                continue
            tags = set(json.loads(body)["tags"] or ()) if status == 200 else set()
            for key in keys:
                if key[0] == "tag":
                    there = self.ledger.certainty(key, None, self.cut)
                    if key[2] in tags and there == SETTLED or key[2] not in tags and there == ABSENT:
                        self.say(key, "is listed" if key[2] in tags else "is not listed")
                tags.discard(key[2] if key[0] == "tag" else None)
            for stray in tags:
                self.wrong.append(f"tag {repo} {stray} is listed, and nobody pushed it")
        for subject, referrers in list(self.ledger.referrers.items()):
            self.referrers(subject, referrers)

    def referrers(self, subject, referrers):
        if self.ledger.certainty(subject, True, self.cut) != SETTLED:
            return
        status, _, body = self.wire.ask("GET", f"/v2/{subject[1]}/referrers/{subject[2]}")
        listed = {d["digest"] for d in json.loads(body)["manifests"]} if status == 200 else set()
        for each in referrers:
            there = self.ledger.certainty(each, True, self.cut)
            sure = there == SETTLED and not self.ledger.subject_gone(each, self.cut)
            if sure and each[2] not in listed or there == ABSENT and each[2] in listed:
                self.say(each, f"{'is' if each[2] in listed else 'is not'} among the referrers of {subject[2]}")

    def pushes(self, name):
        """The registry goes on: a push, and what was pushed comes back."""
        repo, data = "crash/after", name.encode() * 3000
        digest = digest_of(data)
        status, headers, body = self.wire.ask("POST", f"/v2/{repo}/blobs/uploads/")
        if status == 202:
            status, _, body = self.wire.ask("PUT", with_digest(headers["location"], digest), data, {"Content-Type": BYTES})
        if status != 201:
            self.wrong.append(f"a push after the crash: {status} {body[:200]!r}")
        elif self.wire.ask("GET", f"/v2/{repo}/blobs/{digest}")[2] != data:
            self.wrong.append("a push after the crash does not come back")


def everything(ledger):
    """Every key that was ever touched and may be there, and those that were removed."""
    keys = list(ledger.history)
    return ([k for k in keys if ledger.possible(k) != {NOTHING[k[0]]}],
            [k for k in keys if k[0] != "session" and ledger.possible(k) == {NOTHING[k[0]]}])


__all__ = ["Verifier", "everything", "OPEN"]
