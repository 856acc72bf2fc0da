"""Carrying out the plan of where to begin: resetting states that are ahead of the log, refusing to go on with a loss."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog

from services.scoring import metrics
from services.scoring.seek import Log, Plan, plan
from services.scoring.states import Applied, Change, States
from services.scoring.wire import INPUTS

log = structlog.get_logger(__name__)

Begin = Callable[[int, Applied, Plan], Awaitable[None]]
ReadLogs = Callable[[], Awaitable[Mapping[int, Mapping[str, Log]]]]


class RecordsLostError(RuntimeError):
    """The log no longer has records that the states need."""


class Beginnings:
    """Where to read partitions from, once their states are fit to go on from there.

    begin: called of each before it is read, with what is applied to it, and what is planned
    """

    def __init__(
        self, states: States, forget: Callable[[int], None], *, accept_loss: bool, begin: Begin | None = None
    ) -> None:
        self._states, self._forget, self._accept_loss, self._begin = states, forget, accept_loss, begin

    async def find(self, partitions: Iterable[int], read_logs: ReadLogs) -> dict[int, Mapping[str, int]]:
        """Offsets by partition and topic. Raises RecordsLostError, unless losses are accepted."""
        partitions = list(partitions)
        await self._states.supersede(partitions)  # a rebuild that ended in between has left that to us
        # Applied before ends: were it the other way round, what another worker applies meanwhile would look ahead of the log.
        loaded = await self._states.load({partition: [] for partition in partitions})
        found = {}
        for partition, topics in (await read_logs()).items():
            applied = loaded[partition].applied
            planned = plan(topics, applied)
            if planned.reset:
                metrics.RESETS.inc()
                log.error("states_ahead_of_the_log", partition=partition, applied=dict(applied))
                await self._states.reset(partition)
                applied = {}
            if planned.added:
                log.info("inputs_added", partition=partition, offsets=dict(planned.added))
                begun = {topic: applied.get(topic, 0) for topic in INPUTS} | dict(planned.added)
                await self._states.save([Change(partition, applied, begun)])
                applied = begun
            if self._begin:
                await self._begin(partition, applied, planned)
            if planned.lost:
                await self._accept(partition, planned, applied)
            self._forget(partition)
            found[partition] = planned.offsets
        return found

    async def _accept(self, partition: int, planned: Plan, applied: Mapping[str, int]) -> None:
        if not self._accept_loss:
            raise RecordsLostError(
                f"partition {partition} needs records that are no longer in the log: {dict(planned.lost)}; "
                "set SCORING_ACCEPT_LOSS=true to go on without them"
            )
        starts = {topic: applied.get(topic, 0) + planned.lost.get(topic, 0) for topic in INPUTS}
        for records in planned.lost.values():
            metrics.ACCEPTED_LOSS.inc(records)
        log.error("loss_accepted", partition=partition, records=dict(planned.lost))
        # When another worker has just done the same, this is refused, and it stands.
        await self._states.save([Change(partition, applied, starts)])
