"""The loop that every worker shares: decode, handle, commit; in this order, each repeatable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, perf_counter
from typing import Generic, Protocol, TypeVar

import structlog

from shared.kit import metrics
from shared.kit.dead_letters import DeadLetters, Reject, Rejected
from shared.kit.kafka import Message, Source

log = structlog.get_logger(__name__)

Input = TypeVar("Input")
In = TypeVar("In", contravariant=True)


class Handler(Protocol[In]):
    async def handle(self, inputs: Sequence[In]) -> None:
        """Do everything that `inputs` cause. Repeating it changes nothing. Raises Reject for one input alone that can never
        succeed; every other exception means that the batch has to come again."""
        ...


class Worker(Generic[Input]):
    """Reads batches, sends what can never succeed to the dead letters, hands the rest to the handler, and commits last.

    A batch in which a record is rejected by the handler is retried record by record, in order, so that only that one leaves.
    Every other exception leaves the loop: nothing is committed, the process restarts, the batch comes again.
    """

    def __init__(
        self,
        source: Source,
        decode: Callable[[Message], Input | None],
        handler: Handler[Input],
        dead_letters: DeadLetters,
        *,
        most: int = 500,
    ) -> None:
        self._source, self._decode, self._handler, self._dead = source, decode, handler, dead_letters
        self._most = most
        self.last_progress = monotonic()

    async def run(self) -> None:
        """Until the source ends."""
        async for batch in self._source.batches(self._most):
            started = perf_counter()
            await self.step(batch)
            self.last_progress = monotonic()
            metrics.BATCH_SECONDS.labels(batch[0].topic).observe(perf_counter() - started)

    async def step(self, batch: Sequence[Message]) -> None:
        rejected: list[Rejected] = []
        accepted: list[tuple[Message, Input]] = []
        for message in batch:
            try:
                decoded = self._decode(message)
            except Reject as reject:
                rejected.append(Rejected(message, reject.code, reject.detail))
                continue
            if decoded is None:
                metrics.RECORDS.labels(message.topic, "ignored").inc()
            else:
                accepted.append((message, decoded))
        rejected += await self._handle(accepted)
        await self._dead.publish(rejected)
        await self._source.commit(batch)
        for item in rejected:
            metrics.RECORDS.labels(item.message.topic, "rejected").inc()

    async def _handle(self, accepted: Sequence[tuple[Message, Input]]) -> list[Rejected]:
        if not accepted:
            return []
        try:
            await self._handler.handle([decoded for _, decoded in accepted])
        except Reject as reject:
            if len(accepted) == 1:
                return [Rejected(accepted[0][0], reject.code, reject.detail)]
            return [rejected for one in accepted for rejected in await self._handle([one])]
        for message, _ in accepted:
            metrics.RECORDS.labels(message.topic, "done").inc()
        return []
