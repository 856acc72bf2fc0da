"""What callers are answered. SDKs want exactly 200, or an object with `code` and `message` as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

RETRY_AFTER = 2  # seconds


class Answer(NamedTuple):
    """One HTTP answer, always JSON. headers: besides type and length"""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


_MORE: Mapping[int, tuple[tuple[bytes, bytes], ...]] = {
    401: ((b"www-authenticate", b'Basic realm="write key"'),),
    503: ((b"retry-after", str(RETRY_AFTER).encode()),),
}


def failure(status: int, code: str, message: str) -> Answer:
    """An answer that is not a success. Without `code` and `message` some SDKs send again what can never succeed."""
    return Answer(status, orjson.dumps({"code": code, "message": message}), _MORE.get(status, ()))


def success(accepted: int, duplicate: int, rejected: int, results: list[dict[str, Any]]) -> Answer:
    """results: per event that was not accepted, what became of it"""
    body: dict[str, Any] = {"success": True, "accepted": accepted, "duplicate": duplicate, "rejected": rejected}
    if results:
        body["results"] = results
    return Answer(200, orjson.dumps(body))
