"""The states that this worker read or wrote last. The fence guards it: what is stale is refused when it is written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.scoring.domain.state import LeadState
from services.scoring.states import Applied
from services.scoring.subjects import State

PEOPLE_PER_LEAD = 16  # of an account, that take the room of one lead: 0.7 KB each beside 12 KB and more


@dataclass(slots=True)
class Held:
    """One partition: what is believed applied, and states by subject, the least recently used first.

    room: that they take, in leads
    """

    applied: Applied
    states: OrderedDict[str, State] = field(default_factory=OrderedDict)
    room: int = 0


class StateCache:
    """most: leads kept per partition, or accounts that take as much room."""

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
            known = held.states.get(subject)
            held.room += _room(state) - (_room(known) if known is not None else 0)
            held.states[subject] = state
            held.states.move_to_end(subject)
        while held.room > self._most:
            _, dropped = held.states.popitem(last=False)
            held.room -= _room(dropped)

    def drop(self, partition: int) -> None:
        self._held.pop(partition, None)

    def size(self) -> int:
        return sum(len(held.states) for held in self._held.values())


def _room(state: State) -> int:
    return 1 if isinstance(state, LeadState) else 1 + len(state) // PEOPLE_PER_LEAD
