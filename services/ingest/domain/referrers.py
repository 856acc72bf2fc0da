"""What kind of site a visitor came from."""

from __future__ import annotations

import re
from functools import lru_cache

from services.ingest.domain.mapping import host_of
from shared.normalise import email

_MOST = 2_000  # characters of an address that are read
_SEARCH = re.compile(
    r"^(?:(?:www\.|m\.|cse\.|images\.)?google\.(?:com?\.)?[a-z]{2,3}|(?:www\.|m\.)?yahoo\.co\.jp|(?:[a-z-]+\.)*search\.yahoo\.(?:com|co\.jp)"
    r"|(?:[a-z0-9-]+\.)?bing\.com|(?:www\.|html\.)?duckduckgo\.com|(?:www\.|m\.)?baidu\.com|(?:www\.)?yandex\.(?:ru|com)|(?:www\.)?ecosia\.org"
    r"|search\.[a-z0-9.-]+|(?:www\.)?startpage\.com|(?:www\.)?qwant\.com|m?\.?search\.naver\.com"
    r"|com\.google\.android\.googlequicksearchbox)$"
)
_SOCIAL_TEXT = """
facebook.com fb.com fb.me instagram.com threads.net threads.com twitter.com x.com t.co linkedin.com lnkd.in youtube.com youtu.be
tiktok.com pinterest.com pinterest.jp reddit.com line.me lin.ee mixi.jp hatena.ne.jp bsky.app 8card.net wantedly.com weibo.com
com.twitter.android com.linkedin.android com.facebook.katana
"""
_SOCIAL = frozenset(_SOCIAL_TEXT.split())
_SEARCH_NAMES = {"google", "yahoo", "bing", "duckduckgo", "baidu", "naver", "yahoojp", "google.co.jp", "yahoo.co.jp"}
_SOCIAL_NAMES_TEXT = (
    "facebook fb ig instagram meta threads twitter x linkedin youtube tiktok pinterest reddit line mixi"
)
_SOURCES = {  # what people write for a site in utm_source
    **dict.fromkeys(_SEARCH_NAMES, "organic_search"),
    **dict.fromkeys(_SOCIAL_NAMES_TEXT.split(), "organic_social"),
}


def of(referrer: str, own_host: str | None) -> tuple[str | None, str | None]:
    """Channel and host of a referrer as sent. An empty one is `direct`; the site itself, or what has no host, is no source."""
    if not referrer:
        return "direct", None
    host = host_of(referrer[:_MOST].partition("?")[0].removeprefix("android-app:"))
    if not host or (own_host and _same_site(host, own_host)):
        return None, None
    return _kind(host), host[:100]


@lru_cache(maxsize=4096)
def site(name: str) -> str | None:
    """organic_search or organic_social where a utm_source names such a site; None for others."""
    if not name:
        return None
    found = _SOURCES.get(name) or (_kind(name) if "." in name else None)
    return None if found == "referral_site" else found


@lru_cache(maxsize=4096)
def _kind(host: str) -> str:
    if _SEARCH.match(host):
        return "organic_search"
    return "organic_social" if host in _SOCIAL or email.domain(host) in _SOCIAL else "referral_site"


@lru_cache(maxsize=4096)
def _same_site(one: str, other: str) -> bool:
    return one == other or email.domain(one) == email.domain(other)
