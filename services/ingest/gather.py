"""Group commit: calls that arrive while others are being written are written together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.ingest.domain.touch import Draft
from services.ingest.handler import Handle, UnavailableError
from shared.kit.kafka import Outgoing

MOST_EVENTS = 1_000  # of one group, unless a single call brings more
GROUPS = 2  # written at the same time; while they are, the next one gathers
MOST_WAITING = (
    64 * 1_048_576
)  # bytes of bodies that wait to be written; what they were read from takes several times that
EVENT_BYTES = 1_024  # that an event takes besides its body


@dataclass(slots=True)
class _Call:
    drafts: Sequence[Draft]
    others: Sequence[Outgoing]
    bytes: int
    done: asyncio.Future[list[bool]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Gathered:
    """`handle` of one, for many: a lone call is written at once, a crowd shares round trips to Redis and Kafka.

    What fails for a group fails for all calls in it: their senders send again. While Kafka, Redis or a disk hangs, no more waits
    than there is room for; the rest is told so at once (UnavailableError).
    """

    def __init__(self, handle: Handle, *, most_waiting: int = MOST_WAITING) -> None:
        self._handle = handle
        self._most, self._held = most_waiting, 0  # bytes
        self._waiting: list[_Call] = []
        self._writing = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        size = sum([EVENT_BYTES + len(draft.body) for draft in drafts])
        size += sum([EVENT_BYTES + len(other.value or b"") for other in others])
        if self._held and self._held + size > self._most:
            raise UnavailableError("too much waits to be written", "room")
        call = _Call(drafts, others, size)
        self._held += size
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
            self._held -= sum(call.bytes for call in group)
            self._writing -= 1
            self._start()
