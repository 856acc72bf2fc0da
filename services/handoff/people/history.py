"""What became other of a person, or of the approval, field by field: whole histories add up to what is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from services.handoff.people.approval.route import Approval, Material
from services.handoff.people.stakeholder import Stakeholder
from services.handoff.pipeline.deal import FieldChange

State = Mapping[str, Any]  # by field, as JSON
OF_PERSON = ("name", "title", "department", "email", "phone", "note")
PERSONAL = frozenset({*OF_PERSON, "steps"})  # the steps of a route may have titles
NOTHING: State = {}


def of_person(one: Stakeholder | None) -> State:
    """As far as it is known; nothing of nobody."""
    if one is None:
        return NOTHING
    known: dict[str, Any] = {name: one.person.get("free_text" if name == "note" else name) for name in OF_PERSON}
    known |= {"roles": list(one.roles), "stance": one.stance, "influence": one.influence, "reports_to": one.reports_to}
    known |= {"met_on": _day(one.met_on), "nemawashi": one.nemawashi.state, "nemawashi_on": _day(one.nemawashi.on)}
    known |= {"nemawashi_by": one.nemawashi.by, "moved_at": one.moved_at, "left": one.left or None}
    known |= {"successor": one.successor, "verified_at": one.verified_at}
    return _known(known)


def of_approval(one: Approval, pack: Mapping[str, Material]) -> State:
    known: dict[str, Any] = {"state": one.state, "currency": one.currency} if one.version else {}
    known |= {"limit": None if one.limit is None else format(one.limit, "f")}
    known |= {name: _day(getattr(one, name)) for name in ("submit_on", "decide_on", "submitted_on", "decided_on")}
    known["steps"] = [asdict(step) | {"planned": _day(step.planned), "done": _day(step.done)} for step in one.steps]
    for item, material in pack.items():
        known[f"pack.{item}"] = asdict(material) | {"given_on": _day(material.given_on)}
    return _known(known)


def changes(before: State, after: State, version: int) -> list[FieldChange]:
    """In the order of the names."""
    names = sorted(before.keys() | after.keys())
    return [
        FieldChange(version, name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def fold(history: Iterable[FieldChange]) -> State:
    """What the whole history makes, from nothing. Raises ValueError where a change does not fit what was before it."""
    state: dict[str, Any] = {}
    for change in history:
        if state.get(change.field) != change.before:
            raise ValueError(f"version {change.version}: `{change.field}` was not {change.before!r} before")
        state[change.field] = change.after
    return _known(state)


def _known(state: Mapping[str, Any]) -> State:
    return {name: value for name, value in state.items() if value not in (None, [])}


def _day(day: Any) -> str | None:
    return day.isoformat() if day else None
