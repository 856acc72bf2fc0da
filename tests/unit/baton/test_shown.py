"""A command that is asked for a language or a time zone that nobody knows says which there are."""

from __future__ import annotations

import pytest

from baton.accounts import WORDS as OF_ACCOUNTS
from baton.commands.shown import LANGUAGES, ZONES, check_language, zone_of
from baton.errors import OperatorError
from baton.explaining.telling import WORDS as OF_LEADS


def test_each_language_has_all_words() -> None:
    for words in (OF_ACCOUNTS, OF_LEADS):
        assert set(words) == set(LANGUAGES)
        assert {frozenset(words[language]) for language in LANGUAGES} == {frozenset(words["en"])}


def test_another_language_is_refused_with_those_there_are() -> None:
    for language in LANGUAGES:
        check_language(language)
    with pytest.raises(OperatorError, match="--lang is en or ja"):
        check_language("de")


def test_the_zone_is_the_one_asked_for_or_the_tenants() -> None:
    assert zone_of("hinode", "Europe/Berlin") == "Europe/Berlin"
    assert [zone_of(tenant, None) for tenant in (*ZONES, "other")] == [*ZONES.values(), "UTC"]


@pytest.mark.parametrize("zone", ["Asia/Tokio", "../etc", "/etc/passwd"])
def test_a_zone_that_is_none_is_refused_with_one_that_is(zone: str) -> None:
    with pytest.raises(OperatorError, match="such as Asia/Tokyo"):
        zone_of("hinode", zone)
