"""Dead letters: records that can never succeed leave the stream with their reason, source offset and raw bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from shared.kit import metrics
from shared.kit.clock import Clock
from shared.kit.kafka import Message, Outgoing, Publisher

log = structlog.get_logger(__name__)


class Reject(Exception):  # noqa: N818 - it is an exit, not an error
    """A record that can never succeed. `code` is stable and from a closed set; `detail` says it in words, without personal data."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class TooManyDeadLettersError(RuntimeError):
    """More records were rejected than a bad record or two explains: something is wrong here, not there, so stop."""


@dataclass(frozen=True, slots=True)
class Rejected:
    message: Message
    code: str
    detail: str


class DeadLetters:
    """Publishes rejected records to `<topic>-dlq`; past `most` in a minute it stops the consumer instead of draining the topic.

    most: `dead_letters_per_minute` of the settings. A batch with more of them stops every restart too, until it is raised.
    """

    def __init__(self, publisher: Publisher, clock: Clock, *, group: str, most: int) -> None:
        self._publisher, self._clock, self._group, self._most = publisher, clock, group, most
        self._times: deque[int] = deque()

    async def publish(self, rejected: Sequence[Rejected]) -> None:
        """Returns when they are acknowledged. Raises TooManyDeadLettersError, before publishing, past the limit."""
        if not rejected:
            return
        now = self._clock.now()
        while self._times and self._times[0] < now - 60_000:
            self._times.popleft()
        if len(self._times) + len(rejected) > self._most:
            last = rejected[-1]
            raise TooManyDeadLettersError(
                f"{len(self._times) + len(rejected)} records rejected within a minute, more than {self._most}; the last, "
                f"{last.message.topic}/{last.message.partition}/{last.message.offset}, because of {last.code}. "
                "Mend the cause, or set BATON_DEAD_LETTERS_PER_MINUTE higher to let them leave for the dead letters."
            )
        await self._publisher.publish([self._letter(item, now) for item in rejected])
        self._times.extend([now] * len(rejected))
        for item in rejected:
            metrics.DEAD_LETTERS.labels(item.message.topic, item.code).inc()
            log.warning(
                "dead_letter",
                topic=item.message.topic,
                partition=item.message.partition,
                offset=item.message.offset,
                reason=item.code,
                detail=item.detail,
            )

    def _letter(self, item: Rejected, now: int) -> Outgoing:
        message = item.message
        headers = (
            ("baton-reason", item.code.encode()),
            ("baton-detail", item.detail.encode()),
            ("baton-source", f"{message.topic}/{message.partition}/{message.offset}".encode()),
            ("baton-group", self._group.encode()),
            ("baton-at", str(now).encode()),
        )
        return Outgoing(f"{message.topic}-dlq", message.key or b"", message.value, headers)
