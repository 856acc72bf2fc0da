"""What a lead tells the accounts that it was ever said to belong to: what it is, or that it is gone."""

from __future__ import annotations

from services.scoring.domain.companies import accounts_of
from services.scoring.domain.people import Person
from services.scoring.domain.score import Scored
from services.scoring.domain.state import LeadState
from shared.schemas.scores import Version
from shared.schemas.vocabulary import ROLE_OF_ANSWER, ROLE_OF_LEVEL

POSITION = "A1"  # the question in what position somebody is about this purchase


def membership(
    state: LeadState, scored: Scored, version: Version, *, merged: bool, may_have_moved: bool
) -> dict[str, Person]:
    """By account. A lead that was merged into another, one of ourselves and a test belong to none.

    may_have_moved: whether it has to be told that it left any other than its own. It need not again when nothing was heard of where
    it belongs: it was told with what was heard before, or will be when that is handled once more.
    """
    named = accounts_of(state.memories.values())
    if merged or scored.is_test or scored.internal:
        return gone(named, version)
    told = gone(named, version) if may_have_moved else {}
    if scored.account is not None:
        told[scored.account] = Person(
            version,
            engagement=scored.engagement.total,
            fit=scored.grade[0],
            role=role_of(scored),
            department=_department(scored),
            active=scored.active,
        )
    return told


def gone(accounts: set[str], version: Version) -> dict[str, Person]:
    return {account: Person(version, gone=True) for account in sorted(accounts)}


def role_of(scored: Scored) -> str | None:
    """The buying role: as answered, a trusted source's answer before another's and the latest of these; else the usual one of the
    level."""
    answers = [(answer.told.trusted, *answer.told[:3]) for answer in scored.evidence if answer.criterion == POSITION]
    answered = ROLE_OF_ANSWER.get(str(max(answers)[-1])) if answers else None
    return answered or ROLE_OF_LEVEL.get(str(scored.attributes.get("level")))


def _department(scored: Scored) -> str | None:
    """None for one that is not known: it may be the same as another."""
    department = scored.attributes.get("department")
    return department if isinstance(department, str) and department != "other" else None
