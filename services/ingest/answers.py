"""What callers are answered. SDKs want exactly 200, or an object with `code` and `message` as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from services.ingest.domain.refusals import Refused

RETRY_AFTER = 2  # seconds


class Answer(NamedTuple):
    """One HTTP answer. headers: besides type and length"""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media: bytes = b"application/json"


class Outcome(NamedTuple):
    """What became of the events of a call that was taken.

    single:  the call is about one event by its nature;  refused: why that one was not taken
    results: per event that was not accepted, in the order of the body (EventResult)
    """

    single: bool
    accepted: int
    duplicate: int
    rejected: int
    refused: Refused | None = None
    results: tuple[dict[str, Any], ...] = ()


_MORE: Mapping[int, tuple[tuple[bytes, bytes], ...]] = {
    # Not Basic, which is understood too: browsers would ask visitors for a password.
    401: ((b"www-authenticate", b'Bearer realm="write key"'),),
    429: ((b"retry-after", str(RETRY_AFTER).encode()),),
    503: ((b"retry-after", str(RETRY_AFTER).encode()),),
}


def failure(status: int, code: str, message: str) -> Answer:
    """An answer that is not a success. Without `code` and `message` some SDKs send again what can never succeed."""
    return Answer(status, orjson.dumps({"code": code, "message": message}), _MORE.get(status, ()))


def allowing(answer: Answer, methods: Iterable[str]) -> Answer:
    """A 405 with what would be allowed; any other answer as it is."""
    if answer.status != 405:
        return answer
    return answer._replace(headers=(*answer.headers, (b"allow", ", ".join(methods).encode())))


def refusal(refused: Refused) -> Answer:
    answer = failure(refused.status, refused.code, refused.message)
    if refused.retry_after is None:
        return answer
    return answer._replace(headers=((b"retry-after", str(refused.retry_after).encode()),))


def success(outcome: Outcome) -> Answer:
    """200 with the counts, and with what became of each event that was not accepted."""
    body: dict[str, Any] = {
        "success": True,
        "accepted": outcome.accepted,
        "duplicate": outcome.duplicate,
        "rejected": outcome.rejected,
    }
    if outcome.results:
        body["results"] = outcome.results
    return Answer(200, orjson.dumps(body))
