"""Every normaliser reads whatever people and systems write: it never raises, and what it made it leaves as it is."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.domain import accounts, automated, channels, completeness, referrers
from services.ingest.domain.consents import Consents
from services.ingest.domain.envelope import Envelope, Event, read_event
from services.ingest.domain.mapping import page_of
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch_types import TOUCH_TYPES, default_type, snake
from shared.normalise import company, email, names, phone, place
from shared.normalise.corporate_number import check_digit, corporate_number
from shared.normalise.departments import department
from shared.normalise.text import clean
from shared.normalise.titles import rank
from shared.normalise.variants import fold
from shared.schemas import vocabulary
from shared.schemas.policies.sources import ConsentRule
from shared.schemas.touches import Consent

JAPANESE = "株式会社(株)㈱㍿有限合同御中各位様殿さん氏先生髙﨑邉齋澤濵山田太郎ｶﾅガヶー・　 ①ＡＢｃ.,&-\u200b\ufa19𠮷İßςﾞ"
texts = st.text(max_size=60) | st.text(JAPANESE, max_size=30) | st.text("abAB.@+-_/?=&%#: 0189０９", max_size=60)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=5
)

IDEMPOTENT = {
    "clean": clean,
    "email": email.address,
    "phone": phone.number,
    "person name": names.person_name,
    "company name": company.company_name,
    "corporate number": corporate_number,
    "industry": company.industry,
    "country": place.country,
    "language": place.language,
}


@pytest.mark.parametrize("normalise", IDEMPOTENT.values(), ids=IDEMPOTENT)
@given(value=anything)
@example(value="山田様様殿")
@example(value="㈱ ㈱ 株式会社 日の出 (株) 御中 各位")
@example(value="mailto: mailto:a@b.jp")
@example(value="ǰ\u0345ΐ@x.jp")
def test_what_was_normalised_once_stays(normalise, value):
    once = normalise(value)
    assert once is None or (isinstance(once, str) and once and normalise(once) == once)


@given(texts)
@example("İ")
@example("ﾞ\u0345")
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


@given(texts)
def test_what_is_shown_of_a_name_has_the_match_key_of_what_was_written(text):
    if name := company.company_name(text):
        assert company.company_match_key(name) == company.company_match_key(text)
        assert company.company_match_key(name) or not fold(name)


@given(st.text("0123456789", min_size=12, max_size=12))
def test_exactly_one_check_digit_is_right(twelve):
    right = [digit for digit in "0123456789" if corporate_number(digit + twelve)]
    assert right == [str(check_digit(twelve))]
    assert 1 <= check_digit(twelve) <= 9


@given(texts, texts)
def test_titles_and_departments_are_of_the_vocabulary(title, name):
    found = rank(title)
    assert found.level in vocabulary.LEVELS
    assert (found.confidence is None) is (found.level == "unknown")
    assert department(name) in vocabulary.DEPARTMENTS


@given(anything, anything)
def test_a_family_name_is_folded_or_unknown(last_name, name):
    family = names.family_name(last_name, name)
    assert family is None or family == fold(family)


@given(st.from_regex(r"[0-9+() -]{6,20}", fullmatch=True), st.sampled_from([None, "JP", "US", "DE", "XX"]))
def test_a_number_is_a_mobile_or_not(text, country):
    number = phone.number(text, country)
    assert number is None or phone.is_mobile(number) in (True, False)
    assert phone.is_mobile(text) in (True, False)


@given(st.from_regex(r"[a-z0-9.-]{1,40}@[a-z0-9.-]{1,40}", fullmatch=True) | texts)
def test_the_domain_of_an_address_is_a_part_of_it(text):
    address = email.address(text)
    if address:
        domain = email.domain(address)
        assert address.endswith(domain)
        assert email.domain(f"x@{domain}") == domain, "the site of a site is itself"
        email.is_shared(address)
        account = accounts.account(None, None, domain)
        assert account in (None, domain)


@given(anything)
def test_sizes_are_numbers_or_nothing(value):
    people = company.employees(value)
    assert people is None or people > 0


@given(st.sampled_from(["track", "page", "identify"]), texts)
def test_every_event_has_a_touch_type(call, name):
    assert default_type(call, name) in TOUCH_TYPES | {"custom"}
    assert snake(snake(name)) == snake(name)


maps = st.dictionaries(
    st.sampled_from(
        ["url", "referrer", "search", "utm_source", "utm_medium", "gclid", "campaign", "channel", "tick", "a"]
    ),
    anything,
    max_size=5,
)


@st.composite
def events(draw: Any) -> Event:
    item = {
        "type": draw(st.sampled_from(["track", "page", "group"])),
        "event": draw(texts),
        "groupId": draw(anything),
        "properties": draw(maps),
        "traits": draw(maps),
        "context": {"page": draw(maps | anything), "campaign": draw(maps | anything), "groupId": draw(anything)},
    }
    return read_event(Envelope([item]), 0)


CONSENTS = Consents(
    [ConsentRule(fields=("tick", "a"), channel="email"), ConsentRule(fields=("url",), channel="phone", purpose="x")]
)


@given(events(), st.sampled_from(sorted(vocabulary.TOUCH_TYPES)))
def test_a_source_is_of_the_vocabulary_and_names_nobody(event, touch_type):
    found = channels.origin(event, dict(event.properties), page_of(event), touch_type)
    assert found.channel is None or found.channel in vocabulary.LEAD_SOURCES
    for said, most in ((found.detail, 100), (found.campaign, 200)):
        assert said is None or (len(said) <= most and "@" not in said and said)


@given(texts, st.none() | texts, st.none() | texts, st.none() | st.sampled_from(["gclid", "fbclid", "x"]))
def test_tags_and_referrers_of_any_kind_are_read(text, source, medium, click):
    channel, _ = channels.of_tags(source, medium, click)
    assert channel is None or channel in vocabulary.LEAD_SOURCES
    channel, host = referrers.of(text, source)
    assert channel in (None, "direct", "organic_search", "organic_social", "referral_site")
    assert host is None or len(host) <= 100


@given(events(), st.sampled_from(sorted(vocabulary.TOUCH_TYPES)))
def test_consents_are_of_the_contract_and_one_per_channel_and_purpose(event, touch_type):
    told = [Consent.model_validate(one) for one in CONSENTS.told(event, touch_type)]
    assert len({(one.channel, one.purpose) for one in told}) == len(told)


@given(events())
def test_a_group_is_a_short_text_or_none(event):
    group = accounts.group_of(event)
    assert group is None or (0 < len(group) <= 200 and "@" not in group)


@given(st.lists(anything, max_size=4), anything)
def test_any_batch_may_be_looked_through_for_scanners(messages, ids):
    assert automated.scanner_clicks(messages) <= frozenset(range(len(messages)))
    clicks = [{"event": "click", "properties": {"url": one}, "timestamp": ids, "userId": "u"} for one in messages]
    assert automated.scanner_clicks(clicks) <= frozenset(range(len(clicks)))
    event = read_event(
        Envelope([{"type": "track", "event": "Bot Detected", "properties": {"message_ids": ids}, "userId": "u"}]), 0
    )
    with contextlib.suppress(Refused):
        assert automated.condemned(event)


@given(st.dictionaries(texts, st.none() | texts), st.dictionaries(texts, scalars))
def test_what_is_missing_are_parts(person, attributes):
    assert set(completeness.missing(person, attributes)) <= set(completeness.PARTS)
