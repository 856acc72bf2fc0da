"""Events of senders that nobody wrote a translation for: JSON objects of the usual shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.envelope import CALLS
from services.ingest.domain.fields import at, mapping, present, text
from services.ingest.domain.refusals import Refused

_NAMES = ("event", "event_type", "eventType", "type", "topic", "action")
_IDS = ("event_id", "eventId", "messageId", "message_id", "delivery_id")
_TIMES = ("timestamp", "occurred_at", "occurredAt", "created_at", "createdAt", "time", "created")
_BODIES = (("data", "object"), ("data", "attributes"), ("data",), ("payload",))
_PEOPLE = ("contact", "lead", "person", "user", "customer", "visitor", "attendee", "registrant", "invitee")


def message(tree: Any, event_id: str | None = None, event: str | None = None) -> dict[str, Any]:
    """One event in the words of the Segment API. Raises Refused `wrong_type` for what is no object.

    A body that is such a message already is taken as it is. Else what the event tells stands in `data` (or `data.object`,
    `data.attributes`, `payload`, or the body itself), and the person in its `contact`, `lead`, `user`, …, or in it directly.
    event_id, event: what the call said beside its body
    """
    if not isinstance(tree, Mapping):
        raise Refused("wrong_type", "an event must be a JSON object")
    if tree.get("type") in CALLS:
        return {**tree, "messageId": event_id or tree.get("messageId")}
    told = next((found for path in _BODIES if (found := mapping(tree, *path))), tree)
    person = next((found for name in _PEOPLE if (found := mapping(told, name))), {})
    whole = (
        at(tree, "data") is not None or at(tree, "payload") is not None
    )  # then `id` is the event's and not a person's
    return present(
        type="track",
        event=event or _first(tree, _NAMES),
        messageId=event_id or _first(tree, _IDS) or (text(tree, "id") if whole else None),
        timestamp=next((value for name in _TIMES if (value := tree.get(name))), None),
        userId=_user(person) or _user(told),
        anonymousId=text(told, "anonymousId") or text(told, "anonymous_id"),
        traits=dict(person),
        properties=dict(told) | ({"is_test": True} if tree.get("livemode") is False else {}),
    )


def _user(told: Mapping[str, Any]) -> str | None:
    return text(told, "userId") or text(told, "user_id")


def _first(tree: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((found for name in names if (found := text(tree, name))), None)
