"""A line between two network namespaces, with delay, loss and a rate, which can fall silent: what `tc netem` does, in
places whose kernel has no netem. Its packets go through this process, from one tun device to the other."""

import collections
import ctypes
import fcntl
import os
import random
import struct
import subprocess
import threading
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
NEAR, FAR = "10.77.0.1", "10.77.0.2"
NEAR6, FAR6 = "fd77::1", "fd77::2"


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def tun(namespace):
    """A tun device within the namespace; the thread that makes it is lost to the rest of the process, so it ends."""
    made = []

    def make():
        with open(f"/run/netns/{namespace}") as f:
            if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET) != 0:
                return
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"line", IFF_TUN | IFF_NO_PI))
        made.append(fd)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not made:
        raise OSError("no tun device can be made in a network namespace")
    return made[0]


class Line:
    """near and far are the names of the namespaces; delay in seconds for each way, loss from 0 to 1, rate in bytes a
    second (0: none). passed: bytes that came towards near."""

    def __init__(self):
        self.delay = self.loss = self.rate = self.passed = 0
        self.silent_behind = None         # so many bytes towards near: then nothing goes either way
        self.silent = threading.Event()
        self.near, self.far = f"berth-near-{os.getpid()}", f"berth-far-{os.getpid()}"
        self.random, self.fds, self.ended = random.Random(1), [], False
        try:
            for namespace, own, own6 in ((self.near, NEAR, NEAR6), (self.far, FAR, FAR6)):
                ip("netns", "add", namespace)
                self.fds.append(tun(namespace))
                ip("-n", namespace, "link", "set", "lo", "up")
                ip("-n", namespace, "link", "set", "line", "up")
                ip("-n", namespace, "addr", "add", f"{own}/24", "dev", "line")
                ip("-n", namespace, "addr", "add", f"{own6}/64", "dev", "line", "nodad")
            # What lies behind, and nobody answers for (RFC 5737, RFC 3849).
            ip("-n", self.near, "route", "add", "192.0.2.0/24", "dev", "line")
            ip("-n", self.near, "-6", "route", "add", "2001:db8::/64", "dev", "line")
        except BaseException:
            self.close()
            raise
        near, far = self.fds
        for source, sink, towards_near in ((near, far, False), (far, near, True)):
            threading.Thread(target=self.carry, args=(source, sink, towards_near), daemon=True).start()

    def condition(self, delay=0, loss=0, rate=0):
        self.delay, self.loss, self.rate, self.passed, self.silent_behind = delay, loss, rate, 0, None
        self.silent.clear()

    def carry(self, source, sink, towards_near):
        under_way, there = collections.deque(), threading.Condition()

        def arrive():
            while True:
                with there:
                    while not under_way:
                        there.wait()
                    due, packet = under_way.popleft()
                time.sleep(max(due - time.monotonic(), 0))
                try:
                    os.write(sink, packet)
                except OSError:
                    if self.ended:
                        return

        threading.Thread(target=arrive, daemon=True).start()
        free = 0
        while not self.ended:
            try:
                packet = os.read(source, 65536)
            except OSError:
                return
            if towards_near:
                self.passed += len(packet)
                if self.silent_behind is not None and self.passed > self.silent_behind:
                    self.silent.set()
            if self.silent.is_set() or self.random.random() < self.loss:
                continue
            now = time.monotonic()
            free = max(free, now) + (len(packet) / self.rate if self.rate else 0)
            if free - now < 0.5:          # a longer queue no line has
                with there:
                    under_way.append((free + self.delay, packet))
                    there.notify()

    def close(self):
        self.ended = True
        for namespace in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)
        for fd in self.fds:
            os.close(fd)
