"""The laws of conditions: whatever is written means what logic says, and nothing that a sender sends breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schemas.conditions import ALWAYS, OPERATORS, All, AnyOf, ConditionError, Not, Test, parse

CATALOGUE: dict[str, type] = {"text": str, "number": int, "truth": bool, "event.properties.*": object}

texts = st.sampled_from(["", "a", "A", "ab", "b", "価格"])
numbers = st.integers(-3, 3)
scalars = st.one_of(texts, numbers, st.booleans())


def comparisons_of(
    field: str, values: st.SearchStrategy[Any], operators: list[str]
) -> st.SearchStrategy[dict[str, Any]]:
    def with_value(op: str) -> st.SearchStrategy[dict[str, Any]]:
        given_values = (
            st.booleans() if op == "exists" else st.lists(values, max_size=3) if op in ("in", "not_in") else values
        )
        return given_values.map(lambda value: {field: {op: value}})

    return st.sampled_from(operators).flatmap(with_value)


EQUALITY = ["eq", "ne", "in", "not_in", "exists"]
ORDER = ["gte", "gt", "lte", "lt"]
leaves = st.one_of(
    comparisons_of("text", texts, [*EQUALITY, "prefix", "suffix", "contains"]),
    comparisons_of("number", numbers, EQUALITY + ORDER),
    comparisons_of("truth", st.booleans(), EQUALITY),
    comparisons_of("event.properties.any", scalars, EQUALITY),
    comparisons_of("event.properties.any", numbers, ORDER),
)
raws = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
anything = st.recursive(
    st.one_of(st.none(), scalars, st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)),
    max_leaves=4,
)
facts_of = st.fixed_dictionaries(
    {}, optional={"text": texts, "number": numbers, "truth": st.booleans(), "event.properties.any": anything}
)


def holds(raw: Any, facts: dict[str, Any]) -> bool:
    return parse(raw, CATALOGUE).holds(facts)


@given(raws, facts_of)
def test_a_condition_is_true_or_false_of_any_facts(raw: Any, facts: dict[str, Any]) -> None:
    assert holds(raw, facts) in (True, False)


@given(raws, facts_of)
def test_not_turns_the_answer_round_and_twice_round_is_as_before(raw: Any, facts: dict[str, Any]) -> None:
    assert holds({"not": raw}, facts) is not holds(raw, facts)
    assert holds({"not": {"not": raw}}, facts) is holds(raw, facts)


@given(st.lists(raws, min_size=1, max_size=3), facts_of)
def test_not_all_is_any_not_and_not_any_is_all_not(parts: list[Any], facts: dict[str, Any]) -> None:
    negated = [{"not": part} for part in parts]
    assert holds({"not": {"all": parts}}, facts) is holds({"any": negated}, facts)
    assert holds({"not": {"any": parts}}, facts) is holds({"all": negated}, facts)


@given(st.lists(raws, min_size=1, max_size=3), facts_of)
def test_all_and_any_are_what_python_calls_so_in_whatever_order(parts: list[Any], facts: dict[str, Any]) -> None:
    answers = [holds(part, facts) for part in parts]
    assert holds({"all": parts}, facts) is all(answers) is holds({"all": parts[::-1]}, facts)
    assert holds({"any": parts}, facts) is any(answers) is holds({"any": parts[::-1]}, facts)


@given(st.lists(leaves, min_size=1, max_size=3, unique_by=lambda leaf: next(iter(leaf))), facts_of)
def test_a_mapping_of_several_fields_is_an_all_of_them(parts: list[Any], facts: dict[str, Any]) -> None:
    together = {field: tests for part in parts for field, tests in part.items()}
    assert holds(together, facts) is holds({"all": parts}, facts)


@given(leaves)
def test_an_absent_field_satisfies_only_exists_false_ne_and_not_in(leaf: dict[str, Any]) -> None:
    ((op, value),) = next(iter(leaf.values())).items()
    expected = op in ("ne", "not_in") or (op == "exists" and value is False)
    assert holds(leaf, {}) is expected
    assert holds(leaf, {next(iter(leaf)): None}) is expected


@given(scalars, scalars)
def test_ne_is_not_eq_and_in_is_an_any_of_eq(actual: Any, wanted: Any) -> None:
    facts = {"event.properties.x": actual}
    same = holds({"event.properties.x": {"eq": wanted}}, facts)
    assert holds({"event.properties.x": {"ne": wanted}}, facts) is not same
    assert holds({"event.properties.x": {"in": [wanted]}}, facts) is same
    assert holds({"event.properties.x": {"not_in": [wanted]}}, facts) is not same


@given(numbers, numbers)
def test_order_is_that_of_numbers(actual: int, wanted: int) -> None:
    assert holds({"number": {"gte": wanted}}, {"number": actual}) is (actual >= wanted)
    assert holds({"number": {"gt": wanted}}, {"number": actual}) is not holds(
        {"number": {"lte": wanted}}, {"number": actual}
    )
    assert holds({"number": {"lt": wanted, "gt": wanted}}, {"number": actual}) is False


@given(anything)
def test_what_is_no_number_is_neither_more_nor_less(actual: Any) -> None:
    answers = [holds({"event.properties.x": {op: 0}}, {"event.properties.x": actual}) for op in ORDER]
    if isinstance(actual, bool) or not isinstance(actual, int | float):
        assert answers == [False] * 4
    else:
        assert any(answers)


@given(raws)
def test_a_condition_names_the_fields_it_looks_at_and_no_other_matters(raw: Any) -> None:
    condition = parse(raw, CATALOGUE)
    assert condition.fields() <= {"text", "number", "truth", "event.properties.any"}
    assert condition.holds({"another": 1}) is condition.holds({})


@given(raws)
def test_parsing_is_a_function_of_what_is_written(raw: Any) -> None:
    assert parse(raw, CATALOGUE) == parse(raw, CATALOGUE)


@given(
    st.recursive(
        st.one_of(st.none(), scalars), lambda i: st.one_of(st.lists(i), st.dictionaries(texts, i)), max_leaves=8
    )
)
def test_what_is_no_condition_is_an_error_of_the_grammar_and_nothing_else(raw: Any) -> None:
    try:
        parse(raw, CATALOGUE)
    except ConditionError:
        return
    assert isinstance(raw, dict)


def test_text_is_compared_without_case_and_true_is_not_one() -> None:
    assert holds({"text": {"eq": "HEAD"}}, {"text": "head"})
    assert holds({"text": {"contains": ["PRICING", "料金"]}}, {"text": "/Pricing"})
    assert not holds({"event.properties.x": {"eq": 1}}, {"event.properties.x": True})
    assert not holds({"event.properties.x": {"gte": 0}}, {"event.properties.x": True})


def test_nothing_asked_holds_always() -> None:
    assert parse({}, CATALOGUE) == ALWAYS == All(())
    assert ALWAYS.holds({})
    assert not Not(ALWAYS).holds({})
    assert not AnyOf(()).holds({})


@pytest.mark.parametrize(
    ("raw", "path", "wrong"),
    [
        ({"txt": {"eq": "a"}}, ("txt",), "txt"),
        ({"all": [{"text": {"eq": "a"}}, {"text": {"eqals": "a"}}]}, ("all", 1, "text", "eqals"), "eqals"),
        ({"not": {"any": [{"number": {"gte": "a"}}]}}, ("not", "any", 0, "number", "gte"), None),
        ({"text": "a"}, ("text",), None),
        ({"text": {}}, ("text",), None),
        ({"all": []}, ("all",), None),
        ({"any": {"text": {"eq": "a"}}}, ("any",), None),
        ({"text": {"in": "a"}}, ("text", "in"), None),
        ({"text": {"gte": 1}}, ("text", "gte"), None),
        ({"number": {"prefix": "1"}}, ("number", "prefix"), None),
        ({"number": {"eq": True}}, ("number", "eq"), None),
        ({"truth": {"eq": "yes"}}, ("truth", "eq"), None),
        ({"text": {"exists": "yes"}}, ("text", "exists"), None),
        (["text"], (), None),
    ],
)
def test_an_error_leads_to_its_place_and_names_what_is_wrong(
    raw: Any, path: tuple[Any, ...], wrong: str | None
) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(raw, CATALOGUE)
    assert (caught.value.path, caught.value.wrong) == (path, wrong)
    assert bool(caught.value.valid) is (wrong is not None)


def test_every_operator_is_tried_by_these_laws() -> None:
    assert set(OPERATORS) == {*EQUALITY, *ORDER, "prefix", "suffix", "contains"}
    assert Test("text", "eq", "a").fields() == {"text"}
