"""Where a touch came from."""

from __future__ import annotations

import pytest

from services.ingest.domain import channels, referrers

HOME = "https://www.hinode.example/products"


@pytest.mark.parametrize(
    ("query", "channel", "detail"),
    [
        ("utm_source=google&utm_medium=cpc&utm_campaign=autumn", "paid_search", "google"),
        ("utm_source=yahoo&utm_medium=listing", "paid_search", "yahoo"),
        ("utm_source=facebook&utm_medium=cpc", "paid_social", "facebook"),
        ("utm_source=linkedin&utm_medium=paid_social", "paid_social", "linkedin"),
        ("utm_source=linkedin&utm_medium=social", "organic_social", "linkedin"),
        ("utm_source=GDN&utm_medium=display", "paid_display", "gdn"),
        ("utm_source=letter-11&utm_medium=email", "email_nurture", "letter-11"),
        ("utm_source=letter-11&utm_medium=E-Mail", "email_nurture", "letter-11"),
        ("utm_source=letter&utm_medium=%E3%83%A1%E3%83%AB%E3%83%9E%E3%82%AC", "email_nurture", "letter"),
        ("utm_source=itmedia&utm_medium=tieup", "media_tieup", "itmedia"),
        ("utm_source=expo-2026&utm_medium=trade_fair", "trade_fair", "expo-2026"),
        ("utm_source=qr&utm_medium=letter_dm", "letter_dm", "qr"),
        ("utm_source=newsletter", "email_nurture", "newsletter"),
        ("utm_source=instagram", "organic_social", "instagram"),
        ("utm_source=t.co", "organic_social", "t.co"),
        ("utm_source=whatever&utm_medium=zzz", "unknown", "whatever"),
        ("gclid=abc", "paid_search", "google"),
        ("gbraid=abc", "paid_search", "google"),
        ("yclid=abc", "paid_search", "yahoo"),
        ("msclkid=abc", "paid_search", "bing"),
        ("li_fat_id=abc", "paid_social", "linkedin"),
        ("ttclid=abc", "paid_social", "tiktok"),
        ("fbclid=abc", "organic_social", "facebook"),
        ("fbclid=abc&utm_medium=cpc", "paid_social", "facebook"),
        ("ttclid=abc&utm_medium=social", "paid_social", "tiktok"),
        ("gclid=abc&utm_medium=display&utm_source=google", "paid_display", "google"),
        ("x=1&UTM_SOURCE=google&UTM_MEDIUM=cpc", "paid_search", "google"),
        ("q=utm_source", None, None),
    ],
)
def test_campaign_tags_and_click_ids_decide(touch, query, channel, detail):
    made = touch("page", {"context": {"page": {"url": f"{HOME}?{query}#top"}}})
    assert (made.channel, made.detail) == (channel, detail)


@pytest.mark.parametrize(
    ("referrer", "channel", "detail"),
    [
        ("https://www.google.co.jp/", "organic_search", "www.google.co.jp"),
        ("https://www.google.com/search?q=secret", "organic_search", "www.google.com"),
        ("https://search.yahoo.co.jp/search?p=secret", "organic_search", "search.yahoo.co.jp"),
        ("https://www.bing.com/", "organic_search", "www.bing.com"),
        ("android-app://com.google.android.googlequicksearchbox/", "organic_search", None),
        ("https://news.yahoo.co.jp/articles/1", "referral_site", "news.yahoo.co.jp"),
        ("https://mail.google.com/", "referral_site", "mail.google.com"),
        ("https://l.facebook.com/l.php", "organic_social", "l.facebook.com"),
        ("https://t.co/abc", "organic_social", "t.co"),
        ("https://b.hatena.ne.jp/entry", "organic_social", "b.hatena.ne.jp"),
        ("https://partner.example.com/a?email=taro@x.jp", "referral_site", "partner.example.com"),
        ("https://www.hinode.example/ja/", None, None),
        ("https://blog.hinode.example/", None, None),
        ("", "direct", None),
        ("$direct", "direct", None),
        ("nonsense", None, None),
    ],
)
def test_without_tags_the_referrer_decides_and_the_own_site_is_no_source(touch, referrer, channel, detail):
    made = touch("page", {"context": {"page": {"url": HOME, "referrer": referrer}}})
    assert made.channel == channel
    if detail:
        assert made.detail == detail
    assert "secret" not in made.model_dump_json()
    assert "taro" not in made.model_dump_json()


def test_an_event_that_says_nothing_of_its_way_has_no_channel(touch):
    assert touch("page", {"context": {"page": {"url": HOME}}}).channel is None
    assert touch("track", {"event": "x", "properties": {"referrer": ""}}).channel is None


def test_the_campaign_of_the_context_wins_over_the_address_and_a_rule_over_both(touch):
    context = {
        "page": {"url": f"{HOME}?utm_source=google&utm_medium=cpc&utm_campaign=old"},
        "campaign": {"name": "autumn", "source": "letter", "medium": "email"},
    }
    made = touch("page", {"context": context})
    assert (made.channel, made.detail, made.campaign) == ("email_nurture", "letter", "autumn")
    policy = {
        "mapping": [
            {
                "id": "fair",
                "when": {"event.type": {"eq": "page"}},
                "type": "page_viewed",
                "channel": "trade_fair",
                "campaign": "expo",
            }
        ]
    }
    made = touch("page", {"context": context}, policy)
    assert (made.channel, made.campaign) == ("trade_fair", "expo")


def test_tags_may_stand_in_a_forms_hidden_fields_and_in_the_query_alone(touch):
    form = {"event": "x", "properties": {"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "autumn"}}
    made = touch("track", form)
    assert (made.channel, made.detail, made.campaign) == ("paid_search", "google", "autumn")
    for search in ("?utm_source=bing&utm_medium=cpc", "utm_source=bing&utm_medium=cpc"):
        made = touch("page", {"context": {"page": {"search": search, "path": "/"}}})
        assert (made.channel, made.detail) == ("paid_search", "bing")


def test_neither_a_click_id_nor_an_address_of_a_person_in_a_tag_travels(touch):
    made = touch("page", {"properties": {"url": f"{HOME}?gclid=SECRET1&utm_source=taro@x.jp&utm_campaign=taro@x.jp"}})
    assert (made.channel, made.detail, made.campaign) == ("paid_search", "google", None)
    assert not any(word in made.model_dump_json() for word in ("SECRET1", "taro"))


@pytest.mark.parametrize(
    ("event", "channel"),
    [
        ("Trade Fair Card Scanned", "trade_fair"),
        ("Card Exchanged", "sales_card"),
        ("Webinar Attended", "webinar"),
        ("Phone Inbound", "inbound_phone"),
        ("Email Clicked", "email_nurture"),
        ("Email Opened", None),
        ("Demo Requested", None),
    ],
)
def test_what_can_have_come_only_one_way_did(touch, event, channel):
    assert touch("track", {"event": event}).channel == channel


def test_a_referrer_beats_what_the_type_says(touch):
    body = {"event": "Webinar Registered", "context": {"page": {"url": HOME, "referrer": "https://www.bing.com/"}}}
    assert touch("track", body).channel == "organic_search"


def test_a_form_in_the_middle_of_a_visit_is_no_new_source(touch):
    body = {"event": "Demo Requested", "context": {"page": {"url": HOME, "referrer": f"{HOME}/a"}}}
    assert touch("track", body).channel is None


def test_every_channel_is_of_the_vocabulary():
    from shared.schemas.vocabulary import LEAD_SOURCES

    named = {channel for channel, _ in channels._CLICKS.values()} | set(channels._MEDIUMS.values())
    assert named | set(channels._BY_TYPE.values()) | set(referrers._SOURCES.values()) <= set(LEAD_SOURCES)
