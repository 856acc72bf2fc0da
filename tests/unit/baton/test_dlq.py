"""A dead letter is shown with its reason and without what is personal."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from baton.dlq import MOST_METADATA, Letter, body, packed, remembered, summary, told, unpacked
from baton.errors import OperatorError

LETTER = Letter(
    "touchpoints-dlq",
    3,
    17,
    b"t/lead",
    b'{"record":"touch","event":"asked by taro@x.example","person":{"fields":{"name":"Taro"}}}',
    "unreadable",
    "field `at` of taro@x.example",
    "touchpoints/3/99",
    "scoring",
    1_700_000_000_000,
    replayed=False,
)


def test_reason_source_and_body_are_told() -> None:
    shown = told(LETTER, reveal=False)
    assert "letter    touchpoints-dlq/3/17" in shown
    assert "source    touchpoints/3/99, refused by scoring at 2023-11-14T22:13:20.000Z" in shown
    assert "unreadable" in shown


def test_what_is_personal_is_hidden_unless_asked_for() -> None:
    assert "taro" not in told(LETTER, reveal=False).casefold()
    assert "taro@x.example" in told(LETTER, reveal=True)
    assert '"Taro"' in told(LETTER, reveal=True)


def test_bytes_that_cannot_be_read_are_not_shown_unless_asked_for() -> None:
    assert body(b"Taro\xff", reveal=False) == "(5 bytes that are not JSON; --reveal shows them)"
    assert body(b"Taro\xff", reveal=True) == "Taro\\xff"
    assert body(None, reveal=False) == "(none: a deletion)"


def test_letters_are_counted_by_topic_and_reason() -> None:
    lines = summary([LETTER, LETTER, replace(LETTER, reason="no_policy", replayed=True)]).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    assert lines[1].endswith("no_policy (put back)")
    assert summary([]) == "There are no dead letters."


def test_what_was_put_back_is_remembered_however_it_is_scattered() -> None:
    assert packed(7, []) == ""
    scattered = [offset for offset in range(9, 20_000) if offset * offset % 7 < 3]
    text = packed(7, scattered)
    assert unpacked(7, text) == set(scattered)
    assert len(text) < MOST_METADATA


def test_letters_too_many_to_be_remembered_are_refused_before_any_is_put_back() -> None:
    found = [replace(LETTER, offset=n, replayed=False) for n in range(80_000)]
    scattered = [letter for letter in found if sha256(str(letter.offset).encode()).digest()[0] % 2]
    with pytest.raises(OperatorError, match="put back all"):
        remembered(found, scattered)
    assert remembered(found, found) == {(LETTER.topic, LETTER.partition): (80_000, "")}
