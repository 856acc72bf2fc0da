"""What is missing among the people of a deal, or speaks against it: a function of what is known, and of the day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.handoff.people.stakeholder import Stakeholder

DAY = 86_400_000  # ms
SILENT = 30  # days without contact
GRAVE = frozenset({"it", "purchasing", "legal"})  # departments whose word can stop a draft that they hear of too late
# Activities in which the customer took part.
CONTACT = frozenset(
    {
        "call_connected",
        "email_replied",
        "meeting_held",
        "workshop_held",
        "poc_run",
        "review_held",
        "card_exchanged",
        "survey_answered",
        "phone_inbound",
        "contact_requested",
        "demo_requested",
        "quote_requested",
        "trade_fair_booth_talked",
        "seminar_attended",
    }
)


@dataclass(frozen=True, slots=True)
class Risk:
    """code: of `words.RISKS`;  about: stakeholders whom it concerns"""

    code: str
    about: tuple[str, ...] = ()


def gaps(people: Sequence[Stakeholder], last_contact: int, now: int) -> list[Risk]:
    """What the people of a deal lack.

    last_contact: when the customer last took part in anything, or else when the deal began (ms)
    """
    there = [one for one in people if one.is_there()]
    found = [
        Risk(code)
        for code, role in (("no_decision_maker", "decision_maker"), ("no_drafter", "drafter"))
        if not _with(there, role)
    ]
    departments = {one.department() for one in there}
    if there and len(departments) == 1 and None not in departments:
        found.append(Risk("one_department", _ids(there)))
    met_it = [one for one in there if one.department() == "it" and one.met_on]
    if met_it and not any(one.met_on for one in _with(there, "user")):
        found.append(Risk("users_not_met", _ids(_with(there, "user"))))
    gone = [one for one in people if not one.is_there()]
    if champions := [one for one in _with(gone, "champion") if not _with(there, "champion")]:
        found.append(Risk("champion_moved", _ids(champions)))
    if unverified := [one for one in gone if one.verified_at is None]:
        found.append(Risk("verify_move", _ids(unverified)))
    if against := [one for one in there if one.stance == "against" and (one.influence or 0) >= 2]:
        found.append(Risk("opposed", _ids(against)))
    if now - last_contact >= SILENT * DAY:
        found.append(Risk("no_contact"))
    return found


def _with(people: Iterable[Stakeholder], role: str) -> list[Stakeholder]:
    return [one for one in people if role in one.roles]


def _ids(people: Iterable[Stakeholder]) -> tuple[str, ...]:
    return tuple(sorted(one.stakeholder_id for one in people))
