"""What the people of the cast do, and when: pure, and the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from baton.demo.cast import CAST, Person

LENGTH = 75.0  # seconds from the first touch to the last
CHAT_BY = 0.25  # chats come early, so that their clocks can be seen running out


@dataclass(frozen=True, slots=True)
class Step:
    """One message to be sent `at` seconds after the start. words: what it is, for the terminal."""

    at: float
    tenant: str
    message: Mapping[str, Any] = field(repr=False)
    words: str
    trusted: bool = False


def script(play: str, seed: int = 7, length: float = LENGTH) -> tuple[Step, ...]:
    """All steps of one performance in their order.

    play: told apart from every other performance by this, so that a later one sends new events of the same people
    """
    rng = random.Random(seed)
    steps: list[Step] = []
    for number, person in enumerate(rng.sample(CAST, len(CAST))):
        deeds = list(_STORIES[person.story](person, play))
        begin = (number + rng.random()) / len(CAST) * length * 0.8
        if person.story == "chat":
            begin *= CHAT_BY
        pause = min(6.0, (length - begin) / len(deeds))
        at = begin
        for count, deed in enumerate(deeds):
            message = {**deed.message, "context": {"locale": person.locale, **deed.message.get("context", {})}}
            message.setdefault("messageId", f"demo-{play}-{number:02d}-{count:02d}")
            steps.append(Step(round(min(at, length), 2), person.tenant, message, deed.words, deed.trusted))
            at += pause * rng.uniform(0.4, 1.0)
    return tuple(sorted(steps, key=lambda step: step.at))


@dataclass(frozen=True, slots=True)
class _Deed:
    words: str
    message: Mapping[str, Any]
    trusted: bool = False


Deeds = Iterator[_Deed]


def _hot(person: Person, play: str) -> Deeds:
    """Reads a little, asks for a demo with all that sales wants to know, and goes on reading."""
    yield from _known(person, "organic_search")
    yield _page(person, "/products/flow")
    yield _page(person, "/customers/harbour")
    yield _track(
        person,
        "Demo Requested",
        budget="approved",
        authority="decision maker",
        need="manual hand-overs lose leads" if not _ja(person) else "引き継ぎの漏れをなくしたい",
        timeline="3 months",
    )
    yield _page(person, "/pricing")
    yield _track(person, "Whitepaper Downloaded", topic="automation")


def _chat(person: Person, play: str) -> Deeds:
    """On the line now: whoever is offered this one has seconds, not minutes. The chat is what makes the lead ripe."""
    yield from _known(person, "direct")
    yield _page(person, "/products/flow")
    yield _page(person, "/products/board")
    yield _track(person, "Chat Started")


def _warm(person: Person, play: str) -> Deeds:
    yield from _known(person, "webinar")
    yield _track(person, "Webinar Registered", campaign="autumn-webinar")
    yield _track(person, "Webinar Attended", campaign="autumn-webinar")
    yield _page(person, "/customers/harbour")
    yield _track(person, "Case Study Downloaded")


def _fair(person: Person, play: str) -> Deeds:
    """A card scanned at a trade fair, by our own system."""
    yield _Deed(
        f"{_who(person)}: card scanned", {"type": "identify", "userId": person.email, "traits": _traits(person)}, True
    )
    yield _Deed(
        f"{_who(person)}: talked at the booth",
        {
            "type": "track",
            "userId": person.email,
            "event": "Trade Fair Booth Talked",
            "properties": {"campaign": "tech-expo"},
        },
        True,
    )
    yield _Deed(
        f"{_who(person)}: asked for the catalogue",
        {
            "type": "track",
            "userId": person.email,
            "event": "Catalog Downloaded",
            "properties": {"campaign": "tech-expo"},
        },
        True,
    )


def _cold(person: Person, play: str) -> Deeds:
    yield from _known(person, "organic_social")
    yield _page(person, "/blog/ten-ideas")
    yield _track(person, "Newsletter Subscribed")


def _junk(person: Person, play: str) -> Deeds:
    """Nobody to sell to; one of the events is not even one."""
    yield from _known(person, "inbound_form")
    yield _page(person, "/careers")
    yield _track(person, "Contact Requested", message="send me free samples")
    yield _Deed(f"{_who(person)}: an event without a name", {"type": "track", "userId": person.email, "event": ""})


def _visitor(person: Person, play: str) -> Deeds:
    """Nobody at first; whoever it was gets a name with the form, and all that was read before counts."""
    cookie = f"visitor-{play}-{person.tenant}"
    for path in ("/products/flow", "/compare/alternatives", "/pricing"):
        yield _Deed(
            f"somebody reads {path}",
            {"type": "page", "anonymousId": cookie, "properties": {"path": path}},
        )
    yield _Deed(
        f"{_who(person)} says who was reading",
        {"type": "identify", "userId": person.email, "anonymousId": cookie, "traits": _traits(person)},
    )
    yield _track(person, "Demo Requested", timeline="6 months", authority="selection")


def _twice(person: Person, play: str) -> Deeds:
    """A sender who repeats itself: the same event three times counts once."""
    yield from _known(person, "paid_search")
    yield _track(person, "Catalog Downloaded")
    told = _track(person, "Quote Requested", budget="secured", timeline="now")
    for again in ("", " (sent again)", " (and again)"):
        yield _Deed(told.words + again, {**told.message, "messageId": f"demo-{play}-twice-{person.tenant}"})


_STORIES = {
    "hot": _hot,
    "chat": _chat,
    "warm": _warm,
    "fair": _fair,
    "cold": _cold,
    "junk": _junk,
    "visitor": _visitor,
    "twice": _twice,
}


def _known(person: Person, channel: str) -> Deeds:
    traits = {**_traits(person), "lead_source": channel}
    yield _Deed(f"{_who(person)} fills in a form", {"type": "identify", "userId": person.email, "traits": traits})


def _page(person: Person, path: str) -> _Deed:
    return _Deed(f"{_who(person)} reads {path}", {"type": "page", "userId": person.email, "properties": {"path": path}})


def _track(person: Person, event: str, **properties: str) -> _Deed:
    message = {"type": "track", "userId": person.email, "event": event, "properties": properties}
    return _Deed(f"{_who(person)}: {event}", message)


def _traits(person: Person) -> dict[str, Any]:
    return {
        "email": person.email,
        "name": person.name,
        "title": person.title,
        "department": person.department,
        "country": person.country,
        "company": {"name": person.company, "employees": person.employees, "industry": person.industry},
    }


def _who(person: Person) -> str:
    return f"{person.name} ({person.company})"


def _ja(person: Person) -> bool:
    return person.locale.startswith("ja")
