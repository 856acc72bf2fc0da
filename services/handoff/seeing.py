"""Which opportunities a caller may see and act on: by the offers that were made of them, and by the team of their deals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.kit.problems import Problem
from shared.sight import Sight


def sees(sight: Sight, row: Mapping[str, Any]) -> bool:
    """Whether one of its offers is, or was, to one of the reps, or from a pool of the manager's; or one of the reps is of the team
    of its deal."""
    theirs = any(_concerns(sight, offer) for offer in row["offers"])
    return sight.everything or theirs or not set(sight.reps).isdisjoint(row["members"])


def shown(row: str, everything: str, reps: str, led: str) -> str:
    """The same in SQL. row: the alias of one with `tenant` and `opportunity_id`; the others as parameters, such as `$3`"""
    same = f"= ({row}.tenant, {row}.opportunity_id)"
    return (
        f"({everything} OR EXISTS (SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id) {same}"
        f" AND (f.rep_id = ANY({reps}::text[]) OR f.pool_id = ANY({led}::text[])))"
        f" OR EXISTS (SELECT FROM handoff.deal_members m WHERE (m.tenant, m.opportunity_id) {same}"
        f" AND m.rep_id = ANY({reps}::text[])))"
    )


def must_be_theirs(sight: Sight, row: Mapping[str, Any], rep_id: str) -> None:
    """Raises Problem 403 for who may not act in this rep's name on this opportunity."""
    theirs = sight.everything or rep_id in sight.reps
    if not theirs and not any(offer["rep_id"] == rep_id and _concerns(sight, offer) for offer in row["offers"]):
        raise Problem(403, "not_your_team", "a manager acts for reps of the own team, and for those of pools of theirs")


def _concerns(sight: Sight, offer: Mapping[str, Any]) -> bool:
    return offer["rep_id"] in sight.reps or offer["pool_id"] in sight.led
