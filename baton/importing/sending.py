"""Cards to ingest, in batches that can be sent again: what arrived twice is a duplicate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from baton.errors import OperatorError
from baton.importing.cards import Card
from baton.importing.joining import message

MOST_CARDS = 500
MOST_BYTES = 1_000_000
GIVE_UP_SECONDS = 300.0  # of waiting for a service that is busy or away, in one batch
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

Pause = Callable[[float], None]
Told = Callable[[int], None]


@dataclass(slots=True)
class Answers:
    """What became of the cards. refused: card, code, message"""

    accepted: int = 0
    duplicate: int = 0
    refused: list[tuple[Card, str, str]] = field(default_factory=list)
    waited: float = 0.0  # seconds

    @property
    def answered(self) -> int:
        return self.accepted + self.duplicate + len(self.refused)


def batches(cards: Sequence[Card], *, is_test: bool = False) -> Iterator[tuple[list[Card], bytes]]:
    """Cards and the body that carries them; one that is too large for a batch is alone in its own."""
    held: list[Card] = []
    parts: list[bytes] = []
    size = 0
    for card in cards:
        part = orjson.dumps(message(card, is_test=is_test))
        if held and (len(held) == MOST_CARDS or size + len(part) > MOST_BYTES):
            yield held, _body(parts)
            held, parts, size = [], [], 0
        held.append(card)
        parts.append(part)
        size += len(part) + 1
    if held:
        yield held, _body(parts)


def _body(parts: Sequence[bytes]) -> bytes:
    return b'{"batch":[' + b",".join(parts) + b"]}"


class Sending:
    """One file on its way to `POST /v1/import`."""

    def __init__(self, client: httpx.Client, write_key: str, *, pause: Pause = time.sleep) -> None:
        """client: its base address is ingest's"""
        self._client, self._pause = client, pause
        self._headers = {"X-Write-Key": write_key, "Content-Type": "application/json"}
        self.answers = Answers()

    def send(self, cards: Sequence[Card], *, is_test: bool = False, told: Told = lambda _: None) -> Answers:
        """Send every card and read every answer. `told` hears after each batch how many have theirs.

        Raises OperatorError where ingest cannot be reached or refuses the whole: what was answered before stays in `answers`, and
        the same run started again goes on where this one stopped.
        """
        for held, body in batches(cards, is_test=is_test):
            answer = self._until_answered(body)
            self._read(held, answer)
            told(self.answers.answered)
        return self.answers

    def _until_answered(self, body: bytes) -> dict[str, Any]:
        waited, pause = 0.0, FIRST_PAUSE
        while True:
            asked, why = pause, ""
            try:
                response = self._client.post("/v1/import", content=body, headers=self._headers)
                if response.status_code == 200:
                    return _tree(response)
                if response.status_code not in (429, 502, 503, 504):
                    raise OperatorError(_refusal(response))
                why = f"ingest answers {response.status_code} ({_tree(response).get('message', 'no reason')})"
                asked = _retry_after(response) or pause
            except httpx.TransportError as error:
                why = f"ingest at {self._client.base_url} cannot be reached ({type(error).__name__})"
            if waited + asked > GIVE_UP_SECONDS:
                raise OperatorError(
                    f"{why}, for {waited:.0f} s now; {self.answers.answered:,} cards have their answer:"
                    " run it again later, what was taken will be duplicates"
                )
            self._pause(asked)
            waited += asked
            self.answers.waited += asked
            pause = min(pause * 2, LONGEST_PAUSE)

    def _read(self, held: Sequence[Card], answer: dict[str, Any]) -> None:
        others = {result["index"]: result for result in answer.get("results", ())}
        for index, card in enumerate(held):
            result = others.get(index)
            if result is None:
                self.answers.accepted += 1
            elif result.get("status") == "duplicate":
                self.answers.duplicate += 1
            else:
                self.answers.refused.append((card, str(result.get("code")), str(result.get("message"))))


def _tree(response: httpx.Response) -> dict[str, Any]:
    try:
        tree = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return tree if isinstance(tree, dict) else {}


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds, as Retry-After says; a date there is left to our own pause."""
    said = response.headers.get("Retry-After", "")
    return float(min(int(said), 120)) if said.isascii() and said.isdigit() else None


def _refusal(response: httpx.Response) -> str:
    tree = _tree(response)
    code, words = tree.get("code", "no code"), tree.get("message", "no reason")
    if response.status_code == 401:
        return (
            "ingest does not know the write key: has `baton policy apply` brought the source into force, and does ingest have"
            f" the same key in its environment ({code})?"
        )
    return f"ingest refuses the batch with {response.status_code} {code} ({words})"
