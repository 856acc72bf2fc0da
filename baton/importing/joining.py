"""Cards of one file that are one touch, and the messages that they become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson

from baton.importing.cards import Card
from baton.importing.mapping import RANKS
from shared.kit.clock import iso

_TRAITS = {
    "name": "name",
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "company": "company",
    "corporate_number": "corporateNumber",
    "title": "title",
    "department": "department",
    "employees": "employees",
    "industry": "industry",
    "country": "country",
    "region": "region",
    "website": "website",
    "kind": "kind",
}


def message_id(card: Card) -> str:
    """The same for the same person, event and campaign (else purpose), in whichever file, row or spelling.

    Not of the tenant or source: ingest derives the event id from those and this.
    """
    return sha256(orjson.dumps([card.credit, card.event, *card.who])).hexdigest()


def join(cards: Iterable[Card]) -> list[Card]:
    """One card per touch, in the order of the file: two colleagues who met somebody met one person."""
    joined: dict[str, Card] = {}
    for card in cards:
        known = message_id(card)
        joined[known] = _both(joined[known], card) if known in joined else card
    return list(joined.values())


def _both(first: Card, later: Card) -> Card:
    """What the first card says, completed by the later one: who else was there, the warmer rank, both memos, the earlier time."""
    ranks = [rank for rank in RANKS if rank in (first.rank, later.rank)]
    times = [at for at in (first.at, later.at) if at is not None]
    memos = [memo for memo in dict.fromkeys((first.memo, later.memo)) if memo]
    return replace(
        first,
        rows=first.rows + later.rows,
        fields={**later.fields, **first.fields},
        properties={**later.properties, **first.properties},
        staff=tuple(dict.fromkeys(first.staff + later.staff)),
        rank=ranks[0] if ranks else None,
        memo="\n".join(memos) or None,
        at=min(times) if times else None,
        # What a rank makes of a card it makes of both.
        becomes=first.becomes if first.becomes != first.event else later.becomes,
    )


def message(card: Card, *, is_test: bool = False) -> dict[str, Any]:
    """The card as a message of the tracking API."""
    traits: dict[str, Any] = {_TRAITS[name]: value for name, value in card.fields.items() if name in _TRAITS}
    if number := card.fields.get("mobile") or card.fields.get("phone"):
        traits["phone"] = number
    where = {"postalCode": card.fields.get("postcode"), "street": card.fields.get("address")}
    if any(where.values()):
        traits["address"] = {name: value for name, value in where.items() if value}
    if card.memo:
        traits["message"] = card.memo
    properties: dict[str, Any] = dict(card.properties)
    if card.staff:
        properties |= {"exchanged_by": card.staff[0], "staff": list(card.staff)}
    if card.rank:
        properties["rank"] = card.rank
    if is_test:
        properties["is_test"] = True
    context: dict[str, Any] = {"traits": traits}
    if campaign := _without_none({"name": card.campaign, "medium": card.channel}):
        context["campaign"] = campaign
    sent = {
        "type": "track",
        "event": card.becomes,
        "messageId": message_id(card),
        "timestamp": None if card.at is None else iso(card.at),
        "externalId": card.external or _of_a_card(card),
        "context": context,
        "properties": properties,
    }
    return _without_none(sent)


def _of_a_card(card: Card) -> str | None:
    """A card without an address is somebody, too: known again by name, company and phone, under whichever campaign."""
    return f"card:{sha256(orjson.dumps(card.who)).hexdigest()}" if card.who[0] == "card" else None


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
