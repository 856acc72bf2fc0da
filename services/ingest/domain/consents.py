"""What an event tells about being contacted: by the tenant's rules, and by what some touches are.

A yes is told with the basis on which it rests (特定電子メール法): opt-in, a card, … Readers keep the latest per channel, purpose
and basis, and let an opt-out beat every basis, whichever came later, until the same person opts in again: nothing here does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from services.ingest.domain.envelope import Event
from services.ingest.domain.mapping import MOST_ANSWERS
from services.ingest.domain.touch_types import snake
from shared.normalise.text import clean
from shared.schemas.policies.sources import ConsentRule
from shared.schemas.touches import ConsentChannel

Told = dict[str, Any]  # a Consent as it travels
MARKETING = "marketing"
_CHANNELS = frozenset(get_args(ConsentChannel))
_MOST_WORD = 64  # characters of a purpose or a version


def _told(channel: str, granted: bool, basis: str, purpose: str = MARKETING, version: str | None = None) -> Told:
    told = {"channel": channel, "purpose": purpose, "granted": granted, "basis": basis if granted else "none"}
    return told | {"version": version} if version else told


# A card is given so that one may be written to and called: about what it was given for, which readers have to see to.
_CARD = (_told("email", True, "card"), _told("phone", True, "card"))
_NO_MAIL = (_told("email", False, "none"),)
_BY_TYPE: Mapping[str, Sequence[Told]] = {
    "trade_fair_card_scanned": _CARD,
    "card_exchanged": _CARD,
    "newsletter_subscribed": (_told("email", True, "opt_in"),),
    "email_unsubscribed": _NO_MAIL,
}
# Who calls our mail spam has opted out, whatever touch type that is mapped to.
_SPAM = frozenset(
    {
        "spam_reported",
        "spam_report",
        "spamreport",
        "email_spam_reported",
        "email_marked_as_spam",
        "marked_as_spam",
        "email_marked_spam",
        "email_spammed",
        "spam_complaint",
        "complained",
        "email_complained",
        "email_complaint",
    }
)


_TELLING = frozenset({*_BY_TYPE, "consent_granted", "consent_withdrawn", "custom", "email_bounced"})


class _Rule(NamedTuple):
    rule: ConsentRule
    yes: frozenset[str]
    no: frozenset[str]


class Consents:
    """The consent rules of a tenant, and what touch types tell without any."""

    def __init__(self, rules: Sequence[ConsentRule] = ()) -> None:
        self._rules = [_Rule(rule, frozenset(map(_fold, rule.yes)), frozenset(map(_fold, rule.no))) for rule in rules]
        self._names = frozenset(name for rule in rules for name in rule.fields)

    def told(self, event: Event, touch_type: str) -> list[Told]:
        """Consents as they travel, at most one per channel and purpose: a no beats a yes, a rule's answer the type's meaning."""
        usual = _usual(event, touch_type) if touch_type in _TELLING else []
        if not self._rules or (self._names.isdisjoint(event.properties) and self._names.isdisjoint(event.traits)):
            return usual
        found: dict[tuple[str, str], Told] = {}
        for rule, yes, no in self._rules:
            granted = _answer(rule.fields, event, yes, no)
            if granted is not None:
                _join(found, _told(rule.channel, granted, rule.basis, rule.purpose, rule.version))
        for told in usual:
            if not told["granted"] or (told["channel"], told["purpose"]) not in found:
                _join(found, told)
        return list(found.values())


def heard(consents: Sequence[Told]) -> dict[str, str]:
    """Consents to marketing as answers, which travel with scores to whoever decides: of each channel the latest opt-in or refusal
    (`consent.email`), and apart from it the latest other basis (`consent.email.basis`), which a refusal beats, even a later one."""
    answers: dict[str, str] = {}
    for told in consents:
        if told["purpose"] == MARKETING:
            name, basis = f"consent.{told['channel']}", told["basis"]
            if not told["granted"]:
                answers[name] = "withdrawn"
            elif basis == "opt_in":
                answers[name] = basis
            else:
                answers[f"{name}.basis"] = basis
    return answers


def _join(found: dict[tuple[str, str], Told], told: Told) -> None:
    key = told["channel"], told["purpose"]
    if key not in found or (found[key]["granted"] and not told["granted"]):
        found[key] = told


def _usual(event: Event, touch_type: str) -> list[Told]:
    if by_type := _BY_TYPE.get(touch_type):
        return list(by_type)
    if touch_type in ("consent_granted", "consent_withdrawn"):
        return [_said(event, touch_type == "consent_granted")]
    if event.name and snake(event.name[:100]) in _SPAM:
        return list(_NO_MAIL)
    return []


def _said(event: Event, granted: bool) -> Told:
    """Of what a consent event tells itself: `channel`, `purpose` and `version` in its properties; mail for marketing unsaid."""
    channel = _fold(event.properties.get("channel"))
    purpose = clean(event.properties.get("purpose"), _MOST_WORD) or MARKETING
    version = clean(event.properties.get("version"), _MOST_WORD)
    return _told(channel if channel in _CHANNELS else "email", granted, "opt_in", purpose, version)


def _answer(names: Sequence[str], event: Event, yes: frozenset[str], no: frozenset[str]) -> bool | None:
    """What the first field that is present says; of several ticks a no beats a yes. None where it says neither."""
    for name in names:
        value = event.properties.get(name)
        if value is None and (value := event.traits.get(name)) is None:
            continue
        said = {_fold(item) for item in (value[:MOST_ANSWERS] if isinstance(value, list) else [value])}
        if not said.isdisjoint(no):
            return False
        return True if not said.isdisjoint(yes) else None
    return None


def _fold(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return (clean(value) or "").casefold()
