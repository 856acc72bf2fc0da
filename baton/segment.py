"""Sending through the real Segment client, and keeping what the other side answered about every event.

The client throws the answers away; a hook on its HTTP session reads them before. What was accepted is then known from the
answers themselves, never from a counter of ours.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from segment.analytics import request as wire
from segment.analytics.client import Client

from baton.errors import OperatorError

BATCH = 100
QUEUE = 10_000
GIVE_UP_SECONDS = 120.0  # of a batch that is refused again and again


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said of one event: accepted, duplicate or rejected (with its code)."""

    status: str
    code: str | None = None


@dataclass(slots=True)
class Tally:
    """Answers by message id. An event sent once more under the same id has several; all count."""

    sent: Counter[str] = field(default_factory=Counter)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def count(self, status: str) -> int:
        return sum(answer.status == status for answers in self.answers.values() for answer in answers)

    def answered(self) -> int:
        return sum(map(len, self.answers.values()))

    def message_ids(self, *statuses: str) -> set[str]:
        """Ids of the messages one of whose answers was one of `statuses`."""
        return {
            message_id for message_id, answers in self.answers.items() if any(a.status in statuses for a in answers)
        }


class Sender:
    """One source that speaks to ingest through `segment-analytics-python`. From any thread; `close` waits for all answers."""

    def __init__(self, url: str, write_key: str, *, batch: int = BATCH, wait: float = 0.25) -> None:
        self.tally = Tally()
        self._url, self._lock = url.rstrip("/"), threading.Lock()
        self._basic = "Basic " + b64encode(f"{write_key}:".encode()).decode()
        wire._session.hooks["response"].append(self._read)
        self._client = Client(
            write_key,
            host=self._url,
            on_error=self._failed,
            upload_size=batch,
            upload_interval=wait,
            max_queue_size=QUEUE,
            max_total_backoff_duration=GIVE_UP_SECONDS,
            max_rate_limit_duration=GIVE_UP_SECONDS,
        )
        self._client.log.setLevel("CRITICAL")  # what fails is told by `tally.failed`

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message of the tracking API (`type`, `userId`, `messageId` and so on). Waits while the client's queue is full.

        Raises OperatorError for what the client itself refuses to send.
        """
        call, arguments = _call(message)
        while self._client.queue.full():
            time.sleep(0.02)
        taken, sent = _hand_over(self._client, call, arguments)
        if not taken:
            raise OperatorError("the Segment client's queue is full although it was not a moment ago: send slower")
        with self._lock:
            self.tally.sent[sent["messageId"]] += 1

    def flush(self) -> None:
        """Until everything sent so far has its answer, or has failed for good."""
        self._client.flush()

    def close(self) -> None:
        try:
            self._client.shutdown()
        finally:
            wire._session.hooks["response"].remove(self._read)

    def _read(self, response: Any, *_: Any, **__: Any) -> None:
        request = response.request
        if request.headers.get("Authorization") != self._basic or not request.url.startswith(self._url):
            return
        if response.status_code != 200:
            return  # the client tries again, or gives up and tells `_failed`
        # The answer names the events of the batch that were not accepted; all others were.
        others = {result["index"]: result for result in orjson.loads(response.content).get("results", ())}
        with self._lock:
            for index, message in enumerate(orjson.loads(request.body)["batch"]):
                result = others.get(index, {"status": "accepted"})
                answer = Answer(result["status"], result.get("code"))
                self.tally.answers.setdefault(message["messageId"], []).append(answer)

    def _failed(self, error: Exception, batch: list[dict[str, Any]]) -> None:
        with self._lock:
            for message in batch:
                self.tally.failed[message["messageId"]] = str(error)[:200]


class Checker:
    """Says what `Sender.send` would refuse, and sends nothing."""

    def __init__(self) -> None:
        self._client = Client("check", send=False)

    def check(self, message: Mapping[str, Any]) -> None:
        """Raises OperatorError for what is no message of the tracking API, or what the client refuses to send."""
        _hand_over(self._client, *_call(message))


def _hand_over(client: Any, call: str, arguments: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Whether the client's queue had room, and the message as the client made it. Raises OperatorError for what it refuses."""
    try:
        taken, sent = getattr(client, call)(**arguments)
    except (AssertionError, AttributeError, RuntimeError) as error:
        raise OperatorError(f"the Segment client refuses this message: {str(error)[:200]}") from None
    return taken, sent


_NAMES = {
    "userId": "user_id",
    "anonymousId": "anonymous_id",
    "messageId": "message_id",
    "groupId": "group_id",
    "previousId": "previous_id",
}
_FIELDS = {
    "identify": {"traits"},
    "track": {"event", "properties"},
    "page": {"name", "category", "properties"},
    "screen": {"name", "category", "properties"},
    "group": {"group_id", "traits"},
    "alias": {"previous_id"},
}


def _call(message: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The client's method and its arguments for one message of the tracking API."""
    call = message.get("type")
    if not isinstance(call, str) or call not in _FIELDS:
        raise OperatorError(f"`type` is {call!r}; a message is one of {', '.join(_FIELDS)}")
    known = _FIELDS[call] | {"user_id", "message_id", "context", "integrations", "timestamp"}
    if call != "alias":
        known |= {"anonymous_id"}
    named = {_NAMES.get(name, name): value for name, value in message.items()}
    arguments = {name: value for name, value in named.items() if name in known and value is not None}
    if isinstance(stamp := arguments.get("timestamp"), str):
        try:
            arguments["timestamp"] = datetime.fromisoformat(stamp)
        except ValueError:
            raise OperatorError(f"`timestamp` is {stamp!r}, which is no ISO 8601 time") from None
    return call, arguments
