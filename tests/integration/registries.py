"""Four real registries that allow deleting, and a cable between a client and one of them that can be cut."""

import socket
import sys
import threading
import time

from server import ROOT, berth_path

sys.path.insert(0, str(ROOT / "bench"))
import servers  # noqa: E402


class Distribution(servers.Distribution):
    def command(self, folder, port, tls):
        argv = super().command(folder, port, tls)
        config = folder / "config.yml"
        config.write_text(config.read_text().replace("storage:\n", "storage:\n  delete: {enabled: true}\n"))
        return argv


class DockerRegistry(Distribution):
    name, program = "docker-registry", "docker-registry"

    def environment(self):
        return {}


class Olareg(servers.Olareg):
    def command(self, folder, port, tls):
        return [*super().command(folder, port, tls), "--api-delete", "--api-blob-delete"]


REAL = {"berth": lambda: servers.Berth(berth_path()), "distribution": Distribution, "docker-registry": DockerRegistry,
        "olareg": Olareg}


class Between:
    """A TCP port in front of another. move() carries what goes one way, until either end is done."""

    def __init__(self, port):
        self.port, self.connections, self.moves = port, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self.port))
            self.moves += [threading.Thread(target=self.move, args=args, daemon=True)
                           for args in ((near, far, True), (far, near, False))]
            for move in self.moves[-2:]:
                move.start()

    def settle(self):
        """Waits until nothing is under way any more of connections whose near end has gone."""
        for move in self.moves:
            move.join(60)

    def close(self):
        self.listener.close()


class Line(Between):
    """Towards the server so many bytes a second, from it @down, and each connection is cut behind so many (None: neither)."""

    def __init__(self, port, rate=None, cut=None, down=None):
        self.rate, self.cut, self.down = rate, cut, down
        super().__init__(port)

    def move(self, source, target, upwards):
        passed, began = 0, time.monotonic()
        try:
            while data := source.recv(65536):
                passed += len(data)
                if upwards and self.cut and passed > self.cut:
                    break
                rate = self.rate if upwards else self.down
                if rate and passed > 65536:
                    time.sleep(max(began + passed / rate - time.monotonic(), 0))
                target.sendall(data)
        except OSError:
            pass
        shut(source, target)
        for end in (source, target):
            end.close()


def shut(*ends):
    for end in ends:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Cable(Between):
    """After `room` bytes towards the server it is cut (once), or goes dead."""

    def __init__(self, port):
        self.room, self.dead = None, False
        self.up = 0                       # bytes towards the server so far
        self.stuck = threading.Event()
        super().__init__(port)

    def move(self, source, target, upwards):
        try:
            while data := source.recv(65536):
                if upwards:
                    self.up += len(data)
                    if self.room is not None and self.up > self.room:
                        self.stuck.set()
                        if self.dead:
                            continue      # until the near end goes
                        self.room = None
                        break
                target.sendall(data)
        except OSError:
            pass
        shut(source, target)
        for end in (source, target):
            end.close()                   # with bytes unread: who goes on sending is told
