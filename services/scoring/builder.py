"""Building states anew: records of all inputs, joined by the same code as a worker's, saying nothing to anybody.

What one lead has to tell another is told at once within this process, and to wherever it belongs: the transfers on the topic carry
marks of older rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from services.scoring import wire
from services.scoring.batch import Slice, Told, ToldAccount, read
from services.scoring.cache import StateCache
from services.scoring.decide import join
from services.scoring.domain.memory import Memory
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from services.scoring.states import Applied, Change, States
from services.scoring.subjects import State, decoded, encoded, lead_in, lead_key, parse, people_in
from shared.kit.partitioner import by_murmur2
from shared.schemas.base import record_key

WRITES = "rebuild-writes"  # beside the offsets applied: a lead may be told something by another partition's records

Shares = dict[int, dict[str, Told | ToldAccount]]
Staged = dict[int, dict[str, State]]


class BuildingLostError(RuntimeError):
    """What was built so far is not what the store has: the store lost some of it, or another rebuild has dropped it."""


class MissingRecordsError(RuntimeError):
    """Records are missing where none may be."""


class Builder:
    """States of a new epoch, of all partitions. Nobody else writes them: whatever is not as it was left here ends the rebuild.

    rules: those in force, by tenant;  cached: leads kept in memory, per partition
    """

    def __init__(
        self, states: States, rules: Callable[[str], Rules | None], partitions: Sequence[int], *, cached: int = 10_000
    ) -> None:
        self._states, self._rules, self._partitions = states, rules, list(partitions)
        self._cache = StateCache(cached)
        self._applied: dict[int, Applied] = {}
        self.rejected = 0

    async def begin(self, starts: Mapping[int, Mapping[str, int]]) -> None:
        """starts: offsets of the first records in the log, by partition and topic"""
        for partition in self._partitions:
            self._applied[partition] = {}
        await self._save({}, {partition: dict(starts[partition]) for partition in self._partitions})

    async def carry(self, partition: int, states: Mapping[str, bytes]) -> None:
        """Begin with what these states (of the same partition, of an earlier epoch) remember, but for marks that no rule reads."""
        shares: Staged = {partition: {key: self._lean(key, decoded(key, raw)) for key, raw in states.items()}}
        await self._save(shares, {})

    async def build(self, polled: Sequence[Slice]) -> None:
        """Join these records, which follow those joined before without a gap. Raises MissingRecordsError where they do not."""
        for part in polled:
            self._follow(part)
        batch = read(polled, lambda tenant: self._rules(tenant) is not None)
        self.rejected += len(batch.rejected)
        for share in batch.shares.values():
            for told in share.leads.values():
                for _, memory in told.inputs:
                    if memory is not None:
                        _lean(memory, self._rules(told.tenant))
        pending: Shares = {p: {**share.leads, **share.accounts} for p, share in batch.shares.items()}
        staged: Staged = {}
        while any(pending.values()):
            await self._gather(pending, staged)
            pending = await self._join(pending, staged)
        ends: dict[int, dict[str, int]] = {}
        for part in polled:
            ends.setdefault(part.partition, {})[part.topic] = part.end()
        await self._save(staged, ends)

    async def verify(self) -> None:
        """Raises BuildingLostError unless the store has all that was written."""
        loaded = await self._states.load({partition: [] for partition in self._partitions})
        for partition, one in loaded.items():
            self._check(partition, one.applied)

    def applied(self) -> Mapping[int, Applied]:
        return self._applied

    def _follow(self, part: Slice) -> None:
        expected = self._applied[part.partition].get(part.topic, 0)
        if part.first() != expected or part.has_gap():
            raise MissingRecordsError(
                f"{part.topic}/{part.partition}: {expected} is the next to read, {len(part.records)} records from "
                f"{part.first()} to {part.end() - 1} came"
            )

    async def _join(self, pending: Shares, staged: Staged) -> Shares:
        """Join what is told into the staged states; what that makes others be told."""
        following: Shares = {}
        for partition, subjects in pending.items():
            await asyncio.sleep(0)  # a whole chunk takes seconds, and the lease is to be renewed meanwhile
            states = staged[partition]
            for key, told in subjects.items():
                base = states.get(key)
                if isinstance(told, ToldAccount):
                    states[key] = people_in(base).join(told.people)[0]
                else:
                    states[key] = self._joined(told, lead_in(base), following)
        return following

    def _joined(self, told: Told, base: LeadState, following: Shares) -> LeadState:
        joining = join(told, base, self._rules(told.tenant))
        state = joining.finish()
        for identity, register, memory in joining.to_pass_on:
            transfer = wire.score_transfer(
                told.tenant, told.lead, identity, memory.kind, register, memory.received_at, ""
            )
            target = following.setdefault(self._partition(told.tenant, register.owner), {})
            key = lead_key(told.tenant, register.owner)
            owner = target.setdefault(key, Told(told.tenant, register.owner))
            assert isinstance(owner, Told)
            owner.inputs.append((transfer, memory))
        return state

    def _partition(self, tenant: str, lead: str) -> int:
        return by_murmur2(record_key(tenant, lead), self._partitions, ())

    async def _gather(self, pending: Shares, staged: Staged) -> None:
        """Have the states that are told something staged: as staged before, from memory, or from the store."""
        wanted: dict[int, list[str]] = {}
        for partition, subjects in pending.items():
            here = staged.setdefault(partition, {})
            held = self._cache.find(partition)
            known: Mapping[str, State] = held.states if held else {}
            for key in subjects:
                if key in here:
                    continue
                if key in known:
                    here[key] = known[key]
                else:
                    wanted.setdefault(partition, []).append(key)
        for partition, one in (await self._states.load(wanted) if wanted else {}).items():
            self._check(partition, one.applied)
            staged[partition].update({key: decoded(key, raw) for key, raw in one.states.items()})

    async def _save(self, staged: Staged, ends: Mapping[int, Mapping[str, int]]) -> None:
        changes = []
        for partition in sorted(staged.keys() | ends.keys()):
            believed = self._applied[partition]
            applied = dict(believed) | dict(ends.get(partition, {})) | {WRITES: believed.get(WRITES, 0) + 1}
            states = {key: encoded(state) for key, state in staged.get(partition, {}).items()}
            changes.append(Change(partition, believed, applied, states))
        refused = await self._states.save(changes)
        for change in changes:
            really = refused.get(change.partition, change.applied)
            if really != change.applied:  # else it was refused by itself: of a first try no answer had come
                self._refused(change.partition, really)
            self._applied[change.partition] = change.applied
            self._cache.hold(change.partition, change.applied, staged.get(change.partition, {}).items())

    def _check(self, partition: int, really: Applied) -> None:
        if really != self._applied[partition]:
            self._refused(partition, really)

    def _refused(self, partition: int, really: Applied) -> None:
        raise BuildingLostError(
            f"partition {partition}: {dict(really)} is applied, {dict(self._applied[partition])} was written: "
            "Redis lost some of it, so this building cannot be trusted; start the rebuild again"
        )

    def _lean(self, key: str, state: State) -> State:
        if isinstance(state, LeadState):
            rules = self._rules(parse(key).tenant)
            for memory in state.memories.values():
                _lean(memory, rules)
        return state


def _lean(memory: Memory, rules: Rules | None) -> None:
    """Forget the marks that no rule in force reads."""
    if rules is not None:
        keys = rules.keys()
        for key in [key for key in memory.marks if key not in keys]:
            del memory.marks[key]
