"""Scoring as processes over real Kafka and Redis: a town of workers, what is sent to them, and what they ought to say."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic, time_ns
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.asyncio import Redis

from baton.stack.ports import free_port
from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState
from shared.kit.closing import close_consumer
from shared.kit.kafka import KafkaPublisher, Outgoing
from shared.schemas import ids
from shared.schemas.base import Record
from shared.schemas.policies import PolicyPublished, ScoringPolicy
from shared.schemas.scores import LeadScored, PolicyRef, Version
from shared.schemas.topics import LEAD_SCORED, SCORE_TRANSFERS, TOUCHPOINTS
from shared.schemas.touches import LinkChanged, Touch

DAY = 86_400_000
NOW = time_ns() // 1_000_000
INPUTS = (TOUCHPOINTS.name, SCORE_TRANSFERS.name)
POLICY: dict[str, Any] = {
    "kind": "scoring",
    "hand_raises": ["contact_requested"],
    "engagement": {
        "groups": {"web": 40, "ask": 40},
        "rules": [
            {
                "id": "page",
                "when": {"touch.type": {"eq": "page_viewed"}},
                "points": 3,
                "half_life_days": 14,
                "limit": 3,
                "group": "web",
            },
            {
                "id": "contact",
                "when": {"touch.type": {"eq": "contact_requested"}},
                "points": 30,
                "half_life_days": 30,
                "per": "once",
                "group": "ask",
            },
        ],
    },
    "fit": {"rules": [{"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 30}]},
}
RULES = Rules(ScoringPolicy.model_validate(POLICY), PolicyRef(sequence=1, hash="h"))


@dataclass
class Worker:
    """A scoring process, started again when it crashes, as its supervisor would."""

    environment: dict[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    crashes: int = 0
    _stopped: bool = False
    _supervisor: asyncio.Task[None] | None = None

    async def start(self) -> Worker:
        await self._spawn()
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.scoring", env=os.environ | self.environment, stderr=log, stdout=log
            )

    async def _supervise(self) -> None:
        while not self._stopped:
            assert self.process
            status = await self.process.wait()
            if not self._stopped:
                assert status == 1, f"ended with {status}: {self.log.read_text()[-2000:]}"
                self.crashes += 1
                await self._spawn()

    def check(self) -> None:
        """Raises AssertionError where it ended as no crash does, and was not started again."""
        if not self._stopped and self._supervisor and self._supervisor.done():
            self._supervisor.result()

    async def metric(self, name: str, **labels: str) -> float:
        """Its value now; 0 where it does not stand."""
        async with httpx.AsyncClient(timeout=60) as http:
            text = (await http.get(f"http://127.0.0.1:{self.environment['SCORING_PORT']}/metrics")).text
        wanted = name + (
            "{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}" if labels else ""
        )
        return next(
            (float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(wanted + " ")), 0.0
        )

    async def end(self, number: signal.Signals) -> int:
        """Send the signal and do not start again; the exit status."""
        assert self.process
        self._stopped = True
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        status = await self.process.wait()
        assert self._supervisor
        await self._supervisor
        if self.process.returncode is None:  # it had just been started again
            self.process.kill()
            await self.process.wait()
        return status

    async def is_ready(self) -> bool:
        url = f"http://127.0.0.1:{self.environment['SCORING_PORT']}/readyz"
        async with httpx.AsyncClient(timeout=60) as http:
            with suppress(httpx.TransportError):
                return (await http.get(url)).status_code == 200
        return False


@dataclass
class Town:
    """Workers of one group of their own, what is sent to them, and what they say."""

    kafka: str
    redis: Redis
    redis_url: str
    tenant: str
    folder: Path
    group: str = field(default_factory=lambda: f"scoring-{uuid4().hex[:8]}")
    workers: list[Worker] = field(default_factory=list)
    scores: dict[str, LeadScored] = field(default_factory=dict)

    async def hire(self, **more: str) -> Worker:
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "REDIS_URL": self.redis_url,
            "IDENTITY_SECRET": "x" * 32,
            "SCORING_GROUP": self.group,
            "SCORING_PORT": str(free_port()),
            "SCORING_SESSION_SECONDS": "6",
            "SCORING_POLICY_PATIENCE_SECONDS": "0",  # other tests' tenants have no policy, or one of another shape
            "BATON_DEAD_LETTERS_PER_MINUTE": "1000000",
        } | more
        worker = Worker(environment, self.folder / f"worker-{len(self.workers)}.log")
        self.workers.append(worker)
        return await worker.start()

    async def until(self, condition: Callable[[], Any], seconds: float = 90) -> None:
        """Wait until it holds, reading scores meanwhile."""
        deadline = monotonic() + seconds
        while True:
            holds = condition()
            if await holds if asyncio.iscoroutine(holds) else holds:
                return
            for worker in self.workers:
                worker.check()
            logs = "".join(worker.log.read_text()[-3000:] for worker in self.workers)
            assert monotonic() < deadline, f"not within {seconds} s; logs: {logs}"
            await self._read()

    async def has_caught_up(self) -> bool:
        """Whether the states hold all that there is to read."""
        ends = await self.reader.end_offsets([TopicPartition(topic, n) for topic in wire.INPUTS for n in range(8)])
        for (topic, partition), end in ends.items():
            if int(await self.redis.hget(f"{self.group}:{{s:{partition}}}:applied", topic) or 0) < end:
                return False
        return True

    async def agree(self, states: dict[str, LeadState]) -> None:
        """Wait until what is said of the leads is what these states are worth; of others nothing is said."""
        try:
            await self.until(lambda: not self.differing(states))
        except AssertionError as error:
            raise AssertionError(f"{self.differing(states)}\n{error}") from error
        assert {lead for lead, said in self.scores.items() if said.merged_into is None} == states.keys()

    def differing(self, states: dict[str, LeadState]) -> list[Any]:
        """Of three leads what is said, and what is not said as it should be."""
        found: list[Any] = []
        for lead, state in states.items():
            said = self.scores.get(lead)
            if said is None or said.merged_into is not None:
                found.append((lead, said))
            elif (wanted := worth(lead, state, said)) != (told := said.model_dump(exclude={"version"})):
                found.append((lead, said.version, {k: (told[k], wanted[k]) for k in told if told[k] != wanted[k]}))
            if len(found) == 3:
                break
        return found

    async def _read(self) -> None:
        for records in (await self.reader.getmany(timeout_ms=200)).values():
            for record in records:
                if record.key and record.key.startswith(f"{self.tenant}/".encode()):
                    told = LeadScored.model_validate_json(record.value or b"")
                    known = self.scores.get(told.lead_id)
                    if known is None or told.version >= known.version:  # as every reader must
                        self.scores[told.lead_id] = told

    async def open(self) -> None:
        self.publisher = KafkaPublisher(self.kafka)
        await self.publisher.start()
        self.reader = AIOKafkaConsumer(LEAD_SCORED.name, bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await self.reader.start()
        policy = PolicyPublished(
            tenant=self.tenant, kind="scoring", sequence=1, hash="h", body=POLICY, activated_at=NOW
        )
        await self.publisher.publish([Outgoing("policies", policy.key(), policy.model_dump_json().encode())])

    async def close(self) -> None:
        """End all of them, and then tell of one that did not end as it should."""
        ends = await asyncio.gather(*(worker.end(signal.SIGKILL) for worker in self.workers), return_exceptions=True)
        await close_consumer(self.reader)
        await self.publisher.stop()
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def send(self, records: list[Record]) -> None:
        out = [Outgoing(TOUCHPOINTS.name, r.key(), r.model_dump_json(exclude_none=True).encode()) for r in records]
        await self.publisher.publish(out)


def touch(tenant: str, identity: str, kind: str, lead: str, number: int, rng: Random) -> Touch:
    at = NOW - rng.randrange(20 * DAY)
    return Touch.model_validate(
        {
            "tenant": tenant,
            "lead_id": lead,
            "identity_id": identity,
            "identity_kind": kind,
            "event_id": ids.derived_id(tenant, number),
            "source_id": "site",
            "type": rng.choice(["page_viewed", "page_viewed", "contact_requested"]),
            "at": at,
            "received_at": NOW + number,
            "attributes": {"level": "head"} if rng.random() < 0.1 else {},
        }
    )


def history(tenant: str, touches: int, people: int, rng: Random) -> list[Record]:
    """Touches by mail and by device; a third of the devices become known, a few people turn out to be another, and back."""
    owner: dict[str, str] = {}
    records: list[Record] = []

    def link(identity: str, kind: str, to: str, sequence: int) -> None:
        before = owner.get(identity, ids.lead_id(identity))
        owner[identity] = to
        for lead in {ids.lead_id(identity), before, to}:
            link = {"identity_id": identity, "identity_kind": kind, "owner": to, "sequence": sequence}
            records.append(LinkChanged(tenant=tenant, lead_id=lead, received_at=NOW, **link))  # type: ignore[arg-type]

    for number in range(touches):
        person = rng.randrange(people)
        mail, device = f"{tenant}-mail-{person}", f"{tenant}-device-{person}"
        if number % 10 == 7 and person % 3 == 0:
            link(device, "anonymous", ids.lead_id(mail), number + 1)
        if number % 50 == 9:
            link(mail, "email", ids.lead_id(f"{tenant}-mail-{(person + 1) % people}"), number + 1)
        if number % 50 == 39:
            link(mail, "email", ids.lead_id(mail), number + 1)
        identity, kind = (device, "anonymous") if rng.random() < 0.4 else (mail, "email")
        records.append(touch(tenant, identity, kind, owner.get(identity, ids.lead_id(identity)), number, rng))
    return records


def recomputed(records: list[Record]) -> dict[str, LeadState]:
    """Every known lead's state from all touches and the last registers at once: no batches, no transfers, no stores."""
    registers: dict[str, LinkChanged] = {}
    for record in records:
        if isinstance(record, LinkChanged):
            known = registers.get(record.identity_id)
            registers[record.identity_id] = record if known is None or record.sequence > known.sequence else known
    told: dict[str, Told] = {}
    for record in [*registers.values(), *(r for r in records if isinstance(r, Touch))]:
        register = registers.get(record.identity_id)
        owner = register.owner if register else ids.lead_id(record.identity_id)
        read = wire.decode(TOUCHPOINTS.name, record.model_dump_json().encode())
        told.setdefault(owner, Told(record.tenant, owner)).inputs.append((read, None))
    states = {lead: join(said, LeadState(), RULES).finish() for lead, said in told.items()}
    return {lead: state for lead, state in states.items() if state.is_known(state.owned(lead))}


def worth(lead: str, state: LeadState, said: LeadScored) -> dict[str, Any]:
    """What is to be said of it: as of when it was last heard of, or of when time alone changed something or all were told again.

    Tests start long after this module is read, on a busy machine minutes, in which a few of the leads pass an edge.
    """
    scored = score(state, lead, RULES, said.as_of if said.cause != "input" else 0)
    saying = wire.Saying(Version(1, 1, 0, scored.as_of), wire.PolicyRef(1, "h"), said.cause, said.change_id)
    out = wire.lead_scored(said.tenant, lead, saying, scored)
    return LeadScored.model_validate_json(wire.encode(out)).model_dump(exclude={"version"})
