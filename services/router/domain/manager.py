"""Where a lead's way round a pool ends: with the manager, as a person, and not parked for ever."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from services.router.domain.assignment import PASSING, Candidate
from shared.schemas.policies.teams import Pool, Rep

Passed = Literal["unknown_rep", "left", "inactive", "earlier_holder"]


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A manager who does not get the lead, and why."""

    rep_id: str
    why: Passed


@dataclass(frozen=True, slots=True)
class Escalated:
    """A lead that has been round its pool. rep_id: the manager who gets it, None where there is none;  passed: those before them"""

    rep_id: str | None = None
    passed: tuple[PassedOver, ...] = ()


def went_round(candidates: Collection[Candidate], holders: Collection[str]) -> bool:
    """Whether members of the pool have had the lead, and no other can take it in this cycle, now or at another hour."""
    had = any(one.rep_id in holders for one in candidates)
    return had and not any(set(one.excluded) <= set(PASSING) for one in candidates)


def managers(pool: Pool, reps: Mapping[str, Rep], holders: Sequence[str]) -> list[str]:
    """Who is asked, in order: who manages the pool, or else those who had the lead there, the last of them first; then theirs."""
    members = {member.rep for member in pool.members}
    first = [reps[holder].manager for holder in reversed(holders) if holder in members and holder in reps]
    asked = list(dict.fromkeys([pool.manager] if pool.manager else [one for one in first if one]))
    for rep_id in asked:  # it grows while it is gone through
        above = reps[rep_id].manager if rep_id in reps else None
        if above and above not in asked:
            asked.append(above)
    return asked


def escalate(pool: Pool, reps: Mapping[str, Rep], holders: Sequence[str], left: Collection[str] = ()) -> Escalated:
    """The first manager who can have the lead, whatever their hours and their capacity: somebody has to look at it. left: reps who
    have left"""
    passed: list[PassedOver] = []
    for rep_id in managers(pool, reps, holders):
        rep = reps.get(rep_id)
        if rep is None:
            passed.append(PassedOver(rep_id, "unknown_rep"))
        elif rep_id in left:
            passed.append(PassedOver(rep_id, "left"))
        elif not rep.active:
            passed.append(PassedOver(rep_id, "inactive"))
        elif rep_id in holders:
            passed.append(PassedOver(rep_id, "earlier_holder"))
        else:
            return Escalated(rep_id, tuple(passed))
    return Escalated(None, tuple(passed))
