"""The gate lets pass what breaks nobody, stops what does, and says in which order it can be rolled out."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from baton.contracts.__main__ import contract_changes
from baton.contracts.gate import NARROWED, REMOVED, REQUIRED, RETYPED, WIDENED, Change, changes


def model(**fields: Any) -> type[BaseModel]:
    """A contract with a required field `id` and `fields`."""
    return create_model("Made", id=(str, ...), **fields)


def differences(old: type[BaseModel], new: type[BaseModel]) -> list[Change]:
    return changes("Made", old.model_json_schema(), new.model_json_schema())


BEFORE = model(
    text=(str, ...),
    number=(int, 0),
    kind=(Literal["a", "b"], "a"),
    maybe=(str | None, None),
    short=(str, Field("", max_length=10)),
    count=(int, Field(1, ge=1, le=9)),
    items=(tuple[int, ...], ()),
    pair=(tuple[int, str], (1, "")),
    table=(dict[str, int], {}),
    open=(dict[str, Any], {}),
    inner=(model(text=(str, ...)) | None, None),
)
_FIELDS = {name: (field.annotation, field) for name, field in BEFORE.model_fields.items() if name != "id"}


def changed(**fields: Any) -> type[BaseModel]:
    kept = {name: value for name, value in _FIELDS.items() if name not in fields}
    return model(**kept, **{name: value for name, value in fields.items() if value is not None})


@pytest.mark.parametrize(
    ("new", "place", "order"),
    [
        (changed(number=None), "Made.number", REMOVED),
        (changed(text=None, words=(str, "")), "Made.text", REMOVED),
        (changed(words=(str, ...)), "Made.words", REQUIRED),
        (changed(number=(int, ...)), "Made.number", REQUIRED),
        (changed(number=(str, "")), "Made.number", RETYPED),
        (changed(text=(int, ...)), "Made.text", RETYPED),
        (changed(kind=(Literal["a"], "a")), "Made.kind", NARROWED),
        (changed(text=(Literal["a"], ...)), "Made.text", NARROWED),
        (changed(maybe=(str, "")), "Made.maybe", NARROWED),
        (changed(short=(str, Field("", max_length=5))), "Made.short", NARROWED),
        (changed(text=(str, Field(pattern="^x"))), "Made.text", NARROWED),
        (changed(count=(int, Field(1, ge=2, le=9))), "Made.count", NARROWED),
        (changed(number=(int, Field(0, ge=0))), "Made.number", NARROWED),
        (changed(items=(tuple[str, ...], ())), "Made.items[]", RETYPED),
        (changed(pair=(tuple[int, int], (1, 1))), "Made.pair[1]", RETYPED),
        (changed(pair=(tuple[int, str, int], (1, "", 1))), "Made.pair", RETYPED),
        (changed(table=(dict[str, str], {})), "Made.table.*", RETYPED),
        (changed(open=(dict[str, int], {})), "Made.open.*", NARROWED),
        (changed(inner=(model() | None, None)), "Made.inner.text", REMOVED),
        (changed(inner=(model(text=(str, ...), more=(int, ...)) | None, None)), "Made.inner.more", REQUIRED),
    ],
)
def test_a_change_that_breaks_somebody_is_stopped_with_its_order(new: type[BaseModel], place: str, order: str) -> None:
    found = {(change.place, change.order) for change in differences(BEFORE, new) if change.breaking}
    assert (place, order) in found


@pytest.mark.parametrize(
    ("new", "place"),
    [
        (changed(kind=(Literal["a", "b", "c"], "a")), "Made.kind"),
        (changed(number=(int | None, 0)), "Made.number"),
        (changed(number=(float, 0)), "Made.number"),
        (changed(short=(str, "")), "Made.short"),
        (changed(count=(int, Field(1, ge=0, le=9))), "Made.count"),
    ],
)
def test_what_old_readers_do_not_know_yet_ships_consumers_first_and_is_not_stopped(
    new: type[BaseModel], place: str
) -> None:
    assert [(c.place, c.order, c.breaking) for c in differences(BEFORE, new)] == [(place, WIDENED, False)]


@pytest.mark.parametrize(
    "new",
    [BEFORE, changed(added=(str | None, None)), changed(text=(str, Field(description="in other words")))],
)
def test_a_new_optional_field_or_a_better_description_is_nobody_s_concern(new: type[BaseModel]) -> None:
    assert differences(BEFORE, new) == []


def test_where_readers_refuse_the_unknown_even_an_optional_field_ships_consumers_first() -> None:
    strict = ConfigDict(extra="forbid")
    old = create_model("Made", __config__=strict, id=(str, ...))
    new = create_model("Made", __config__=strict, id=(str, ...), added=(str | None, None))
    assert [(c.place, c.order, c.breaking) for c in differences(old, new)] == [("Made.added", WIDENED, False)]


def test_a_contract_that_is_gone_is_stopped_and_a_new_one_is_not() -> None:
    schema = BEFORE.model_json_schema()
    assert [c.breaking for c in contract_changes({"Made": schema}, {})] == [True]
    assert contract_changes({}, {"Made": schema}) == []


def test_a_message_says_where_what_and_in_which_order() -> None:
    (change,) = differences(BEFORE, changed(number=None))
    assert str(change).startswith("Made.number: the field was removed. Rollout, consumers first: deploy readers that")
