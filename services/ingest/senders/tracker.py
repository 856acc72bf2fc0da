"""What makes a tracking protocol: its paths, where its key stands, what its bodies hold, and how it wants to be answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from services.ingest.answers import Answer, Outcome, refusal, success
from services.ingest.domain.envelope import Envelope
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request


class Opened(NamedTuple):
    """A body that was read.

    key:     the write key where the protocol itself puts one
    suspect: events may hold what no event may (NUL, NaN, deep nesting): each has to be looked through
    single:  it is about one event by its nature
    spoken:  the protocol that it turned out to be, where several share a path
    """

    envelope: Envelope
    key: str | None = None
    suspect: bool = False
    single: bool = False
    spoken: Tracker | None = None


class Route(NamedTuple):
    """A path, or a prefix that ends in `/`. batch: it takes many events, and so larger bodies"""

    path: str
    methods: tuple[str, ...] = ("POST",)
    batch: bool = False


def _success(request: Request, outcome: Outcome) -> Answer:
    return success(outcome)


def _failure(request: Request, refused: Refused) -> Answer:
    return refusal(refused)


def _no_handshake(request: Request) -> Answer | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """A tracking protocol. `read` gets a body without its Content-Encoding, and raises Refused where it is nothing as a whole.

    handshake: answers calls that carry no event and no key, such as preflights
    """

    name: str
    routes: tuple[Route, ...]
    read: Callable[[Request], Opened]
    answer: Callable[[Request, Outcome], Answer] = _success
    failure: Callable[[Request, Refused], Answer] = _failure
    handshake: Callable[[Request], Answer | None] = _no_handshake
