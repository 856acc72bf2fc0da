"""Whoever mistypes a name is told the nearest one, else those there are, else where they are listed."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from baton.policies.problems import FIELDS_PAGE, LISTED, suggest
from shared.schemas.catalogue import BEHAVIOUR_FIELDS, FIT_FIELDS, LIFECYCLE_FIELDS, ROUTING_FIELDS
from shared.schemas.conditions import OPERATORS
from shared.schemas.vocabulary import INDUSTRIES, LEVELS, TOUCH_TYPES

Edit = Callable[[str, str, str], None]
Faults = Callable[[], list[str]]


@pytest.mark.parametrize(("wrong", "valid"), [("equals", OPERATORS), ("boss", LEVELS), ("jsic:Z", INDUSTRIES)])
def test_where_nothing_is_near_and_names_can_be_taken_in_at_a_glance_all_are_listed(
    wrong: str, valid: Collection[str]
) -> None:
    assert suggest(wrong, valid) == f" Valid: {', '.join(f'`{name}`' for name in sorted(valid))}."


@pytest.mark.parametrize(
    ("wrong", "valid", "meant"),
    [
        ("lead.langage", ROUTING_FIELDS, "lead.language"),
        ("Lead.Contry", ROUTING_FIELDS, "lead.country"),
        ("leed.level", ROUTING_FIELDS, "lead.level"),
        ("Lead.Level", ROUTING_FIELDS, "lead.level"),
        ("level", FIT_FIELDS, "lead.level"),
        ("score.handraise", ROUTING_FIELDS, "score.hand_raise"),
        ("demo_request", TOUCH_TYPES, "demo_requested"),
        ("gte ", OPERATORS, "gte"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_name(wrong: str, valid: Collection[str], meant: str) -> None:
    assert suggest(wrong, valid) == f" Did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("wrong", "valid", "meant"),
    [("lead.grade", ROUTING_FIELDS, "score.grade"), ("lead.stage", LIFECYCLE_FIELDS, "opportunity.stage")],
)
def test_the_right_name_below_another_prefix_is_nearer_than_any_of_this_one(
    wrong: str, valid: Collection[str], meant: str
) -> None:
    assert suggest(wrong, valid) == f" Did you mean `{meant}`?"


@pytest.mark.parametrize("wrong", ["lead.foo", "lead.boo", "lead.x", "lead."])
def test_what_all_names_begin_with_makes_none_of_them_nearer(wrong: str) -> None:
    below = [name for name in ROUTING_FIELDS if name.startswith("lead.")]
    assert len(below) > LISTED
    assert suggest(wrong, ROUTING_FIELDS) == ""
    assert suggest(wrong, ROUTING_FIELDS, page=FIELDS_PAGE) == f" There are {len(below)}: docs/fields.md lists them."


def test_of_many_fields_those_of_the_same_prefix_are_listed() -> None:
    assert suggest("time.zone", ROUTING_FIELDS) == " Valid: `time.hour`, `time.weekday`."
    assert suggest("source.name", BEHAVIOUR_FIELDS) == " Valid: `source.id`, `source.trusted`."


def test_both_languages_say_where_the_names_are_listed() -> None:
    assert (
        suggest("hot_lead", TOUCH_TYPES, page=FIELDS_PAGE)
        == f" There are {len(TOUCH_TYPES)}: docs/fields.md lists them."
    )
    assert suggest("hot_lead", TOUCH_TYPES, "ja", FIELDS_PAGE) == (
        f"有効な値は{len(TOUCH_TYPES)}件、一覧は docs/fields.md にあります。"
    )


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (
            "{touch.type: {eq: hot_lead}}",
            f"`touch.type` is never `hot_lead`. There are {len(TOUCH_TYPES)}: {FIELDS_PAGE} lists them.",
        ),
        ("{touch.type: {equals: demo_requested}}", "there is no operator `equals`. Valid: `contains`, `eq`, "),
        ("{touch.typ: {eq: demo_requested}}", "there is no field `touch.typ` here. Did you mean `touch.type`?"),
        ("{touch.foo: {eq: demo_requested}}", "there is no field `touch.foo` here. Valid: `touch.automated`, "),
    ],
)
def test_an_author_who_guesses_is_told_what_there_is(when: str, told: str, edit: Edit, faults: Faults) -> None:
    edit("scoring", "when: {touch.type: {eq: demo_requested}}", f"when: {when}")
    (fault,) = faults()
    assert told in fault


def test_an_author_who_guesses_a_field_of_leads_is_sent_to_the_page(edit: Edit, faults: Faults) -> None:
    edit("routing", "lead.language: {in: [de, fr, es, pt, zh]}", "lead.foo: {eq: de}")
    (fault,) = faults()
    assert "there is no field `lead.foo` here. There are " in fault
    assert fault.endswith(": docs/fields.md lists them.")
