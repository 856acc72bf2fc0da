"""How bodies of tracking calls are written, whatever Content-Type says: JSON, forms around JSON, gzip that nobody announced."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from urllib.parse import parse_qsl

from services.ingest.domain.envelope import MOST_EVENTS
from services.ingest.domain.inflate import inflate
from services.ingest.domain.parse import Parsed, check, parse
from services.ingest.domain.refusals import Refused
from services.ingest.request import MOST_PARAMETERS

MOST_INFLATED = 4 * 1_048_576  # bytes
_ONE_ALPHABET = str.maketrans("-_", "+/")
_GZIP = b"\x1f\x8b"  # no JSON and no form begins so


def plain(body: bytes) -> bytes:
    """The body without a gzip that no header announced. Raises Refused as `inflate`."""
    return inflate(body, [b"gzip"], MOST_INFLATED) if body.startswith(_GZIP) else body


def json_of(body: bytes) -> Parsed:
    """Raises Refused as `inflate` and `parse`."""
    return parse(plain(body))


def form_of(body: bytes) -> dict[str, str]:
    """The fields of an urlencoded form, of a repeated one the last; what is not UTF-8 is replaced. Raises Refused as `inflate`."""
    fields = plain(body).decode("latin-1").strip().split("&", MOST_PARAMETERS)[:MOST_PARAMETERS]
    return dict(parse_qsl("&".join(fields), keep_blank_values=True, errors="replace"))


def is_json(body: bytes) -> bool:
    """Whether it begins as an object or array, and so is no form."""
    return plain(body).lstrip()[:1] in (b"{", b"[")


def packed_json(text: str) -> Parsed:
    """JSON in a parameter: as it is, or in base64 of either alphabet, with or without padding. Raises Refused."""
    if text.lstrip()[:1] in ("{", "["):
        return parse(text.encode("utf-8", "surrogatepass"))
    return parse(unpack(text))


def unpack(text: str) -> bytes:
    """The bytes of base64 of either alphabet, with or without padding. Raises Refused `bad_base64`."""
    squeezed = (
        text.strip("\r\n\t").replace(" ", "+").rstrip("=").translate(_ONE_ALPHABET)
    )  # a form turns `+` into a space
    try:
        return b64decode(squeezed + "=" * (-len(squeezed) % 4), validate=True)
    except ValueError:
        raise Refused("bad_base64", "this is neither JSON nor base64 of it") from None


def checked(parsed: Parsed) -> Any:
    """What stood inside a text, which nobody has looked through yet. Raises Refused as `check`."""
    if parsed.suspect:
        check(parsed.tree)
    return parsed.tree


def bounded(items: list[Any]) -> list[Any]:
    """`items`, if they are no more than a call may carry. Raises Refused `too_many_events`."""
    if len(items) > MOST_EVENTS:
        raise Refused("too_many_events", f"a call may carry {MOST_EVENTS} events, this one carries {len(items)}")
    return items


def parse_lines(body: bytes) -> Parsed:
    """JSON, or an object a line. Raises Refused as `parse`."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2 or not all(line.strip().startswith(b"{") and line.strip().endswith(b"}") for line in lines):
        return parse(body)
    parsed = [parse(line) for line in bounded(lines)]
    return Parsed([line.tree for line in parsed], any(line.suspect for line in parsed))
