"""What an event means: the touch type that the tenant's rules give it, and the answers that it carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from services.ingest.domain.envelope import Event
from services.ingest.domain.touch_types import default_type
from shared.normalise.text import clean
from shared.schemas import conditions
from shared.schemas.catalogue import MAPPING_FIELDS
from shared.schemas.policies.sources import EvidenceRule, MappingRule

MOST_PATH = 500
MOST_ANSWERS = 100  # of one question that are read: a list may have a million
_MOST_KNOWN = 20_000  # remembered verdicts; paths are many
# What is remembered is short: a write key is public, and texts of megabytes, each another, would fill the memory.
_MOST_URL = 2_000
_MOST_NAME = 100  # more than any touch type has
_MOST_FACTS = 500  # characters of all facts of a verdict
_MOST_HOST = 255
_SHORT = 500  # characters of an address that is remembered


class Meaning(NamedTuple):
    type: str
    topic: str | None = None
    channel: str | None = None
    campaign: str | None = None


class Page(NamedTuple):
    """Where it happened; of an address only host and path are read, what follows may name people."""

    path: str | None
    host: str | None
    title: str | None


_NOWHERE = Page(None, None, None)


def page_of(event: Event) -> Page:
    properties, within = event.properties, event.context.get("page")
    page = within if isinstance(within, dict) else {}
    url = properties.get("url") or page.get("url")
    path = properties.get("path") or page.get("path")
    if not page and not url and not path:
        return _NOWHERE
    host, of_url = _where(url) if isinstance(url, str) else (None, None)
    title = properties.get("title") if event.call in ("page", "screen") else None
    path = _path(path) if isinstance(path, str) and path else of_url
    return Page(path, host, clean(title or page.get("title")))


def host_of(url: str) -> str | None:
    """The host in an address, in lower case; None where it has none."""
    return _where(url)[0]


def _where(url: str) -> tuple[str | None, str | None]:
    return _split(url) if len(url) <= _SHORT else _split.__wrapped__(url[:_MOST_URL])


@lru_cache(maxsize=8192)
def _split(url: str) -> tuple[str | None, str | None]:
    rest = url.strip()
    host = None
    if "//" in rest[:12]:
        authority, slash, path = rest.partition("//")[2].partition("/")
        host = authority.split("?")[0].split("#")[0].rpartition("@")[2].partition(":")[0].lower()[:_MOST_HOST] or None
        rest = slash + path
    return host, _path(rest or "/")


def _path(path: str) -> str:
    return path.partition("?")[0].partition("#")[0][:MOST_PATH]


Getter = Callable[[Event, Page], Any]


def _getter(field: str) -> Getter:
    """How a fact of the catalogue is read from an event."""
    known: dict[str, Getter] = {
        "event.type": lambda event, _: event.call,
        "event.name": lambda event, _: event.name,
        "event.category": lambda event, _: _scalar(event.sent.get("category") or event.properties.get("category")),
        "event.path": lambda _, page: page.path,
        "event.host": lambda _, page: page.host,
        "event.title": lambda _, page: page.title,
        "event.campaign": lambda event, _: _campaign(event),
    }
    if field in known:
        return known[field]
    _, root, *names = field.split(".")

    def nested(event: Event, _page: Page) -> Any:
        value: Any = event.properties if root == "properties" else event.traits
        if len(names) > 1 and (whole := value.get(".".join(names))) is not None:
            return _scalar(whole)
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return _scalar(value)

    def direct(event: Event, _page: Page) -> Any:
        value = (event.properties if root == "properties" else event.traits).get(names[0])
        return None if value is None else _scalar(value)

    return direct if len(names) == 1 else nested


def _campaign(event: Event) -> Any:
    campaign = event.context.get("campaign")
    named = campaign.get("name") if isinstance(campaign, dict) else None
    return _scalar(named or event.properties.get("campaign"))


class Meanings:
    """The mapping rules of one source under one version of its policy; the first rule that holds decides."""

    def __init__(self, rules: Sequence[MappingRule], source_facts: Mapping[str, Any]) -> None:
        parsed = [(conditions.parse(rule.when, MAPPING_FIELDS), rule) for rule in rules]
        self._rules = [(when, Meaning(rule.type, rule.topic, rule.channel, rule.campaign)) for when, rule in parsed]
        named = frozenset().union(*(when.fields() for when, _ in parsed))
        self._fields = sorted(field for field in named if not field.startswith("source."))
        self._getters = [_getter(field) for field in self._fields]
        self._source_facts = dict(source_facts)
        self._known: dict[tuple[Any, ...], Meaning | None] = {}

    def meaning(self, event: Event, page: Page) -> Meaning:
        """By the rules, else by what such senders mean, else by the vocabulary."""
        facts = tuple([get(event, page) for get in self._getters])
        # True == 1 in Python and not in a condition; so truth values are told apart by their type.
        key = facts if True not in facts and False not in facts else tuple([(type(fact), fact) for fact in facts])
        try:
            found = self._known[key]
        except KeyError:
            found = self._decide(facts)
            if sum(len(fact) for fact in facts if isinstance(fact, str)) <= _MOST_FACTS:
                self._known[key] = found
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
        if found:
            return found
        return Meaning(event.usual_type or default_type(event.call, event.name[:_MOST_NAME] if event.name else None))

    def _decide(self, values: tuple[Any, ...]) -> Meaning | None:
        facts = self._source_facts | dict(zip(self._fields, values, strict=True))
        return next((meaning for when, meaning in self._rules if when.holds(facts)), None)


def _scalar(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else None


class Evidence:
    """The answers that events carry, criterion -> code (vocabulary, section 10)."""

    def __init__(self, rules: Sequence[EvidenceRule]) -> None:
        self._rules = rules
        self._names = frozenset(name for rule in rules for name in rule.fields)
        self._codes = {
            rule.criterion: {_fold(text): code for code, texts in rule.values.items() for text in texts}
            for rule in rules
        }

    def answers(self, event: Event) -> dict[str, str]:
        if self._names.isdisjoint(event.properties) and self._names.isdisjoint(event.traits):
            return {}
        answers = {}
        for rule in self._rules:
            code = self._answer(rule, event)
            if code and rule.criterion not in answers:
                answers[rule.criterion] = code
        return answers

    def _answer(self, rule: EvidenceRule, event: Event) -> str | None:
        for name in rule.fields:
            said = event.properties.get(name, event.traits.get(name))
            if said is None:
                continue
            texts = [
                text for item in (said[:MOST_ANSWERS] if isinstance(said, list) else [said]) if (text := _said(item))
            ]
            if texts:
                codes = self._codes[rule.criterion]
                return next((codes[text] for text in texts if text in codes), rule.otherwise)
        return None


def _said(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = clean(value)
    return _fold(text) if text else None


def _fold(text: str) -> str:
    return (clean(text) or "").casefold()
