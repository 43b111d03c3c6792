"""What clients were told, and what therefore must be there.

A thing - ("blob", repository, digest), ("manifest", repository, digest), ("tag", repository, name) or ("session",
repository, id) - has a history of operations, each with the value it sets: True or False for presence, a digest or
None for a tag, a size or None (ended) for a session. An operation begins before the request is sent and ends when the
answer has come; without an answer it may have happened or not.

Of all that happened, a value may be the last one unless an acknowledged operation began after it had ended. `cut`
looks at the history as it stood at an earlier position: of a recorded trace, see disk.py.
"""

import itertools
import json
import threading
import time
from dataclasses import dataclass, field

SETTLED, OPEN, ABSENT = "settled", "open", "absent"
NOTHING = {"blob": False, "manifest": False, "tag": None, "session": 0}


@dataclass(slots=True)
class Op:
    key: tuple
    value: object
    began: int                  # in the order of one counter for all
    begin_at: int               # position of the trace
    ended: int = None
    end_at: int = None


@dataclass(slots=True)
class Session:
    key: tuple
    where: str
    data: bytes
    digest: str
    blob: tuple


@dataclass
class Manifest:
    body: bytes
    blobs: list = field(default_factory=list)
    children: list = field(default_factory=list)
    subject: str = None


class Ledger:
    def __init__(self, grace, position=lambda: 0):
        self.grace, self.position = grace, position
        self.lock = threading.RLock()
        self.counter = itertools.count(1)
        self.history, self.owned = {}, {}
        self.touched, self.promises = set(), {}
        self.manifests, self.holders, self.parents, self.sessions, self.referrers = {}, {}, {}, {}, {}
        self.mistakes, self.done_count = [], 0
        self.observed = None        # a list: settle() later, see settle_observed()

    def wrong(self, text):
        with self.lock:
            self.mistakes.append(text)

    # --- what clients tell ---

    def start(self, key, value):
        with self.lock:
            op = Op(key, value, next(self.counter), self.position())
            self.history.setdefault(key, []).append(op)
            self.touched.add(key)
            return op

    def done(self, op):
        with self.lock:
            op.ended, op.end_at = next(self.counter), self.position()
            self.done_count += 1

    def refused(self, op):
        with self.lock:
            self.history[op.key].remove(op)

    def promise(self, key, sent):
        """Since @sent the client may rely on the blob for the grace period."""
        with self.lock:
            self.promises.setdefault(key, []).append((self.position(), sent))

    def own(self, key, who):
        with self.lock:
            self.owned.setdefault((key[0], who), {})[key] = True

    def learn(self, repo, digest, body):
        with self.lock:
            key = ("manifest", repo, digest)
            if key in self.manifests:
                return
            m, doc = Manifest(body), json.loads(body)
            m.blobs = [("blob", repo, d["digest"]) for d in [doc.get("config"), *doc.get("layers", [])] if d]
            m.children = [("manifest", repo, d["digest"]) for d in doc.get("manifests", [])]
            if "subject" in doc:
                m.subject = ("manifest", repo, doc["subject"]["digest"])
                self.referrers.setdefault(m.subject, set()).add(key)
            for each in m.blobs:
                self.holders.setdefault(each, set()).add(key)
            for each in m.children:
                self.parents.setdefault(each, set()).add(key)
            self.manifests[key] = m

    def session(self, repo, where, data):
        import hashlib
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        key = ("session", repo, where.split("?")[0].rsplit("/", 1)[1])
        s = Session(key, where, data, digest, ("blob", repo, digest))
        with self.lock:
            self.sessions[key] = s
            self.done(self.start(key, 0))
        return s

    # --- what follows ---

    def possible(self, key, cut=None):
        """The values it may have."""
        ops = self.history.get(key, ())
        if len(ops) == 1 and cut is None and ops[0].ended is not None:
            return {ops[0].value}
        if cut is not None:
            ops = [o for o in ops if o.begin_at <= cut]
        ended = [o for o in ops if o.ended is not None and (cut is None or o.end_at <= cut)]
        last = max((o.began for o in ended), default=0)
        values = {o.value for o in ops
                  if o.ended is None or (cut is not None and o.end_at > cut) or o.ended >= last}
        if not ended:
            values.add(NOTHING[key[0]])
        return values

    def value(self, key):
        """What its only client knows of it."""
        ops = self.history.get(key)
        return ops[-1].value if ops else NOTHING[key[0]]

    def certainty(self, key, value, cut=None):
        values = self.possible(key, cut)
        return SETTLED if values == {value} else OPEN if value in values else ABSENT

    def subject_gone(self, key, cut=None):
        """A referrer of something that is deleted, or perhaps, or that may itself be collected."""
        m = self.manifests.get(key)
        if not m or not m.subject:
            return False
        return self.certainty(m.subject, True, cut) != SETTLED or self.subject_gone(m.subject, cut) or \
            any(o.value is False for o in self.history.get(m.subject, ()))

    def manifest_sure(self, key, cut=None):
        return self.certainty(key, True, cut) == SETTLED and not self.subject_gone(key, cut)

    def held(self, key, cut=None):
        """A manifest that is surely there refers to the blob."""
        return any(self.manifest_sure(m, cut) for m in self.holders.get(key, ()))

    def held_perhaps(self, key):
        return any(self.certainty(m, True) != ABSENT for m in self.holders.get(key, ()))

    def needs_expired(self, key):
        return any(self.expired(b) for b in self.manifests[key].blobs)

    def expired(self, key, cut=None, now=None):
        """Nobody may rely on this blob any more: it may have been collected."""
        sent = [t for at, t in self.promises.get(key, ()) if cut is None or at <= cut]
        return not sent or max(sent) + self.grace < (now or time.time())

    def settle(self, key, value):
        """It was looked at, and nothing is under way: this is what it is from now on."""
        with self.lock:
            if self.observed is not None:
                self.observed.append((key, value, next(self.counter)))
                return
            n = next(self.counter)
            self.history[key] = [Op(key, value, n, 0, n, 0)]

    def settle_observed(self, since):
        """What was seen after the crash at position since may be relied on from now on: a later write was
        acknowledged, and a sync carries everything before it. Until then both may be."""
        with self.lock:
            for key, value, n in self.observed:
                for op in self.history.setdefault(key, []):
                    if op.ended is None:
                        op.ended, op.end_at = n - 0.5, self.position()
                self.history[key].append(Op(key, value, n, since, n, self.position()))
            self.observed = None

    # --- what clients choose from ---

    def all(self, kind, who):
        with self.lock:
            mine = self.owned.setdefault((kind, who), {})
            nothing = NOTHING[kind]
            for key in [k for k in mine if self.value(k) == nothing]:
                del mine[key]
            return list(mine)

    def count(self, kind, who):
        return len(self.owned.get((kind, who), ()))

    def pick(self, kind, who, rng):
        mine = self.all(kind, who)
        return rng.choice(mine) if mine else None

    def body(self, key):
        return self.manifests[key].body

    def blobs_of(self, key):
        return self.manifests[key].blobs

    def is_index(self, key):
        return bool(self.manifests[key].children)

    def is_child(self, key):
        return any(OPEN == self.certainty(p, True) or SETTLED == self.certainty(p, True)
                   for p in self.parents.get(key, ()))
