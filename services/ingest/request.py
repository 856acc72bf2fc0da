"""One HTTP call as it arrived: its body read within bounds, and nothing of it believed."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

MOST_PARAMETERS = 1_000


class Request(NamedTuple):
    """path: decoded;  query: as sent, without `?`;  headers: names in lower case;
    body: as sent, or only the first of it where it is `too_large`
    """

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    too_large: bool = False

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; `name` in lower case."""
        for known, value in self.headers:
            if known == name:
                return value
        return None

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header, in their order."""
        return [value for known, value in self.headers if known == name]

    def parameters(self) -> dict[str, str]:
        """The query's parameters, of a repeated one the last; what is not UTF-8 is replaced, nothing is refused."""
        if not self.query:
            return {}
        pairs = self.query.decode("latin-1").split("&", MOST_PARAMETERS)[:MOST_PARAMETERS]
        return dict(parse_qsl("&".join(pairs), keep_blank_values=True, errors="replace"))

    def parameter(self, name: str) -> str | None:
        """One parameter of the query."""
        return self.parameters().get(name) if name.encode() in self.query else None
