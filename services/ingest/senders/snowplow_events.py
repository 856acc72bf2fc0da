"""One event of Snowplow's tracker protocol as a message. Its values are texts; other shapes are nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.fields import items, mapping, present, text
from services.ingest.domain.refusals import Refused
from services.ingest.senders.bodies import checked, packed_json

_SCREENS = frozenset({"screen_view"})
_FORMS = frozenset({"submit_form"})
_PEOPLE = frozenset({"user", "person", "lead", "contact", "customer"})  # entities that describe who it was
_TRANSACTION = {"tr_id": "order_id", "tr_tt": "total", "tr_cu": "currency", "tr_co": "country"}
_ITEM = {
    "ti_id": "order_id",
    "ti_sk": "sku",
    "ti_nm": "product",
    "ti_ca": "category",
    "ti_pr": "price",
    "ti_qu": "quantity",
}
_STRUCTURED = {"se_ca": "category", "se_ac": "action", "se_la": "label", "se_pr": "property", "se_va": "value"}


def message(event: Any) -> dict[str, Any]:
    """Raises Refused for what is no event of the protocol, and for what cannot be unpacked."""
    if not isinstance(event, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    entities = _entities(event)
    traits: dict[str, Any] = {}
    for name, value in entities.items():
        if name in _PEOPLE:
            traits |= value
    true = text(event, "ttm")
    return present(
        **_told(event, entities),
        messageId=text(event, "eid"),
        timestamp=_millis(true or text(event, "dtm")),
        # A true time is right already. (The sender's floors its own to seconds, which the dead-band forgives.)
        sentAt=None if true else _millis(text(event, "stm")),
        userId=text(event, "uid"),
        anonymousId=_browser(event, entities),
        context=present(
            page=present(url=text(event, "url"), title=text(event, "page"), referrer=text(event, "refr")),
            userAgent=text(event, "ua"),
            locale=text(event, "lang"),
            traits=traits,
        ),
    )


def _told(event: Mapping[str, Any], entities: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Call, name and properties, by the kind of event; entities stand in the properties under their names."""
    more = dict(entities)
    match text(event, "e"):
        case "pv":
            return {"type": "page", "name": text(event, "page"), "properties": more}
        case "pp":
            return {"type": "track", "event": "page_ping", "properties": more}
        case "se":
            told = _named(event, _STRUCTURED)
            return {"type": "track", "event": text(event, "se_ac"), "properties": more | told}
        case "tr":
            return {"type": "track", "event": "transaction", "properties": more | _named(event, _TRANSACTION)}
        case "ti":
            return {"type": "track", "event": "transaction_item", "properties": more | _named(event, _ITEM)}
        case "ue":
            return _self_described(event, more)
    raise Refused("unknown_type", "`e` is one of pv, pp, se, ue, tr, ti")


def _self_described(event: Mapping[str, Any], entities: Mapping[str, Any]) -> dict[str, Any]:
    whole = _unpacked(event, "ue_pr", "ue_px")
    inner = mapping(whole, "data")
    name = _schema(inner)
    if name is None:
        raise Refused("bad_schema", "a self-describing event names its schema: iglu:vendor/name/jsonschema/1-0-0")
    told = {**entities, **mapping(inner, "data")}
    if name in _SCREENS:
        return {"type": "screen", "name": text(told, "name"), "properties": told}
    if name in _FORMS:
        fields = {
            text(field, "name"): field.get("value") for field in items(told, "elements") if isinstance(field, dict)
        }
        told = {field: value for field, value in fields.items() if field} | told
    return {"type": "track", "event": name, "properties": told}


def _entities(event: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What is sent beside the event, by the name of its schema; of several of one name the first."""
    found: dict[str, Mapping[str, Any]] = {}
    for entity in items(_unpacked(event, "co", "cx"), "data"):
        if (name := _schema(entity)) and (value := mapping(entity, "data")):
            found.setdefault(name, value)
    return found


def _unpacked(event: Mapping[str, Any], plain: str, packed: str) -> Any:
    """What stands in `plain` as JSON, or in `packed` as base64 of it."""
    value = event.get(plain) or event.get(packed)
    return checked(packed_json(value)) if isinstance(value, str) else value


def _schema(described: Any) -> str | None:
    """`demo_requested` of `iglu:com.acme/demo_requested/jsonschema/1-0-0`."""
    parts = (text(described, "schema") or "").split("/")
    return parts[1] if len(parts) == 4 and parts[0].startswith("iglu:") and parts[1] else None


def _browser(event: Mapping[str, Any], entities: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Browser by the site's cookie, installation of an app, browser by the collector's cookie, else the session."""
    return (
        text(event, "duid")
        or text(entities, "client_session", "userId")
        or text(event, "tnuid")
        or text(event, "nuid")
        or text(event, "sid")
    )


def _named(event: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return present(**{name: text(event, key) for key, name in names.items()})


def _millis(value: str | None) -> int | str | None:
    """As a number where it is one; what is not is refused as a time where times are read."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 17 else value
