"""Answers as the API shows them."""

from __future__ import annotations

from services.handoff.answers.answer import Recorded, standing
from services.handoff.answers.bodies import AnswersView, AnswerView, CriterionView, QuestionView, RecordedView
from services.handoff.answers.desk import Kept
from shared.kit import person
from shared.kit.clock import iso
from shared.qualification.answers import Answer
from shared.qualification.assessing import assess
from shared.schemas.person import SealedPerson
from shared.schemas.policies.frameworks import Confidence, Framework
from shared.schemas.scores import Evidence
from shared.schemas.vocabulary import QUESTIONS

_IS = {"met": "met", "unmet": "not_met"}


def answers_view(kept: Kept, evidence: list[Evidence], framework: Framework, now: int) -> AnswersView:
    """evidence: as the router told it when it routed the lead last"""
    found = assess(standing(kept.answers, evidence), framework, now, kept.fiscal_month)
    asked, question = framework.resolved, found.question
    return AnswersView(
        framework=found.framework,
        met=found.met,
        of=found.of,
        minimum=found.minimum,
        lacking=list(found.lacking),
        enough=found.enough,
        criteria={
            one.criterion: CriterionView(
                label=asked[one.criterion].label.texts(),
                is_=_IS.get(one.state, "unknown"),
                state=one.state,
                required=asked[one.criterion].required,
                weight=asked[one.criterion].weight,
                expires_at=iso(one.expires_at) if one.expires_at is not None else None,
                answers=[AnswerView(**_answer(answer, framework.confidence)) for answer in one.answers],
            )
            for one in found.criteria
        },
        next_question=QuestionView(
            criterion=question.criterion,
            question=question.question or "",
            cost=question.cost,
            text={lang: words for lang, words in (("en", question.en), ("ja", question.ja)) if words},
            values=codes_of(question.question or "", framework),
        )
        if question
        else None,
        answers=[_recorded(one, kept, framework.confidence) for one in kept.answers],
    )


def codes_of(question: str, framework: Framework | None) -> list[str]:
    """All answers to a question: the vocabulary's, and those of the framework that it does not know."""
    ways = [way for one in framework.resolved.values() for way in one.all_ways] if framework else []
    own = [code for way in ways for code in way.get(question, ())]
    return list(dict.fromkeys([*QUESTIONS.get(question, ()), *own]))


def _answer(answer: Answer, confidence: Confidence) -> dict[str, object]:
    return {
        "question": answer.question,
        "value": answer.code,
        "source": answer.source_id,
        "confidence": confidence.of(answer.source_id, trusted=answer.trusted, said=answer.confidence),
        "observed_at": iso(answer.observed_at),
    }


def _recorded(one: Recorded, kept: Kept, confidence: Confidence) -> RecordedView:
    answer = Answer(one.question, one.code, one.source_id, one.observed_at, trusted=True, confidence=one.confidence)
    sealed = kept.notes.get(one.event_id)
    return RecordedView(
        **_answer(answer, confidence),
        id=one.answer_id,
        recorded_at=iso(one.recorded_at),
        recorded_by=one.recorded_by,
        rep_id=one.rep_id,
        told_by=one.told_by,
        note=person.reveal(SealedPerson.model_validate(sealed)).get("free_text") if sealed else None,
        voided_at=iso(one.voided_at) if one.voided_at is not None else None,
        voided_because=one.voided_because,
    )
