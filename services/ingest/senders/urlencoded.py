"""Form-encoded bodies, of which some senders write nested names: `data[merges][FNAME]=Taro`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from services.ingest.domain.parse import Parsed, parse
from services.ingest.domain.refusals import Refused

MOST_FIELDS = 1_000
MOST_DEPTH = 5  # of brackets
_NAME = re.compile(r"\[([^\[\]]*)\]")


def json_or_form(body: bytes) -> Parsed:
    """A form with its names nested; or JSON, as it is kept of what was refused, and as it comes again when that is replayed."""
    written = body.lstrip()
    return parse(body) if written[:1] in (b"{", b"[") else Parsed(nested(fields(written)), True)


def fields(body: bytes) -> list[tuple[str, str]]:
    """Names and values in their order; what is not UTF-8 is replaced. Raises Refused `too_many_fields`."""
    if body.count(b"&") >= MOST_FIELDS:
        raise Refused("too_many_fields", f"a form may have {MOST_FIELDS} fields")
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace")


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][c]` as objects in objects; of a name that comes again the last counts, except `a[]`, which gathers a list.

    Brackets deeper than the limit, or that do not match, are a part of the name. Where `a` is a text and an object at once,
    both are kept: the text stands in the object under the empty name.
    """
    tree: dict[str, Any] = {}
    for name, value in pairs:
        _put(tree, _path(name), value)
    return tree


def _path(name: str) -> list[str]:
    first, bracket, rest = name.partition("[")
    inner = _NAME.findall(bracket + rest) if bracket else []
    if not inner or len(inner) > MOST_DEPTH or "".join(f"[{part}]" for part in inner) != bracket + rest:
        return [name]
    return [first, *inner]


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    *parents, last = path
    for index, part in enumerate(parents):
        if index == len(parents) - 1 and last == "" and not isinstance(tree.get(part), dict):
            known = tree.get(part)
            tree[part] = [*(known if isinstance(known, list) else [known] if known is not None else []), value]
            return
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {} if inner is None else {"": inner}
        tree = inner
    if isinstance(tree.get(last), dict):
        tree[last][""] = value
    else:
        tree[last] = value
