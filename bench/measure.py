"""The instruments of bench/run: the driver, wrk, the machine's own limits, and medians."""

import hashlib
import json
import os
import platform
import re
import statistics
import subprocess
import time

GIB = 1 << 30
MIB = 1 << 20
UNITS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}


class Failed(Exception):
    pass


def run_tool(argv, timeout=600):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise Failed((done.stderr.strip() or done.stdout.strip())[-300:])
    return done.stdout


class Instruments:
    def __init__(self, driver, wrk):
        self.driver_path, self.wrk_path = driver, wrk

    def driver(self, server, mode, *args):
        """One run of the driver; a failed operation fails the measurement."""
        out = json.loads(run_tool([self.driver_path, mode, "--connect", server.address, *args]))
        if out["failed"] or not (out["operations"] or out["bytes"]):
            raise Failed(out.get("first_failure", "nothing was done"))
        return {"rate": out["rate"], "gib": out["gib_per_s"], "operations": out["operations"], "bytes": out["bytes"],
                "p50": out["latency_ms"]["p50"], "p99": out["latency_ms"]["p99"], "windows": out.get("windows")}

    def wrk(self, server, path, clients, seconds, headers=()):
        text = run_tool([self.wrk_path, "--latency", f"-t{min(2, clients)}", f"-c{clients}",
                         f"-d{max(1, round(seconds))}s", *(x for h in headers for x in ("-H", h)), server.url + path])
        wrong = re.search(r"Non-2xx.*|Socket errors: (?!connect 0, read 0, write 0).*", text)
        if wrong:                     # slowness, a timeout of wrk's, is for the figures to tell
            raise Failed(wrong.group())
        got = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m), ([\d.]+)([KMGT]?)B read", text)
        shares = {m[0]: float(m[1]) * UNITS[m[2]] for m in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s|m)\b", text)}
        seconds = float(got[2]) * UNITS[got[3]] / 1000
        read = float(got[4]) * 1024 ** " KMGT".index(got[5] or " ")
        return {"rate": int(got[1]) / seconds, "gib": read / seconds / GIB, "operations": int(got[1]),
                "bytes": read, "p50": shares["50"], "p99": shares["99"], "windows": None}


def watched(server, work):
    """work() with what it cost the server: processor time for each operation and each GiB, and the peak of memory."""
    server.reset_peak()
    before = server.cpu()
    sample = work()
    used = server.cpu() - before
    sample["cpu_us"] = used * 1e6 / sample["operations"] if sample["operations"] else None
    sample["cpu_s_per_gib"] = used * GIB / sample["bytes"] if sample["bytes"] else None
    sample["peak_mib"] = server.memory("VmHWM")
    return sample


def median_of(samples):
    """The median of each figure over the rounds."""
    out = {}
    for key in samples[0]:
        values = [s[key] for s in samples if isinstance(s.get(key), (int, float))]
        if values:
            out[key] = statistics.median(values)
    windows = [s["windows"] for s in samples if s.get("windows")]
    if windows:
        out["windows"] = windows[-1]
    return out


def hash_speed(seconds):
    """GiB/s of SHA-256 on one core."""
    block = os.urandom(16 * MIB)
    best = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        hashlib.sha256(block).digest()
        best = max(best, len(block) / (time.perf_counter() - began) / GIB)
    return best


def write_speed(folder, size, rounds=3):
    """GiB/s of writing one file of so many bytes and syncing it. The first round makes the page cache ready, as the
    driver does for a push (push_blobs.c)."""
    block = os.urandom(MIB)
    found = []
    for _ in range(rounds + 1):
        path = folder / "write-speed"
        began = time.perf_counter()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for _ in range(size // MIB):
            os.write(fd, block)
        os.fdatasync(fd)
        os.close(fd)
        found.append(size / (time.perf_counter() - began) / GIB)
        path.unlink()
    return statistics.median(found[1:])


def sync_latency(folder, count=50):
    """Milliseconds of one append of 4 KiB with its sync: what bounds a commit."""
    fd = os.open(folder / "sync-latency", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    took = []
    for _ in range(count):
        began = time.perf_counter()
        os.write(fd, b"x" * 4096)
        os.fdatasync(fd)
        took.append((time.perf_counter() - began) * 1000)
    os.close(fd)
    (folder / "sync-latency").unlink()
    return statistics.median(took)


def machine(folder):
    with open("/proc/cpuinfo") as f:
        model = re.search(r"^model name\s*:\s*(.*)$", f.read(), re.M)
    with open("/proc/meminfo") as f:
        memory = int(re.search(r"MemTotal:\s*(\d+)", f.read()).group(1)) / MIB
    kind = subprocess.run(["df", "--output=fstype", str(folder)], capture_output=True, text=True).stdout.split()[-1]
    return {"processor": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(memory, 1), "kernel": platform.release(), "file_system": kind,
            "load_at_start": round(os.getloadavg()[0], 2)}
