"""The four services as processes: started together, started again when they end unasked, stopped in the order of the flow."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from baton.errors import OperatorError
from baton.run import ports
from baton.stack import Child, spawn

ORDER = (
    "ingest",
    "scoring",
    "router",
    "handoff",
)  # as a lead travels; stopped in this order, so that nothing new comes in
READY_SECONDS = 120.0
STOP_SECONDS = 25.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_SECONDS = 60.0  # having run this long, an end counts as the first one again
BAD_SETTINGS = 2  # exit status of a service that lacks a setting: starting it again would not help


@dataclass(slots=True)
class Service:
    """One service and its process. `again_at`: when to start it again (monotonic seconds); 0 while it runs."""

    name: str
    port: int
    child: Child | None = None
    started_at: float = 0.0
    again_at: float = 0.0
    ends: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Services:
    """Supervises the services. Belongs to the main thread, with which its processes die."""

    def __init__(self, environ: Mapping[str, str], logs: Path, say: Callable[[str], None]) -> None:
        """`environ` is what the services see, and pins ports. Raises OperatorError for a pin that cannot be had."""
        self._environ, self._logs, self._say = dict(environ), logs, say
        self.all = [Service(name, port) for name, port in ports.choose(environ, say).items()]
        self._ready = False

    def urls(self) -> dict[str, str]:
        return {f"{service.name.upper()}_URL": service.url for service in self.all}

    def start(self) -> None:
        for service in self.all:
            self._spawn(service)

    def await_ready(self) -> None:
        """Until every service answers /readyz with 200. Raises OperatorError with the last words of one that does not."""
        waiting = list(self.all)
        deadline = time.monotonic() + READY_SECONDS
        while waiting:
            self.watch()
            for service in tuple(waiting):
                ready, words = probe(service.url)
                if ready and self._is_ours(service):
                    waiting.remove(service)
                    self._say(f"{service.name}: ready on port {service.port}")
                elif service.ends >= 3 or time.monotonic() > deadline:
                    raise OperatorError(self._why(service, words))
            time.sleep(0.1)
        self._ready = True

    def watch(self) -> None:
        """Start again what ended unasked, later each time. Raises OperatorError for one that cannot start for want of a setting."""
        for service in self.all:
            if service.again_at and time.monotonic() >= service.again_at:
                self._spawn(service)
            elif not service.again_at and service.child and (status := service.child.poll()) is not None:
                self._ended(service, status)

    def stop(self) -> None:
        """Ask each to finish what it is doing, ingest first; kill what does not within its time."""
        for service in self.all:
            if service.child:
                service.child.ask()
                if service.name == "ingest":
                    service.child.terminate(STOP_SECONDS)
        for service in self.all:
            if service.child:
                service.child.terminate(STOP_SECONDS)

    def _spawn(self, service: Service) -> None:
        service.child = spawn(
            [sys.executable, "-m", f"services.{service.name}"],
            name=service.name,
            # Links that people are sent lead here, unless whoever runs it says under which address they reach it.
            env={
                f"{service.name.upper()}_PUBLIC_URL": service.url,
                **self._environ,
                f"{service.name.upper()}_PORT": str(service.port),
            },
            log_path=self._logs / f"{service.name}.log",
            cwd=Path(__file__).parent.parent.parent,
        )
        service.started_at, service.again_at = time.monotonic(), 0.0

    def _ended(self, service: Service, status: int) -> None:
        assert service.child is not None
        if status == BAD_SETTINGS:
            raise OperatorError(self._why(service, ""))
        if not self._ready and not ports.is_free(service.port):
            self._move(service)
        if time.monotonic() - service.started_at > STEADY_SECONDS:
            service.ends = 0
        pause = min(FIRST_PAUSE * 2**service.ends, LONGEST_PAUSE)
        service.ends += 1
        service.again_at = time.monotonic() + pause
        how = f"signal {-status}" if status < 0 else f"status {status}"
        self._say(f"{service.name} ended ({how}); starting it again in {pause:g} s. Its log: {service.child.log_path}")

    def _is_ours(self, service: Service) -> bool:
        """Whether it is our process that answers there; where that cannot be known, it is taken to be."""
        who = ports.holder(service.port)
        return service.child is not None and (
            not who.startswith("process ") or who.startswith(f"process {service.child.pid} ")
        )

    def _move(self, service: Service) -> None:
        """Somebody else took its port between our look and its start: to another one, unless it is pinned."""
        who, earlier = ports.holder(service.port), service.port
        service.port = ports.choose(self._environ)[service.name]
        self._say(f"{service.name}: port {earlier} was taken by {who} meanwhile; going to {service.port}")

    def _why(self, service: Service, words: str) -> str:
        assert service.child is not None
        missing = ", ".join(line.removeprefix("not yet ") for line in words.splitlines() if line.startswith("not yet"))
        reason = f"is not ready (waiting for: {missing})" if missing else "does not start"
        return f"{service.name} {reason}; the last lines of {service.child.log_path}:\n{service.child.tail()}"


def probe(url: str) -> tuple[bool, str]:
    """Whether the service there is ready, and its own words about it ("" where it does not answer)."""
    try:
        answer = httpx.get(f"{url}/readyz", timeout=2.5)
    except httpx.HTTPError:
        return False, ""
    return answer.status_code == 200, answer.text
