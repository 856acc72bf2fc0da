"""What a batch makes of one lead: its new state, and the records that say so. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.domain.codec import encode_memory
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import Joining, LeadState, Register
from shared.kit.kafka import Outgoing
from shared.schemas.base import record_key
from shared.schemas.scores import Version
from shared.schemas.topics import LEAD_SCORED, SCORE_TRANSFERS

Outcome = Literal["scored", "merged", "silent"]


@dataclass(frozen=True, slots=True)
class Decision:
    """refused_*: what a bound of the ledger kept out."""

    state: LeadState
    records: list[Outgoing]
    outcome: Outcome
    refused_identities: int
    refused_marks: int


def decide(told: Told, base: LeadState, rules: Rules | None, position: int) -> Decision:
    """Join what was told into `base` (which stays as it was). Telling it again makes the same state and the same records.

    position: sum of the partition's applied input offsets, this batch included
    """
    joining = join(told, base, rules)
    state = joining.finish()
    records = _transfers(told, joining)
    outcome: Outcome = "silent"
    if rules is not None:
        scored, outcome = _scored(told, state, rules, position)
        records += scored
    return Decision(state, records, outcome, joining.refused_identities, joining.refused_marks)


def join(told: Told, base: LeadState, rules: Rules | None) -> Joining:
    joining = Joining(base)
    for record, remembered in told.inputs:
        identity = record.identity_id
        if isinstance(record, wire.Touch):
            memory = joining.memory(identity)
            if memory is not None and rules is not None:
                raises_hand = record.type in rules.hand_raises
                memory.remember(record, rules.slots(record), wire.reveal(record.person), raises_hand)
        elif isinstance(record, wire.LinkChanged):
            joining.register(
                identity, Register(record.sequence, record.owner, record.identity_kind, record.received_at)
            )
        else:
            joining.register(identity, Register(record.sequence, record.lead_id, record.identity_kind, 0))
            memory = joining.memory(identity)
            if memory is not None and remembered is not None:
                memory.absorb(remembered)
    return joining


def _transfers(told: Told, joining: Joining) -> list[Outgoing]:
    records = []
    for identity, register in joining.to_pass_on(told.lead):
        memory = joining.state.memories[identity]
        transfer = wire.score_transfer(
            told.tenant, told.lead, identity, register, memory.received_at, encode_memory(memory)
        )
        key = record_key(told.tenant, register.owner)
        records.append(Outgoing(SCORE_TRANSFERS.name, key, wire.encode(transfer)))
    return records


def _scored(told: Told, state: LeadState, rules: Rules, position: int) -> tuple[list[Outgoing], Outcome]:
    owned = state.owned(told.lead)
    merged_into = state.merged_into(told.lead, owned)
    if merged_into is None and not state.is_known(owned):
        return [], "silent"  # touches of nobody are kept, and emit nothing
    scored = score(state, told.lead, rules)
    version = Version(rules.generation, rules.ref.sequence, position, scored.as_of)
    policy = wire.PolicyRef(rules.ref.sequence, rules.ref.hash)
    record = wire.lead_scored(told.tenant, told.lead, version, policy, scored, merged_into)
    key = record_key(told.tenant, told.lead)
    return [Outgoing(LEAD_SCORED.name, key, wire.encode(record))], "merged" if merged_into else "scored"
