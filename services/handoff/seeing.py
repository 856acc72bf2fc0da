"""Which opportunities a caller may see and act on: by the offers that were made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.kit.problems import Problem
from shared.sight import Sight


def sees(sight: Sight, row: Mapping[str, Any]) -> bool:
    """Whether one of its offers is, or was, to one of the reps, or from a pool of the manager's."""
    return sight.everything or any(_concerns(sight, offer) for offer in row["offers"])


def must_be_theirs(sight: Sight, row: Mapping[str, Any], rep_id: str) -> None:
    """Raises Problem 403 for who may not act in this rep's name on this opportunity."""
    theirs = sight.everything or rep_id in sight.reps
    if not theirs and not any(offer["rep_id"] == rep_id and _concerns(sight, offer) for offer in row["offers"]):
        raise Problem(403, "not_your_team", "a manager acts for reps of the own team, and for those of pools of theirs")


def _concerns(sight: Sight, offer: Mapping[str, Any]) -> bool:
    return offer["rep_id"] in sight.reps or offer["pool_id"] in sight.led
