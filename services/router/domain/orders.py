"""What a person says of who takes a lead: a manager gives it to a rep, or a rep takes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from services.router.domain.assignment import Candidate, Exclusion
from services.router.domain.caps import Taken, caps_reached
from shared.availability.people import NotAtWork
from shared.schemas.policies.teams import Rep
from shared.schemas.routing import Leg, Mode

Refused = Literal[
    "lead_merged",
    "lead_taken",
    "already_theirs",
    "not_in_queue",
    "never_routed",
    "unknown_rep",
    "not_eligible",
]


class OrderRefusedError(Exception):
    """It cannot be done. `excluded`: what keeps the rep from the lead;  `lead_id`: which of several leads it is."""

    def __init__(self, code: Refused, excluded: tuple[Exclusion, ...] = ()) -> None:
        super().__init__(code)
        self.code, self.excluded, self.lead_id = code, excluded, ""


@dataclass(frozen=True, slots=True)
class Order:
    """A person's word.

    kind:    assigned, by a manager;  claimed, by the rep
    by:      the name of who said it;  reason: in their words
    despite: what would keep the rep from the lead, and is overlooked on purpose
    mode:    whether the rep is asked, or told
    pool_id: in whose queue the lead waited;  leg: of whom it was taken from
    """

    kind: Literal["assigned", "claimed"]
    rep_id: str
    by: str
    reason: str | None = None
    despite: tuple[Exclusion, ...] = ()
    mode: Mode = "assign"
    pool_id: str | None = None
    leg: Leg | None = None

    def check(self, excluded: Collection[Exclusion]) -> None:
        """Raises OrderRefusedError where something keeps the rep from the lead that was not overlooked."""
        kept = tuple(why for why in excluded if why not in self.despite)
        if kept:
            raise OrderRefusedError("not_eligible", kept)


def outside(
    rep: Rep,
    loads: Mapping[str, int],
    out: Mapping[str, NotAtWork],
    taken: Mapping[str, Taken],
    left: Collection[str],
) -> Candidate:
    """A rep who is chosen past all pools: of what a pool would ask, only what concerns the rep keeps them from a lead."""
    reasons: list[tuple[bool, Exclusion]] = [(rep.id in left, "left"), (not rep.active, "inactive")]
    if rep.id in out:
        reasons.append((True, out[rep.id].why))
    reasons.append((loads.get(rep.id, 0) >= rep.capacity, "at_capacity"))
    reasons += [(True, why) for why in caps_reached(rep, taken.get(rep.id))]
    return Candidate(
        rep.id,
        rep.name,
        loads.get(rep.id, 0),
        rep.capacity,
        excluded=tuple(why for holds, why in reasons if holds),
        not_at_work=out.get(rep.id),
        taken=taken.get(rep.id),
        per_day=rep.per_day,
        per_week=rep.per_week,
    )
