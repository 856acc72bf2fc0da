"""Group commit: calls that arrive while others are being written are written together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from services.ingest.domain.touch import Draft
from shared.kit.kafka import Outgoing

Handle = Callable[[Sequence[Draft], Sequence[Outgoing]], Awaitable[list[bool]]]

MOST_EVENTS = 1_000  # of one group, unless a single call brings more
GROUPS = 2  # written at the same time; while they are, the next one gathers


@dataclass(slots=True)
class _Call:
    drafts: Sequence[Draft]
    others: Sequence[Outgoing]
    done: asyncio.Future[list[bool]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Gathered:
    """`handle` of one, for many: a lone call is written at once, a crowd shares round trips to Redis and Kafka.

    What fails for a group fails for all calls in it: their senders send again.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._waiting: list[_Call] = []
        self._writing = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        call = _Call(drafts, others)
        self._waiting.append(call)
        self._start()
        return await call.done

    def _start(self) -> None:
        while self._waiting and self._writing < GROUPS:
            self._writing += 1
            task = asyncio.get_running_loop().create_task(self._write(self._group()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _group(self) -> list[_Call]:
        events, count = 0, 0
        for call in self._waiting:
            events += len(call.drafts) + len(call.others)
            if count and events > MOST_EVENTS:
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _write(self, group: list[_Call]) -> None:
        try:
            accepted = await self._handle(
                [draft for call in group for draft in call.drafts], [other for call in group for other in call.others]
            )
        except Exception as error:  # it is raised to whoever waits
            for call in group:
                if not call.done.done():  # it is when its request was cancelled
                    call.done.set_exception(error)
        else:
            start = 0
            for call in group:
                if not call.done.done():
                    call.done.set_result(accepted[start : start + len(call.drafts)])
                start += len(call.drafts)
        finally:
            self._writing -= 1
            self._start()
