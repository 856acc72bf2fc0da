"""From a call's body to the events in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from services.ingest.domain.refusals import Refused
from services.ingest.domain.times import read_time

CALLS = ("identify", "track", "page", "screen", "group", "alias")
MOST_EVENTS = 2_500
MOST_DEPTH = 64
MOST_ID = 200  # characters

# What SDKs and forms send when they mean nobody; linking by it would make everybody one lead.
_NOBODY_TEXT = "null undefined none nil nan true false 0 -1 anonymous guest unknown not_authenticated (null) n/a"
_NOBODY = frozenset({*_NOBODY_TEXT.split(), "[object object]"})
_NONE: Mapping[str, Any] = {}


class Event(NamedTuple):
    """One event as it was sent, its ids checked. Of the maps each may be empty.

    name:      what the sender calls it: the event of a track call, the name of a page or screen
    sent:      the event as it stood in the body
    at:        when it happened by the sender's clock;  sent_at: when it was sent by that clock (both ms, or None)
    user_id, anonymous_id, previous_id, message_id: as sent, trimmed; None where absent
    external_id: "<system>:<id>" of a CRM or an ad platform
    usual_type, usual_channel: touch type and lead source where neither mapping nor event says more
    """

    position: int  # in its body
    call: str
    name: str | None
    sent: Mapping[str, Any]
    context: Mapping[str, Any]
    properties: Mapping[str, Any]
    traits: Mapping[str, Any]
    at: int | None
    sent_at: int | None
    user_id: str | None
    anonymous_id: str | None
    previous_id: str | None
    message_id: str | None
    external_id: str | None = None
    usual_type: str | None = None
    usual_channel: str | None = None


class Envelope(NamedTuple):
    """The items of a body in their order, and what the body says of all of them.

    items:     as they were sent, which is what is kept of those that are refused
    translate: makes one item a message as the Segment API knows it; raises Refused for this item alone. None: it is one
    types:     event name -> touch type that senders of this kind mean by it, where the tenant's mapping says nothing
    channel:   lead source (vocabulary, section 5) of what such senders tell, where nothing says more
    protocol:  how it was sent
    """

    items: list[Any]
    context: Mapping[str, Any] = _NONE
    sent_at: Any = None
    call: str | None = None
    translate: Callable[[Any], Any] | None = None
    types: Mapping[str, str] = _NONE
    channel: str | None = None
    protocol: str = "segment"


def open_body(call: str, tree: Any) -> Envelope:
    """The items of the body of `POST /v1/<call>`. Raises Refused where the whole body is nothing we can read."""
    if not isinstance(tree, dict):
        raise Refused("wrong_type", "the body must be a JSON object")
    if call != "batch":
        return Envelope([tree], _NONE, tree.get("sentAt"), call)
    items = tree.get("batch")
    if not isinstance(items, list):
        raise Refused("no_batch", "a batch body carries its events in the array `batch`")
    if len(items) > MOST_EVENTS:
        raise Refused("too_many_events", f"a batch may carry {MOST_EVENTS} events, this one carries {len(items)}")
    return Envelope(items, _map(tree.get("context"), "context"), tree.get("sentAt"), None)


def read_event(envelope: Envelope, index: int) -> Event:
    """The event at `index`, checked. Raises Refused for this one event."""
    item = envelope.items[index]
    if envelope.translate is not None:
        item = envelope.translate(item)
    if not isinstance(item, dict):
        raise Refused("wrong_type", "an event must be a JSON object")
    call = envelope.call or item.get("type")
    if call not in CALLS:
        raise Refused("unknown_type", f"the type of an event is one of {', '.join(CALLS)}")
    context = _map(item.get("context"), "context")
    if envelope.context:
        context = {**envelope.context, **context}
    traits = _map(item.get("traits"), "traits") or _map(context.get("traits"), "context.traits")
    properties = _map(item.get("properties"), "properties")
    name = item.get("event") if call == "track" else item.get("name") or properties.get("name")
    return Event(
        index,
        call,
        name if isinstance(name, str) and name else None,
        item,
        context,
        properties,
        traits,
        read_time(item.get("originalTimestamp") or item.get("timestamp")),
        read_time(item.get("sentAt") or envelope.sent_at),
        _who(item.get("userId"), "userId"),
        _who(item.get("anonymousId"), "anonymousId"),
        _who(item.get("previousId"), "previousId"),
        _id(item.get("messageId"), "messageId"),
        _who(item.get("externalId"), "externalId"),
        envelope.types.get(name) if envelope.types and isinstance(name, str) else None,
        envelope.channel,
    )


def _map(value: Any, name: str) -> Mapping[str, Any]:
    if value is None:
        return _NONE
    if not isinstance(value, dict):
        raise Refused("wrong_type", f"`{name}` must be a JSON object")
    return value


def _id(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    elif not isinstance(value, str):
        # A number above 64 bits was read as a float: as an id it would make one of many people.
        raise Refused("wrong_type", f"`{name}` must be text or a whole number of 64 bits at most")
    if len(value) > MOST_ID:
        raise Refused("id_too_long", f"`{name}` may have {MOST_ID} characters")
    return value.strip() or None


def _who(value: Any, name: str) -> str | None:
    text = _id(value, name)
    return None if text is None or text.casefold() in _NOBODY else text
