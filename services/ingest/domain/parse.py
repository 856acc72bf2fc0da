"""JSON, with what the fast parser lets through or throws away taken care of.

Of repeated keys the last counts. A whole number above 64 bits becomes a float, and is refused where an id is wanted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from services.ingest.domain.envelope import MOST_DEPTH
from services.ingest.domain.refusals import Refused

MOST_KEYS = 10_000  # of one object


@dataclass(frozen=True, slots=True)
class Parsed:
    """A body's tree. suspect: it may hold what no event may, so every event has to be looked through."""

    tree: Any
    suspect: bool


def parse(body: bytes) -> Parsed:
    """Raises Refused `malformed_json`, or `too_deep` for what no parser should be asked to read."""
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Parsed(_salvage(body), True)
    return Parsed(tree, b"\\u0000" in body or _is_deep(body, tree) or _may_be_wide(body))


def _salvage(body: bytes) -> Any:
    """One event with NaN (Python's default encoder writes it) or half a surrogate pair (a cut emoji) must not cost its batch
    all the others: the tolerant parser reads them, and `check` then refuses that event alone."""
    if any(mark in body for mark in (b"NaN", b"Infinity", b"\\ud", b"\\uD")):
        try:
            return json.loads(body, parse_int=_whole)
        except RecursionError:
            raise Refused("too_deep", f"JSON may be nested {MOST_DEPTH} deep") from None
        except ValueError:
            pass
    raise Refused("malformed_json", "the body is not JSON in UTF-8")


def _whole(digits: str) -> int | float:
    """As the fast parser has it: what needs more than 64 bits becomes a float."""
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(digits)


def _is_deep(body: bytes, tree: Any) -> bool:
    """Whether nesting exceeds the limit: the containers within containers, level by level, each looked at once."""
    if body.count(b"{") + body.count(b"[") <= MOST_DEPTH:
        return False
    level: list[Any] = [tree]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


def _may_be_wide(body: bytes) -> bool:
    """Whether an object may have more keys than it may: short bodies cannot."""
    return len(body) > 5 * MOST_KEYS and body.count(b":") > MOST_KEYS


def check(event: Any) -> None:
    """Raises Refused for one event that is nested too deep, has too many keys, or holds NUL, NaN, Infinity or half a surrogate
    pair."""
    stack: list[tuple[Iterable[Any], int]] = [((event,), 1)]
    while stack:
        values, depth = stack.pop()
        for value in values:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, float):
                if not math.isfinite(value):
                    raise Refused("not_a_number", "NaN and Infinity are no JSON")
            elif isinstance(value, dict | list):
                if depth > MOST_DEPTH:
                    raise Refused("too_deep", f"an event may be nested {MOST_DEPTH} deep")
                if isinstance(value, dict):
                    if len(value) > MOST_KEYS:
                        raise Refused("too_many_keys", f"an object may have {MOST_KEYS} keys")
                    stack.append((value, depth))  # its keys
                    stack.append((value.values(), depth + 1))
                elif value:
                    stack.append((value, depth + 1))


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Refused("nul_character", "text may not contain the character U+0000")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Refused("bad_text", "text contains half a surrogate pair") from None
