"""What bench/run measures: a stage is a group of rows that share servers. Each row is measured in rounds, and in each
round every server in turn, so that a noisy moment hits all alike; the median of the rounds counts.
"""

import json
import os
import statistics
import subprocess
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from fill import MARK, Filler
from measure import GIB, MIB, Failed, hash_speed, median_of, sync_latency, watched, write_speed
from servers import EMPTY, MANIFEST, Ceiling, Content, digest_of

KIB = 1 << 10
ACCEPT = [f"Accept: {MANIFEST}"]
WITH_ACCEPT = [f"--header={h}" for h in ACCEPT]


@dataclass
class Scale:
    """How much of everything."""
    rounds: int
    seconds: float
    count: int = 0                    # operations instead of seconds: a slow machine needs as long as it needs
    blob: int = 100 * MIB
    big: int = GIB
    chunk: int = 16 * MIB
    tags: int = 100_000
    tags_seconds: float = 40          # berth's; the others get a quarter
    manifests: int = 1_000_000
    repositories: int = 10_000
    referrers: int = 10_000
    pages: int = 300
    starts: int = 7
    garbage: int = 20_000
    grace: int = 1                    # seconds from a blob to its manifest, beside the collector
    clients: tuple = (1, 4, 16, 64, 256, 1000)
    sizes: tuple = (KIB, 16 * KIB, 256 * KIB, 4 * MIB, 64 * MIB, GIB, 2 * GIB)
    tag_counts: tuple = (10, 100, 1_000, 10_000, 100_000)


SCALES = {
    "full": Scale(3, 3),
    "quick": Scale(1, 1, big=256 * MIB, tags=10_000, tags_seconds=8, manifests=100_000, repositories=1_000, pages=100,
                   starts=3, garbage=5_000, clients=(1, 16, 64, 1000), sizes=(KIB, 256 * KIB, 64 * MIB),
                   tag_counts=(10, 1_000, 10_000)),
    "smoke": Scale(1, 0.1, count=20, blob=2 * MIB, big=8 * MIB, chunk=MIB, tags=200, tags_seconds=5, manifests=500,
                   repositories=50, referrers=50, pages=10, starts=1, garbage=50, grace=60, clients=(1, 8),
                   sizes=(KIB, 64 * KIB), tag_counts=(10, 100)),
}


def turned(servers, n):
    """Another one begins in each round: what the first one meets, cold or busy, is not always ours."""
    n %= max(1, len(servers))
    return servers[n:] + servers[:n]


class Bench:
    def __init__(self, scale, contestants, instruments, folder, chosen, say):
        self.scale, self.contestants, self.instruments = scale, contestants, instruments
        self.folder, self.chosen, self.say = folder, chosen, say
        self.rows, self.growth, self.limits, self.peaks = {}, {}, {}, {}
        self.failed = []

    def wants(self, *rows):
        return not self.chosen or any(r.startswith(c) for r in rows for c in self.chosen)

    # --- helpers ---

    def start_all(self, which=lambda c: True, tls=None):
        return [c.start(self.folder, tls) for c in self.contestants if which(c)]

    def load_all(self, servers, content):
        """Those that took the content: one that does not must not cost us the others."""
        loaded = []
        for s in servers:
            try:
                content.load(s)
                loaded.append(s)
            except (RuntimeError, OSError) as e:
                self.failed.append(f"loading: {s.name}: {e}")
                self.say(f"loading: {s.name}: {e}")
        return loaded

    def close_all(self, servers):
        for s in servers:
            s.close()

    def berth(self):
        return next(c for c in self.contestants if c.name == "berth")

    def record(self, row, name, samples, error=None):
        self.rows.setdefault(row, {})
        if not samples:
            self.rows[row][name] = {"error": error}
            self.failed.append(f"{row}: {name}: {error}")
            return
        found = median_of(samples)
        found["rounds"] = [{k: v for k, v in s.items() if k != "windows"} for s in samples]
        self.rows[row][name] = found
        self.note_peak(name, row, max(s.get("peak_mib", 0) for s in samples))

    def note_peak(self, name, row, mib):
        if mib > self.peaks.get(name, {}).get("mib", 0):
            self.peaks[name] = {"mib": mib, "row": row}

    def tell(self, row, round_number, name, sample):
        parts = [f"{sample['rate']:,.0f}/s"]
        if sample.get("gib") and sample["gib"] > 0.05:
            parts.append(f"{sample['gib']:.2f} GiB/s")
        if sample.get("cpu_us") is not None:
            parts.append(f"{sample['cpu_us']:,.0f} us of server CPU each")
        parts.append(f"p99 {sample['p99']:.2f} ms, peak {sample.get('peak_mib', 0):.0f} MiB")
        self.say(f"{row}, round {round_number + 1}: {name}: {', '.join(parts)}")

    def measure(self, row, servers, work, rounds=None, writes=False):
        """Rounds over servers; work(server, round) returns a sample. Before a row that writes, what the one before
        left to the kernel is written: not all of them sync, and the next one must not wait for that."""
        samples, errors = {s.name: [] for s in servers}, {}
        for n in range(rounds or self.scale.rounds):
            for s in turned(servers, n):
                try:
                    if writes:
                        os.sync()
                    sample = watched(s, lambda: work(s, n))
                    samples[s.name].append(sample)
                    self.tell(row, n, s.name, sample)
                except (Failed, RuntimeError, OSError) as e:
                    errors[s.name] = str(e)
                    self.say(f"{row}, round {n + 1}: {s.name}: {e}")
        for s in servers:
            self.record(row, s.name, samples[s.name], errors.get(s.name))

    def drive(self, server, mode, *args):
        return self.instruments.driver(server, mode, *args)

    def long(self, factor=1.0):
        """How long the driver works."""
        return ("--count", self.scale.count) if self.scale.count else ("--seconds", self.scale.seconds * factor)

    def get(self, server, path, clients, headers=()):
        """GET by wrk; by the driver where wrk is not here, and where so many operations are wanted."""
        if self.instruments.wrk_path and not self.scale.count:
            return self.instruments.wrk(server, path, clients, self.scale.seconds, headers)
        return self.drive(server, "get", "--clients", clients, *self.long(), *(f"--header={h}" for h in headers), path)

    @staticmethod
    def flow(server):
        return ["--single"] if server.contestant.single else []

    # --- stages ---

    def stage_limits(self):
        """What a push cannot exceed: hashing and synced writing, measured in this run."""
        self.limits = {"sha256_gib": hash_speed(min(1, self.scale.seconds)),
                       "write_gib": write_speed(self.folder, max(self.scale.big // 2, 8 * MIB)),
                       "sync_ms": sync_latency(self.folder)}
        self.say(f"limits: SHA-256 {self.limits['sha256_gib']:.2f} GiB/s, synced write "
                 f"{self.limits['write_gib']:.2f} GiB/s, one sync {self.limits['sync_ms']:.2f} ms")

    def stage_read(self):
        names = ("get-manifest", "head-manifest", "get-blob-1k", "get-blob-1", "get-blob-4")
        if not self.wants(*names):
            return
        content = Content((KIB, self.scale.blob), self.folder)
        servers = self.start_all()
        try:
            loaded = self.load_all(servers, content)
            for s in loaded:
                self.drive(s, "get", *self.long(0.2), *WITH_ACCEPT, s.contestant.manifest_path(content))
            if self.wants("get-manifest"):
                self.measure("get-manifest", loaded,
                             lambda s, n: self.get(s, s.contestant.manifest_path(content), 64, ACCEPT))
            if self.wants("head-manifest"):
                self.measure("head-manifest", loaded,
                             lambda s, n: self.drive(s, "head", "--clients", 64, *self.long(), *WITH_ACCEPT,
                                                     s.contestant.manifest_path(content)))
            if self.wants("get-blob-1k"):
                self.measure("get-blob-1k", loaded,
                             lambda s, n: self.get(s, s.contestant.blob_path(content, KIB), 64))
            for clients in (1, 4):
                row = f"get-blob-{clients}"
                if self.wants(row):
                    self.measure(row, loaded,
                                 lambda s, n: self.drive(s, "get", "--clients", clients, *self.long(),
                                                         s.contestant.blob_path(content, self.scale.blob)))
        finally:
            self.close_all(servers)

    def stage_push_big(self):
        for row, extra in (("push-big", []), ("push-big-chunks", ["--chunk", self.scale.chunk])):
            if not self.wants(row):
                continue
            samples, errors = {}, {}
            for n in range(self.scale.rounds):
                for c in turned([c for c in self.contestants if c.stores], n):
                    server = c.start(self.folder)     # a fresh folder each time: 1 GiB stays behind
                    flow = [] if extra else self.flow(server)
                    os.sync()
                    try:
                        sample = watched(server, lambda: self.drive(server, "push-big", "--size", self.scale.big,
                                                                    "--touch", self.folder, *flow, *extra))
                        samples.setdefault(c.name, []).append(sample)
                        self.tell(row, n, c.name, sample)
                    except Failed as e:
                        errors[c.name] = str(e)
                        self.say(f"{row}: {c.name}: {e}")
                    finally:
                        server.close()
            for name in {**samples, **errors}:
                self.record(row, name, samples.get(name), errors.get(name))

    def stage_push_small(self):
        shapes = {
            "put-blobs": ("put-blobs", lambda n: ["--size", 4 * KIB, "--repository", f"bench/blobs-{n}"]),
            "push-images-50": ("push-images", lambda n: ["--repository", f"bench/images-{n}-", "--repositories", 50]),
            "push-images-1": ("push-images", lambda n: ["--repository", f"bench/image-{n}"]),
        }
        for row, (mode, shape) in shapes.items():
            if not self.wants(row):
                continue
            servers = self.start_all(lambda c: c.stores)
            try:
                self.measure(row, servers,
                             lambda s, n: self.drive(s, mode, "--clients", 16, *self.long(), *self.flow(s),
                                                     *shape(n)), writes=True)
            finally:
                self.close_all(servers)

    def stage_tags(self):
        """A repository for each round. One round was not enough: the last quarter's rate by the first's was 0.72 to
        0.93 in whole runs of the same program."""
        if not self.wants("push-tags"):
            return
        servers = self.start_all(lambda c: c.stores)
        count = self.scale.tags

        def work(s, n):
            first = s.name in ("berth", "ceiling")
            repository = f"bench/tags-{n}"
            if s.name != "ceiling":
                s.push_blob(repository, b"{}")
            sample = self.drive(s, "push-tags", "--repository", repository, "--count", count, "--window", count // 20,
                                "--seconds", self.scale.tags_seconds / (1 if first else 4))
            speeds = sample["windows"]
            line = self.growth.setdefault("tags-push", {"title": "tags pushed into one repository", "x": "tags",
                                                        "y": "per s", "series": {}})
            if s.name != "ceiling" and n == 0:
                line["series"][s.name] = [[(i + 1) * (count // 20), speed] for i, speed in enumerate(speeds)]
            part = max(1, len(speeds) // 4)
            if len(speeds) > 1:
                sample["flat"] = statistics.mean(speeds[-part:]) / statistics.mean(speeds[:part])
            return sample
        try:
            self.measure("push-tags", servers, work, writes=True)
        finally:
            self.close_all(servers)

    # --- pages, and a server that holds much ---

    def page(self, row, server, path):
        def work(s, n):
            sample = self.drive(s, "page", "--count", self.scale.pages, path)
            sample["ms"] = sample["p50"]
            return sample
        samples = []
        for n in range(self.scale.rounds):
            try:
                samples.append(watched(server, lambda: work(server, n)))
            except Failed as e:
                self.record(row, server.name, [], str(e))
                return None
        self.record(row, server.name, samples)
        self.say(f"{row}: {server.name}: {self.rows[row][server.name]['ms']:.3f} ms")
        return self.rows[row][server.name]["ms"]

    @staticmethod
    def seed_image(server, repository, tag, mark=MARK, **more):
        """A manifest that can be copied, by its mark, under a tag, or under its digest alone."""
        empty = {"mediaType": EMPTY, "digest": server.push_blob(repository, b"{}"), "size": 2}
        body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [empty], **more,
                           "annotations": {"n": mark}}).encode()
        server.push_manifest(repository, tag or digest_of(body), body)
        return body

    def stage_pages(self):
        names = ("page-tags-10k", "page-tags-1m", "page-catalog", "page-referrers", "start-1m")
        if not self.wants(*names):
            return
        big = self.fill_berth()
        try:
            self.pages_of_berth(big)
        finally:
            big.close()
        for c in self.contestants:
            if c.stores and c.name not in ("berth", "ceiling"):
                self.pages_of_other(c)

    def fill_berth(self):
        """A berth with a million manifests under as many tags, and repositories of other sizes beside."""
        scale = self.scale
        server = self.berth().start(self.folder)
        counts = {f"bench/tags-{n}": n for n in scale.tag_counts} | {"bench/million": scale.manifests}
        bodies = {name: self.seed_image(server, name, "seed") for name in [*counts, "bench/catalog", "bench/referrers"]}
        subject = bodies["bench/referrers"]
        referrer = self.seed_image(server, "bench/referrers", None, artifactType="application/vnd.bench.signature",
                                   subject={"mediaType": MANIFEST, "digest": digest_of(subject), "size": len(subject)})
        self.subject = digest_of(subject)
        server.stop()
        began = time.monotonic()
        filler = Filler(server.folder)
        for name, count in counts.items():
            filler.manifests(name, digest_of(bodies[name]), count, "t{}")
        filler.manifests("bench/referrers", digest_of(referrer), scale.referrers)
        filler.repositories("bench/catalog", scale.repositories, "catalog/r{}")
        filler.close()
        self.say(f"filled berth with {sum(counts.values()):,} manifests in {time.monotonic() - began:.0f} s")
        server.start()
        return server

    def middle(self):
        """The size of repository that stands for 10,000 tags; a smoke run has fewer."""
        return 10_000 if 10_000 in self.scale.tag_counts else self.scale.tag_counts[-1]

    def pages_of_berth(self, server):
        scale = self.scale
        if self.wants("start-1m"):
            took = []
            for _ in range(scale.starts):
                server.restart()
                took.append({"ms": server.first_answer_ms})
            self.record("start-1m", "berth", took)
            self.say(f"start-1m: berth: {self.rows['start-1m']['berth']['ms']:.1f} ms")
        line = self.growth.setdefault("tags-page", {
            "title": "a page of 100 tags, by tags in the repository", "x": "tags", "y": "ms", "series": {}})
        points = line["series"].setdefault("berth", [])
        for count in (*scale.tag_counts, scale.manifests):
            name = "million" if count == scale.manifests else f"tags-{count}"
            row = {self.middle(): "page-tags-10k", scale.manifests: "page-tags-1m"}.get(count, f"page-tags-{count}")
            ms = self.page(row, server, f"/v2/bench/{name}/tags/list?n=100&last=t{count // 2:07}")
            if ms is not None:
                points.append([count, ms])
        self.page("page-catalog", server, f"/v2/_catalog?n=100&last=catalog/r{scale.repositories // 2:07}")
        self.page("page-referrers", server, f"/v2/bench/referrers/referrers/{self.subject}")

    def pages_of_other(self, contestant):
        server = contestant.start(self.folder)
        try:
            counts = [n for n in self.scale.tag_counts if n <= 10_000]
            for n in counts:
                self.seed_image(server, f"bench/tags-{n}", "seed")
            server.stop()
            filled = [n for n in counts if contestant.fill_tags(server.folder, f"bench/tags-{n}", n)]
            server.start()
            for n in filled:
                row = "page-tags-10k" if n == self.middle() else f"page-tags-{n}"
                ms = self.page(row, server, f"/v2/bench/tags-{n}/tags/list?n=100&last=t{n // 2:07}")
                if ms is not None:
                    self.growth["tags-page"]["series"].setdefault(server.name, []).append([n, ms])
            if server.get("/v2/_catalog?n=100")[0] == 200:
                self.page("page-catalog", server, "/v2/_catalog?n=100")
            self.referrers_of_other(server)
        except (Failed, RuntimeError, OSError) as e:
            self.say(f"pages: {server.name}: {e}")
        finally:
            server.close()

    def referrers_of_other(self, server):
        """A tenth of berth's, as they have to be pushed; not all registries have referrers."""
        body = self.seed_image(server, "bench/referrers", "seed")
        path = f"/v2/bench/referrers/referrers/{digest_of(body)}"
        if server.get(path)[0] != 200:
            return
        subject = {"mediaType": MANIFEST, "digest": digest_of(body), "size": len(body)}
        for n in range(self.scale.referrers // 10):
            self.seed_image(server, "bench/referrers", None, f"{n:010}", subject=subject,
                            artifactType="application/vnd.bench.signature")
        self.page("page-referrers", server, path)

    def stage_start(self):
        """Start to first answer with nothing stored, and memory right after."""
        if not self.wants("start-empty", "memory-idle"):
            return
        for n in range(self.scale.starts):
            for c in self.contestants:
                server = c.start(self.folder)
                time.sleep(0.2)
                for row, key, value in (("start-empty", "ms", server.first_answer_ms),
                                        ("memory-idle", "mib", server.memory("VmRSS"))):
                    self.rows.setdefault(row, {}).setdefault(c.name, []).append({key: value})
                server.close()
        for row, key in (("start-empty", "ms"), ("memory-idle", "mib")):
            for name, samples in list(self.rows[row].items()):
                self.record(row, name, samples)
                self.say(f"{row}: {name}: {self.rows[row][name][key]:.1f} {key}")

    # --- also shown ---

    def line(self, key, title, x, y, server, at, value):
        line = self.growth.setdefault(key, {"title": title, "x": x, "y": y, "series": {}})
        line["series"].setdefault(server.name, []).append([at, value])
        self.say(f"growth, {title}: {server.name}: {at:,} {x}: {value:,.3f} {y}")

    def shown(self, c):
        """Few enough for a picture: ours, the limit, the most used one, the fastest other."""
        return c.name in ("berth", "nginx", "distribution", "olareg", "zot")

    def stage_growth(self):
        if not self.wants("growth"):
            return
        scale, briefly = self.scale, self.long(0.5)
        content = Content(scale.sizes, self.folder)
        servers = self.start_all(self.shown)
        try:
            loaded = self.load_all(servers, content)
            for clients in scale.clients:
                for s in loaded:
                    self.point("clients-get", "manifest GET, by clients", "clients", "requests/s", s, clients, "rate",
                               "get", "--clients", clients, *briefly, *WITH_ACCEPT,
                               s.contestant.manifest_path(content))
            for size in scale.sizes:
                for s in loaded:
                    self.point("size-get", "blob GET by one client, by size", "bytes", "GiB/s", s, size, "gib",
                               "get", "--clients", 1, *briefly, s.contestant.blob_path(content, size))
        finally:
            self.close_all(servers)
        servers = self.start_all(lambda c: c.stores and self.shown(c))
        try:
            for clients in scale.clients:
                for s in servers:
                    os.sync()
                    self.point("clients-push", "blobs of 4 KiB pushed, by clients", "clients", "blobs/s", s, clients,
                               "rate", "put-blobs", "--clients", clients, *briefly, *self.flow(s))
            for size in scale.sizes:
                for s in servers:
                    os.sync()
                    big = size >= MIB     # digests beforehand
                    how = ["--touch", self.folder, "--count", max(1, min(64, 512 * MIB // size))] if big else briefly
                    mode = "push-big" if big else "put-blobs"
                    self.point("size-push", "blob pushed by one client, by size", "bytes", "GiB/s", s, size, "gib",
                               mode, "--clients", 1, "--size", size, *how, *self.flow(s))
        finally:
            self.close_all(servers)

    def point(self, key, title, x, y, server, at, figure, mode, *args):
        try:
            self.line(key, title, x, y, server, at, self.drive(server, mode, *args)[figure])
            self.note_peak(server.name, f"{title}: {at:,} {x}", server.memory("VmHWM"))
        except Failed as e:
            self.say(f"growth, {title}: {server.name}: {at:,} {x}: {e}")

    def stage_tls(self):
        if not self.wants("tls"):
            return
        pair = (str(self.folder / "tls.crt"), str(self.folder / "tls.key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
        if not self.instruments.wrk_path:
            self.say("tls: wrk is not here, and the driver has no TLS")
            return
        content = Content((KIB, self.scale.blob), self.folder)
        servers = self.start_all(lambda c: not isinstance(c, Ceiling), pair)
        try:
            loaded = self.load_all(servers, content)
            self.measure("tls-get-manifest", loaded,
                         lambda s, n: self.get(s, s.contestant.manifest_path(content), 64, ACCEPT))
            self.measure("tls-get-blob-4", loaded,
                         lambda s, n: self.get(s, s.contestant.blob_path(content, self.scale.blob), 4))
        finally:
            self.close_all(servers)

    def stage_collector(self):
        """berth with its collector at work on a heap of blobs that nothing names, beside one that does not collect."""
        if not self.wants("collector"):
            return
        content = Content((KIB,), self.folder)
        collecting = ["--gc-interval", "1s", "--gc-grace", f"{self.scale.grace}s", "--gc-drain", "1s"]
        for name, flags in (("berth, quiet", ["--gc-interval", "0"]), ("berth, collecting", collecting)):
            berth = self.berth()
            contestant = type(berth)(berth.path, [*berth.flags, *flags])
            contestant.name = name
            server = contestant.start(self.folder)
            try:
                content.load(server)
                self.drive(server, "put-blobs", "--count", self.scale.garbage, "--single",
                           "--repository", "bench/garbage", "--size", 20 * KIB)
                time.sleep(min(2.2, self.scale.seconds * 2))
                self.measure("collector-get-manifest", [server],
                             lambda s, n: self.get(s, s.contestant.manifest_path(content), 64, ACCEPT), rounds=1)
                self.measure("collector-push-images", [server],
                             lambda s, n: self.drive(s, "push-images", "--clients", 16, "--single",
                                                     *self.long()), rounds=1)
                left = sum(1 for p in Path(server.folder).glob("objects/*/*"))
                self.rows["collector-push-images"][name]["objects_left"] = left
                self.say(f"collector: {name}: {left:,} of {self.scale.garbage:,} objects are left")
            finally:
                server.close()

    def run(self):
        for stage in (self.stage_limits, self.stage_start, self.stage_read, self.stage_push_big,
                      self.stage_push_small, self.stage_tags, self.stage_pages, self.stage_tls, self.stage_collector,
                      self.stage_growth):
            try:
                stage()
            except Exception as e:    # what was measured so far must not be lost
                traceback.print_exc()
                self.failed.append(f"{stage.__name__}: berth: {e!r}")
            for left in self.folder.glob("blob-*"):
                left.unlink()
        if self.peaks:
            self.rows["memory-peak"] = {name: {"mib": p["mib"], "in": p["row"]} for name, p in self.peaks.items()
                                        if "," not in name}
