"""What a lead was worth at any moment, from the records themselves: joined as ever, then read at the moment asked for. Pure.

    as_of:    the moment that the score is for: what happened later does not count
    known_at: what had been received by then: with `as_of` itself it is what was said then, with now what is known of it today

Links, and verdicts on machines, say what was true all along: `known_at` alone decides on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain.ledger import event_of
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState, lead_of
from services.scoring.wire import LinkChanged, Touch
from shared.schemas.scores import LeadScored, Version

Heard = Touch | LinkChanged  # what sales says is a touch, as everywhere in scoring
Records = Mapping[str, Sequence[Heard]]  # by the lead that they are keyed by
H = TypeVar("H", Touch, LinkChanged)


@dataclass(frozen=True, slots=True)
class Past:
    """A lead at a moment.

    known:    whether anything told who it is: of others scoring says nothing
    happened: whether it had done anything by the moment asked for; links that came later only say whose it is
    """

    score: LeadScored
    known: bool
    happened: bool = True


def needed(lead: str, records: Records) -> set[str]:
    """The leads whose records say anything about this one, as far as `records` tell; with theirs, ask again until none is added.

    A touch is keyed by the lead that its identity belonged to when it was received, which may have been another.
    """
    leads = {lead}
    for identity in {link.identity_id for link in _links(records.get(lead, ())) if link.owner == lead}:
        leads.add(lead_of(identity))
        leads |= {link.owner for heard in records.values() for link in _links(heard) if link.identity_id == identity}
    return leads


def owner(identity: str, records: Iterable[Heard], known_at: int) -> str:
    """The lead that an identity belonged to, by the records of the lead that derives from it, which hears of every change."""
    links = [link for link in _links(records) if link.identity_id == identity and link.received_at <= known_at]
    return max(links, key=lambda link: link.sequence).owner if links else lead_of(identity)


def past(tenant: str, lead: str, records: Records, rules: Rules, *, as_of: int, known_at: int) -> Past | None:
    """The lead as it was, from the records of all leads that are `needed`; None where nothing of it had been received.

    With `known_at` = `as_of` it is what scoring said then under these rules, to the last part. It says what the records hold: not
    that scoring had not got to the last of them yet (the memory of a merge travels behind it), and not that marks of a rule whose
    key had changed were not there before the next rebuild. Its version has no position, since nobody published it.
    """
    received = {key: [record for record in heard if record.received_at <= known_at] for key, heard in records.items()}
    links = [_by(as_of, link) for link in _links(received.get(lead, ()))]
    registers = join(Told(tenant, lead, [(link, None) for link in links]), LeadState(), rules).finish()
    # Its own first, so that the bound on identities keeps out what was passed on since, rather than what counts.
    touches = sorted(_touches(lead, received, registers), key=lambda touch: registers.owner(touch.identity_id) != lead)
    happened = [_by(as_of, touch) for touch in touches if _happened(touch) <= as_of]
    joining = join(Told(tenant, lead, [(touch, None) for touch in happened]), registers, rules)
    for verdict in touches:
        if verdict.condemns and _happened(verdict) > as_of and (memory := joining.memory(verdict.identity_id)):
            memory.kind = verdict.identity_kind
            memory.condemned |= {event_of(event): as_of for event in verdict.condemns}
    state = joining.finish()
    owned = state.owned(lead)
    merged_into = state.merged_into(lead, owned)
    if not owned and merged_into is None:
        return None
    scored = score(state, lead, rules, as_of)
    version = Version(rules.generation, rules.ref.sequence, 0, scored.as_of)
    saying = wire.Saying(version, wire.PolicyRef(rules.ref.sequence, rules.ref.hash))
    said = LeadScored.model_validate_json(wire.encode(wire.lead_scored(tenant, lead, saying, scored, merged_into)))
    return Past(said, known=merged_into is not None or state.is_known(owned), happened=bool(happened))


def _links(heard: Iterable[Heard]) -> Iterator[LinkChanged]:
    return (record for record in heard if isinstance(record, LinkChanged))


def _touches(lead: str, records: Records, registers: LeadState) -> Iterator[Touch]:
    """What the lead remembers: all that was told of the identities that it owns or ever did, and what it was told of others."""
    passed_on = {link.identity_id for link in _links(records.get(lead, ())) if link.owner == lead}
    for key, heard in records.items():
        for record in heard:
            if isinstance(record, Touch):
                identity = record.identity_id
                if key == lead or identity in passed_on or registers.owner(identity) == lead:
                    yield record


def _happened(touch: Touch) -> int:
    """When we are sure that it had: a clock that is ahead does not make what was received a thing of the future."""
    return min(touch.at, touch.received_at)


def _by(moment: int, record: H) -> H:
    """The record as if it had been received by the moment asked for, which no score may be after."""
    return record if record.received_at <= moment else msgspec.structs.replace(record, received_at=moment)
