"""Ids are derived: the same from the same, different from different, and of a person nobody learns anything."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schemas import ids

parts = st.lists(st.one_of(st.text(max_size=5), st.integers(-(2**53), 2**53), st.none()), max_size=4)
SECRET = ids.tenant_secret(b"master-secret-of-at-least-32-bytes", "northstar")


@given(parts, parts)
def test_different_parts_make_different_ids_and_the_same_parts_the_same(
    left: list[ids.Part], right: list[ids.Part]
) -> None:
    assert (ids.derived_id(*left) == ids.derived_id(*right)) is (left == right)
    assert (ids.keyed_id(SECRET, *left) == ids.keyed_id(SECRET, *right)) is (left == right)


def test_parts_are_not_merely_strung_together() -> None:
    assert ids.derived_id("ab", "c") != ids.derived_id("a", "bc")


@pytest.mark.parametrize(("made", "version"), [(ids.derived_id("a"), 5), (ids.keyed_id(SECRET, "a"), 8)])
def test_an_id_is_a_uuid_of_its_version(made: str, version: int) -> None:
    parsed = uuid.UUID(made)
    assert parsed.version == version
    assert parsed.variant == uuid.RFC_4122


def test_a_person_has_another_id_with_every_tenant() -> None:
    other = ids.tenant_secret(b"master-secret-of-at-least-32-bytes", "hinode")
    assert ids.identity_id(SECRET, "northstar", "email", "a@b.example") != ids.identity_id(
        other, "northstar", "email", "a@b.example"
    )
    assert ids.identity_id(SECRET, "northstar", "email", "x") != ids.identity_id(SECRET, "northstar", "user", "x")


def test_ids_never_change_from_one_release_to_the_next() -> None:
    identity = ids.identity_id(SECRET, "northstar", "email", "aiko@kasumi.example")
    assert identity == "5d6f2a3b-8b88-82ee-9135-882564bde6ce"
    assert ids.lead_id(identity) == "dc0dd5c1-e1a1-599b-bd82-852d10c8c266"
    assert ids.opportunity_id("northstar", ids.lead_id(identity), 1) == "0e556f3b-9265-54ca-aba4-82425306da15"
