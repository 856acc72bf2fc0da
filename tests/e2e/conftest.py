"""A whole Baton as a stranger starts it: `baton up`, in a directory of its own, on its own servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from shared.schemas import ids

ROOT = Path(__file__).parent.parent.parent
PINNED_ELSEWHERE = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL")
COMMANDS = {"kafka": "kafka.Kafka", "postgres": "postgres", "redis": "redis-server"}


class Running:
    """A Baton that runs, its environment, and its processes."""

    tenant = "northstar"

    def __init__(self, home: Path) -> None:
        self.home = home
        self._log = open(home / "up.log", "wb")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "baton", "up", "--no-demo"],
            cwd=ROOT,
            env=self.own_environment(),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.until(lambda: (home / "env").exists() or self._process.poll() is not None, "the start", 240)
        assert self._process.poll() is None, self.said()
        lines = [line for line in (home / "env").read_text().splitlines() if "=" in line and not line.startswith("#")]
        self.env = dict(line.split("=", 1) for line in lines)
        secrets = [line for line in (home / "secrets").read_text().splitlines() if "=" in line]
        self.secrets = dict(line.split("=", 1) for line in secrets if not line.startswith("#"))
        self.api = httpx.Client(headers={"Authorization": f"Bearer {self.env['DEMO_API_TOKEN']}"}, timeout=30)

    def own_environment(self) -> dict[str, str]:
        """What a command needs to find this Baton and no other."""
        kept = {name: value for name, value in os.environ.items() if name not in PINNED_ELSEWHERE}
        return {**kept, "BATON_HOME": str(self.home), "HANDOFF_WEBHOOK_ALLOW": "127.0.0.1"}

    def said(self) -> str:
        return (self.home / "up.log").read_text(errors="replace")[-3000:]

    def until(self, condition: Callable[[], object], what: str, seconds: float = 90) -> None:
        """Wait for a condition. A connection refused meanwhile is `not yet`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if condition():
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        pytest.fail(f"{what} did not come about within {seconds} s\n{self.said()}")

    def pid(self, name: str) -> int | None:
        """Of a service or a server."""
        wanted = COMMANDS.get(name, f"services.{name}")
        for child in self._children():
            with suppress(FileNotFoundError, ProcessLookupError):  # what was listed may have ended since
                command = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace").split("\0")
                if any(wanted == part or part.endswith("/" + wanted) for part in command):
                    return child
        return None

    def _children(self) -> list[int]:
        children: list[int] = []
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ended since it was listed
                children += [int(pid) for pid in (task / "children").read_text().split()]
        return children

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until its supervisor has started another and everything is ready again."""
        victim = self.pid(name)
        assert victim, f"{name} does not run\n{self.said()}"
        os.kill(victim, signal.SIGKILL)
        self.until(lambda: self.pid(name) not in (None, victim), f"the restart of {name}")
        self.until(self.ready, f"readiness after {name} was killed", 180)

    def ready(self) -> bool:
        urls = [self.env[f"{name}_URL"] for name in ("INGEST", "SCORING", "ROUTER", "HANDOFF")]
        return all(httpx.get(f"{url}/readyz", timeout=5).status_code == 200 for url in urls)

    def lead_id(self, mail: str) -> str:
        """Of a lead whose first strong identifier is this e-mail."""
        secret = ids.tenant_secret(self.secrets["IDENTITY_SECRET"].encode(), self.tenant)
        return ids.lead_id(ids.identity_id(secret, self.tenant, "email", mail))

    def lead(self, mail: str) -> dict[str, object] | None:
        answer = self.api.get(f"{self.env['ROUTER_URL']}/v1/leads", params={"email": mail})
        assert answer.status_code in (200, 404), answer.text
        return answer.json() if answer.status_code == 200 else None

    def opportunities(self, lead_id: str) -> list[dict[str, object]]:
        answer = self.api.get(f"{self.env['HANDOFF_URL']}/v1/opportunities", params={"lead_id": lead_id})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    def stop(self) -> int:
        """As Ctrl-C does; the exit status."""
        self.api.close()
        self._process.send_signal(signal.SIGINT)
        status = self._process.wait(90)
        self._log.close()
        return status


@pytest.fixture(scope="session")
def baton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("baton"))
    yield running
    assert running.stop() == 0, running.said()
    assert not (running.home / "env").exists(), "the env file says that it is ready, and it has stopped"
