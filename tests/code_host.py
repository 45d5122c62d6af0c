"""A server that speaks as much of GitHub's REST API as we use, in a thread of the test: one repository, one pull
request, its comments and statuses."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "ghx-token-of-a-test-0123456789"
REPOSITORY = "acme/shop"
FIRST, SECOND = "a" * 40, "b" * 40
DIFF = """diff --git a/pay.py b/pay.py
index 1111111..2222222 100644
--- a/pay.py
+++ b/pay.py
@@ -1,2 +1,3 @@
 def pay(amount):
+    total = amount * 1.19
     return charge(total)
diff --git a/logo.png b/logo.png
index 1111111..2222222 100644
Binary files a/logo.png and b/logo.png differ
"""
FILE = "def pay(amount):\n    total = amount * 1.19\n    return charge(total)\n"


@dataclass
class CodeHostServer:
    """What it holds and what it was asked. `answers` forces a status for requests whose line matches; `pushes` are
    commits that somebody pushes, one before each look at the pull request; `while_commenting` happens before a comment
    is kept."""

    sha: str = FIRST
    diff: str = DIFF
    files: dict[str, str] = field(default_factory=lambda: {"pay.py": FILE})
    comments: dict[int, str] = field(default_factory=dict)
    statuses: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    pushes: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    while_commenting: Callable[[], None] = lambda: None
    url: str = ""

    def start(self) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"host": self}))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def asked_for(self, method: str) -> list[str]:
        return [line for line in self.asked if line.startswith(f"{method} ")]


class _Handler(BaseHTTPRequestHandler):
    host: CodeHostServer
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        line = f"{self.command} {self.path}"
        self.host.asked.append(line)
        self.host.tokens.add(self.headers.get("Authorization", ""))
        for pattern, (status, headers) in self.host.answers.items():
            if re.search(pattern, line):
                return self._send(status, b"{}", headers)
        for pattern, method in _ROUTES:
            if found := re.fullmatch(rf"{pattern}", line):
                status, content = method(self.host, body, self.headers.get("Accept", ""), *found.groups())
                data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
                return self._send(status, data, {})
        return self._send(404, b'{"message": "Not Found"}', {})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(0 if status == 204 else len(data)))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

    def log_message(self, *args: Any) -> None:
        """Nothing on the test's stderr."""


Reply = tuple[int, Any]


def _pull(host: CodeHostServer, body: Any, accept: str, number: str) -> Reply:
    if number != "12":
        return 404, {}
    if "diff" in accept:
        return 200, host.diff
    if host.pushes:
        host.sha = host.pushes.pop(0)
    return 200, {"title": "Charge tax", "head": {"sha": host.sha}, "base": {"ref": "main"}}


def _contents(host: CodeHostServer, body: Any, accept: str, path: str, ref: str) -> Reply:
    return (200, host.files[path]) if path in host.files and ref == host.sha else (404, {})


def _status(host: CodeHostServer, body: Any, accept: str, sha: str) -> Reply:
    host.statuses.append((sha, body))
    return 201, {"id": 1}


def _comments(host: CodeHostServer, body: Any, accept: str, page: str) -> Reply:
    rows = [{"id": key, "body": text} for key, text in sorted(host.comments.items())]
    start = (int(page) - 1) * 100
    return 200, rows[start : start + 100]


def _comment(host: CodeHostServer, body: Any, accept: str) -> Reply:
    host.while_commenting()
    key = max(host.comments, default=100) + 1
    host.comments[key] = body["body"]
    return 201, {"id": key}


def _change(host: CodeHostServer, body: Any, accept: str, key: str) -> Reply:
    if int(key) not in host.comments:
        return 404, {}
    host.comments[int(key)] = body["body"]
    return 200, {"id": int(key)}


def _delete(host: CodeHostServer, body: Any, accept: str, key: str) -> Reply:
    return (204, "") if host.comments.pop(int(key), None) else (404, {})


_BASE = f"/repos/{REPOSITORY}"
_ROUTES = (
    (rf"GET {_BASE}/pulls/(\d+)", _pull),
    (rf"GET {_BASE}/contents/([^?]+)\?ref=(\w+)", _contents),
    (rf"POST {_BASE}/statuses/(\w+)", _status),
    (rf"GET {_BASE}/issues/12/comments\?per_page=100&page=(\d+)", _comments),
    (rf"POST {_BASE}/issues/12/comments", _comment),
    (rf"PATCH {_BASE}/issues/comments/(\d+)", _change),
    (rf"DELETE {_BASE}/issues/comments/(\d+)", _delete),
)
