"""Where the demo tenant's chat goes: a receiver on this machine that shows what people are told, and keeps it in a file.

It has an address of its own in the loopback network: handoff may reach that one and nothing else of this machine. Where there is no
such address, as on macOS, it listens on the usual one.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

HOST, USUAL = "127.0.0.2", "127.0.0.1"
NAME = "HINODE_CHAT_URL"  # as policies/hinode/teams.yaml refers to it
ALLOW = "HANDOFF_WEBHOOK_ALLOW"
MOST_BYTES = 64 * 1024


class Inbox:
    """Takes messages from the moment it is made. file: to which each is added, whole"""

    def __init__(self, file: Path, say: Callable[[str], None]) -> None:
        self._file, self._say, self._lock = file, say, threading.Lock()
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                self.send_response(inbox._take(self.path, self.headers.get("content-length", ""), self.rfile))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        try:
            self._server = ThreadingHTTPServer((HOST, 0), Handler)
        except OSError:
            self._server = ThreadingHTTPServer((USUAL, 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="inbox", daemon=True).start()

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """What policies and handoff have to know of it, beside what the operator has `given`."""
        host = str(self._server.server_address[0])
        allowed = [word for word in (one.strip() for one in given.get(ALLOW, "").split(",")) if word]
        allowed += [host] if host not in allowed else []
        return {NAME: f"json://{host}:{self._server.server_port}/{{to}}", ALLOW: ",".join(allowed)}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, path: str, length: str, body: Any) -> int:
        """The status to answer with."""
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return 413
        to = unquote(path.strip("/"))
        try:
            told = json.loads(body.read(int(length)))
            title, message = str(told["title"]), str(told["message"])
            entry = f"To: {to}\n{title}\n\n{message}\n\n{'-' * 40}\n".encode()
        except (ValueError, LookupError, TypeError, RecursionError):
            return 400
        with self._lock, open(os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as out:
            out.write(entry)
        self._say(f"✉ {to}: {' '.join(title.split())}")
        return 200
