"""A person of the customer's, as far as one deal is concerned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from shared.normalise.departments import department

Role = Literal[
    "initiator",
    "influencer",
    "decision_maker",
    "gatekeeper",
    "user",
    "drafter",
    "circulator",
    "champion",
    "economic_buyer",
    "partner_rep",
]
Stance = Literal["support", "neutral", "concern", "against", "unknown"]
Prepared = Literal["untouched", "explained", "supportive", "concerned"]
ROLES: tuple[Role, ...] = get_args(Role)
STANCES: tuple[Stance, ...] = get_args(Stance)
PREPARED: tuple[Prepared, ...] = get_args(Prepared)
MOST = 100  # of one deal


@dataclass(frozen=True, slots=True)
class Nemawashi:
    """How far a person was prepared before the draft went round (根回し), when and by whom of ours."""

    state: Prepared = "untouched"
    on: date | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Stakeholder:
    """A person, with what we believe of them.

    person:     name, title, department, email, phone, free_text: personal, sealed where it is kept
    influence:  1 low … 3 high;  met_on: when one of ours met them last
    reports_to, successor: other stakeholders of the deal, by id
    moved_at:   when we heard that they have moved or left (`left`), ms;  verified_at: when that was made sure
    version:    counts what was changed
    """

    stakeholder_id: str
    person: Mapping[str, str]
    roles: tuple[Role, ...] = ()
    stance: Stance = "unknown"
    influence: int | None = None
    reports_to: str | None = None
    met_on: date | None = None
    nemawashi: Nemawashi = Nemawashi()
    moved_at: int | None = None
    left: bool = False
    successor: str | None = None
    verified_at: int | None = None
    version: int = 0

    def is_there(self) -> bool:
        return self.moved_at is None

    def department(self) -> str | None:
        """Its id (vocabulary, section 2); None where it is not known."""
        written = self.person.get("department") or self.person.get("title")
        found = department(written) if written else "other"
        return found if found != "other" else None


def circle(person: str, reports_to: str, everybody: Iterable[Stakeholder]) -> list[str] | None:
    """The way from `person` up and back to themselves, if they reported to `reports_to`; None where there is none."""
    above = {one.stakeholder_id: one.reports_to for one in everybody} | {person: reports_to}
    way, next_one = [person], above[person]
    while next_one is not None:
        way.append(next_one)
        if next_one == person:
            return way
        if next_one in way[:-1]:
            return None  # a circle of others, which is not this one's to mend
        next_one = above.get(next_one)
    return None
