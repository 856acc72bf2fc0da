"""Programs that behave like visitors: robots, mail scanners, and verdicts that come late."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from services.ingest.domain import fields
from services.ingest.domain.envelope import Event
from services.ingest.domain.refusals import Refused
from services.ingest.domain.times import read_time
from services.ingest.domain.touch_types import snake

# SDK user agents (analytics-python, python-requests, axios, okhttp) are senders, not visitors: they do not match.
_ROBOT = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|scrap(?:er|y)|headless|lighthouse|phantomjs|selenium|puppeteer|playwright|webdriver|cypress"
    r"|preview|prerender|facebookexternalhit|facebookcatalog|meta-external|whatsapp/|embedly|vkshare|quora link|skypeuripreview"
    r"|pingdom|uptime|statuscake|site24x7|gtmetrix|newrelicpinger|datadog.*synthetics|catchpoint|monitis|checkly"
    r"|proofpoint|barracuda|mimecast|safelinks|symantec|messagelabs|fireeye|trend ?micro|ironport|sophos|forcepoint|cloudmark"
    r"|urldefense|zscaler|kaspersky|digitalarts|m-filter|googleimageproxy|yahoomailproxy|google-read-aloud|feedfetcher|mediapartners-google"
    r"|google-inspectiontool|google favicon|apis-google|bingpreview|yeti/|ia_archiver|archive\.org|hatena|nutch|ahrefs|semrush"
    r"|gptbot|chatgpt-user|oai-searchbot|claude-|anthropic-ai|perplexity|bytespider|ccbot|cohere-ai|diffbot|validator|dataprovider",
    re.IGNORECASE,
)
_VERDICT = "bot_detected"
MOST_CONDEMNED = 100
_WITHIN = 1000  # ms
_LINKS = ("url", "link", "link_url")


@lru_cache(maxsize=8192)
def is_robot(user_agent: str) -> bool:
    """Whether a user agent says of itself that it is a bot, a link scanner or a remote-controlled browser."""
    return _ROBOT.search(user_agent) is not None


def condemned(event: Event) -> tuple[str, ...]:
    """Messages that a late verdict names: a track event `Bot Detected` with the ids of its source's messages in `message_ids`.

    Raises Refused where it names none, or more than one verdict may.
    """
    if event.call != "track" or not event.name or snake(event.name[:100]) != _VERDICT:
        return ()
    named = event.properties.get("message_ids", event.properties.get("messageIds"))
    said = [text for item in (named if isinstance(named, list) else [named]) if (text := fields.text(item))]
    if not said:
        raise Refused("no_message_ids", "a verdict names the messages of a bot in `properties.message_ids`")
    if len(said) > MOST_CONDEMNED:
        raise Refused("too_many_message_ids", f"a verdict may name {MOST_CONDEMNED} messages: send several")
    return tuple(dict.fromkeys(said))


def mark_scanners(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The common messages of one batch, with `properties.automated` where `scanner_clicks` tells of a scanner."""
    scanned = scanner_clicks(messages)
    return [
        {**message, "properties": {**fields.mapping(message, "properties"), "automated": True}}
        if index in scanned
        else message
        for index, message in enumerate(messages)
    ]


def scanner_clicks(messages: Sequence[Any]) -> frozenset[int]:
    """Positions of the clicks that a mail scanner made: several different links clicked by one recipient within a second, in one
    batch of common messages. Nobody's hand is that fast. A scanner that opens one link alone is not known by this.

    A click is a track message whose name says so (`Email Link Clicked`), with a link in its properties: url, link or link_url.
    """
    clicks: dict[str, list[tuple[int, str, int]]] = {}
    for index, message in enumerate(messages):
        name = message.get("event") if isinstance(message, dict) else None
        if isinstance(name, str) and "lick" in name and (click := _click(message)):
            recipient, at, url = click
            clicks.setdefault(recipient, []).append((at, url, index))
    scanned: set[int] = set()
    for made in clicks.values():
        made.sort()
        first = 0
        for last, (at, _, _) in enumerate(made):
            while at - made[first][0] >= _WITHIN:
                first += 1
            if last > first and len({url for _, url, _ in made[first : last + 1]}) > 1:
                scanned.update(index for _, _, index in made[first : last + 1])
    return frozenset(scanned)


def _click(message: Mapping[str, Any]) -> tuple[str, int, str] | None:
    """Recipient, time in ms and link; None where one is missing."""
    properties = fields.mapping(message, "properties")
    url = next((found for name in _LINKS if (found := fields.text(properties, name))), None)
    recipient = (
        fields.text(message, "context", "traits", "email")
        or fields.text(message, "traits", "email")
        or fields.text(properties, "email")
        or fields.text(message, "externalId")
        or fields.text(message, "userId")
    )
    try:
        at = read_time(fields.at(message, "originalTimestamp") or fields.at(message, "timestamp"))
    except Refused:
        return None
    return (recipient.casefold(), at, url) if recipient and url and at is not None else None
