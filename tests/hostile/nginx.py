"""A real nginx to compare with: it reads every body before it passes the request to a second server of its own, which
says how long the body was."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import servers  # noqa: E402

CONF = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    large_client_header_buffers 2 16k;      # the limits of berth, as far as nginx has them
    client_max_body_size 0;
    client_header_timeout 10m;              # who waits for more bytes waits until it is asked
    client_body_timeout 10m;
    lingering_close always;
    lingering_time 2s;
    lingering_timeout 1s;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /v2/hostile/marker/tags/list {{ return 404 "hostile/marker"; }}
        location / {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
    server {{
        listen 127.0.0.1:{behind} backlog=1024;
        location / {{
            if ($request_method = PATCH) {{ return 200 "length=$content_length"; }}
            return 200 "";
        }}
    }}
}}
"""


def find_nginx():
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


class Nginx:
    def __init__(self, folder):
        folder = Path(folder)
        self.port, behind = servers.free_port(), servers.free_port()
        (folder / "nginx.conf").write_text(CONF.format(folder=folder, port=self.port, behind=behind))
        self.log = folder / "error.log"
        self.address = ("127.0.0.1", self.port)
        self.process = subprocess.Popen([find_nginx(), "-p", folder, "-e", self.log, "-c", folder / "nginx.conf"],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(self.address, timeout=1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
