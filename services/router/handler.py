"""Scores and handoff events in, decisions out: gather, decide, apply; one transaction per batch and tenant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from services.router import metrics
from services.router.apart import described, lead_by_lead
from services.router.domain.decision import PoolsNeededError
from services.router.domain.facts import Scored
from services.router.domain.flow import AccountsNeededError, Desk, Done, Task, work
from services.router.domain.lifecycle import Arrival
from services.router.domain.matching.keys import Asked
from services.router.domain.playbook import Following
from services.router.domain.records import record_of
from services.router.store import accounts as account_rows
from services.router.store import availability, breadth, departures, trail
from services.router.store import leads as lead_rows
from services.router.store import pools as pool_rows
from services.router.store.leads import Stored
from shared.kit import metrics as shared_metrics
from shared.kit import outbox
from shared.kit.clock import Clock
from shared.kit.database import HOPELESS, Connection, Pool, tenant_transaction
from shared.kit.dead_letters import Reject
from shared.kit.kafka import Outgoing
from shared.schemas.handoff import HandoffEvent
from shared.schemas.policies.routing import asks_absence
from shared.schemas.scores import AccountScored, LeadScored
from shared.schemas.topics import LEAD_ROUTED

log = structlog.get_logger(__name__)

Input = LeadScored | AccountScored | HandoffEvent
ATTEMPTS = 5


class OvertakenError(Exception):
    """Who is merged into whom, or qualified, became other while the rows were being locked."""


class Router:
    """Decides who takes each lead. Doing a batch again changes nothing: what is not newer than the row is stale.

    follow: tenant -> the policies in force
    freed:  called when a rep gave a lead up, so that what waits can be tried
    """

    def __init__(
        self, pool: Pool, follow: Callable[[str], Following], clock: Clock, freed: Callable[[], None] = lambda: None
    ) -> None:
        self._pool, self._follow, self._clock, self._freed = pool, follow, clock, freed

    async def handle(self, inputs: Sequence[Input]) -> None:
        """Do everything that `inputs` cause. Raises Reject where one of them can never succeed: tried alone, it is that one."""
        tenants: dict[str, list[Input]] = {}
        for item in inputs:
            tenants.setdefault(item.tenant, []).append(item)
        for tenant, items in tenants.items():
            try:
                companies = [item for item in items if isinstance(item, AccountScored)]
                if companies:
                    await self._hear(tenant, companies)
                if leads := [item for item in items if not isinstance(item, AccountScored)]:
                    await self._until_alone(tenant, leads)
            except HOPELESS as error:
                log.error("undecidable", tenant=tenant, records=len(items), **described(error))
                raise Reject("undecidable", f"{type(error).__name__} while deciding") from error

    async def _until_alone(self, tenant: str, items: Sequence[LeadScored | HandoffEvent]) -> None:
        """Somebody else may merge or qualify leads of this batch just before their rows are locked: then it begins anew."""
        for _ in range(ATTEMPTS):
            with suppress(OvertakenError):
                return await self._handle_tenant(tenant, items)
        return await self._handle_tenant(tenant, items)

    async def _hear(self, tenant: str, scored: Sequence[AccountScored]) -> None:
        """Keep what companies are worth, and decide anew on the leads that wait there, where the gate asks for that.

        What was kept is committed before, so that whoever decides meanwhile either knows it or is found here; that leads were told
        is noted after. A batch that comes again tells those again that were not.
        """
        following, now = self._follow(tenant), self._clock.now()
        async with tenant_transaction(self._pool, tenant) as connection:
            # Committed first: who notes companies and waits for a new row, and who made that and waits for these, would deadlock.
            await breadth.expect(connection, tenant, {one.account for one in scored})
        async with tenant_transaction(self._pool, tenant) as connection:
            await breadth.note(connection, tenant, scored)
        if following.playbook is None or not following.playbook.accounts_first:
            return
        async with tenant_transaction(self._pool, tenant) as connection:
            news = await breadth.untold(connection, tenant, {one.account for one in scored})

        async def anew(connection: Connection, *leads: str) -> Done:
            rows = await lead_rows.lock(connection, tenant, leads, ())
            tasks = [retried(stored, "account_scored") for stored in rows.values()]
            return await decide_and_apply(connection, tenant, tasks, rows, {}, following, now)

        for account, known in news.items():
            leads: list[str] = []
            try:
                async with tenant_transaction(self._pool, tenant) as connection:
                    leads = await breadth.waiting(connection, tenant, account)
                    finished = [await anew(connection, *leads)]
            except HOPELESS:
                finished, _ = await lead_by_lead(self._pool, tenant, leads, anew)
            for done in finished:
                count(done, now)
            async with tenant_transaction(self._pool, tenant) as connection:
                await breadth.tell(connection, tenant, {account: known})

    async def _handle_tenant(self, tenant: str, items: Sequence[LeadScored | HandoffEvent]) -> None:
        arrived, events = newest_scores(items), events_by_lead(items)
        following, now = self._follow(tenant), self._clock.now()
        happened = [event for found in events.values() for event in found]
        if won := account_rows.bought(happened):
            async with tenant_transaction(self._pool, tenant) as connection:
                await account_rows.note_customers(connection, tenant, won)
        async with tenant_transaction(self._pool, tenant) as connection:
            heirs = await _heirs(connection, tenant, arrived, happened)
            wanted, create = {*arrived, *events, *heirs.values()}, {*arrived, *heirs.values()}
            rows = await lead_rows.lock(connection, tenant, wanted, create)
            if heirs != await _heirs(connection, tenant, arrived, happened):
                raise OvertakenError
            await account_rows.note_stages(connection, tenant, happened)
            tasks = [
                task_of(rows[lead_id], arrived.get(lead_id), events.get(lead_id, ()))
                for lead_id in dict.fromkeys(item.lead_id for item in items)  # first come, first served
                if lead_id in rows
            ]
            tasks = with_heirs(tasks, heirs, rows)
            scores = {task.lead.lead_id: arrived[task.lead.lead_id] for task in tasks if task.arrival}
            done = await decide_and_apply(connection, tenant, tasks, rows, scores, following, now)
        metrics.STALE.inc(len(arrived) - len(scores))
        metrics.UNKNOWN.inc(sum(len(found) for lead_id, found in events.items() if lead_id not in rows))
        count(done, now)
        if any(change.before.owner_rep and not change.after.owner_rep for change in done.changes):
            self._freed()


async def _heirs(
    connection: Connection, tenant: str, arrived: Mapping[str, LeadScored], happened: Sequence[HandoffEvent]
) -> dict[str, str]:
    """Leads that are merged and qualified, by this batch the one or the other, and the lead that is left of each."""
    merges = {lead_id: score.merged_into for lead_id, score in arrived.items() if score.merged_into}
    leads = {event.lead_id for event in happened if event.kind == "lead-qualified"}
    leads |= await lead_rows.qualified(connection, tenant, merges) if merges else set()
    return await lead_rows.heirs(connection, tenant, leads, merges) if leads else {}


def with_heirs(tasks: Sequence[Task], heirs: Mapping[str, str], rows: Mapping[str, Stored]) -> list[Task]:
    """The tasks, and those of the leads that others are merged into, after them."""
    known = {task.lead.lead_id: task for task in tasks}
    last = []
    for heir in dict.fromkeys(heirs.values()):
        task = known.pop(heir, None) or heard(rows[heir])
        last.append(replace(task, heir_of=tuple(lead_id for lead_id, left in heirs.items() if left == heir)))
    return [*known.values(), *last]


def heard(stored: Stored) -> Task:
    """A lead of which nothing is said itself."""
    score = stored.scored()
    return Task(stored.lead, Scored.of(score) if score else None, asked=Asked.of(score) if score else None)


def newest_scores(items: Sequence[Input]) -> dict[str, LeadScored]:
    """Per lead the score of the highest version."""
    newest: dict[str, LeadScored] = {}
    for item in items:
        if isinstance(item, LeadScored) and (item.lead_id not in newest or item.version > newest[item.lead_id].version):
            newest[item.lead_id] = item
    return newest


def events_by_lead(items: Sequence[Input]) -> dict[str, tuple[HandoffEvent, ...]]:
    """Per lead its handoff events, in order."""
    events: dict[str, tuple[HandoffEvent, ...]] = {}
    for item in items:
        if isinstance(item, HandoffEvent):
            events[item.lead_id] = (*events.get(item.lead_id, ()), item)
    return events


def retried(stored: Stored, because: str = "swept") -> Task:
    """A lead that waits, to be decided on anew, because of what may have changed."""
    score = stored.scored()
    if score is None:
        return Task(stored.lead, retry=True, because=because)
    return Task(stored.lead, Scored.of(score), retry=True, asked=Asked.of(score), because=because)


def task_of(stored: Stored, score: LeadScored | None, events: tuple[HandoffEvent, ...]) -> Task:
    """A lead and what is to be done to it, with the newest score that is known where it may be needed."""
    lead = stored.lead
    if score is not None and (lead.version is None or score.version > lead.version):
        scored = Scored.of(score)
        arrival = Arrival(score.version, scored, scored.digest(), score.merged_into)
        return Task(lead, scored, arrival, events, asked=Asked.of(score))
    known = stored.scored() if events else None
    return Task(lead, Scored.of(known) if known else None, None, events, asked=Asked.of(known) if known else None)


async def decide_and_apply(
    connection: Connection,
    tenant: str,
    tasks: Sequence[Task],
    rows: Mapping[str, Stored],
    scores: Mapping[str, LeadScored],
    following: Following,
    now: int,
) -> Done:
    """Decide on the tasks and write what follows: leads, pools, the trail, and the records for others, which are numbered last,
    under all locks. Accounts are looked for, and then pools locked, only when a lead is ripe.

    rows: of the leads, locked;  scores: the new scores of some of them
    """
    done, desk = await look_and_decide(connection, tenant, tasks, following, now)
    moved = [after for task, after in zip(tasks, done.leads, strict=True) if after != task.lead]
    await lead_rows.write(connection, tenant, moved, scores, now)
    changed = [pool for pool_id, pool in done.desk.pools.items() if pool != desk.pools[pool_id]]
    await pool_rows.write(connection, tenant, changed)
    await trail.write(connection, tenant, done.changes, following.playbook)
    await outbox.enqueue(connection, "router", tenant, _outgoing(tenant, done, rows, scores, following, now))
    return done


async def look_and_decide(
    connection: Connection, tenant: str, tasks: Sequence[Task], following: Following, now: int
) -> tuple[Done, Desk]:
    """What becomes of the tasks, and the desk as it was read for them."""
    desk = Desk()
    left: tuple[str, ...] | None = None
    while True:
        try:
            return work(tenant, tasks, desk, following, now), desk
        except AccountsNeededError:
            left = await departures.gone(connection, tenant) if left is None else left
            desk = replace(await account_rows.look(connection, tenant, tasks), left=left)
            playbook = following.playbook
            if playbook is not None and asks_absence(playbook.routing.accounts):
                desk = replace(desk, out=playbook.out(await availability.away(connection, tenant, now), now))
        except PoolsNeededError:
            left = await departures.gone(connection, tenant) if left is None else left
            leads = [task.lead.lead_id for task in tasks]
            read = await pool_rows.read_desk(connection, tenant, following.playbook, now, leads, left)
            desk = replace(read, accounts=desk.accounts or {}, deals=desk.deals)


def _outgoing(
    tenant: str,
    done: Done,
    rows: Mapping[str, Stored],
    scores: Mapping[str, LeadScored],
    following: Following,
    now: int,
) -> list[Outgoing]:
    records = []
    for change in done.changes:
        if change.told:
            score = scores.get(change.after.lead_id) or rows[change.after.lead_id].scored()
            record = record_of(tenant, change, score, following.playbook, now)
            value = record.model_dump_json(exclude_none=True).encode()
            records.append(Outgoing(LEAD_ROUTED.name, record.key(), value))
    return records


EXPLORED = {"offer-accepted": "accepted", "offer-declined": "declined", "lead-qualified": "passed_on"}


def count(done: Done, now: int) -> None:
    """Measure what was done, after it was committed."""
    for change in done.changes:
        metrics.WITHDRAWN.inc(change.withdrawn)
        if (what := EXPLORED.get(change.cause.kind)) and change.before.explored:
            metrics.EXPLORED.labels(what).inc()
        if change.decision and change.decision.trace.explored and change.decision.outcome.kind == "routed":
            metrics.EXPLORED.labels("routed").inc()
        if change.decision:
            metrics.DECISIONS.labels(change.decision.outcome.kind).inc()
            if change.decision.way == "named":
                metrics.BY_ACCOUNT.labels(change.decision.outcome.by).inc()
            if change.decision.outcome.kind == "routed":
                age = now - change.decision.inputs.scored.as_of
                shared_metrics.EVENT_AGE.labels("router").observe(max(0, age) / 1000)
