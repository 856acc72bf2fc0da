"""What makes a sender of webhooks: how it proves itself, how it is greeted, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.ingest.answers import Answer, Outcome, refusal, success
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders.tracker import Opened
from services.ingest.sources import Keys


def _success(request: Request, outcome: Outcome) -> Answer:
    return success(outcome)


def _welcome(request: Request, keys: Keys) -> Answer | None:
    """Most senders only want to see that somebody is there."""
    return Answer(200, b"", media=b"text/plain")


def _failure(request: Request, refused: Refused) -> Answer:
    return refusal(refused)


def _as_it_is(body: bytes) -> bytes:
    return body


def _nothing(request: Request, keys: Keys) -> Answer | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A kind of webhook.

    verify:    raises Refused (401) unless the call proves, at `now` (ms), that it is of the source; on the bytes as they came
    read:      what the body holds; raises Refused where it is nothing as a whole
    probe:     the answer to GET and HEAD, which prove nothing;  challenge: to a POST that is verified and asks for an answer
               of its own; None where it is an ordinary one. Both get the secrets alone that are in force
    redact:    takes out of a body what must be kept nowhere, before all else; for senders that sign no body
    """

    kind: str
    verify: Callable[[Request, Keys, int], None]
    read: Callable[[Request, Keys], Opened]
    probe: Callable[[Request, Keys], Answer | None] = _welcome
    challenge: Callable[[Request, Keys], Answer | None] = _nothing
    answer: Callable[[Request, Outcome], Answer] = _success
    failure: Callable[[Request, Refused], Answer] = _failure
    redact: Callable[[bytes], bytes] = _as_it_is
