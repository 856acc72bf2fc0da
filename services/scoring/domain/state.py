"""The state of a lead: the memories of identities, and the registers that say whose they are.

At read only the identities that this lead owns count. What it remembers of another lead's identity is passed on as a transfer;
so a link, an unlink and a merge are one and the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import msgspec

from services.scoring.domain.memory import OUTCOME, Memory
from shared.schemas import ids
from shared.schemas.touches import STRONG

MOST_IDENTITIES = 50  # whose memory one lead holds; the others' are refused, and counted
_FIRST = STRONG | {OUTCOME}

OUTCOMES = "outcome/"  # and a lead: the identity that stands for what sales says of that lead

lead_of = lru_cache(maxsize=262_144)(ids.lead_id)


class Register(NamedTuple):
    """Which lead an identity belongs to; the highest sequence stands.

    held: whether it was ever said here that it belongs to this very lead, whatever stands now
    """

    sequence: int
    owner: str
    kind: str
    received_at: int
    held: bool = False


class LeadState(msgspec.Struct, array_like=True, gc=False):
    """By identity id: what is remembered, and whose it is."""

    memories: dict[str, Memory] = {}
    registers: dict[str, Register] = {}

    def register_of(self, identity: str) -> Register | None:
        """What is known of whose the identity is. What sales said of a lead goes wherever the identity goes that the lead derives
        from, so that a merge takes it along and an un-merge brings it back."""
        own = self.registers.get(identity)
        if not identity.startswith(OUTCOMES):
            return own
        lead = identity.removeprefix(OUTCOMES)
        origin = next((register for name, register in self.registers.items() if lead_of(name) == lead), None)
        return max((register for register in (own, origin) if register), default=None)

    def owner(self, identity: str) -> str:
        """The lead that the identity belongs to, as far as this state knows; by default the one that derives from it."""
        register = self.register_of(identity)
        if register:
            return register.owner
        return identity.removeprefix(OUTCOMES) if identity.startswith(OUTCOMES) else lead_of(identity)

    def kind(self, identity: str) -> str:
        if identity.startswith(OUTCOMES):
            return OUTCOME
        register = self.registers.get(identity)
        return register.kind if register else self.memories[identity].kind

    def identities(self) -> list[str]:
        return sorted(self.memories.keys() | self.registers.keys() if self.registers else self.memories)

    def owned(self, lead: str) -> list[str]:
        return [identity for identity in self.identities() if self.owner(identity) == lead]

    def as_of(self, identities: Iterable[str]) -> int:
        """The largest `received_at` that these identities' touches and registers came with; without any, the registers'."""
        heard = max((at for identity in identities for at in self._received(identity)), default=0)
        return heard or max((register.received_at for register in self.registers.values()), default=0)

    def _received(self, identity: str) -> Iterator[int]:
        if memory := self.memories.get(identity):
            yield memory.received_at
        if register := self.registers.get(identity):
            yield register.received_at

    def is_known(self, owned: Iterable[str]) -> bool:
        return any(self.kind(identity) in STRONG for identity in owned)

    def merged_into(self, lead: str, owned: Iterable[str]) -> str | None:
        """The lead that took over: for one that was known, by touches or by links alone, and owns no strong identity any more.

        Should its identities have gone to several leads, the owner of the identity it derives from is named.
        """
        if self.is_known(owned):
            return None
        strong = [
            identity
            for identity, register in self.registers.items()
            if self.kind(identity) in STRONG and (register.held or identity in self.memories)
        ]
        if not strong:
            return None
        return self.owner(min(strong, key=lambda identity: (lead_of(identity) != lead, identity)))


@dataclass(slots=True)
class Joining:
    """The state of `lead` while one batch is joined into it; the state that it began with stays as it was.

    touched:    identities that the batch said something about;  refused: memories and marks that a bound kept out
    to_pass_on: when it is finished: of those the memories that another lead has to get, with the register that says so
    """

    lead: str
    base: LeadState
    state: LeadState = field(init=False)
    touched: set[str] = field(default_factory=set)
    to_pass_on: list[tuple[str, Register, Memory]] = field(default_factory=list)
    refused_identities: int = 0
    refused_marks: int = 0
    _mine: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.state = LeadState(dict(self.base.memories), dict(self.base.registers))

    def memory(self, identity: str) -> Memory:
        """The identity's memory, to be changed."""
        self.touched.add(identity)
        memories = self.state.memories
        if identity not in self._mine:
            known = memories.get(identity)
            memories[identity] = known.copy() if known else Memory()
            self._mine.add(identity)
        return memories[identity]

    def register(self, identity: str, register: Register) -> None:
        self.touched.add(identity)
        known = self.state.registers.get(identity)
        held = register.owner == self.lead or (known is not None and known.held)
        newest = register if known is None or register > known else known
        self.state.registers[identity] = newest._replace(held=held)

    def finish(self) -> LeadState:
        """The state, tidied and kept to its bounds."""
        for identity in self._mine:
            known = self.base.memories.get(identity)
            self.refused_marks += self.state.memories[identity].tidy(known.received_at if known else -1)
        self.to_pass_on = self._foreign()
        memories = self.state.memories
        if len(memories) > MOST_IDENTITIES:
            for identity in sorted(memories, key=self._rank)[MOST_IDENTITIES:]:
                del memories[identity]
                self.refused_identities += 1
        return self.state

    def _rank(self, identity: str) -> tuple[bool, bool, str]:
        """The lead's own identity first, then those of people and what sales says, then devices: an order that no time changes, so
        that of all that was ever told the same is kept."""
        own = lead_of(identity) == self.lead
        return not own, self.state.memories[identity].kind not in _FIRST, identity

    def _foreign(self) -> list[tuple[str, Register, Memory]]:
        state = self.state
        if not state.registers:
            return []
        outcomes = [OUTCOMES + lead_of(identity) for identity in self.touched if not identity.startswith(OUTCOMES)]
        touched = self.touched.union(one for one in outcomes if one in state.memories)
        return [
            (identity, register, state.memories[identity])
            for identity in sorted(touched)
            if identity in state.memories and (register := state.register_of(identity)) and register.owner != self.lead
        ]
