"""Where a touch came from: its lead source (vocabulary, section 5), what within it, and which campaign.

A touch tells of itself alone. Readers derive a lead's `first_source` as the touch with the smallest `at` among those that have a
channel, and its `last_source` as the one with the largest, in both leaving `direct` aside while there is another; ties go to the
smaller event id. So neither order nor repetition nor a merge changes them. `mql_source` is the last one when the gate is passed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from services.ingest.domain import referrers
from services.ingest.domain.envelope import Event
from services.ingest.domain.mapping import Page
from shared.normalise.text import clean
from shared.schemas.vocabulary import LEAD_SOURCES

MOST_DETAIL = 100
_MOST_QUERY = 2_000
# What an advertisement's click leaves in the address. fbclid stands on every link out of Facebook, paid for or not.
_CLICKS: Mapping[str, tuple[str, str]] = {
    "gclid": ("paid_search", "google"),
    "gbraid": ("paid_search", "google"),
    "wbraid": ("paid_search", "google"),
    "dclid": ("paid_display", "google"),
    "yclid": ("paid_search", "yahoo"),
    "msclkid": ("paid_search", "bing"),
    "li_fat_id": ("paid_social", "linkedin"),
    "ttclid": ("paid_social", "tiktok"),
    "twclid": ("paid_social", "x"),
    "fbclid": ("organic_social", "facebook"),
}
TAGS = frozenset({"utm_source", "utm_medium", *_CLICKS})
_IN_QUERY = re.compile(rf"[?&;]({'|'.join(sorted(TAGS | {'utm_campaign'}))})=([^&;#]*)", re.IGNORECASE)
_PLACES = frozenset({"url", "search", "referrer"})

_PAID = frozenset({"cpc", "ppc", "cpa", "cpv", "paid", "sem", "listing", "paidsearch", "searchads", "リスティング"})
_MEDIUM_TEXT = {
    "paid_display": "display banner cpm gdn ydn yda retargeting remarketing programmatic native dsp videoads バナー ディスプレイ",
    "paid_social": "paidsocial socialpaid socialads snsads sns広告",
    "organic_social": "social socialmedia socialnetwork sm sns organicsocial",
    "organic_search": "organic organicsearch seo",
    "referral_site": "referral link blog",
    "email_nurture": "email mail newsletter mailmagazine mailmag edm stepmail メール メルマガ",
    "media_tieup": "affiliate media tieup syndication contentsyndication leadgen advertorial 媒体 タイアップ",
    "webinar": "webinar onlineseminar ウェビナー",
    "own_seminar": "seminar ownseminar セミナー",
    "co_seminar": "coseminar jointseminar 共催 共催セミナー",
    "trade_fair": "tradefair tradeshow exhibition expo fair 展示会",
    "letter_dm": "dm letter directmail postcard letterdm 手紙",
    "outbound_mail": "salesmail outbound outboundmail 営業メール",
    "partner": "partner reseller agency 代理店",
    "direct": "direct (none)",
}
_MEDIUMS = {word: channel for channel, words in _MEDIUM_TEXT.items() for word in words.split()}
_CHANNELS = {channel.replace("_", ""): channel for channel in LEAD_SOURCES}

# What can only have come one way, where nothing else says how.
_BY_TYPE: Mapping[str, str] = {
    "trade_fair_card_scanned": "trade_fair",
    "trade_fair_booth_talked": "trade_fair",
    "trade_fair_survey_answered": "trade_fair",
    "card_exchanged": "sales_card",
    "webinar_registered": "webinar",
    "webinar_attended": "webinar",
    "webinar_replayed": "webinar",
    "seminar_attended": "own_seminar",
    "email_clicked": "email_nurture",
    "phone_inbound": "inbound_phone",
    "tender_notified": "tender",
    "deal_registered": "partner",
    "referral_received": "customer_referral",
}


class Origin(NamedTuple):
    """channel: lead source; detail: within it, such as utm_source or the referrer's host; campaign: by its own tags"""

    channel: str | None = None
    detail: str | None = None
    campaign: str | None = None


_NONE: Mapping[str, Any] = {}
NOWHERE = Origin()


def origin(event: Event, told: Mapping[str, Any], page: Page, touch_type: str) -> Origin:
    """By campaign tags, else by an advertisement's click id, else by the referrer, else as such senders' events come
    (`event.usual_channel`), else by what can come only one way. Of addresses only tags and hosts are read.

    `told`: the event's fields (`traits.told_by`), of which forms carry tags too.
    """
    context = event.context
    within = context.get("page")
    if not (within or "campaign" in context or not _PLACES.isdisjoint(event.properties) or not TAGS.isdisjoint(told)):
        channel = event.usual_channel or _BY_TYPE.get(touch_type)
        return Origin(channel) if channel else NOWHERE
    tags = _tags(event, told, within if isinstance(within, dict) else _NONE)
    source, campaign = tags.get("utm_source"), tags.get("utm_campaign")
    channel, detail = None, source
    if tags:
        click = next((name for name in _CLICKS if name in tags), None)
        channel, platform = of_tags(source, tags.get("utm_medium"), click)
        detail = source or platform
    if channel is None and (referrer := _referrer(event, within)) is not None:
        channel, host = referrers.of(referrer, page.host)
        detail = detail or host
    if channel is None:
        channel = event.usual_channel or _BY_TYPE.get(touch_type)
    if channel is None and source:
        channel = "unknown"  # somebody tagged it, in words that say nothing here
    return Origin(channel, detail, campaign) if channel or campaign else NOWHERE


@lru_cache(maxsize=4096)
def of_tags(source: str | None, medium: str | None, click: str | None) -> tuple[str | None, str | None]:
    """Channel and platform of utm_source, utm_medium and a click id's name; None each where they do not say."""
    by_click, platform = _CLICKS.get(click or "", (None, None))
    site = referrers.site(source or platform or "")
    word = _fold(medium or "")
    if word in _PAID:
        return "paid_social" if site == "organic_social" else "paid_search", platform
    if named := _CHANNELS.get(word) or _MEDIUMS.get(word):
        # `social` beside a click that was paid for is a paid one
        return ("paid_social" if named == "organic_social" and by_click == "paid_social" else named), platform
    return by_click or site or _MEDIUMS.get(_fold(source or "")) or _CHANNELS.get(_fold(source or "")), platform


def _tags(event: Event, told: Mapping[str, Any], page: Mapping[str, Any]) -> Mapping[str, str]:
    """Campaign tags and click ids: of context.campaign, else of the event's own fields, else of the page's address."""
    found: dict[str, str] = {}
    campaign = event.context.get("campaign")
    if isinstance(campaign, dict):
        for name in ("source", "medium"):
            _keep(found, f"utm_{name}", campaign.get(name))
    for name in told:
        if name in TAGS:
            _keep(found, name, told[name])
    for place in (event.properties, page):
        for name in ("url", "search"):
            address = place.get(name)
            if isinstance(address, str) and "=" in address:
                # Segment's `page.search` is the query alone, some send it without its question mark
                _read_query(found, address[:_MOST_QUERY] if name == "url" else f"?{address[:_MOST_QUERY]}")
    return found


def _read_query(found: dict[str, str], address: str) -> None:
    for name, value in _IN_QUERY.findall(address):
        _keep(found, name.lower(), unquote_plus(value) if "%" in value or "+" in value else value)


def _keep(found: dict[str, str], name: str, value: Any) -> None:
    if name in found or not isinstance(value, str):
        return
    if name in _CLICKS:
        found[name] = ""  # that there is one; which one it is names a person's click
    elif (text := clean(value, MOST_DETAIL)) and "@" not in text:  # tags are no place for addresses of people
        found[name] = text if name == "utm_campaign" else text.casefold()[:MOST_DETAIL]  # ß becomes ss


def _referrer(event: Event, page: Any) -> str | None:
    """As sent; empty where a page was opened without one, None where nothing is said of it."""
    for place in (event.properties, page if isinstance(page, dict) else _NONE):
        value = place.get("referrer")
        if isinstance(value, str):
            if value not in ("", "$direct"):
                return value
            return "" if event.call == "page" else None
    return None


@lru_cache(maxsize=4096)
def _fold(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "").replace(" ", "")
