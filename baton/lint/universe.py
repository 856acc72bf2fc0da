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
from shared.schemas.catalogue import BANT, BEHAVIOUR_FIELDS, FIT_FIELDS, MAPPING_FIELDS, ROUTING_FIELDS

ALWAYS = {  # fields that are never absent
    "touch.type",
    "touch.automated",
    "touch.is_test",
    "source.id",
    "source.trusted",
    "event.type",
    "lead.class",
    "lead.stage",
}
LIKELY = {  # for examples: what such a field holds, of which a policy need not name any
    "lead.language": ("en", "de", "fr", "it", "es", "pt", "zh", "ko", "ja"),
    "lead.country": ("US", "DE", "FR", "GB", "SG", "BR", "JP"),
    "lead.domain": ("firm.example",),
    "lead.company": ("Firm",),
}
_GRADE = ("score.grade", "score.fit_grade", "score.band")
_LETTERS = [name for name, kind in BANT.items() if kind is bool]


def leads(policies: Policies) -> Space:
    """Leads as routing rules see them."""
    grades = [{"score.grade": f + b, "score.fit_grade": f, "score.band": b} for f in "ABCD" for b in "1234"]
    answers = [
        {**dict(zip(_LETTERS, met, strict=True)), "bant.met": sum(met)}
        for met in product((False, True), repeat=len(_LETTERS))
    ]
    fit, engagement = policies.scoring.fit, policies.scoring.engagement
    points = {
        "score.fit": domain(int, absent=False, high=max(fit.cap, 0)),
        "score.engagement": domain(int, absent=False, high=max(engagement.cap, 0)),
    }
    links = [
        Link("score.fit", "score.fit_grade", _ranges(fit.grades, "ABCD")),
        Link("score.engagement", "score.band", _ranges(engagement.bands, "1234")),
    ]
    return _space(policies, ROUTING_FIELDS, {"score.grade": grades, "bant.met": answers}, points, links)


def attributes(policies: Policies) -> Space:
    """Leads as rules of fit and overlays see them."""
    return _space(policies, FIT_FIELDS)


def touches(policies: Policies) -> Space:
    return _space(policies, BEHAVIOUR_FIELDS)


def events(policies: Policies) -> Space:
    """What senders send."""
    return _space(policies, MAPPING_FIELDS)


def _space(
    policies: Policies,
    fields: Mapping[str, type],
    tables: Mapping[str, Sequence[Facts]] | None = None,
    points: Mapping[str, Any] | None = None,
    links: Sequence[Link] = (),
) -> Space:
    """Of closed sets every field is a table of its own, with what conditions compare it with, which another check refuses."""
    found = dict(tables or {})
    asked = _named(policies)
    for name, values in closed_sets(policies).items():
        if name in fields and name not in _GRADE:
            known = {value.casefold(): value for value in (*values, *asked.get(name, ()))}
            found[name] = [*({name: value} for value in known.values()), *([] if name in ALWAYS else [{}])]
    for name, kind in fields.items():
        if kind is bool and name not in BANT:
            found[name] = [{name: True}, {name: False}, *([] if name in ALWAYS else [{}])]
    people = {"lead.employees": domain(int, low=1)} if "lead.employees" in fields else {}
    likely = {name: [*asked.get(name, ()), *LIKELY.get(name, ())] for name in {*asked, *LIKELY}}
    spelt = {name: {value.casefold(): value for value in values} for name, values in likely.items()}
    return Space(fields, found, {**people, **(points or {})}, links, spelt)


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
