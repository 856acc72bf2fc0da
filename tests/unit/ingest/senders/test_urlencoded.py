"""Forms with brackets in their names."""

from __future__ import annotations

import pytest

from services.ingest.domain.refusals import Refused
from services.ingest.senders.urlencoded import MOST_FIELDS, fields, nested


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"a=1&b=%E6%97%A5+x", {"a": "1", "b": "日 x"}),
        (b"a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        (b"a%5Bb%5D=1", {"a": {"b": "1"}}),
        (b"a[]=1&a[]=2", {"a": ["1", "2"]}),
        (b"a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=1&a[b]=2", {"a": {"": "1", "b": "2"}}),
        (b"a[b]=2&a=1", {"a": {"b": "2", "": "1"}}),
        (b"a[]=1&a[b]=2", {"a": {"": ["1"], "b": "2"}}),
        (b"a=1&a[]=2", {"a": ["1", "2"]}),
        (b"a[b=1&a]b[=2&[]=3&[x]=4", {"a[b": "1", "a]b[": "2", "": {"x": "4", "": ["3"]}}),
        (b"a[b][c][d][e][f]=1", {"a": {"b": {"c": {"d": {"e": {"f": "1"}}}}}}),
        (b"a[b][c][d][e][f][g]=1", {"a[b][c][d][e][f][g]": "1"}),
        (b"\xff=%ff&x", {"\ufffd": "\ufffd", "x": ""}),
        (b"", {}),
    ],
)
def test_brackets_are_objects_within_bounds_and_conflicts_lose_nothing(body, tree):
    assert nested(fields(body)) == tree


def test_a_bomb_of_brackets_or_fields_is_harmless():
    name = "a" + "[b]" * 100_000
    assert nested([(name, "1")]) == {name: "1"}
    with pytest.raises(Refused, match="too_many_fields"):
        fields(b"a=1&" * MOST_FIELDS)
