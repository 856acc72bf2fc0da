"""Answers that reps recorded: which of them stand, and what is told of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.handoff.domain import events
from services.handoff.domain.opportunity import Opportunity
from shared.qualification.answers import Answer
from shared.schemas import ids
from shared.schemas.handoff import HandoffEvent, HandoffKind
from shared.schemas.scores import Evidence
from shared.schemas.vocabulary import OF_THE_POST

AGAIN = 86_400_000  # ms within which the same, without saying when it was learnt, is the same sent again


class AnswerIdTakenError(Exception):
    """Another answer of this opportunity has this id already."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An answer as a rep recorded it. Times in ms.

    source_id:   how it was learnt, as evidence names it;  confidence: how sure it is, where that was said
    observed_at: when it was learnt: the latest of a source stands
    told_by:     the stakeholder who gave it, where that was said
    voided_at:   when it was found to hold no more, and why (`voided_because`)
    """

    answer_id: str
    question: str
    code: str
    source_id: str
    observed_at: int
    recorded_at: int
    recorded_by: str
    rep_id: str
    event_id: str
    confidence: float | None = None
    told_by: str | None = None
    voided_at: int | None = None
    voided_because: str | None = None

    def same(self, other: Recorded) -> bool:
        """Whether the other says the same: who said it again, and when, does not matter."""
        return self.said() == other.said()

    def rank(self) -> tuple[int, int, str]:
        """Of a source the one with the highest stands: learnt last, and of what was learnt at one moment recorded last."""
        return self.observed_at, self.recorded_at, self.event_id

    def said(self) -> tuple[object, ...]:
        return self.question, self.code, self.source_id, self.confidence, self.told_by


@dataclass(frozen=True, slots=True)
class Recording:
    """An answer to be kept. known: whether what it says is kept already;  gives_way: the void one that had its id until now"""

    answer: Recorded
    known: bool = False
    gives_way: Recorded | None = None


def recording(answer: Recorded, kept: Sequence[Recorded], at: int | None, now: int) -> Recording:
    """What `answer` is to what the opportunity has: the one of its id, as long as that holds; or, without an id, what stands, if
    that says the same: of the same moment, or of the day before now, where no moment is said.

    answer: without an id it gets one, which derives from what it says, and what it follows;  at: when the caller says it was learnt
    Raises AnswerIdTakenError where the id is another answer's.
    """
    alike = [one for one in kept if (one.question, one.source_id) == (answer.question, answer.source_id)]
    after = max(alike, key=lambda one: (one.recorded_at, one.event_id), default=None)
    # Of two that were recorded at once the second is the later one.
    answer = replace(answer, recorded_at=max(now, after.recorded_at + 1) if after else now)
    if answer.answer_id:
        known = next((one for one in kept if one.answer_id == answer.answer_id), None)
        if known is None or known.voided_at is not None:
            return Recording(answer, gives_way=known)
        if not known.same(answer):
            raise AnswerIdTakenError
        return Recording(known, known=True)
    standing = max(
        (one for one in alike if one.voided_at is None and at in (None, one.observed_at)),
        key=Recorded.rank,
        default=None,
    )
    if standing and standing.same(answer) and (at is not None or now - standing.observed_at < AGAIN):
        return Recording(standing, known=True)
    name = ids.derived_id("answer", *map(str, answer.said()), answer.observed_at, after.event_id if after else None)
    return Recording(replace(answer, answer_id=name))


def told(opportunity: Opportunity, answer: Recorded, after: Recorded | None = None) -> HandoffEvent:
    """That it was recorded. after: the void one that had its id before"""
    before = (after.event_id,) if after else ()
    more = {"confidence": answer.confidence}
    return _event(opportunity, answer, "answer-recorded", answer.recorded_at, answer.answer_id, *before, **more)


def void(opportunity: Opportunity, answer: Recorded, because: str, now: int) -> tuple[Recorded, HandoffEvent]:
    """The answer that holds no more, and that this is so."""
    voided = replace(answer, voided_at=now, voided_because=because)
    more = {"reason": because, "voids": answer.event_id}
    return voided, _event(opportunity, answer, "answer-voided", now, answer.event_id, **more)


def _event(
    opportunity: Opportunity, answer: Recorded, kind: HandoffKind, at: int, *distinct: str, **more: Any
) -> HandoffEvent:
    return events.event(
        opportunity,
        kind,
        at,
        opportunity.offers[-1].assignment,
        *distinct,
        rep_id=answer.rep_id,
        evidence={answer.question: answer.code},
        source=answer.source_id,
        observed_at=answer.observed_at,
        **more,
    )


def of_the_post(answers: Iterable[Recorded], stakeholder_id: str) -> list[Recorded]:
    """Those that rest on the post of this stakeholder, and hold."""
    return [
        one
        for one in answers
        if one.told_by == stakeholder_id and one.question in OF_THE_POST and one.voided_at is None
    ]


def standing(recorded: Iterable[Recorded], evidence: Iterable[Evidence]) -> tuple[Answer, ...]:
    """The answers that stand: of each source to each question the latest that is not void, as scoring keeps them.

    recorded: by reps;  evidence: as the router told it when it routed the lead last, which knows of forms, too; what it tells of an
    answer that is among those recorded is told better there
    """
    answers = list(recorded)
    ours = {(one.question, one.source_id, one.observed_at, one.code) for one in answers}
    latest: dict[tuple[str, str], tuple[tuple[int, int, str], Answer]] = {}

    def hear(answer: Answer, rank: tuple[int, int, str]) -> None:
        key = (answer.question, answer.source_id)
        if key not in latest or rank > latest[key][0]:
            latest[key] = rank, answer

    for known in evidence:
        if (known.criterion, known.source_id, known.observed_at, known.code) not in ours:
            hear(Answer.of(known), (known.observed_at, 0, ""))
    for one in answers:
        if one.voided_at is None:
            answer = Answer(
                one.question, one.code, one.source_id, one.observed_at, trusted=True, confidence=one.confidence
            )
            hear(answer, one.rank())
    return tuple(answer for _, (_, answer) in sorted(latest.items()))
