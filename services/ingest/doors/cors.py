"""Calls that browsers make for a page of another site: which sites may, and what a browser wants to hear before it believes us.

Cookies and the like are never asked for (`credentials`): who sends is in a write key, or in the address of a form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from services.ingest.answers import Answer
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request

_ORIGIN = b"access-control-allow-origin"
_VARY = (b"vary", b"Origin")
_SANE = re.compile(rb"[!-~]{1,300}")
_NAMES = re.compile(rb"[A-Za-z0-9, _-]{1,500}")
_HEADERS = b"Content-Type, Content-Encoding, Authorization, X-Write-Key, SP-Anonymous"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def preflight(request: Request, methods: Iterable[str]) -> Answer:
    """The answer to OPTIONS: yes, with whatever headers. Which site may is decided when the call itself comes with its key."""
    asked = request.header(b"access-control-request-headers")
    headers = _HEADERS + (b", " + asked if asked and _NAMES.fullmatch(asked) else b"")
    answer = Answer(
        200,
        b"",
        (
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-allow-headers", headers),
            (b"access-control-max-age", b"3600"),
        ),
        b"text/plain",
    )
    return readable(answer, request)


def readable(answer: Answer, request: Request) -> Answer:
    """`answer` as the page that called may read it; unchanged where no page called, or the answer says so itself."""
    origin = request.header(b"origin")
    if origin is None or any(name == _ORIGIN for name, _ in answer.headers):
        return answer
    allowed = ((_ORIGIN, origin), _VARY) if _SANE.fullmatch(origin) else (_VARY,)
    return answer._replace(headers=(*answer.headers, *allowed))


def check(origin: bytes | None, allowed: tuple[str, ...]) -> None:
    """Raises Refused 403 unless `allowed` is empty, which means any, or holds this web origin."""
    if not allowed:
        return
    named = origin_of(origin.decode("latin-1")) if origin else None
    if named is None or named not in _known(allowed):
        raise Refused("origin_not_allowed", "this site is not among the origins of the source", 403)


@lru_cache(maxsize=1024)
def _known(allowed: tuple[str, ...]) -> frozenset[str]:
    return frozenset(origin for text in allowed if (origin := origin_of(text)))


@lru_cache(maxsize=4096)
def origin_of(url: str) -> str | None:
    """The web origin of an address as browsers write it: lower case, punycode, no default port; None for what has none."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
        if parts.scheme not in _DEFAULT_PORTS or not host:
            return None
        if not host.isascii():
            host = host.encode("idna").decode()
    except (ValueError, UnicodeError):
        return None
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" + ("" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}")
