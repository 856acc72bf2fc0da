"""The Faust stream: a thin source in front of `Scorer.handle`. No tables; one Faust event carries one poll of all partitions.

Faust gives the worker, the assignment, rebalancing and the commit timer. What is overridden here, `README.md` lists as traps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import Any

import faust
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage, ack_lock
from mode import CrashingSupervisor
from mode.utils.futures import maybe_async, notify

from services.scoring import metrics
from services.scoring.batch import Slice
from services.scoring.beginnings import Beginnings
from services.scoring.handler import Scorer
from services.scoring.seek import Log
from services.scoring.settings import Settings
from services.scoring.wire import INPUTS
from shared.kit import metrics as shared_metrics
from shared.kit.kafka import FETCH_WAIT_MS
from shared.schemas.topics import ACCOUNT_SIGNALS, TOUCHPOINTS

log = structlog.get_logger(__name__)


POLL_SECONDS = 1.0
SIGNALS_SECONDS = 0.5  # from one reading of a partition's signals to the next: leads do not wait for companies
SELDOM = frozenset(INPUTS) - {TOUCHPOINTS.name, ACCOUNT_SIGNALS.name}
SELDOM_SECONDS = 0.1  # without asking for those: each partition that a fetch names costs
WATCH_SECONDS = 1.0
STOPPING_SECONDS = 10  # for the batch under way and a last commit; what was not committed is read again


class StalledError(RuntimeError):
    """The worker makes no progress, and a new start may."""


class Fetching(driver.AIOKafkaConsumerThread):
    """aiokafka's consumer in the loop of the worker, where a poll is a call.

    Faust gives it a thread of its own, with two hops between loops per poll, and the interpreter's lock to wait for at each. It
    also lets the broker hold a fetch back for 1,500 ms, during which nothing else is fetched.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._resting: dict[TopicPartition, float] = {}  # partitions that are not asked for, and until when
        self._awake: dict[TopicPartition, int | None] = {}  # seldom ones that are asked for; answered last when, ms
        super().__init__(*args, **kwargs)

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def start(self) -> None:
        self._thread_started.set()
        await self._default_start()

    async def stop(self) -> None:
        if self._started.is_set() and not self._stopped.is_set():
            self._stopped.set()
            await self._shutdown_thread()

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await maybe_async(fun(*args, **kwargs))

    def hold_fetches(self, signals: Sequence[TopicPartition]) -> None:
        """Ask the broker for nothing more, until told to go on; for no more of these signals a while longer.

        A touch says something to its lead's company at once. What it says would be most of what is read next, and new touches
        would wait for it; a little later one score of a company stands for several of them. Partitions that came together come
        one by one from then on, so that no touch waits for all of them.
        """
        consumer = self._ensure_consumer()
        consumer.pause(*(assigned := consumer.assignment()))
        now = monotonic()
        for tp in assigned:
            if tp.topic in SELDOM and tp not in self._resting:
                self._rest_if_answered(consumer, tp, now)
        for place, tp in enumerate(signals):
            self._resting[tp] = now + SIGNALS_SECONDS * (1 + place / len(signals))

    def _rest_if_answered(self, consumer: Any, tp: TopicPartition, now: float) -> None:
        """Let a seldom partition rest once its broker has answered for it, however long that takes: while it rests, what comes
        of it is dropped. What was answered by now has been delivered, because nobody had a turn since the poll."""
        answered = consumer.last_poll_timestamp(tp)
        if self._awake.setdefault(tp, answered) != answered:
            del self._awake[tp]
            self._resting[tp] = now + SELDOM_SECONDS

    def go_on_fetching(self) -> None:
        now = monotonic()
        self._resting = {tp: until for tp, until in self._resting.items() if until > now}
        if self._consumer and (paused := self._consumer.paused()):
            self._consumer.resume(*(paused - self._resting.keys()))

    def rest(self) -> float:
        """For how many seconds more something is not asked for."""
        return max(0.001, min(self._resting.values()) - monotonic()) if self._resting else 0.0


class BatchConsumer(driver.Consumer):
    """Hands one message per poll to the agent, its value the list of slices; polls again only when that one is saved."""

    beginnings: Beginnings  # set by `Stream`, which makes a subclass of its own
    _thread: Fetching

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._done: dict[TP, int] = {}  # the next offset to commit
        self._under_way: ConsumerMessage | None = None
        self._gate = asyncio.Event()
        self.last_sign = monotonic()  # of life: progress, or nothing to do
        self._ends: dict[TP, int] = {}  # of the logs, when they were begun
        self.unread: dict[
            int, dict[str, int]
        ] = {}  # by partition begun and topic with more to read: until when it is read
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> Fetching:
        return Fetching(self, loop=self.loop, thread_loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await self._wait_for_gate()
                self.go_on_fetching()
                generation = self.app.consumer_generation_id
                records, active = await self._wait_next_records(self._thread.rest() or POLL_SECONDS)
                if self.should_stop:
                    return
                if not self.flow_active or generation != self.app.consumer_generation_id:
                    await self._seek_again()
                elif records:
                    await self._deliver(records, active)
                elif not self.app.rebalancing and (self.assignment() or self.app.unassigned):
                    self.last_sign = monotonic()
                await asyncio.sleep(0)
        except (asyncio.CancelledError, ConsumerStoppedError):
            if not self.transport.app.should_stop:
                raise
        except Exception as error:
            await self.crash(error)
        finally:
            fetcher.set_shutdown()

    async def _wait_for_gate(self) -> None:
        """Until the last poll is saved. Without it, load makes many tiny batches that queue; with it, batches grow."""
        while self._under_way and not self.suspend_flow.is_set() and not self.should_stop:
            self._gate.clear()
            await self.wait_first(self._gate.wait(), self.suspend_flow.wait(), timeout=1.0)
        self._under_way = None

    def let_go(self, message: Any) -> None:
        """The next poll may come: this one is saved, and is acknowledged once it is published. What waits behind it is known from
        now on, before time alone has its turn."""
        for part in message.value:
            self._note_unread(part)
        if self._under_way is message:
            self._under_way = None
        self._gate.set()

    def go_on_fetching(self) -> None:
        self._thread.go_on_fetching()

    async def _seek_again(self) -> None:
        """The partitions changed hands while records were fetched: they are dropped, so read them again."""
        try:
            await self.perform_seek()
        except (KafkaError, TimeoutError) as error:
            log.warning("seek_failed", error=repr(error))  # the end of the rebalance seeks once more

    async def _deliver(self, records: Mapping[Any, Sequence[Any]], active: set[TP] | None) -> None:
        slices: list[Slice] = []
        for partition, batch in records.items():
            tp = TP(partition.topic, partition.partition)
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                continue
            expected = self._read_offset[tp]
            fresh = batch if expected is None else [record for record in batch if record.offset >= expected]
            if fresh:
                slices.append(Slice(tp.topic, tp.partition, fresh))
                behind = (self.highwater(tp) or 0) - fresh[-1].offset - 1
                shared_metrics.LAG.labels(tp.topic, str(tp.partition)).set(max(0, behind))
        if not slices:
            return
        message = self._message(slices)
        self._under_way = message
        # aiokafka would ask at once for more, get the one record that comes first, and ask no more while it lies there: the next
        # batch would be that record, and all others would wait for the one after. A full batch has left some behind.
        if sum([len(part.records) for part in slices]) < self.app.conf.broker_max_poll_records:
            self._thread.hold_fetches(
                [TopicPartition(part.topic, part.partition) for part in slices if part.topic == ACCOUNT_SIGNALS.name]
            )
        await self.wait_first(self.callback(message), self.suspend_flow.wait())
        for part in slices:
            self._read_offset[TP(part.topic, part.partition)] = part.end()

    def _message(self, slices: list[Slice]) -> ConsumerMessage:
        last = slices[-1]
        end: Any = last.records[-1]
        value: Any = slices
        return ConsumerMessage(
            topic=last.topic,
            partition=last.partition,
            offset=end.offset,
            timestamp=end.timestamp / 1000.0,
            timestamp_type=end.timestamp_type,
            headers=None,
            key=None,
            value=value,
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=len(slices),
            tp=TP(last.topic, last.partition),
            generation_id=self.app.consumer_generation_id,
        )

    def ack(self, message: Any) -> bool:
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            for part in message.value:
                tp = TP(part.topic, part.partition)
                self._done[tp] = max(self._done.get(tp, 0), part.end())
            self.last_sign = monotonic()
            notify(self._waiting_for_ack)
            return True

    def _note_unread(self, part: Slice) -> None:
        if (topics := self.unread.get(part.partition)) is None:
            return
        topics.pop(part.topic, None)
        if part.end() < (self.highwater(TP(part.topic, part.partition)) or 0):
            topics[part.topic] = part.records[-1].timestamp

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter([tp for tp in self._done if topics is None or tp in topics or tp.topic in topics])

    def _new_offset(self, tp: TP) -> int | None:
        return self._done.get(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        before = {tp: self._committed_offset[tp] for tp in offsets}
        committed = bool(await super()._commit_offsets(offsets, start_new_transaction))
        if not committed:  # Faust remembers a failed commit as made (692), and would not make it again
            self._committed_offset.update(before)
        return committed

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super().on_partitions_revoked(revoked)
        self._under_way = None
        self._gate.set()
        for tp in revoked:
            self._done.pop(tp, None)
            self.unread.pop(tp.partition, None)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Faust begins at what is committed; we begin where the states need it (seek.py)."""
        assigned = [tp for tp in self.assignment() if tp.topic in INPUTS]
        self.unread = {}
        metrics.ASSIGNED.set(len(assigned))
        offsets: dict[TP, int] = {}
        if assigned:
            partitions = _shared(assigned)
            log.info("partitions_assigned", partitions=sorted(partitions))
            found = await self.beginnings.find(partitions, lambda: self._logs(assigned))
            for partition, topics in found.items():
                offsets |= {TP(topic, partition): offset for topic, offset in topics.items()}
            await self.seek_wait(offsets)
            self.unread = {
                partition: {topic: 0 for topic, offset in topics.items() if offset < self._ends[TP(topic, partition)]}
                for partition, topics in found.items()
            }
        return offsets

    async def _logs(self, assigned: Sequence[TP]) -> dict[int, dict[str, Log]]:
        starts = await self.earliest_offsets(*assigned)
        ends = await self.highwaters(*assigned)
        self._ends = {TP(tp.topic, tp.partition): end for tp, end in ends.items()}
        consumer = self._thread._ensure_consumer()
        logs: dict[int, dict[str, Log]] = {}
        for tp in assigned:
            key = TopicPartition(tp.topic, tp.partition)
            committed = await self._thread.call_thread(consumer.committed, key)
            logs.setdefault(tp.partition, {})[tp.topic] = Log(starts[key], ends[key], committed)
        return logs


def _shared(assigned: Sequence[TP]) -> set[int]:
    """The partitions assigned. Raises RuntimeError unless they are the same ones of every topic: they share their states."""
    by_topic = [{tp.partition for tp in assigned if tp.topic == topic} for topic in INPUTS]
    if any(partitions != by_topic[0] for partitions in by_topic):
        raise RuntimeError(f"{' and '.join(INPUTS)} must have the same number of partitions, assigned together")
    return by_topic[0]


class Stream:
    """The Faust app of one worker, to be made and run within the running loop."""

    def __init__(self, settings: Settings, scorer: Scorer, beginnings: Beginnings) -> None:
        self._scorer = scorer
        self._liveness = settings.liveness_seconds
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._failed = False  # to publish a batch
        self.app = _app(settings)
        consumer = type("Consumer", (BatchConsumer,), {"beginnings": beginnings})
        self.app.transport.Consumer = consumer
        inputs = self.app.topic(*INPUTS, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
        self.app.agent(inputs, name="scorer", concurrency=1)(self._score)

    async def _score(self, stream: Any) -> AsyncIterator[None]:
        async for event in stream.noack().events():
            published = await self._handle(event)
            self.app.consumer.let_go(event.message)
            acknowledging = asyncio.create_task(self._acknowledge(event, published))
            self._acknowledging.add(acknowledging)
            acknowledging.add_done_callback(self._acknowledging.discard)
            yield

    async def _acknowledge(self, event: Any, published: Awaitable[None]) -> None:
        """Once it is published; never after one that could not be, because what is committed stands for all before it."""
        try:
            await published
        except Exception as error:
            self._failed = True
            await self.app.consumer.crash(error)
        else:
            if not self._failed:
                event.ack()

    async def _handle(self, event: Any) -> Awaitable[None]:
        # Once the handler waits for anything: what came while it worked is fetched while it waits.
        asyncio.get_running_loop().call_soon(self.app.consumer.go_on_fetching)
        return await self._scorer.take(event.value)

    async def run(self) -> None:
        """Until cancelled, which commits what is done and leaves the group. Raises what crashed the stream, and StalledError."""
        crashed = asyncio.create_task(self.app._crashed.wait())
        stalled = asyncio.create_task(self._stalled())
        starting = asyncio.create_task(self.app.start())
        try:
            await asyncio.wait({starting, crashed, stalled}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            await asyncio.wait({crashed, stalled}, return_when=asyncio.FIRST_COMPLETED)
            if stalled.done():
                stalled.result()
            raise self.app.crash_reason or RuntimeError("the stream crashed")
        finally:
            for task in (crashed, stalled, starting):
                task.cancel()
            await self._stop()

    async def _stalled(self) -> None:
        """Raises StalledError when there is no sign of life: after a broker's restart a group may never be joined again, and nobody
        else would notice where no probe is asked."""
        while self.is_live():
            await asyncio.sleep(WATCH_SECONDS)
        log.error("stalled", waiting=_waiting())
        raise StalledError(f"no progress in {self._liveness} s, although there is work or the group is not joined")

    async def _stop(self) -> None:
        stopping = asyncio.create_task(self.app.stop())
        try:
            async with asyncio.timeout(STOPPING_SECONDS):
                await asyncio.shield(stopping)
        except TimeoutError:
            log.error("not_stopped_in_order", seconds=STOPPING_SECONDS)

    def is_ready(self) -> bool:
        consumer = self.app._consumer
        return bool(self.app.started and consumer and not self.app.rebalancing and self._joined(consumer))

    def is_live(self) -> bool:
        """Progress, or nothing to do, within the time allowed; a group that cannot be joined is neither (Faust says nothing)."""
        consumer = self.app._consumer
        return consumer is None or monotonic() - consumer.last_sign < self._liveness

    def owned(self, now: int) -> dict[int, int]:
        """The partitions of this worker, and up to when (ms) it has read them: `now`, unless more waits there. None while they
        change hands."""
        consumer = self.app._consumer
        if consumer is None or self.app.rebalancing:
            return {}
        return {partition: min([now, *topics.values()]) for partition, topics in consumer.unread.items()}

    def _joined(self, consumer: Any) -> bool:
        try:
            return bool(consumer.assignment()) or self.app.unassigned
        except faust.exceptions.ConsumerNotStarted:
            return False


def _waiting() -> list[str]:
    """Where the tasks of the loop wait, for whoever has to find out why nothing goes on."""
    return sorted(
        f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        for task in asyncio.all_tasks()
        if (frame := _innermost(task.get_coro())) is not None
    )


def _innermost(awaited: Any) -> Any:
    frame = None
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None) or frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return frame


def _app(settings: Settings) -> Any:
    """No web server, no topics of its own, no restart of a crashed agent: its supervisor is whoever runs the process."""
    return faust.App(
        settings.group,
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap_servers.split(",")],
        broker_session_timeout=settings.session_seconds,
        broker_heartbeat_interval=1.0,  # by which a worker learns, too, that another is gone
        broker_request_timeout=60,
        broker_rebalance_timeout=30,
        broker_commit_interval=1.0,
        broker_max_poll_records=settings.poll_records,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=settings.instance_id,
        stream_buffer_maxsize=65_536,
        stream_wait_empty=True,
        agent_supervisor=CrashingSupervisor,
        producer_linger=0,
        producer_max_batch_size=131_072,
        producer_acks=-1,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        web_tables_enabled=False,
        loghandlers=[],
        datadir=Path(gettempdir()) / "baton-scoring",  # Faust makes one, for tables that are not used
    )
