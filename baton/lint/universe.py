"""What leads, touches and events there could be under a tenant's policies: the typed catalogue as spaces to reason in.

Every value a field can have is in its space, and some that it cannot have together with others: so what has no point here cannot
happen, and a point is a lead that could be, unless fields depend on each other in ways that are not named here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import ceil
from typing import Any

from baton.lint.numbers import FIRST, LAST, Numbers
from baton.lint.space import Facts, Link, Space
from baton.lint.values import domain
from baton.policies.findings import Policies
from baton.policies.word_checks import closed_sets, compared, conditions_of
from shared.schemas.catalogue import (
    BANT,
    BEHAVIOUR_FIELDS,
    FIT_FIELDS,
    GATE_FIELDS,
    LIFECYCLE_FIELDS,
    MAPPING_FIELDS,
    ROUTING_FIELDS,
)
from shared.schemas.policies.frameworks import Framework

ALWAYS = {  # fields that are never absent
    "touch.type",
    "touch.automated",
    "touch.is_test",
    "source.id",
    "source.trusted",
    "event.type",
    "lead.class",
    "lead.stage",
    "lead.internal",
    "lead.passed_on",
    "offer.accepted",
    "score.grade",
    "score.fit_grade",
    "score.band",
    "score.fit",
    "score.engagement",
    "score.trend",
    "time.weekday",
    "time.hour",
    "framework.met",
    "framework.enough",
}
LIKELY = {  # for examples: what such a field holds, of which a policy need not name any
    "lead.language": ("en", "de", "fr", "it", "es", "pt", "zh", "ko", "ja"),
    "lead.country": ("US", "DE", "FR", "GB", "SG", "BR", "JP"),
    "lead.domain": ("firm.example",),
    "lead.company": ("Firm",),
}
LEAST = {
    "lead.employees": 1,
    **dict.fromkeys(("account.people", "account.active", "account.roles", "account.departments"), 0),
    "framework.met": 0,
    "bant.met": 0,
    "time.hour": 0,
}
MOST_CRITERIA = 9  # that are looked at together; of more, their fields are taken to be free of each other
_LETTERS = [name for name, kind in BANT.items() if kind is bool]


def leads(policies: Policies) -> Space:
    """Leads as routing rules see them."""
    framework = policies.qualification.asked
    known = {"framework.met": _assessed(framework)} if len(framework.resolved) <= MOST_CRITERIA else {}
    return _space(policies, ROUTING_FIELDS, known)


def scored(policies: Policies) -> Space:
    """Leads as the gate sees them."""
    return _space(policies, GATE_FIELDS)


def moving(policies: Policies) -> Space:
    """Leads as entries of stages see them."""
    return _space(policies, LIFECYCLE_FIELDS)


def _assessed(framework: Framework) -> list[Facts]:
    """All that can be so of the framework's criteria at once."""
    asked = framework.resolved
    found: dict[tuple[Any, ...], Facts] = {}
    for met in product((False, True), repeat=len(asked)):
        known = dict(zip(asked, met, strict=True))
        letters = {name: known.get(name.partition(".")[2]) for name in _LETTERS}
        weight = sum(criterion.weight for name, criterion in asked.items() if known[name])
        lacking = any(criterion.required and not known[name] for name, criterion in asked.items())
        facts = {
            **letters,
            "bant.met": sum(map(bool, letters.values())) if any(v is not None for v in letters.values()) else None,
            "framework.met": weight,
            "framework.enough": weight >= framework.minimum_met and not lacking,
        }
        found[tuple(facts.values())] = facts
    return list(found.values())


def attributes(policies: Policies) -> Space:
    """Leads as rules of fit and overlays see them."""
    return _space(policies, FIT_FIELDS)


def touches(policies: Policies) -> Space:
    return _space(policies, BEHAVIOUR_FIELDS)


def events(policies: Policies) -> Space:
    """What senders send."""
    return _space(policies, MAPPING_FIELDS)


def _space(
    policies: Policies, fields: Mapping[str, type], tables: Mapping[str, Sequence[Facts]] | None = None
) -> Space:
    """Of closed sets every field is a table of its own, with what conditions compare it with, which another check refuses."""
    found, asked = dict(tables or {}), _named(policies)
    links: list[Link] = []
    if "score.grade" in fields:
        found["score.grade"] = [
            {"score.grade": f + b, "score.fit_grade": f, "score.band": b} for f in "ABCD" for b in "1234"
        ]
        links = [
            Link("score.fit", "score.fit_grade", _ranges(policies.scoring.fit.grades, "ABCD")),
            Link("score.engagement", "score.band", _ranges(policies.scoring.engagement.bands, "1234")),
        ]
    covered = {name for rows in found.values() for row in rows for name in row}
    closed = closed_sets(policies)
    for name, kind in fields.items():
        values = closed.get(name, ()) if kind is str else (True, False)
        if name not in covered and (kind is bool or name in closed):
            known = {str(value).casefold(): value for value in (*values, *asked.get(name, ()))}
            found[name] = [*({name: value} for value in known.values()), *([] if name in ALWAYS else [{}])]
    numbers = {
        name: domain(int, absent=name not in ALWAYS, low=LEAST.get(name), high=_most(policies, name))
        for name, kind in fields.items()
        if kind is int and name not in covered
    }
    likely = {name: [*asked.get(name, ()), *LIKELY.get(name, ())] for name in {*asked, *LIKELY}}
    spelt = {name: {value.casefold(): value for value in values} for name, values in likely.items()}
    return Space(fields, found, numbers, links, spelt)


def _most(policies: Policies, name: str) -> float | None:
    if name == "time.hour":
        return 23
    caps = {"score.fit": policies.scoring.fit.cap, "score.engagement": policies.scoring.engagement.cap}
    return max(caps[name], 0) if name in caps else None


def _named(policies: Policies) -> dict[str, list[str]]:
    """What conditions of all policies compare each field with."""
    found: dict[str, list[str]] = {}
    for _, _, raw in conditions_of(policies):
        for _, name, value in compared(raw, ()):
            found.setdefault(name, []).append(value)
    return found


def _ranges(least: Iterable[float], names: str) -> dict[str, Numbers]:
    """Whole points (those below one are left out) of each letter or band; least: of all but the last, which fall."""
    milli = [round(value * 1000) for value in least]
    if sorted(milli, reverse=True) != milli:
        return dict.fromkeys(names, Numbers.between(FIRST, LAST, whole=True))  # another check refuses them
    edges = [LAST, *((value // 1000, 0) for value in milli), FIRST]
    tops = [LAST, *((ceil(value / 1000), 0) for value in milli)]
    return {
        name: Numbers.between(low, high, whole=True) for name, low, high in zip(names, edges[1:], tops, strict=True)
    }
