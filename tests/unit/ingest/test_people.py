"""Whom an operator means by what they type."""

from __future__ import annotations

import pytest

from services.ingest.domain.people import person
from services.ingest.domain.refusals import Refused
from shared.schemas import ids

SECRET = b"s" * 32


def of(kind: str, value: str) -> str:
    return ids.identity_id(SECRET, "t", kind, value)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Taro.Yamada@Hinode.example", "email", "taro.yamada@hinode.example"),
        (" user:taro@hinode.example ", "user", "taro@hinode.example"),
        ("u-4711", "user", "u-4711"),
        ("090-1234-5678", "phone", "+819012345678"),
        ("phone:+1 415 555 2671", "phone", "+14155552671"),
        ("external:hubspot:123", "external", "hubspot:123"),
        ("anonymous:a-1", "anonymous", "a-1"),
        ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "user", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
    ],
)
def test_the_kind_is_seen_from_the_value_or_said(text, kind, value):
    found = person(text, SECRET, "t")
    assert (found.what, found.id, found.own) == ("identity", of(kind, value), ids.lead_id(of(kind, value)))


def test_ids_of_ours_are_told_apart_by_their_version():
    identity = of("email", "x@y.example")
    assert person(identity, SECRET, "t") == ("identity", identity, ids.lead_id(identity))
    assert person(ids.lead_id(identity), SECRET, "t").what == "lead"
    assert person(f"lead:{ids.lead_id(identity)}", SECRET, "t").id == ids.lead_id(identity)


@pytest.mark.parametrize("text", ["", "  ", "email:nothing", "phone:12", "lead:nothing", "identity:"])
def test_what_names_nobody_is_refused(text):
    with pytest.raises(Refused, match="bad_person"):
        person(text, SECRET, "t")
