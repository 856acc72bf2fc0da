"""What would make it better: held against trying all that a lead could do, and all that it could be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, combinations_with_replacement, count, product
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from services.scoring import wire
from services.scoring.domain.better import Better
from services.scoring.domain.parts import MOST_SUGGESTIONS
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import Scored, score, stand
from services.scoring.domain.state import LeadState
from shared.schemas.catalogue import BEHAVIOUR_FIELDS
from shared.schemas.conditions import parse
from tests.unit.scoring.leads import LEAD, NOW, page, rules, state_of, touch

# What a rule may ask for, and the touch that it describes; None where the lead itself could not do it.
DESCRIBED: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({"touch.type": {"eq": "page_viewed"}}, {}),
    ({"touch.type": {"eq": "page_viewed"}, "touch.path": {"prefix": "/pricing"}}, {"path": "/pricing"}),
    ({"touch.path": {"contains": "PRICE"}}, {"path": "price"}),  # and no more: not by what another rule asks for
    ({"touch.path": {"prefix": "/pri"}}, {"path": "/pri"}),
    ({"touch.type": {"eq": "email_clicked"}}, {"type": "email_clicked"}),
    ({"touch.type": {"eq": "email_clicked"}, "touch.campaign": {"eq": "spring"}}, {"type": "email_clicked", "campaign": "spring"}),
    ({"all": [{"touch.type": {"prefix": "WEBINAR_ATT"}}, {"touch.automated": {"ne": True}}]}, {"type": "webinar_attended"}),
    ({"touch.type": {"eq": "webinar_attended"}, "touch.topic": {"exists": True}}, {"type": "webinar_attended", "topic": "any"}),
    ({"touch.type": {"eq": "page_viewed"}, "source.trusted": {"eq": True}}, {"trusted": True}),
    ({"touch.type": {"eq": "page_viewed"}, "not": {"touch.path": {"exists": True}}}, {}),
    ({"touch.automated": {"eq": True}, "touch.type": {"eq": "page_viewed"}}, None),
    ({"touch.type": {"eq": "careers_page_viewed"}}, None),
    ({"touch.type": {"eq": "sales_rejected_quality"}}, None),
    ({"source.trusted": {"eq": True}}, None),
]  # fmt: skip
AMBIGUOUS: list[tuple[dict[str, Any], None]] = [
    ({"touch.type": {"in": ["email_clicked", "opportunity_won", "webinar_attended"]}}, None),
    ({"any": [{"touch.type": {"eq": "page_viewed"}}, {"touch.path": {"prefix": "/p"}}]}, None),
]
HAPPENED = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["page_viewed", "email_clicked", "webinar_attended", "careers_page_viewed"]),
        "path": st.sampled_from(["/pricing", "/price"]),
        "campaign": st.sampled_from(["spring", "autumn"]),
        "trusted": st.booleans(),
        "at": st.integers(0, 40).map(lambda hours: NOW - hours * 3_600_000),
    },
)
fresh = count(1)


@st.composite
def asked(draw: st.DrawFn, described: list[Any]) -> tuple[Rules, list[wire.Touch], list[dict[str, Any]]]:
    """A policy, what a lead did, and the touches that the policy's rules describe and that cost nothing."""
    chosen = draw(st.lists(st.sampled_from(described), min_size=1, max_size=5))
    points = st.one_of(st.integers(1, 20), st.integers(-8, 20))
    behaviour = [
        page(
            draw(points),
            id=f"rule-{number}",
            when=when,
            limit=draw(st.integers(1, 3)),
            per=draw(st.sampled_from(["1d", "1d", "2d", "once", "campaign"])),
            group=draw(st.sampled_from(["web", "mail"])),
        )
        for number, (when, _) in enumerate(chosen)
    ]
    engagement = {
        "groups": {"web": draw(st.sampled_from([10, 25, 99])), "mail": draw(st.sampled_from([0, 8, 30]))},
        "bands": draw(st.sampled_from([(30, 20, 10), (40, 16, 4), (20, 20, 9)])),
        "cap": draw(st.sampled_from([18, 25, 99])),
    }
    under = rules(behaviour, [], engagement)
    done = [touch(number, **told) for number, told in enumerate(draw(st.lists(HAPPENED, max_size=6)))]
    could = [
        told
        for (_, told), rule in zip(chosen, behaviour, strict=True)
        if told is not None and rule["points"] > 0 and not costs(told, behaviour)
    ]
    return under, [*done, touch(99, type="identify")], could


def costs(told: dict[str, Any], behaviour: list[dict[str, Any]]) -> bool:
    one = touch(0, **told)
    facts = {name: getattr(one, name.partition(".")[2], None) for name in BEHAVIOUR_FIELDS}
    facts |= {"source.trusted": one.trusted}
    return any(rule["points"] < 0 and parse(rule["when"], BEHAVIOUR_FIELDS).holds(facts) for rule in behaviour)


def after(under: Rules, state: LeadState, done: tuple[dict[str, Any], ...]) -> Scored:
    """With these touches of now; those of no campaign are each of an event of its own."""
    more = [touch(1000 + next(fresh), **{"event": f"event {next(fresh)}", **told}) for told in done]
    return score(state_of(under, *more, base=state), LEAD, under)


def by_touches(found: Scored) -> Better | None:
    return next((one for one in found.better if not one.by[0].attribute), None)


@given(asked(DESCRIBED))
def test_the_touches_suggested_are_the_fewest_that_reach_a_better_band(told: Any) -> None:
    under, done, could = told
    state = state_of(under, *done)
    before = score(state, LEAD, under)
    needed = next((len(few) for few in tried(could) if after(under, state, few).grade[1] < before.grade[1]), None)
    found = by_touches(before)
    assert (len(found.by) if found else None) == needed


def tried(could: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], ...]]:
    distinct = [told for number, told in enumerate(could) if told not in could[:number]]
    for many in range(1, MOST_SUGGESTIONS + 1):
        yield from combinations_with_replacement(distinct, many)


@given(asked(DESCRIBED + AMBIGUOUS * 3))
def test_touches_as_suggested_reach_the_grade_named_by_the_points_named(told: Any) -> None:
    under, done, _ = told
    state = state_of(under, *done)
    before = score(state, LEAD, under)
    found = by_touches(before)
    assume(found is not None)
    assert found is not None
    variants = []
    for suggestion in found.by:
        when = next(rule.condition for rule in under.base.behaviour if rule.rule_id == suggestion.rule_id)
        of_rule = [told for described, told in DESCRIBED if parse(described, BEHAVIOUR_FIELDS) == when]
        variants.append(of_rule or [{}, {"path": "/p"}, {"type": "email_clicked"}, {"type": "webinar_attended"}])
    reached = [after(under, state, few) for few in product(*variants)]
    promised = before.engagement.total + sum(one.points for one in found.by)
    assert (found.grade, promised) in [(one.grade, one.engagement.total) for one in reached]
    assert all(one.points > 0 for one in found.by)
    assert found.grade < before.grade


# --- facts --------------------------------------------------------------------------------------------------------------

VALUES: dict[str, tuple[Any, ...]] = {
    "level": ("head", "staff", "other"),
    "department": ("it", "sales", "other"),
    "employees": (1, 100),
    "own_domain": (True, False),
}
TESTS = st.sampled_from(
    [
        {"lead.level": {"eq": "head"}},
        {"lead.level": {"in": ["staff", "head"]}},
        {"lead.level": {"exists": True}},
        {"lead.level": {"ne": "staff"}},
        {"lead.department": {"eq": "it"}},
        {"lead.department": {"prefix": "sa"}},
        {"lead.employees": {"gte": 100}},
        {"lead.employees": {"lt": 2}},
        {"lead.own_domain": {"eq": True}},
        {"lead.own_domain": {"eq": False}},
        {"lead.employees": {"exists": False}},
        {"not": {"lead.own_domain": {"exists": True}}},
    ]
)
CONDITIONS = st.one_of(
    TESTS, TESTS, st.lists(TESTS, min_size=2, max_size=2).map(lambda two: {"all": two}), TESTS.map(lambda one: {"any": [one]})
)  # fmt: skip


@st.composite
def known(draw: st.DrawFn) -> tuple[Rules, list[wire.Touch]]:
    """A policy of fit, and what was told of a lead, some of it long ago."""
    fits = [
        {
            "id": f"fit-{number}",
            "when": draw(CONDITIONS),
            "points": draw(st.one_of(st.integers(1, 40), st.integers(-20, 40))),
            "group": draw(st.sampled_from([None, "level", "size"])),
            "expires_days": draw(st.sampled_from([None, None, 30])),
        }
        for number in range(draw(st.integers(1, 6)))
    ]
    overlay = {"id": "japan", "when": {"lead.department": {"eq": "it"}}, "off": ["fit-0"]}
    under = rules(
        [],
        fits,
        fit={"grades": draw(st.sampled_from([(60, 40, 20), (50, 25, 25), (30, 20, 10)])), "cap": draw(st.sampled_from([30, 100]))},
        overlays=[overlay] if draw(st.booleans()) else [],
        internal=draw(st.sampled_from([None, None, {"lead.domain": {"eq": "ourselves"}}])),
    )  # fmt: skip
    told = [
        touch(number, at=NOW - draw(st.sampled_from([1, 50])) * 86_400_000, attributes={name: draw(st.sampled_from(values))})
        for number, (name, values) in enumerate(VALUES.items())
        if draw(st.booleans())
    ]  # fmt: skip
    return under, [*told, touch(99)]


def learning(under: Rules, state: LeadState, facts: dict[str, Any]) -> Scored:
    more = touch(1000 + next(fresh), trusted=True, type="identify", attributes=facts)
    return score(state_of(under, more, base=state), LEAD, under)


def by_facts(found: Scored) -> Better | None:
    return next((one for one in found.better if one.by[0].attribute), None)


@given(known())
def test_the_facts_suggested_are_the_fewest_that_reach_a_better_letter(told: Any) -> None:
    under, heard = told
    state = state_of(under, *heard)
    before = score(state, LEAD, under)
    ages = {name: NOW - one.at for one in heard for name in one.attributes}
    theirs = stand(state, LEAD, under).rules
    expiring = {name for rule in theirs.fit if rule.expires < 60 * 86_400_000 for name in rule.attributes}
    open_to = [
        name
        for name in VALUES
        if name not in under.base.deciding and (name not in ages or (name in expiring and ages[name] > 30 * 86_400_000))
    ]
    reaching = [
        dict(zip(names, values, strict=True))
        for many in range(1, MOST_SUGGESTIONS + 1)
        for names in combinations(open_to, many)
        for values in product(*(VALUES[name] for name in names))
        if learning(under, state, dict(zip(names, values, strict=True))).grade[0] < before.grade[0]
    ]
    found = by_facts(before)
    assert (len(found.by) if found else None) == min(map(len, reaching), default=None)
    if found is None:
        return
    names = [(one.attribute or "").removeprefix("lead.") for one in found.by]
    promised = found.grade, before.fit.total + sum(one.points for one in found.by)
    trials = [
        learning(under, state, dict(zip(names, values, strict=True))) for values in product(*map(VALUES.get, names))
    ]  # type: ignore[arg-type]
    kept = [one for one in trials if (one.grade, one.fit.total) == promised]
    assert kept
    asking = {rule.rule_id: rule.attributes for rule in theirs.fit}
    assert all(name in asking[one.rule_id] for one, name in zip(found.by, names, strict=True))
    assert all((one.attribute or "").startswith("lead.") for one in found.by)
