"""Where scoring keeps its states, in memory; `tests/integration/scoring/test_states.py` holds it against the real thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis.exceptions import ConnectionError as RedisConnectionError

from services.scoring.states import Applied, Change, Loaded, SupersededError


class FakeStates:
    """States in memory. Fails once where told to: `fail_before` or `fail_after` the next save took effect.

    superseded: set it to have these states refused as those of an earlier epoch
    started: how often the server was; a higher number is another run
    """

    epoch = 0

    def __init__(self) -> None:
        self.superseded = False
        self.started = 1
        self.applied: dict[int, dict[str, int]] = {}
        self.states: dict[int, dict[str, bytes]] = {}
        self.dues: dict[int, dict[str, int]] = {}
        self.noted: dict[int, dict[str, str]] = {}
        self.fail_load = self.fail_before = self.fail_after = False

    async def load(self, wanted: Mapping[int, Sequence[str]]) -> dict[int, Loaded]:
        if self.fail_load:
            self.fail_load = False
            raise RedisConnectionError("failed before the read")
        self._refuse()
        return {
            partition: Loaded(
                dict(self.applied.get(partition, {})),
                {lead: known[lead] for lead in leads if lead in (known := self.states.get(partition, {}))},
            )
            for partition, leads in wanted.items()
        }

    async def save(self, changes: Sequence[Change]) -> dict[int, Applied]:
        if self.fail_before:
            self.fail_before = False
            raise RedisConnectionError("failed before the write")
        self._refuse()
        refused: dict[int, Applied] = {}
        for change in changes:
            applied = self.applied.setdefault(change.partition, {})
            if any(applied.get(topic, 0) != change.believed.get(topic, 0) for topic in change.applied):
                refused[change.partition] = dict(applied)
                continue
            applied.update(change.applied)
            self.states.setdefault(change.partition, {}).update(change.states)
            dues = self.dues.setdefault(change.partition, {})
            for subject, at in change.due.items():
                if at is None:
                    dues.pop(subject, None)
                else:
                    dues[subject] = at
            noted = self.noted.setdefault(change.partition, {})
            for name, value in change.rescoring.items():
                if value is None:
                    noted.pop(name, None)
                else:
                    noted[name] = value
        if self.fail_after:
            self.fail_after = False
            raise RedisConnectionError("failed after the write")
        return refused

    async def due(self, partitions: Sequence[int], until: int, most: int) -> dict[int, list[tuple[str, int]]]:
        found = {}
        for partition in partitions:
            dues = sorted((at, subject) for subject, at in self.dues.get(partition, {}).items() if at <= until)
            if dues:
                found[partition] = [(subject, at) for at, subject in dues[:most]]
        return found

    async def subjects(self, partition: int, cursor: int, about: int) -> tuple[int, list[str]]:
        known = list(self.states.get(partition, {}))
        end = cursor + about
        return end if end < len(known) else 0, known[cursor:end]

    async def run(self, partition: int) -> str:
        return f"run-{self.started}"

    async def rescoring(self, partitions: Sequence[int]) -> dict[int, dict[str, str]]:
        return {partition: dict(self.noted.get(partition, {})) for partition in partitions}

    async def sizes(self, partitions: Sequence[int]) -> dict[int, int]:
        return {partition: len(self.states.get(partition, {})) for partition in partitions}

    def _refuse(self) -> None:
        if self.superseded:
            raise SupersededError("a later epoch has taken over")

    async def supersede(self, partitions: Sequence[int]) -> None:
        """There is no earlier epoch in here."""

    async def reset(self, partition: int) -> None:
        self._refuse()
        for kept in (self.applied, self.states, self.dues, self.noted):
            kept.pop(partition, None)
