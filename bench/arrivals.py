"""Leads as they really come, against a team with hours: `BATON_DATASETS=FOLDER python -m bench arrivals`.

The moments are those of 9,658 loan applications (BPI Challenge 2012; `baton/replay/bpi.py` says where it is), read as if the bank's
clocks were Tokyo's. The team has the hours, holidays and absences of `TEAM`. The real router and its sweep decide on the real
Postgres, under a clock that goes 1,000 times as fast as ours while they work: a minute of theirs is 60 ms of ours. Stretches in
which nothing comes and nobody opens are skipped. The baseline is the same at the speed of our own clocks.

A lead's wait counts from the first moment at which any of the team was at work after it came, until its assignment is committed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import uvloop

from baton.migrations import upgrade_async
from baton.replay.bpi import Arrival, load
from bench.fire import CRITERION, score_of
from bench.harness import Row, percentile, row, say, servers
from services.router.handler import Router
from services.router.policies import Policies
from services.router.store import leads as lead_rows
from services.router.sweep import Sweep
from shared.availability.people import people
from shared.kit import logs
from shared.kit.database import Pool, open_pool, tenant_transaction
from shared.kit.kafka import Message
from shared.schemas.policies import PolicyPublished, TeamsPolicy

SPEED, MOST, SWEPT, MINUTE = 1000, 500, 200, 60_000
DATASETS = Path(os.environ.get("BATON_DATASETS") or Path(__file__).parents[2] / "shared" / "data")
TOKYO = ZoneInfo("Asia/Tokyo")
TEAM: dict[str, Any] = {
    "kind": "teams",
    "calendars": [
        {
            "id": "tokyo",
            "zone": "Asia/Tokyo",
            "blocks": [{"open": "09:00", "close": "12:00"}, {"open": "13:00", "close": "18:00"}],
            "holidays": {"country": "JP"},
            "presets": ["nenmatsu_nenshi"],
        }
    ],
    "reps": [
        {"id": "sato", "name": "Sato", "capacity": 10_000, "calendar": "tokyo"},
        {
            "id": "tanaka",
            "name": "Tanaka",
            "capacity": 10_000,
            "calendar": "tokyo",
            "absences": [{"start": "2011-11-07", "end": "2011-11-18"}],
        },
        {
            "id": "mori",
            "name": "Mori",
            "capacity": 10_000,
            "calendar": "tokyo",
            "absences": [
                {"start": "2012-01-23", "end": "2012-01-27"},
                {"start": "2012-02-15T13:00", "end": "2012-02-15T18:00"},
            ],
        },
        {"id": "ito", "name": "Ito", "capacity": 10_000, "calendar": "tokyo"},
    ],
    "pools": [
        {"id": "team", "members": [{"rep": "sato", "weight": 2}, {"rep": "tanaka"}, {"rep": "mori"}, {"rep": "ito"}]}
    ],
}
POLICIES: tuple[dict[str, Any], ...] = (
    {
        "kind": "qualification",
        "gate": {"mql": ["A1"], "inside_sales_check": ["B1"]},
        "bant": dict.fromkeys(("budget", "authority", "need", "timeline"), CRITERION),
    },
    {
        "kind": "routing",
        "rules": [{"id": "all", "legs": ["fs", "is"], "when": {}, "pool": "team"}],
        "decline_reasons": [{"code": "full", "kind": "decline", "label": {"en": "full"}, "effect": "reroute"}],
    },
    TEAM,
    {"kind": "sla", "default": {"id": "score", "accept": 3600, "first_touch": 86400}},
)


class FastClock:
    """A clock that goes `speed` times as fast as ours, may be moved on, and stands while we look at what was done (ms)."""

    def __init__(self, at: int, speed: int) -> None:
        self._at, self._speed, self._since = float(at), speed, time.perf_counter()

    def now(self) -> int:
        return int(self._at + (time.perf_counter() - self._since) * 1000 * self._speed)

    def move_on(self, to: int) -> None:
        self._at, self._since = max(float(to), self.now()), time.perf_counter()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        at = self.now()
        yield
        self._at, self._since = float(at), time.perf_counter()


@dataclass(slots=True)
class Seen:
    """What became of the leads.

    waits:     of each, ms from the first moment after it came at which somebody was at work, until it was somebody's
    closed:    leads that came while nobody was
    leads_off: the furthest that anybody ever was from the share while they could take leads
    """

    waits: list[int] = field(default_factory=list)
    closed: int = 0
    leads_off: Fraction = Fraction(0)

    def within(self, milliseconds: int) -> float:
        """Percent."""
        return 100 * sum(wait <= milliseconds for wait in self.waits) / len(self.waits)


def measure() -> list[Row]:
    logs.configure("bench", "WARNING")  # the sweep tells of every lead that it freed
    arrivals = load(DATASETS)
    with servers() as env:
        uvloop.run(upgrade_async(env["DATABASE_URL"]))
        fast, even = (uvloop.run(replay(env["DATABASE_URL"], f"arrivals-{n}", arrivals, n)) for n in (SPEED, 1))
    figures: list[tuple[str, Callable[[Seen], float], str]] = [
        ("given within a minute of when somebody was at work", lambda seen: seen.within(MINUTE), "%"),
        ("waited for at most, beyond that", lambda seen: max(seen.waits) / 1000, "s"),
        ("waited for, beyond that, p50", lambda seen: percentile(seen.waits, 0.5) / 1000, "s"),
        ("came while nobody was at work", lambda seen: 100 * seen.closed / len(seen.waits), "%"),
        ("furthest that anybody ever was from the share", lambda seen: float(seen.leads_off), "leads"),
    ]
    return [
        row(f"{len(arrivals):,} leads, {SPEED:,}-fold speed: {what}", figure(fast), unit, figure(even))
        for what, figure, unit in figures
    ]


async def replay(database: str, tenant: str, arrivals: Sequence[Arrival], speed: int) -> Seen:
    """Give `arrivals` to the router as they come. Raises RuntimeError where a lead stays without an owner."""
    app = await open_pool(database, "baton_app", application="bench", size=2)
    workers = await open_pool(database, "baton_worker", application="bench", size=2)
    async with app, workers:
        return await Replay(app, workers, tenant, arrivals, speed).run()


class Replay:
    """One replay: the router, its sweep and their clock, and what is still to come."""

    def __init__(self, app: Pool, workers: Pool, tenant: str, arrivals: Sequence[Arrival], speed: int) -> None:
        self._app, self._workers, self._tenant = app, workers, tenant
        self._coming = [(int(one.at.replace(tzinfo=TOKYO).timestamp() * 1000), one.case_id) for one in arrivals]
        self._clock = FastClock(self._coming[0][0], speed)
        policies = Policies()
        for number, body in enumerate(POLICIES, start=1):
            record = PolicyPublished(
                tenant=tenant, kind=body["kind"], sequence=number, hash=f"h{number}", body=body, activated_at=0
            )
            policies.apply(Message("policies", 0, 0, record.key(), record.model_dump_json().encode()))
        self._router = Router(app, policies.following, self._clock)
        self._sweep = Sweep(
            app, workers, policies.following, policies.tenants, self._clock, policies.changed, most=SWEPT
        )
        self._team = list(people(TeamsPolicy.model_validate(TEAM)).values())
        self._waiting: dict[str, int] = {}  # lead -> the first moment after it came at which somebody was at work
        self._seen = Seen()

    async def run(self) -> Seen:
        begun, next_told = 0, 0
        while begun < len(self._coming) or self._waiting:
            now = self._clock.now()
            batch = self._coming[begun : begun + MOST]
            batch = [(at, case) for at, case in batch if at <= now]
            if batch:
                scores = [score_of(self._tenant, case, "A1", begun + n, at) for n, (at, case) in enumerate(batch)]
                begun += len(batch)
                await self._router.handle(scores)
                with self._clock.stopped():
                    self._came(batch)
                    await self._look()
            else:
                opening = await self._opening()
                if opening is not None and opening <= now:
                    await self._sweep.sweep()
                    with self._clock.stopped():
                        await self._look()
                else:
                    moments = [opening] if opening is not None else []
                    moments += [self._coming[begun][0]] if begun < len(self._coming) else []
                    if not moments:
                        raise RuntimeError(f"{len(self._waiting)} leads wait for nothing")
                    self._clock.move_on(min(moments))
            if begun >= next_told:
                say(f"{begun:,} leads have come, {len(self._waiting)} of them wait")
                next_told += 2_000
        return self._seen

    def _came(self, batch: Sequence[tuple[int, str]]) -> None:
        for at, case in batch:
            opens = min(found for one in self._team if (found := one.hours.next_open(at)) is not None)
            self._seen.closed += opens > at
            self._waiting[case] = opens

    async def _opening(self) -> int | None:
        if not self._waiting:
            return None
        async with self._workers.acquire() as connection:
            return await lead_rows.next_opening(connection)

    async def _look(self) -> None:
        """Who has been given to somebody by now, and how far anybody is from the share."""
        now = self._clock.now()
        async with tenant_transaction(self._app, self._tenant) as connection:
            given = await connection.fetch(
                "SELECT lead_id FROM router.assignments WHERE tenant = $1 AND lead_id = ANY($2::text[])",
                self._tenant,
                list(self._waiting),
            )
            dues = await connection.fetch("SELECT due FROM router.pool_members WHERE tenant = $1", self._tenant)
        for lead in given:
            self._seen.waits.append(now - self._waiting.pop(lead["lead_id"]))
        self._seen.leads_off = max([self._seen.leads_off, *(abs(Fraction(one["due"])) for one in dues)])
