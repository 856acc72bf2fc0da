"""A score as APIs and the command line show it: points in points, times as RFC 3339, and its words in both languages."""

from __future__ import annotations

from typing import Any

from shared.kit.clock import iso
from shared.schemas.scores import Better, LeadScored, PartialScore, ScorePart, Suggestion
from shared.words.scores import Caps, better, caps, cut, summary

Body = dict[str, Any]


def glance(score: LeadScored) -> Body:
    """What is said of a lead in a list."""
    told = summary(score)
    return {
        "temperature": score.temperature,
        "trend": score.trend,
        "internal": score.internal,
        "account": score.account,
        "summary": {"sentence": told.sentence, "reasons": list(told.reasons)},
        "better": [_better(one) for one in score.better],
    }


def in_full(score: LeadScored) -> Body:
    """All that a score is made of."""
    return {
        "fit": _points(score.fit.total),
        "engagement": _points(score.engagement.total),
        "grade": score.grade,
        "as_of": iso(score.as_of),
        "cause": score.cause,
        "version": list(score.version),
        "policy": score.policy.model_dump(),
        "region": score.region,
        "hand_raise": score.hand_raise.type if score.hand_raise else None,
        "parts": {"fit": _parts(score.fit), "engagement": _parts(score.engagement)},
    }


def _points(milli: int) -> float:
    return milli / 1000


def _parts(score: PartialScore) -> list[Body]:
    found = caps(score)
    return [_part(part, found) for part in score.parts]


def _part(part: ScorePart, found: Caps) -> Body:
    return {
        "rule_id": part.rule_id,
        "group": part.group,
        "points": _points(part.kept),
        "given": _points(part.given),
        "cut": _points(part.cut),
        "cut_by_group": _points(part.cut - part.cut_total),
        "cut_by_total": _points(part.cut_total),
        "why_cut": cut(part, found),
        "times": part.times,
        "first_at": iso(part.first_at) if part.first_at is not None else None,
        "last_at": iso(part.last_at) if part.last_at is not None else None,
        "label": part.label,
    }


def _better(one: Better) -> Body:
    return {"grade": one.grade, "by": [_suggestion(found) for found in one.by], "text": better(one)}


def _suggestion(found: Suggestion) -> Body:
    return {
        "rule_id": found.rule_id,
        "points": _points(found.points),
        "attribute": found.attribute,
        "label": found.label,
    }
