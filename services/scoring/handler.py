"""Scoring in one screen: read the batch, gather the states, decide, save behind the fence, publish. The caller acknowledges.

A batch is published while the next one is read, decided and saved: no more than that, and in turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import structlog

from services.scoring import metrics
from services.scoring.batch import Batch, Share, Slice, Told, ToldAccount, read
from services.scoring.cache import Held, StateCache
from services.scoring.curves import curve_of
from services.scoring.decide import Decision, Now, decide, decide_account
from services.scoring.domain.codec import VERSION
from services.scoring.domain.rules import Rules
from services.scoring.policies import Policies
from services.scoring.progress import done
from services.scoring.states import Applied, Change, States
from services.scoring.subjects import State, Subject, decoded, encoded, lead_in, parse, people_in
from services.scoring.wire import INPUTS
from shared.kit import metrics as shared_metrics
from shared.kit.clock import Clock
from shared.kit.dead_letters import DeadLetters
from shared.kit.kafka import Outgoing, Publisher
from shared.schemas.scores import Cause
from shared.schemas.topics import SCORE_TRANSFERS

log = structlog.get_logger(__name__)

ATTEMPTS = 5


class StatesLostError(RuntimeError):
    """Redis knows of less than it had acknowledged: the next start rewinds to what it has, and rebuilds."""


class GapError(RuntimeError):
    """Records are missing between what is applied and what was polled: the next start seeks to what is applied."""


class ContendedError(RuntimeError):
    """Another worker kept writing the same partition: this one has most likely lost it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A partition before the batch: what is applied, and the states that the batch names, by subject."""

    applied: Applied
    states: Mapping[str, State]


class Visit(NamedTuple):
    """What was found at one subject, and when to look at it next."""

    key: str
    tenant: str
    state: State
    decisions: list[Decision]
    due: int | None
    without_policy: bool = False


class Scorer:
    """Joins batches into the states of leads and says what they are worth now.

    A batch may come again, in whole or in part, after any failure: states are joins, each write checks what is applied, and the
    latest score of each lead in it is published again. That is why nothing is ever skipped for being applied already.
    """

    def __init__(
        self,
        states: States,
        publisher: Publisher,
        policies: Policies,
        dead_letters: DeadLetters,
        clock: Clock,
        *,
        cached_leads: int = 4000,
    ) -> None:
        self._states, self._publisher, self._policies = states, publisher, policies
        self._dead, self._clock = dead_letters, clock
        self._cache = StateCache(cached_leads)
        self._one_at_a_time = asyncio.Lock()
        self._telling: asyncio.Task[None] | None = None  # what the last batch caused
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def handle(self, polled: Sequence[Slice]) -> None:
        """Do all that the batch causes; when it returns, everything is saved and acknowledged by the broker."""
        await (await self.take(polled))

    async def take(self, polled: Sequence[Slice]) -> asyncio.Task[None]:
        """Save all that the batch causes, and have it published once the batch before is; the task ends when the broker has
        acknowledged that, and raises what prevented it."""
        self._busy += 1
        self._quiet.clear()
        try:
            async with self._one_at_a_time:
                batch = await self._read(polled)
                try:
                    decisions = await self._save(batch)
                except BaseException:
                    for partition in batch.shares:
                        self._cache.drop(partition)
                    raise
                await self._told()
                self._telling = asyncio.create_task(self._tell(polled, batch, decisions), name="publishing")
                return self._telling
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

    async def _told(self) -> None:
        """Until the last batch is published, or could not be, which whoever took it knows."""
        if self._telling:
            await asyncio.wait({self._telling})

    async def _tell(self, polled: Sequence[Slice], batch: Batch, decisions: Sequence[Decision]) -> None:
        await self._publish(decisions)
        await self._dead.publish(batch.rejected)
        self._count(polled, batch, decisions)

    async def quiet(self) -> None:
        """Until no batch is under way: new events come first; what time or a policy asks for has its turn between two batches."""
        await self._quiet.wait()

    async def visit(
        self,
        partition: int,
        subjects: Mapping[str, int],
        cause: Cause,
        until: int,
        *,
        rescoring: Mapping[str, str | None] | None = None,
    ) -> bool:
        """Say again what these subjects are worth at `until` (ms), because the policy changed; or what time alone has made of
        them by then, since they were due (ms, by subject).

        Published before it is noted as done: after a crash in between it is said once more, by the same version. States are read
        from the store, and nothing is joined into them, so that whoever does this by mistake, or twice, does no harm.

        rescoring: to be noted with it, or not at all

        Returns whether it is noted, which it is not when another worker has written. Raises StatesLostError.
        """
        async with self._one_at_a_time:
            loaded = (await self._states.load({partition: list(subjects)}))[partition]
            applied = {topic: loaded.applied.get(topic, 0) for topic in INPUTS}
            if not self._still_stands(partition, loaded.applied):
                return False
            self._cache.hold(partition, applied, ())
            now = Now(sum(applied.values()), cause, epoch=self._states.epoch)
            known = {key: state for key in subjects if (state := loaded.states.get(key)) is not None}
            visits = [self._visited(key, raw, now, subjects[key], until) for key, raw in known.items()]
            decisions = [decision for visit in visits for decision in visit.decisions]
            await self._told()
            await self._publish(decisions)
            change = Change(
                partition,
                loaded.applied,
                applied,
                {visit.key: encoded(visit.state) for visit in visits if _is_old(known[visit.key])},
                dict.fromkeys(subjects) | {visit.key: visit.due for visit in visits},
                # A tenant without a policy is due for nothing until it has one, and then for all that it has.
                dict(rescoring or {}) | {done(visit.tenant): None for visit in visits if visit.without_policy},
            )
            refused = await self._states.save([change])
            if refused:
                _overtaken(partition, loaded.applied, refused[partition])
            metrics.VISITS.labels(cause).inc(len(visits))
            _count_said(decisions)
            return not refused

    def forget(self, partition: int) -> None:
        """What is held of a partition in memory no longer stands."""
        self._cache.drop(partition)

    async def _read(self, polled: Sequence[Slice]) -> Batch:
        batch = read(polled, self._has_policy)
        if batch.without_policy:
            # Together: one after the other, many tenants without a policy would look like a worker that hangs.
            found = await asyncio.gather(*map(self._policies.wait, sorted(batch.without_policy)))
            if any(found):
                batch = read(polled, self._has_policy)
        return batch

    def _has_policy(self, tenant: str) -> bool:
        return self._policies.find(tenant) is not None

    async def _save(self, batch: Batch) -> list[Decision]:
        """The decisions as saved. Partitions that another worker wrote meanwhile are read and decided again."""
        pending = batch.shares
        saved: list[Decision] = []
        for _ in range(ATTEMPTS):
            gathered = await self._gather(pending)
            decided = {partition: self._decide(share, gathered[partition]) for partition, share in pending.items()}
            changes = [_change(pending[p], gathered[p].applied, decided[p], p) for p in pending]
            refused = await self._states.save(changes)
            for change in changes:
                if change.partition in refused:
                    self._refused(change, refused[change.partition])
                else:
                    states = ((key, decision.state) for key, decision in decided[change.partition].items())
                    self._cache.hold(change.partition, change.applied, states)
                    saved += decided[change.partition].values()
            pending = {partition: share for partition, share in pending.items() if partition in refused}
            if not pending:
                return saved
        raise ContendedError(f"partitions {sorted(pending)} were written by another worker {ATTEMPTS} times")

    def _still_stands(self, partition: int, really: Applied) -> bool:
        """Whether the store has what was there last. What it lost, or what another worker has gone on with, is not ours to tell:
        of the latter a worker that still owns the partition gets to know by the records that come to it as well."""
        held = self._cache.find(partition)
        if held is None or all(really.get(topic, 0) == offset for topic, offset in held.applied.items()):
            return True
        _overtaken(partition, held.applied, really)
        return False

    def _refused(self, change: Change, really: Applied) -> None:
        self._cache.drop(change.partition)
        _overtaken(change.partition, change.believed, really)

    async def _gather(self, shares: Mapping[int, Share]) -> dict[int, Gathered]:
        """States from memory, the rest from the store in one round trip."""
        held = {partition: self._held(partition, share) for partition, share in shares.items()}
        wanted: dict[int, list[str]] = {}
        for partition, share in shares.items():
            cached = held[partition]
            if cached is None:
                wanted[partition] = share.subjects()
            elif missing := [key for key in share.subjects() if key not in cached.states]:
                wanted[partition] = missing
        loaded = await self._states.load(wanted) if wanted else {}
        gathered = {}
        for partition, share in shares.items():
            cached, fresh = held[partition], loaded.get(partition)
            states: dict[str, State] = {}
            if fresh:
                states |= {key: decoded(key, raw) for key, raw in fresh.states.items()}
            if cached:
                states |= {key: cached.states[key] for key in share.subjects() if key in cached.states}
            applied = cached.applied if cached else fresh.applied if fresh else {}
            if gap := _gap(partition, share, applied):
                raise GapError(gap)
            gathered[partition] = Gathered(applied, states)
        return gathered

    def _held(self, partition: int, share: Share) -> Held | None:
        """What is held in memory, unless another worker has plainly gone on from there."""
        held = self._cache.find(partition)
        if held and _gap(partition, share, held.applied):
            self._cache.drop(partition)
            return None
        return held

    def _decide(self, share: Share, gathered: Gathered) -> dict[str, Decision]:
        now = Now(sum(_applied_with(share, gathered.applied).values()), epoch=self._states.epoch)
        known = gathered.states
        decided = {
            key: decide(told, lead_in(known.get(key)), self._policies.find(told.tenant), now)
            for key, told in share.leads.items()
        }
        for key, account in share.accounts.items():
            rules = self._policies.find(account.tenant)
            assert rules is not None, "the batch rejects signals of tenants without a policy"
            decided[key] = decide_account(account, people_in(known.get(key)), rules, now)
        return decided

    def _visited(self, key: str, raw: bytes, now: Now, due: int, until: int) -> Visit:
        subject, state = parse(key), decoded(key, raw)
        rules = self._policies.find(subject.tenant)
        if rules is None:
            return Visit(key, subject.tenant, state, [], None, without_policy=True)
        if now.cause == "policy":
            decision = _again(subject, state, rules, replace(now, moment=until))
            return Visit(key, subject.tenant, state, [decision], decision.due)
        moments, coming = curve_of(subject, state, rules).changes(due, until)
        decisions = [_again(subject, state, rules, replace(now, moment=moment)) for moment in moments]
        return Visit(key, subject.tenant, state, decisions, coming)

    async def _publish(self, decisions: Sequence[Decision]) -> None:
        records: list[Outgoing] = [record for decision in decisions for record in decision.records]
        if records:
            await self._publisher.publish(records)

    def _count(self, polled: Sequence[Slice], batch: Batch, decisions: Sequence[Decision]) -> None:
        for part in polled:
            rejected = sum(
                r.message.topic == part.topic and r.message.partition == part.partition for r in batch.rejected
            )
            shared_metrics.RECORDS.labels(part.topic, "done").inc(len(part.records) - rejected)
            if rejected:
                shared_metrics.RECORDS.labels(part.topic, "rejected").inc(rejected)
        now = self._clock.now()
        for share in batch.shares.values():
            for told in share.leads.values():
                age = now - told.inputs[-1][0].received_at
                shared_metrics.EVENT_AGE.labels("scoring").observe(max(0, age) / 1000)
        _count_said(decisions)
        metrics.TRANSFERS.inc(
            sum(record.topic == SCORE_TRANSFERS.name for decision in decisions for record in decision.records)
        )
        for decision in decisions:
            for bound, refused in decision.refused.items():
                if refused:
                    metrics.REFUSED.labels(bound).inc(refused)
        metrics.CACHED.set(self._cache.size())


def _overtaken(partition: int, believed: Applied, really: Applied) -> None:
    """Another worker has written. Raises StatesLostError where it is rather that the store lost something."""
    if any(really.get(topic, 0) < offset for topic, offset in believed.items()):
        raise StatesLostError(
            f"partition {partition}: {dict(really)} is applied, {dict(believed)} had been acknowledged"
        )
    metrics.FENCED.inc()
    log.warning("fenced", partition=partition, believed=dict(believed), applied=dict(really))


def _count_said(decisions: Sequence[Decision]) -> None:
    for outcome in ("scored", "merged", "account"):
        metrics.SCORES.labels(outcome).inc(sum(decision.outcome == outcome for decision in decisions))


def _applied_with(share: Share, applied: Applied) -> dict[str, int]:
    """What is applied once the share is. Both topics are always named, so that the fence checks both."""
    ends = {topic: part.end() for topic, part in share.slices.items()}
    return {topic: max(applied.get(topic, 0), ends.get(topic, 0)) for topic in INPUTS}


def _change(share: Share, believed: Applied, decided: Mapping[str, Decision], partition: int) -> Change:
    states = {key: encoded(decision.state) for key, decision in decided.items()}
    due = {key: decision.due for key, decision in decided.items()}
    return Change(partition, believed, _applied_with(share, believed), states, due)


def _again(subject: Subject, state: State, rules: Rules, now: Now) -> Decision:
    """What is said of a state as it is."""
    if subject.is_account:
        return decide_account(ToldAccount(subject.tenant, subject.name), people_in(state), rules, now)
    return decide(Told(subject.tenant, subject.name), lead_in(state), rules, now)


def _is_old(raw: bytes) -> bool:
    """Written by an earlier version of the encoding."""
    return raw[:1] != VERSION


def _gap(partition: int, share: Share, applied: Applied) -> str | None:
    """Records that are missing before or within the share, in words."""
    for topic, part in share.slices.items():
        if part.has_gap() or part.first() > applied.get(topic, 0):
            return (
                f"{topic}/{partition}: {applied.get(topic, 0)} is the next to apply, {len(part.records)} records from "
                f"{part.first()} to {part.end() - 1} were polled"
            )
    return None
