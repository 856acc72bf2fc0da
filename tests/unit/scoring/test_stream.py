"""What of Faust is overridden, held to on Faust's own objects, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP
from pydantic import ValidationError

from services.scoring.batch import Slice
from services.scoring.beginnings import Beginnings
from services.scoring.settings import Settings
from services.scoring.states import Loaded
from services.scoring.stream import SELDOM_SECONDS, SIGNALS_SECONDS, StalledError, Stream, _shared
from services.scoring.wire import INPUTS
from shared.schemas.topics import ACCOUNT_SIGNALS, HANDOFF_EVENTS, SCORE_TRANSFERS, TOUCHPOINTS
from tests.scoring_fakes import FakeStates

NOW = 1_790_000_000_000  # of the records that `bench` makes
IN, TR = TOUCHPOINTS.name, SCORE_TRANSFERS.name
ENVIRONMENT = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "IDENTITY_SECRET": "x" * 32,
}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture
async def stream(settings: Settings, bench: Any) -> Stream:
    return Stream(settings, bench.restart(), Beginnings(FakeStates(), lambda _: None, accept_loss=False))


@pytest.fixture
async def consumer(stream: Stream) -> AsyncIterator[Any]:
    """A consumer that owns partition 0 of both topics; `committing` says whether the broker takes commits."""
    made = stream.app._new_consumer()
    owned = {TP(IN, 0), TP(TR, 0)}
    made.assignment = lambda: owned
    made.committing = True
    made.commits = []

    async def commit(offsets: Mapping[TP, int]) -> bool:
        made.commits.append(dict(offsets))
        return bool(made.committing)

    async def flush() -> None: ...

    made._commit = commit
    stream.app.producer.flush = flush
    async with reading(made):
        yield made


@asynccontextmanager
async def reading(consumer: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Gives it a consumer of aiokafka that is not connected to anything, with both partitions."""
    consumer._thread._consumer = reader = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    reader.assign([TopicPartition(IN, 0), TopicPartition(TR, 0)])
    yield reader
    await reader.stop()


def polled(consumer: Any, bench: Any, first: int, end: int) -> Any:
    for number in range(len(bench.log.topics.get(IN, ())), end):
        bench.touch("ann", number)
    part: Slice = bench.log.slice(IN, first, end)
    part.records[-1].timestamp_type = 0  # type: ignore[attr-defined]
    return consumer._message([part])


async def test_nothing_is_committed_before_it_is_acknowledged(consumer: Any, bench: Any) -> None:
    message = polled(consumer, bench, 0, 3)
    await consumer.commit()
    assert consumer.commits == []
    assert consumer.ack(message)
    assert not consumer.ack(message)
    await consumer.commit()
    assert consumer.commits == [{TP(IN, 0): 3}]


async def test_a_commit_that_failed_is_made_again(consumer: Any, bench: Any) -> None:
    """Trap 9: Faust takes it for made, and would make none before the next acknowledgement."""
    consumer.ack(polled(consumer, bench, 0, 3))
    consumer.committing = False
    await consumer.commit()
    consumer.committing = True
    await consumer.commit()
    await consumer.commit()
    assert consumer.commits == [{TP(IN, 0): 3}] * 2


async def test_the_next_poll_waits_for_the_last_one(consumer: Any, bench: Any) -> None:
    message = polled(consumer, bench, 0, 3)
    consumer._under_way = message
    waiting = consumer.loop.create_task(consumer._wait_for_gate())
    done, _ = await _turns(waiting)
    assert not done
    consumer.let_go(message)
    await waiting


async def test_a_rebalance_opens_the_gate(consumer: Any, bench: Any) -> None:
    consumer._under_way = polled(consumer, bench, 0, 3)
    waiting = consumer.loop.create_task(consumer._wait_for_gate())
    await _turns(waiting)
    consumer.stop_flow()
    await waiting


async def test_only_what_was_not_read_yet_is_delivered_and_all_partitions_at_once(consumer: Any, bench: Any) -> None:
    delivered: list[Any] = []

    async def callback(message: Any) -> None:
        delivered.append(message.value)

    consumer.callback = callback
    consumer.highwater = lambda _: 5
    bench.link("x", "bob", "y", 1)
    polled(consumer, bench, 0, 5)
    bench.log.topics[TR] = bench.log.topics[IN]
    consumer._read_offset[TP(IN, 0)] = 2
    records = {TP(IN, 0): _records(bench, IN, 5), TP(TR, 0): _records(bench, TR, 3)}
    await consumer._deliver(records, consumer.assignment())
    assert [(part.topic, part.first(), part.end()) for part in delivered[0]] == [(IN, 2, 5), (TR, 0, 3)]
    assert consumer._read_offset == {TP(IN, 0): 5, TP(TR, 0): 3}


@pytest.mark.parametrize(("most", "held"), [(5, 2), (4, 0)], ids=["less than the most", "the most"])
async def test_only_a_full_batch_has_more_fetched_at_once(consumer: Any, bench: Any, most: int, held: int) -> None:
    async def callback(message: Any) -> None: ...

    consumer.callback = callback
    consumer.highwater = lambda _: 4
    consumer.app.conf.broker_max_poll_records = most
    polled(consumer, bench, 0, 4)
    await consumer._deliver({TP(IN, 0): _records(bench, IN, 4)}, consumer.assignment())
    assert len(consumer._thread._consumer.paused()) == held


async def test_new_touches_do_not_wait_for_what_the_last_ones_say_to_companies(
    consumer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr("services.scoring.stream.monotonic", lambda: clock[0])
    thread, reader = consumer._thread, consumer._thread._consumer
    touches, *signals = every = [TopicPartition(IN, 0), *(TopicPartition(ACCOUNT_SIGNALS.name, p) for p in range(2))]
    reader.assign(every)

    def resting_after(later: float, told: Sequence[TopicPartition] = ()) -> set[TopicPartition]:
        """What is not asked for once a batch with these signals is saved, so much later."""
        clock[0] += later
        thread.hold_fetches(told)
        assert reader.paused() == set(every)
        thread.go_on_fetching()
        resting = reader.paused()
        assert (thread.rest() > 0) is bool(resting), "the next poll is no longer than that"
        assert touches not in resting
        return resting

    assert resting_after(0.0) == set()
    assert resting_after(0.0, signals) == set(signals), "they came together"
    assert resting_after(SIGNALS_SECONDS * 0.99) == set(signals)
    assert resting_after(SIGNALS_SECONDS * 0.02) == {signals[1]}, "and come one by one from then on"
    assert resting_after(0.0, signals[:1]) == set(signals)
    assert resting_after(SIGNALS_SECONDS * 0.5) == {signals[0]}
    assert resting_after(SIGNALS_SECONDS * 0.5) == set()


async def test_seldom_topics_are_asked_for_now_and_then(consumer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000.0]
    monkeypatch.setattr("services.scoring.stream.monotonic", lambda: clock[0])
    thread, reader = consumer._thread, consumer._thread._consumer
    seldom = {TopicPartition(topic, 0) for topic in (TR, HANDOFF_EVENTS.name)}
    reader.assign([TopicPartition(IN, 0), *seldom])

    def resting_after(later: float, answered: Iterable[TopicPartition] = ()) -> set[TopicPartition]:
        """What is not asked for once a batch is saved, so much later; meanwhile brokers answered for these."""
        clock[0] += later
        for tp in answered:
            reader._subscription.subscription.assignment.state_value(tp).timestamp = round(clock[0] * 1_000)
        thread.hold_fetches([])
        thread.go_on_fetching()
        return set(reader.paused())

    slow, quick = sorted(seldom)
    for _ in range(3):
        assert resting_after(0.007) == set()
        assert resting_after(0.007) == set(), "no broker has answered for them yet"
        assert resting_after(0.007, [quick]) == {quick}
        assert resting_after(0.007) == {quick}
        assert resting_after(0.001, [slow]) == seldom
        assert resting_after(SELDOM_SECONDS - 0.007) == {slow}
        assert resting_after(0.001) == {slow}
        assert resting_after(0.001, [quick]) == seldom
        clock[0] += SELDOM_SECONDS
        thread.go_on_fetching()
        assert resting_after(0.001, [slow]) == set(), "what is answered while they rest counts for nothing"
        assert resting_after(0.001, seldom) == seldom
        assert thread.rest() == pytest.approx(SELDOM_SECONDS), "the next poll is no longer than that"
        assert resting_after(SELDOM_SECONDS * 0.9) == seldom
        clock[0] += SELDOM_SECONDS * 0.2
        thread.go_on_fetching()
        assert reader.paused() == set(), "whether or not a batch comes"


class SlowStates(FakeStates):
    """Reading takes a turn of the loop; `watch` is asked before and after."""

    watch: Callable[[], int]

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    async def load(self, wanted: Mapping[int, Sequence[str]]) -> dict[int, Loaded]:
        self.seen.append(self.watch())
        await asyncio.sleep(0)
        self.seen.append(self.watch())
        return await super().load(wanted)


async def test_fetching_goes_on_once_the_handler_waits_for_the_store(settings: Settings, bench: Any) -> None:
    bench.states = states = SlowStates()
    stream = Stream(settings, bench.restart(), Beginnings(states, lambda _: None, accept_loss=False))
    consumer = stream.app.consumer
    async with reading(consumer) as reader:
        states.watch = lambda: len(reader.paused())
        consumer._thread.hold_fetches([])
        await stream._handle(polled(consumer, bench, 0, 3))
    assert states.seen == [2, 0]


class Event:
    def __init__(self) -> None:
        self.acked = False

    def ack(self) -> None:
        self.acked = True


async def test_nothing_is_acknowledged_after_a_batch_that_could_not_be_published(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed stands for all before it: these were saved, and would never be said."""
    crashes: list[Exception] = []

    async def crash(error: Exception) -> None:
        crashes.append(error)

    monkeypatch.setattr(stream.app.consumer, "crash", crash)
    events, loop = [Event() for _ in range(3)], asyncio.get_running_loop()
    published = [loop.create_future() for _ in events]
    waiting = [
        asyncio.create_task(stream._acknowledge(event, told)) for event, told in zip(events, published, strict=True)
    ]
    published[0].set_result(None)
    await waiting[0]
    published[1].set_exception(KafkaError("never acknowledged"))
    published[2].set_result(None)
    await asyncio.wait(waiting)
    assert [event.acked for event in events] == [True, False, False]
    assert [str(error) for error in crashes] == ["KafkaError: never acknowledged"]


async def test_the_next_poll_comes_when_a_batch_is_saved_and_is_committed_when_it_is_published(
    stream: Stream, consumer: Any, bench: Any
) -> None:
    message = polled(consumer, bench, 0, 3)
    consumer._under_way = message
    consumer.let_go(message)
    await consumer._wait_for_gate()
    await consumer.commit()
    assert consumer.commits == []
    consumer.ack(message)
    await consumer.commit()
    assert consumer.commits == [{TP(IN, 0): 3}]


async def test_a_partition_is_up_to_date_when_nothing_waits_in_it_else_as_of_what_was_read(
    stream: Stream, consumer: Any, bench: Any
) -> None:
    """Time alone must not take a grade away while touches that hold it wait to be read; it has its turn when a batch is saved."""
    assert stream.owned(NOW + 9) == {}
    stream.app._consumer = consumer
    consumer.unread = {0: {IN: 0, TR: 0}, 4: {}}
    assert stream.owned(NOW + 9) == {0: 0, 4: NOW + 9}
    highwater = {IN: 5, TR: 3}
    consumer.highwater = lambda tp: highwater[tp.topic]
    consumer.let_go(polled(consumer, bench, 0, 3))
    assert stream.owned(NOW + 9)[0] == 0
    bench.log.topics[TR] = bench.log.topics[IN]
    consumer.let_go(consumer._message([Slice(TR, 0, _records(bench, TR, 3))]))
    assert stream.owned(NOW + 9)[0] == NOW
    consumer.let_go(polled(consumer, bench, 3, 5))
    assert stream.owned(NOW + 9) == {0: NOW + 9, 4: NOW + 9}
    stream.app.rebalancing = True
    assert stream.owned(NOW + 9) == {}
    stream.app.rebalancing = False
    consumer.unread.pop(0)  # as a revocation does
    consumer.let_go(polled(consumer, bench, 5, 6))
    assert stream.owned(NOW + 9) == {4: NOW + 9}


def _records(bench: Any, topic: str, end: int) -> list[Any]:
    records = list(bench.log.slice(topic, 0, end).records)
    for record in records:
        record.timestamp_type = 0
    return records


async def test_the_topics_must_be_assigned_together() -> None:
    together = [TP(topic, partition) for partition in (0, 4) for topic in INPUTS]
    assert _shared(together) == {0, 4}
    with pytest.raises(RuntimeError, match="assigned together"):
        _shared(together[:-1])


async def test_a_worker_without_progress_while_there_is_work_is_not_live(stream: Stream, settings: Settings) -> None:
    """Trap 10: a group that cannot be joined shows in nothing else."""
    assert stream.is_live()
    stream.app.consumer.last_sign = monotonic() - settings.liveness_seconds - 1
    assert not stream.is_live()


async def test_a_worker_that_is_not_live_ends_by_itself(stream: Stream, settings: Settings) -> None:
    """Trap 10: where nobody asks a probe, its supervisor starts it anew all the same."""
    stream.app.consumer.last_sign = monotonic() - settings.liveness_seconds - 1
    with pytest.raises(StalledError, match="no progress"):
        async with asyncio.timeout(20):
            await stream.run()


async def test_it_is_not_ready_before_it_has_joined_its_group(stream: Stream) -> None:
    assert not stream.is_ready()


def test_a_session_below_the_brokers_minimum_is_refused_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hang for ever instead."""
    monkeypatch.setenv("SCORING_SESSION_SECONDS", "5")
    with pytest.raises(ValidationError):
        Settings()


async def _turns(task: Any) -> tuple[set[Any], set[Any]]:
    """A few turns of the loop."""
    return await asyncio.wait({task}, timeout=0)
