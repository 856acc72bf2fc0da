"""Scoring in one screen: read the batch, gather the states, decide, save behind the fence, publish. The caller acknowledges."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from services.scoring import metrics
from services.scoring.batch import Batch, Share, Slice, read
from services.scoring.cache import Held, StateCache
from services.scoring.decide import Decision, decide
from services.scoring.domain.codec import decode_state, encode_state
from services.scoring.domain.state import LeadState
from services.scoring.policies import Policies
from services.scoring.states import Applied, Change, States
from services.scoring.wire import INPUTS
from shared.kit import metrics as shared_metrics
from shared.kit.clock import Clock
from shared.kit.dead_letters import DeadLetters
from shared.kit.kafka import Outgoing, Publisher
from shared.schemas.topics import SCORE_TRANSFERS

log = structlog.get_logger(__name__)

ATTEMPTS = 5
NEW = LeadState()


class StatesLostError(RuntimeError):
    """Redis knows of less than it had acknowledged: the next start rewinds to what it has, and rebuilds."""


class GapError(RuntimeError):
    """Records are missing between what is applied and what was polled: the next start seeks to what is applied."""


class ContendedError(RuntimeError):
    """Another worker kept writing the same partition: this one has most likely lost it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A partition before the batch: what is applied, and the states of the leads that the batch names."""

    applied: Applied
    states: Mapping[str, LeadState]


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

    async def handle(self, polled: Sequence[Slice]) -> None:
        """Do all that the batch causes; when it returns, everything is saved and acknowledged by the broker."""
        batch = await self._read(polled)
        try:
            decisions = await self._save(batch)
        except BaseException:
            for partition in batch.shares:
                self._cache.drop(partition)
            raise
        await self._publish(decisions)
        await self._dead.publish(batch.rejected)
        self._count(polled, batch, decisions)

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
                    states = ((lead, decision.state) for lead, decision in decided[change.partition].items())
                    self._cache.hold(change.partition, change.applied, states)
                    saved += decided[change.partition].values()
            pending = {partition: share for partition, share in pending.items() if partition in refused}
            if not pending:
                return saved
        raise ContendedError(f"partitions {sorted(pending)} were written by another worker {ATTEMPTS} times")

    def _refused(self, change: Change, really: Applied) -> None:
        self._cache.drop(change.partition)
        behind = [topic for topic, offset in change.believed.items() if really.get(topic, 0) < offset]
        if behind:
            raise StatesLostError(
                f"partition {change.partition}: {dict(really)} is applied, {dict(change.believed)} had been acknowledged"
            )
        metrics.FENCED.inc()
        log.warning("fenced", partition=change.partition, believed=dict(change.believed), applied=dict(really))

    async def _gather(self, shares: Mapping[int, Share]) -> dict[int, Gathered]:
        """States from memory, the rest from the store in one round trip."""
        held = {partition: self._held(partition, share) for partition, share in shares.items()}
        wanted: dict[int, list[str]] = {}
        for partition, share in shares.items():
            cached = held[partition]
            if cached is None:
                wanted[partition] = list(share.leads)
            elif missing := [lead for lead in share.leads if lead not in cached.states]:
                wanted[partition] = missing
        loaded = await self._states.load(wanted) if wanted else {}
        gathered = {}
        for partition, share in shares.items():
            cached, fresh = held[partition], loaded.get(partition)
            states: dict[str, LeadState] = {}
            if fresh:
                states |= {lead: decode_state(raw) for lead, raw in fresh.states.items()}
            if cached:
                states |= {lead: cached.states[lead] for lead in share.leads if lead in cached.states}
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
        position = sum(_applied_with(share, gathered.applied).values())
        return {
            key: decide(told, gathered.states.get(key, NEW), self._policies.find(told.tenant), position)
            for key, told in share.leads.items()
        }

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
        for outcome in ("scored", "merged"):
            metrics.SCORES.labels(outcome).inc(sum(decision.outcome == outcome for decision in decisions))
        metrics.TRANSFERS.inc(
            sum(record.topic == SCORE_TRANSFERS.name for decision in decisions for record in decision.records)
        )
        metrics.REFUSED.labels("identities").inc(sum(decision.refused_identities for decision in decisions))
        metrics.REFUSED.labels("marks").inc(sum(decision.refused_marks for decision in decisions))
        metrics.CACHED.set(self._cache.size())


def _applied_with(share: Share, applied: Applied) -> dict[str, int]:
    """What is applied once the share is. Both topics are always named, so that the fence checks both."""
    ends = {topic: part.end() for topic, part in share.slices.items()}
    return {topic: max(applied.get(topic, 0), ends.get(topic, 0)) for topic in INPUTS}


def _change(share: Share, believed: Applied, decided: Mapping[str, Decision], partition: int) -> Change:
    states = {lead: encode_state(decision.state) for lead, decision in decided.items()}
    return Change(partition, believed, _applied_with(share, believed), states)


def _gap(partition: int, share: Share, applied: Applied) -> str | None:
    """Records that are missing before or within the share, in words."""
    for topic, part in share.slices.items():
        if part.has_gap() or part.first() > applied.get(topic, 0):
            return (
                f"{topic}/{partition}: {applied.get(topic, 0)} is the next to apply, {len(part.records)} records from "
                f"{part.first()} to {part.end() - 1} were polled"
            )
    return None
