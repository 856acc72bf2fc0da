"""Answers that reps recorded: which of them stand, and what is told of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from services.handoff.domain import events
from services.handoff.domain.opportunity import Opportunity
from shared.qualification.answers import Answer
from shared.schemas.handoff import HandoffEvent
from shared.schemas.scores import Evidence
from shared.schemas.vocabulary import OF_THE_POST


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
        return self._said() == other._said()

    def _said(self) -> tuple[object, ...]:
        return self.question, self.code, self.source_id, self.confidence, self.told_by


def told(opportunity: Opportunity, answer: Recorded) -> HandoffEvent:
    """That it was recorded."""
    return _event(opportunity, answer, "answer-recorded", answer.recorded_at, confidence=answer.confidence)


def void(opportunity: Opportunity, answer: Recorded, because: str, now: int) -> tuple[Recorded, HandoffEvent]:
    """The answer that holds no more, and that this is so."""
    voided = replace(answer, voided_at=now, voided_because=because)
    return voided, _event(opportunity, answer, "answer-voided", now, reason=because)


def _event(opportunity: Opportunity, answer: Recorded, kind: str, at: int, **more: object) -> HandoffEvent:
    return events.event(
        opportunity,
        kind,  # type: ignore[arg-type]
        at,
        opportunity.offers[-1].assignment,
        answer.answer_id,
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
    """The answers that stand: of each source to each question the latest, as scoring keeps them; none where that one is void.

    recorded: by reps;  evidence: as the router told it when it routed the lead last, which knows of forms, too
    """
    latest: dict[tuple[str, str], tuple[int, int, str, Answer | None]] = {}

    def hear(answer: Answer, rank: tuple[int, int, str], *, holds: bool = True) -> None:
        key = (answer.question, answer.source_id)
        if key not in latest or rank > latest[key][:3]:
            latest[key] = (*rank, answer if holds else None)

    for known in evidence:
        hear(Answer.of(known), (known.observed_at, 0, ""))
    for one in recorded:
        answer = Answer(one.question, one.code, one.source_id, one.observed_at, trusted=True, confidence=one.confidence)
        hear(answer, (one.observed_at, 1, one.event_id))
        if one.voided_at is not None:
            hear(answer, (one.observed_at + 1, 0, ""), holds=False)
    return tuple(answer for _, (*_, answer) in sorted(latest.items()) if answer)
