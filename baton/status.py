"""What runs, whether it is ready, how far behind it is; in words."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import structlog

from baton.errors import OperatorError
from baton.home import Home, read_names
from baton.run.services import ORDER, probe
from baton.stack import running
from shared.schemas.topics import TOPICS

log = structlog.get_logger(__name__)

SERVERS = {"Kafka": "KAFKA_BOOTSTRAP_SERVERS", "Postgres": "DATABASE_URL", "Redis": "REDIS_URL"}
USUAL_PORTS = {"Kafka": 9092, "Postgres": 5432, "Redis": 6379}
GROUPS = ("scoring", "router", "handoff", "handoff-touches")
# What each of them answers at once, whoever asks: which requests Kafka knows, whether Postgres speaks TLS, Redis's own echo.
# A server that hangs takes connections all the same, and answers nothing.
QUESTIONS = {
    "Kafka": struct.pack("!ihhih", 10, 18, 0, 1, -1),
    "Postgres": struct.pack("!ii", 8, 80877103),
    "Redis": b"PING\r\n",
}
PATIENCE_SECONDS = 5.0  # for each answer; all are asked at the same time
READING_SECONDS = 20.0  # for how much the groups have read: a dozen answers, of a Kafka that does answer
CALM = 100  # records behind that are nothing to speak of


@dataclass(slots=True)
class Report:
    """pid: of the supervisor; None for a Baton that was started otherwise
    urls: of the services, where they are reached
    lags: group -> topic -> records not yet read; None where Kafka did not say
    """

    home: Home
    pid: int | None = None
    starting: bool = False
    killed: bool = False
    servers: dict[str, bool] = field(default_factory=dict)
    services: dict[str, tuple[bool, str]] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    lags: dict[str, dict[str, int]] | None = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Everything is there and ready."""
        ready = [*self.servers.values(), *(ready for ready, _ in self.services.values())]
        return bool(ready) and all(ready) and self.lags is not None


async def gather(home: Home, patience: float = PATIENCE_SECONDS) -> Report:
    """All of them at the same time, each for so many seconds; then Kafka for what the services have read."""
    state = running(home.path)
    report = Report(home, pid=state["pid"] if state else None)
    try:
        names = read_names(home.env)
    except FileNotFoundError:
        report.starting = state is not None
        return report
    except PermissionError:
        raise OperatorError(f"{home.env} may not be read: it belongs to whoever started Baton") from None
    if state is None and (home.path / "state.json").exists():
        report.killed = True
        return report
    servers = [answers(name, names[variable], patience) for name, variable in SERVERS.items()]
    report.urls = {name: names[f"{name.upper()}_URL"] for name in ORDER}
    probes = [asyncio.to_thread(probe, url) for url in report.urls.values()]
    answered, found = await asyncio.gather(asyncio.gather(*servers), asyncio.gather(*probes))
    report.servers = dict(zip(SERVERS, answered, strict=True))
    report.services = dict(zip(ORDER, found, strict=True))
    if report.servers["Kafka"]:
        report.lags = await _lags_in_time(names["KAFKA_BOOTSTRAP_SERVERS"])
    return report


async def _lags_in_time(bootstrap: str) -> dict[str, dict[str, int]] | None:
    """None where Kafka does not say in time, or not at all."""
    from shared.kit.service import cancel  # late, as in `lags`

    asking = asyncio.create_task(lags(bootstrap))
    await asyncio.wait({asking}, timeout=READING_SECONDS)
    if not asking.done():
        await cancel({asking}, again_seconds=1)
        return None
    with suppress(OperatorError):
        return asking.result()
    return None


async def lags(bootstrap: str) -> dict[str, dict[str, int]]:
    """Records that each consumer group has not committed yet, by topic. Raises OperatorError when Kafka does not answer."""
    # Late: where nothing runs, `baton status` says so without them.
    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin, consumer = AIOKafkaAdminClient(bootstrap_servers=bootstrap), AIOKafkaConsumer(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        await consumer.start()
        found: dict[str, dict[str, int]] = {}
        for group in GROUPS:
            committed = await admin.list_consumer_group_offsets(group)
            mine = {p: o.offset for p, o in committed.items() if p.topic in TOPICS and o.offset >= 0}
            ends: Mapping[Any, int] = await consumer.end_offsets(list(mine))
            behind = found.setdefault(group, {})
            for partition, offset in mine.items():
                behind[partition.topic] = behind.get(partition.topic, 0) + max(0, ends[partition] - offset)
        return found
    except KafkaError as error:
        raise OperatorError(f"Kafka at {bootstrap} does not answer ({type(error).__name__})") from error
    finally:
        await consumer.stop()
        await admin.close()


async def answers(server: str, address: str, patience: float) -> bool:
    """Whether the server there says anything to its QUESTIONS within so many seconds."""
    parts = urlsplit(address if "://" in address else f"kafka://{address.split(',')[0]}")
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or USUAL_PORTS[server])
            try:
                if parts.scheme == "rediss":  # it wants TLS first: that it listens is enough
                    return True
                writer.write(QUESTIONS[server])
                return bool(await reader.read(1))
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def tell(report: Report) -> str:
    if not report.servers:
        what = "is starting" if report.starting else "was killed" if report.killed else "does not run"
        hint = "" if report.starting else "; `baton up` (or `make run`) starts it"
        return f"Baton {what} in {report.home.path}{hint}."
    lines = [f"Baton in {report.home.path}" + (f", process {report.pid}" if report.pid else "")]
    lines += [f"  {name:<9} {'answers' if up else 'DOES NOT ANSWER'}" for name, up in report.servers.items()]
    for name, found in report.services.items():
        lines.append(f"  {name:<9} {_readiness(*found):<15}  {report.urls.get(name, '')}".rstrip())
    if report.lags is None:
        lines.append("  Kafka does not say what the services have read")
    lines += [f"  {group:<15} {_lag(behind)}" for group, behind in (report.lags or {}).items()]
    return "\n".join(lines)


def _readiness(ready: bool, words: str) -> str:
    if ready:
        return "is ready"
    waits = ", ".join(line.removeprefix("not yet ") for line in words.splitlines() if line.startswith("not yet"))
    return f"IS NOT READY, waits for: {waits}" if waits else "DOES NOT ANSWER"


def _lag(behind: Mapping[str, int]) -> str:
    if not behind:
        return "has read nothing yet"
    late = {topic: count for topic, count in behind.items() if count}
    if not late:
        return "has read everything"
    told = ", ".join(f"{count:,} records of {topic}" for topic, count in late.items())
    return f"has yet to read {told}" + ("" if sum(late.values()) > CALM else " (moments)")
