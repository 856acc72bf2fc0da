"""Reasoning about conditions says what trying out every lead says, on domains that are small enough to try."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from baton.lint.boxes import ALL, boxes_of, meet, without
from baton.lint.numbers import Numbers
from baton.lint.rules import LEAD, Ruled
from baton.lint.space import Link, Space
from baton.lint.texts import Texts
from baton.lint.values import TooHardError, Values, domain
from shared.schemas.conditions import parse

GRADES = [{"grade": letter + band, "letter": letter} for letter in "AB" for band in "12"]
KINDS: dict[str, type] = {"size": int, "word": str, "flag": bool, "grade": str, "letter": str, "points": int}
WORDS = ["ab", "b", "bab", None]  # what a word is here, and that it is absent
SIZES = [1, 2, 3, None]


def small() -> Space:
    """Few values of every sort: numbers in a range, words out of a few, a table of two fields, and points that make the letter."""
    words = Texts(frozenset(word for word in WORDS if word))
    return Space(
        KINDS,
        tables={"grade": GRADES},
        open={
            "size": domain(int, low=1, high=3),
            "word": Values(absent=True, texts=words),
            "flag": domain(bool, absent=False),
            "points": domain(int, absent=False, low=0, high=3),
        },
        links=[Link("points", "letter", {"A": _between(2, 3), "B": _between(0, 1)})],
    )


def _between(low: int, high: int) -> Numbers:
    return Numbers.between((low, 0), (high, 1), whole=True)


def every_lead() -> list[dict[str, Any]]:
    found = []
    for size, word, flag, grade, points in product(SIZES, WORDS, (True, False), GRADES, range(4)):
        if (grade["letter"] == "A") is (points >= 2):
            facts = {"size": size, "word": word, "flag": flag, **grade, "points": points}
            found.append({name: value for name, value in facts.items() if value is not None})
    return found


LEADS = every_lead()


def compared(name: str, values: list[Any], ops: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    def with_value(op: str) -> st.SearchStrategy[dict[str, Any]]:
        one = st.sampled_from(values)
        given_values: st.SearchStrategy[Any] = (
            st.booleans() if op == "exists" else st.lists(one, max_size=3) if op in ("in", "not_in") else one
        )
        return given_values.map(lambda value: {name: {op: value}})

    return st.sampled_from(ops).flatmap(with_value)


SAME, ORDER, TEXT = ["eq", "ne", "in", "not_in", "exists"], ["gte", "gt", "lte", "lt"], ["prefix", "suffix", "contains"]
leaves = st.one_of(
    compared("size", [0, 1, 1.5, 2, 3], [*SAME, *ORDER]),
    compared("word", ["ab", "B", "bab", "zz"], SAME),
    compared("word", ["", "a", "B", "ba", "ab", "x"], TEXT),
    compared("flag", [True, False], SAME),
    compared("grade", ["A1", "A2", "B2", "C1"], SAME),
    compared("letter", ["A", "b"], [*SAME, "prefix"]),
    compared("points", [0, 1, 2, 3], [*SAME, *ORDER]),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)


def holding(raw: Any) -> list[dict[str, Any]]:
    condition = parse(raw, KINDS)
    return [lead for lead in LEADS if condition.holds(lead)]


@given(conditions)
@example({"all": [{"size": {"gte": 3}}, {"size": {"lt": 3}}]})
@example({"all": [{"grade": {"eq": "A1"}}, {"points": {"lte": 1}}]})
@example({"all": [{"word": {"prefix": "b"}}, {"not": {"word": {"contains": "b"}}}]})
@example({"not": {"any": [{"size": {"exists": False}}, {"size": {"in": [1, 2, 3]}}]}})
def test_a_condition_has_boxes_if_and_only_if_some_lead_fits_it(raw: Any) -> None:
    space, condition = small(), parse(raw, KINDS)
    found = [space.point(box) for box in meet(boxes_of(condition, space), ALL, space)]
    assert bool(found) is bool(holding(raw))
    for facts in found:
        assert facts is not None
        assert condition.holds(facts), "a point of a box proves it"
    refused = [space.point(box) for box in meet(boxes_of(condition, space, holds=False), ALL, space)]
    assert bool(refused) is (len(holding(raw)) < len(LEADS))
    assert not any(condition.holds(facts) for facts in refused if facts is not None)


@given(conditions, st.lists(conditions, max_size=3))
@example({"size": {"eq": 1}}, [{"size": {"lte": 1}}])
@example({"letter": {"eq": "A"}}, [{"points": {"gt": 1}}])
@example({"flag": {"exists": True}}, [{"flag": {"eq": True}}, {"flag": {"eq": False}}])
def test_what_is_left_of_a_rule_by_those_before_it_is_what_trying_them_says(raw: Any, earlier: list[Any]) -> None:
    space = small()
    conditions_before = [parse(one, KINDS) for one in earlier]
    condition, left = parse(raw, KINDS), boxes_of(parse(raw, KINDS), space)
    for one in conditions_before:
        left = without(left, boxes_of(one, space), space)
    left = meet(left, ALL, space)
    expected = [lead for lead in holding(raw) if not any(one.holds(lead) for one in conditions_before)]
    assert bool(left) is bool(expected)
    for box in left:
        facts = space.point(box)
        assert facts is not None
        assert condition.holds(facts)
        assert not any(one.holds(facts) for one in conditions_before)


@given(st.lists(conditions, min_size=1, max_size=4))
def test_rules_take_all_if_and_only_if_no_lead_is_left(rules: list[Any]) -> None:
    space, left = small(), ALL
    for raw in rules:
        left = without(left, boxes_of(parse(raw, KINDS), space), space)
    taken = [parse(raw, KINDS) for raw in rules]
    assert bool(left) is any(not any(rule.holds(lead) for rule in taken) for lead in LEADS)


@given(st.lists(conditions, min_size=1, max_size=5))
@example([{"size": {"lte": 1}}, {"size": {"gte": 2}}, {"size": {"exists": True}}, {"not": {"size": {"exists": True}}}])
@example([{"letter": {"eq": "A"}}, {"word": {"eq": "b"}}, {"points": {"lt": 2}}, {"flag": {"eq": True}}])
def test_a_list_of_rules_has_the_dead_the_shadowed_and_the_takers_that_trying_every_lead_finds(raws: list[Any]) -> None:
    ruled = Ruled(small(), LEAD)
    for number, raw in enumerate(raws):
        ruled.add("routing", ("rules", number, "when"), f"r{number}", raw)
    fits = [[parse(raw, KINDS).holds(lead) for lead in LEADS] for raw in raws]
    dead = {n for n, fit in enumerate(fits) if not any(fit)}
    shadowed = {
        n
        for n, fit in enumerate(fits)
        if n not in dead and all(any(fits[m][i] for m in range(n)) for i, holds in enumerate(fit) if holds)
    }
    told = [finding for finding in ruled.shadowed(lambda _: True) if finding.code == "shadowed-rule"]
    assert {int(f.place[1]) for f in ruled.dead() if f.code == "dead-rule"} == dead
    assert {int(finding.place[1]) for finding in told} == shadowed
    for finding in told:
        number, example_of = int(finding.place[1]), finding.example or {}
        takers = [int(name) for name in re.findall(r"r(\d+)", finding.message)][1:]
        taken = [any(fits[taker][i] for taker in takers) for i in range(len(LEADS))]
        assert all(taken[i] for i, holds in enumerate(fits[number]) if holds), "those named take all of it"
        assert finding.example is not None
        assert parse(raws[number], KINDS).holds(example_of)
        assert any(parse(raws[taker], KINDS).holds(example_of) for taker in takers)
    assert bool(ruled.left(lambda _: True)) is any(not any(fit[i] for fit in fits) for i in range(len(LEADS)))


OPEN: dict[str, type] = {"text": str, "number": int, "any.*": object}
letters = st.text("abß", max_size=3)
open_leaves = st.one_of(
    st.tuples(st.sampled_from(["text", "any.x"]), st.sampled_from(TEXT), st.lists(letters, min_size=1, max_size=2)),
    st.tuples(st.sampled_from(["text", "any.x"]), st.sampled_from(["in", "not_in"]), st.lists(letters, max_size=3)),
    st.tuples(st.sampled_from(["number", "any.x"]), st.sampled_from(ORDER), st.sampled_from([-1, 0, 0.5, 2])),
    st.tuples(st.just("any.x"), st.sampled_from(["eq", "ne"]), st.sampled_from([True, False, 1, 0, "a"])),
    st.tuples(st.sampled_from(["text", "number", "any.x"]), st.just("exists"), st.booleans()),
).map(lambda leaf: {leaf[0]: {leaf[1]: leaf[2]}})
VALUES = [
    None,
    *("".join(chars) for length in range(5) for chars in product("ab", repeat=length)),
    "ss",
    "assb",
    "z",
    *(-2, -1, 0, 0.25, 0.5, 1, 2, 3),
    True,
    False,
]


@given(st.lists(st.one_of(open_leaves, open_leaves.map(lambda leaf: {"not": leaf})), min_size=1, max_size=5))
@example([{"text": {"prefix": "ab"}}, {"text": {"suffix": "ba"}}, {"text": {"not_in": ["aba", "abba"]}}])
@example([{"text": {"prefix": "a"}}, {"text": {"prefix": "b"}}])
@example(
    [
        {"text": {"prefix": "a"}},
        {"text": {"suffix": "a"}},
        {"text": {"not_in": ["a", "aa"]}},
        {"not": {"text": {"contains": "b"}}},
    ]
)
@example([{"number": {"gt": 0}}, {"number": {"lt": 1}}])
@example([{"any.x": {"gt": 0}}, {"any.x": {"lt": 1}}])
@example([{"any.x": {"contains": "r"}}, {"not": {"any.x": {"contains": ["a", "b"]}}}])
@example([{"text": {"in": ["ß"]}}, {"text": {"eq": "SS"}}])
def test_of_open_values_a_box_has_a_point_that_fits_and_no_box_means_none_does(parts: list[Any]) -> None:
    space, condition = Space(OPEN), parse({"all": parts}, OPEN)
    try:
        found = meet(boxes_of(condition, space), ALL, space)
    except TooHardError:
        assert any("a" in str(part) for part in parts), "only of what may be a part of a number"
        return
    for box in found:
        facts = space.point(box)
        assert facts is not None
        assert condition.holds(facts)
    if not found:
        for value in VALUES:
            whole = isinstance(value, int) and not isinstance(value, bool)
            text = {"text": value} if isinstance(value, str) else {}
            facts = {"any.x": value, **text, **({"number": value} if whole else {})}
            assert not condition.holds(facts)
