"""The images' health check: a service is healthy when its probe answers 200, and for no other reason."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest


class Probes(BaseHTTPRequestHandler):
    """Alive, but not ready."""

    def do_GET(self) -> None:
        self.send_response({"/livez": 200, "/readyz": 503}.get(self.path, 404))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Probes) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def status(root: Path, port: int, path: str) -> int:
    command = [sys.executable, "-I", "deploy/healthcheck.py", str(port), path]
    # A proxy of the environment would answer for a service that is gone.
    return subprocess.run(command, cwd=root, env={"http_proxy": "http://127.0.0.1:1"}).returncode


def test_a_probe_that_answers_200_is_health(root: Path, port: int) -> None:
    assert status(root, port, "/livez") == 0


def test_a_probe_that_refuses_is_not(root: Path, port: int) -> None:
    assert status(root, port, "/readyz") == 1


def test_nobody_there_is_not(root: Path, free_port: int) -> None:
    assert status(root, free_port, "/livez") == 1
