"""Effect, publish, commit: crash anywhere, begin again, and what comes out is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from shared.kit.clock import FakeClock
from shared.kit.dead_letters import DeadLetters, Reject, TooManyDeadLettersError
from shared.kit.kafka import FakePublisher, FakeSource, Message
from shared.kit.loop import Worker
from shared.kit.settings import ServiceSettings


def message(offset: int, value: str) -> Message:
    return Message("touchpoints", 0, offset, b"t/lead", value.encode(), 1_000 + offset)


def decode(record: Message) -> str | None:
    """`undecodable` can never succeed; `foreign` is of no interest here."""
    text = (record.value or b"").decode()
    if text == "undecodable":
        raise Reject("undecodable", "not a touch")
    return None if text == "foreign" else text


class Ledger:
    """A handler whose effect can be repeated: it remembers each input once, and keeps a journal of all it was given."""

    def __init__(self) -> None:
        self.known: dict[str, None] = {}
        self.journal: list[str] = []
        self.crash_before: str | None = None
        self.crash_after: str | None = None

    async def handle(self, inputs: Sequence[str]) -> None:
        if self.crash_before in inputs:
            self.crash_before = None
            raise ConnectionError("crashed before the effect")
        for item in inputs:
            if item.startswith("poison"):
                raise Reject("poison", "can never succeed")
            self.journal.append(item)
            self.known[item] = None
        if self.crash_after in inputs:
            self.crash_after = None
            raise ConnectionError("crashed after the effect")


class FailingSource(FakeSource):
    """A source whose commit fails once, after or before it was taken."""

    def __init__(self, *batches: list[Message], fail: str) -> None:
        super().__init__(*batches)
        self.fail: str | None = fail

    async def commit(self, batch: Sequence[Message]) -> None:
        failing, self.fail = self.fail, None
        if failing == "before":
            raise ConnectionError("crashed before the commit")
        await super().commit(batch)
        if failing == "after":
            raise ConnectionError("crashed after the commit")


BATCH = [message(0, "a"), message(1, "undecodable"), message(2, "foreign"), message(3, "poison"), message(4, "b")]


async def run_until_done(
    ledger: Ledger, publisher: FakePublisher, source: FakeSource, *, most: int = 100
) -> tuple[list[str], list[int], int]:
    """Run a worker, restart it as a supervisor would until it ends in peace: what is known, what was committed, restarts."""
    restarts = 0
    while True:
        worker = Worker(source, decode, ledger, DeadLetters(publisher, FakeClock(), group="g", most=most))
        try:
            await worker.run()
        except (ConnectionError, KafkaError):
            restarts += 1
            continue
        return list(ledger.known), sorted({m.offset for m in source.committed}), restarts


def letters(publisher: FakePublisher) -> list[tuple[str, bytes | None, bytes]]:
    """Dead letters without repetition: topic, value, reason."""
    found = [(r.topic, r.value, dict(r.headers)["baton-reason"]) for r in publisher.records]
    return list(dict.fromkeys(found))


def nothing(_ledger: Ledger, _publisher: FakePublisher) -> FakeSource:
    return FakeSource(BATCH)


def before_the_effect(ledger: Ledger, _publisher: FakePublisher) -> FakeSource:
    ledger.crash_before = "b"
    return FakeSource(BATCH)


def after_the_effect(ledger: Ledger, _publisher: FakePublisher) -> FakeSource:
    ledger.crash_after = "b"
    return FakeSource(BATCH)


def before_the_dead_letters(_ledger: Ledger, publisher: FakePublisher) -> FakeSource:
    publisher.fail_next = True
    return FakeSource(BATCH)


def after_the_dead_letters(_ledger: Ledger, publisher: FakePublisher) -> FakeSource:
    publisher.fail_after = True
    return FakeSource(BATCH)


def before_the_commit(_ledger: Ledger, _publisher: FakePublisher) -> FakeSource:
    return FailingSource(BATCH, fail="before")


def after_the_commit(_ledger: Ledger, _publisher: FakePublisher) -> FakeSource:
    return FailingSource(BATCH, fail="after")


CRASHES = [
    nothing,
    before_the_effect,
    after_the_effect,
    before_the_dead_letters,
    after_the_dead_letters,
    before_the_commit,
    after_the_commit,
]


@pytest.mark.parametrize("crash", CRASHES)
async def test_wherever_it_crashes_the_outcome_is_the_same(
    crash: Callable[[Ledger, FakePublisher], FakeSource],
) -> None:
    ledger, publisher = Ledger(), FakePublisher()
    known, committed, restarts = await run_until_done(ledger, publisher, crash(ledger, publisher))
    assert known == ["a", "b"]
    assert committed == [0, 1, 2, 3, 4]
    assert letters(publisher) == [
        ("touchpoints-dlq", b"undecodable", b"undecodable"),
        ("touchpoints-dlq", b"poison", b"poison"),
    ]
    assert restarts == (crash is not nothing)


@pytest.mark.parametrize("crash", CRASHES[1:-1])
async def test_nothing_is_committed_before_everything_else_is_done(
    crash: Callable[[Ledger, FakePublisher], FakeSource],
) -> None:
    ledger, publisher = Ledger(), FakePublisher()
    source = crash(ledger, publisher)
    worker = Worker(source, decode, ledger, DeadLetters(publisher, FakeClock(), group="g", most=100))
    with pytest.raises((ConnectionError, KafkaError)):
        await worker.run()
    assert source.committed == []


async def test_one_poisoned_record_leaves_alone_and_its_neighbours_stay_in_order() -> None:
    ledger, publisher = Ledger(), FakePublisher()
    batch = [message(n, text) for n, text in enumerate(["a", "poison-1", "b", "poison-2", "c"])]
    known, committed, _ = await run_until_done(ledger, publisher, FakeSource(batch))
    assert known == ["a", "b", "c"]
    assert [record.value for record in publisher.records] == [b"poison-1", b"poison-2"]
    assert committed == [0, 1, 2, 3, 4]


async def test_a_crash_that_is_no_rejection_never_becomes_a_dead_letter() -> None:
    ledger, publisher, source = Ledger(), FakePublisher(), FakeSource([message(0, "a")])
    ledger.crash_before = "a"
    with pytest.raises(ConnectionError):
        await Worker(source, decode, ledger, DeadLetters(publisher, FakeClock(), group="g", most=100)).run()
    assert publisher.records == []
    assert source.committed == []


async def test_past_the_limit_the_worker_stops_before_a_single_letter_is_written() -> None:
    ledger, publisher = Ledger(), FakePublisher()
    source = FakeSource([message(n, "undecodable") for n in range(4)])
    worker = Worker(source, decode, ledger, DeadLetters(publisher, FakeClock(), group="g", most=3))
    with pytest.raises(TooManyDeadLettersError, match="4 records rejected within a minute, more than 3") as stopped:
        await worker.run()
    assert publisher.records == []
    assert source.committed == []
    assert "touchpoints/0/3, because of undecodable" in str(stopped.value)
    assert "Mend the cause, or set BATON_DEAD_LETTERS_PER_MINUTE higher" in str(stopped.value)


async def test_a_batch_past_the_limit_stops_every_restart_until_the_limit_is_raised() -> None:
    publisher = FakePublisher()
    spoilt = [message(n, "undecodable") for n in range(4)]
    for _ in range(3):
        with pytest.raises(TooManyDeadLettersError):
            await run_until_done(Ledger(), publisher, FakeSource(spoilt), most=3)
    _, committed, _ = await run_until_done(Ledger(), publisher, FakeSource(spoilt), most=4)
    assert len(publisher.records) == 4
    assert committed == [0, 1, 2, 3]


def test_by_default_a_batch_that_is_rejected_whole_can_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    def limit() -> int:
        return ServiceSettings(
            kafka_bootstrap_servers="k:9092", identity_secret=SecretStr("x" * 32)
        ).dead_letters_per_minute

    monkeypatch.delenv("BATON_DEAD_LETTERS_PER_MINUTE", raising=False)
    assert limit() == 1000
    monkeypatch.setenv("BATON_DEAD_LETTERS_PER_MINUTE", "5000")
    assert limit() == 5000


async def test_the_limit_is_per_minute() -> None:
    clock, publisher = FakeClock(), FakePublisher()
    dead = DeadLetters(publisher, clock, group="g", most=3)
    spoilt = [message(n, "undecodable") for n in range(3)]
    await Worker(FakeSource(spoilt), decode, Ledger(), dead).run()
    clock.advance(seconds=59)
    with pytest.raises(TooManyDeadLettersError):
        await Worker(FakeSource(spoilt[:1]), decode, Ledger(), dead).run()
    clock.advance(seconds=2)
    await Worker(FakeSource(spoilt), decode, Ledger(), dead).run()
    assert len(publisher.records) == 6


async def test_a_dead_letter_carries_reason_source_and_raw_bytes_under_the_same_key() -> None:
    publisher = FakePublisher()
    source = FakeSource([message(7, "undecodable")])
    await Worker(source, decode, Ledger(), DeadLetters(publisher, FakeClock(5), group="scoring", most=100)).run()
    (letter,) = publisher.records
    assert (letter.topic, letter.key, letter.value) == ("touchpoints-dlq", b"t/lead", b"undecodable")
    assert dict(letter.headers) == {
        "baton-reason": b"undecodable",
        "baton-detail": b"not a touch",
        "baton-source": b"touchpoints/0/7",
        "baton-group": b"scoring",
        "baton-at": b"5",
    }
