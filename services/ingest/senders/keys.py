"""Protocols that put a key into every event: what is of another source than its neighbours is not taken for theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.sources import header_key

Translate = Callable[[Any], Mapping[str, Any]]


def common_key(request: Request, events: Sequence[Any], key_of: Callable[[Any], str | None]) -> str | None:
    """The first key that an event names; None where the call's head names one, which counts more."""
    if header_key(request) or request.parameter("writeKey"):
        return None
    return next((key for event in events if (key := key_of(event))), None)


def of_one_key(translate: Translate, key_of: Callable[[Any], str | None], key: str | None) -> Translate:
    """`translate` for events of `key` or of none; others are refused `another_key`, each for itself: in the wrong tenant would be
    worse."""
    if key is None:
        return translate

    def translated(event: Any) -> Mapping[str, Any]:
        if (own := key_of(event)) is not None and own != key:
            raise Refused("another_key", "events of another key come in a call of their own")
        return translate(event)

    return translated
