"""The states that this worker read or wrote last. The fence guards it: what is stale is refused when it is written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.scoring.domain.people import People
from services.scoring.domain.state import LeadState
from services.scoring.states import Applied

State = LeadState | People


@dataclass(slots=True)
class Held:
    """One partition: what is believed applied, and states by subject, the least recently used first."""

    applied: Applied
    states: OrderedDict[str, State] = field(default_factory=OrderedDict)


class StateCache:
    """most: states kept per partition."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[int, Held] = {}

    def find(self, partition: int) -> Held | None:
        return self._held.get(partition)

    def hold(self, partition: int, applied: Applied, states: Iterable[tuple[str, State]]) -> None:
        """These states stand now, `applied` to the partition."""
        held = self._held.get(partition)
        if held is None:
            held = self._held[partition] = Held(applied)
        held.applied = applied
        for subject, state in states:
            held.states[subject] = state
            held.states.move_to_end(subject)
        while len(held.states) > self._most:
            held.states.popitem(last=False)

    def drop(self, partition: int) -> None:
        self._held.pop(partition, None)

    def size(self) -> int:
        return sum(len(held.states) for held in self._held.values())
