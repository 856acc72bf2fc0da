"""What a batch, or time alone, makes of one lead or account: its new state, and the records that say so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID, uuid5

import orjson

from services.scoring import wire
from services.scoring.batch import Told, ToldAccount
from services.scoring.domain.account import ScoredAccount, score_account
from services.scoring.domain.codec import encode_memory
from services.scoring.domain.companies import accounts_of
from services.scoring.domain.membership import gone, membership
from services.scoring.domain.memory import OUTCOME, Memory
from services.scoring.domain.parts import NEVER
from services.scoring.domain.people import People, Person
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import Scored, score
from services.scoring.domain.state import Joining, LeadState, Register
from shared.kit.kafka import Outgoing
from shared.schemas.base import record_key
from shared.schemas.scores import Cause, Version
from shared.schemas.topics import ACCOUNT_SCORED, ACCOUNT_SIGNALS, LEAD_SCORED, SCORE_TRANSFERS

Outcome = Literal["scored", "merged", "silent", "account"]
CHANGES = UUID("6a3c0f4e-2f0b-4a59-9f5a-3c1a6b1d8e27")  # namespace of the ids of changes by time


@dataclass(frozen=True, slots=True)
class Now:
    """When and why something is scored.

    position: sum of the partition's applied input offsets, this batch included
    epoch:    how often the states were built anew: what is said afterwards beats all that was said before
    moment:   as of which it is said, ms, where that is later than what was heard last: time alone, or a new policy, changed it
    """

    position: int
    cause: Cause = "input"
    moment: int = 0
    epoch: int = 0

    def saying(self, rules: Rules, heard: int, *subject: str) -> wire.Saying:
        """heard: as of which the subject was heard of last, ms. What is said as of no later than that is what an input says by the
        same version, so it is said in the same words."""
        as_of, cause, change = max(heard, self.moment), self.cause if self.moment > heard else "input", None
        if cause == "time":
            change = str(uuid5(CHANGES, orjson.dumps([*subject, as_of, rules.ref.sequence]).decode()))
        version = Version(rules.generation + self.epoch, rules.ref.sequence, self.position, as_of)
        return wire.Saying(version, wire.PolicyRef(rules.ref.sequence, rules.ref.hash), cause, change)


@dataclass(frozen=True, slots=True)
class Decision:
    """due: when time alone may change something next, ms; None when it does not;  refused: what a bound kept out, by bound"""

    state: LeadState | People
    records: list[Outgoing]
    outcome: Outcome
    due: int | None = None
    refused: Mapping[str, int] = field(default_factory=dict)


def decide(told: Told, base: LeadState, rules: Rules | None, now: Now) -> Decision:
    """Join what was told into `base` (which stays as it was). Telling it again makes the same state and the same records."""
    joining = join(told, base, rules)
    state = joining.finish()
    records = _transfers(told, joining.to_pass_on)
    refused = {"identities": joining.refused_identities, "marks": joining.refused_marks}
    if rules is None:
        return Decision(state, records, "silent", refused=refused)
    owned = state.owned(told.lead)
    merged_into = state.merged_into(told.lead, owned)
    if merged_into is None and not state.is_known(owned):  # touches of nobody are kept, and emit nothing
        return Decision(state, records, "silent", refused=refused)
    scored = score(state, told.lead, rules, now.moment)
    heard = scored.as_of if scored.as_of > now.moment else state.as_of(owned)
    saying = now.saying(rules, heard, told.tenant, told.lead)
    record = wire.lead_scored(told.tenant, told.lead, saying, scored, merged_into)
    records.append(Outgoing(LEAD_SCORED.name, record_key(told.tenant, told.lead), wire.encode(record)))
    moved = now.cause == "policy" or any(_names_companies(record) for record, _ in told.inputs)
    merged = merged_into is not None
    people = membership(state, scored, saying.version, merged=merged, may_have_moved=moved)
    if moved:  # the bound forgot some, at which the lead may have been until now
        forgotten = accounts_of(base.memories.values()) - accounts_of(state.memories.values())
        people |= gone(forgotten, saying.version)
    records += _signals(told, people)
    due = None if merged_into else _due(scored)
    return Decision(state, records, "merged" if merged_into else "scored", due, refused)


def decide_account(told: ToldAccount, base: People, rules: Rules, now: Now) -> Decision:
    """Join the people's registers, and say what they are worth together."""
    people, refused = base.join(told.people)
    saying = now.saying(rules, people.as_of(), told.tenant, told.account)
    scored = score_account(people, rules.account, saying.version.as_of)
    record = wire.account_scored(told.tenant, told.account, saying, scored)
    return Decision(
        people,
        [Outgoing(ACCOUNT_SCORED.name, record_key(told.tenant, told.account), wire.encode(record))],
        "account",
        _due(scored),
        {"people": refused},
    )


def _due(scored: Scored | ScoredAccount) -> int | None:
    """When to look again: after what was told now, never at the same moment."""
    return None if scored.steady_until >= NEVER else max(scored.steady_until, scored.as_of + 1)


def join(told: Told, base: LeadState, rules: Rules | None) -> Joining:
    joining = Joining(told.lead, base)
    for record, remembered in told.inputs:
        identity = record.identity_id
        if isinstance(record, wire.Touch):
            if rules is None:
                continue
            memory = joining.memory(identity)
            if isinstance(record, wire.Answered):
                memory.hear_answer(record)
            elif record.identity_kind == OUTCOME:
                memory.hear_outcome(record.at, record.event_id, rules.slots(record))
            else:
                raises_hand = record.type in rules.hand_raises
                memory.remember(record, rules.slots(record), wire.reveal(record.person), raises_hand)
        elif isinstance(record, wire.LinkChanged):
            joining.register(
                identity, Register(record.sequence, record.owner, record.identity_kind, record.received_at)
            )
        else:
            joining.register(identity, Register(record.sequence, record.lead_id, record.identity_kind, 0))
            if remembered is not None:
                joining.memory(identity).absorb(remembered)
    return joining


def _transfers(told: Told, to_pass_on: list[tuple[str, Register, Memory]]) -> list[Outgoing]:
    records = []
    for identity, register, memory in to_pass_on:
        transfer = wire.score_transfer(
            told.tenant, told.lead, identity, memory.kind, register, memory.received_at, encode_memory(memory)
        )
        key = record_key(told.tenant, register.owner)
        records.append(Outgoing(SCORE_TRANSFERS.name, key, wire.encode(transfer)))
    return records


def _names_companies(record: wire.Input) -> bool:
    """Whether it can change which account a lead belongs to."""
    return not isinstance(record, wire.Touch) or "account" in record.attributes


def _signals(told: Told, accounts: Mapping[str, Person]) -> list[Outgoing]:
    return [
        Outgoing(
            ACCOUNT_SIGNALS.name,
            record_key(told.tenant, account),
            wire.encode(wire.account_signal(told.tenant, account, told.lead, person)),
        )
        for account, person in accounts.items()
    ]
