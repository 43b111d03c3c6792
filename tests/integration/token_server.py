"""A token server as distribution's documents describe it (docs/spec/auth/token.md, oauth.md): real tokens, signed with a
key whose certificate the registry trusts. Passwords by user, rights by repository, identity tokens on demand."""

import base64
import json
import secrets
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    """rights: {user or None: {repository: actions}}; passwords: {user: password}. seen has each request, asked the scopes."""

    ISSUER, SERVICE = "test issuer", "test registry"

    def __init__(self, folder, passwords, rights, seconds=300, tells_seconds=True):
        self.passwords, self.rights, self.seconds, self.tells_seconds = passwords, rights, seconds, tells_seconds
        self.key, self.certificate = folder / "token.key", folder / "token.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens",
                        "-keyout", self.key, "-out", self.certificate], check=True, capture_output=True)
        self.der = subprocess.run(["openssl", "x509", "-in", self.certificate, "-outform", "DER"], check=True,
                                  capture_output=True).stdout
        self.identities, self.seen = {}, []
        self.failures = 0                 # so many answers of 503 come first
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                query = parse_qs(urlsplit(self.path).query) if self.command == "GET" else parse_qs(body)
                seen = SimpleNamespace(method=self.command, path=self.path, body=body, query=query,
                                       authorization=self.headers.get("Authorization"))
                outer.seen.append(seen)
                status, document = outer.decide(seen)
                data = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def decide(self, seen):
        user = None
        if self.failures:
            self.failures -= 1
            return 503, {}
        if seen.method == "POST":
            user = self.identities.get(seen.query.get("refresh_token", [""])[0])
            if user is None:
                return 400, {"error": "invalid_grant"}
        elif seen.authorization:
            user, _, password = base64.b64decode(seen.authorization.split()[1]).decode().partition(":")
            if self.passwords.get(user) != password:
                return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "no such user, or another password"}]}
        scopes = " ".join(seen.query.get("scope", [])).split()
        document = {"token": self.make(user, scopes)}
        if self.tells_seconds:
            document["expires_in"] = self.seconds
        if user and seen.query.get("offline_token") == ["true"]:
            identity = secrets.token_urlsafe(16)
            self.identities[identity] = user
            document["refresh_token"] = identity
        return 200, document

    def make(self, user, scopes):
        allowed = self.rights.get(user, {})
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":", 2)
            granted = [a for a in actions.split(",") if a in allowed.get(name, "").split(",")]
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(self.der).decode()]}
        claims = {"iss": self.ISSUER, "sub": user or "", "aud": self.SERVICE, "exp": now + self.seconds, "nbf": now - 10,
                  "iat": now, "jti": secrets.token_hex(8), "access": access}
        signed = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed.encode(), check=True,
                                   capture_output=True).stdout
        return signed + "." + b64(signature)

    def configuration(self):
        """What distribution's configuration says of it."""
        return (f"auth:\n  token: {{realm: '{self.realm}', service: {self.SERVICE}, issuer: {self.ISSUER}, "
                f"rootcertbundle: {self.certificate}}}\n")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
