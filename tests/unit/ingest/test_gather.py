"""Group commit: what waits is written together, everybody gets his own answer, and no more waits than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.ingest.domain.identifiers import Identities, Identity
from services.ingest.domain.touch import Draft
from services.ingest.gather import EVENT_BYTES, GROUPS, MOST_EVENTS, Gathered
from services.ingest.handler import UnavailableError
from shared.kit.kafka import Outgoing


def draft(name: str) -> Draft:
    return Draft(0, "hinode", "web", True, name, Identities((Identity(name, "user", name),)), b"{}", 3600)


class Store:
    """Keeps groups when `open` is set; events whose names begin with `old` are known."""

    def __init__(self) -> None:
        self.open, self.groups = asyncio.Event(), list[list[str]]()
        self.others: list[Outgoing] = []
        self.error: Exception | None = None

    async def handle(self, drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        await self.open.wait()
        if self.error:
            raise self.error
        self.groups.append([one.event_id for one in drafts])
        self.others += others
        return [not one.event_id.startswith("old") for one in drafts]


async def waiting(gathered: Gathered, *calls: Sequence[str]) -> list[asyncio.Task[list[bool]]]:
    tasks = [asyncio.create_task(gathered([draft(name) for name in names], [])) for names in calls]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_others_are_written_is_written_together_and_gets_his_own_answer() -> None:
    store = Store()
    gathered = Gathered(store.handle)
    calls = [[f"first{number}"] for number in range(GROUPS)] + [["old1"], ["a", "old2", "b"], []]
    tasks = await waiting(gathered, *calls)
    store.open.set()
    assert (await asyncio.gather(*tasks))[GROUPS:] == [[False], [True, False, True], []]
    assert store.groups[GROUPS:] == [["old1", "a", "old2", "b"]]


async def test_a_group_is_bounded_unless_one_call_brings_more() -> None:
    store = Store()
    many = [str(number) for number in range(MOST_EVENTS)]
    tasks = await waiting(Gathered(store.handle), *[["first"]] * GROUPS, many, ["a"], [*many, "more"], ["b"])
    store.open.set()
    await asyncio.gather(*tasks)
    assert [len(group) for group in store.groups] == [1] * GROUPS + [MOST_EVENTS, 1, MOST_EVENTS + 1, 1]


async def test_what_fails_fails_for_all_in_the_group_and_the_next_is_tried_again() -> None:
    store = Store()
    gathered = Gathered(store.handle)
    tasks = await waiting(gathered, *[["first"]] * GROUPS, ["a"], ["b"])
    store.error = UnavailableError("kafka is away")
    store.open.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [UnavailableError] * (GROUPS + 2)
    store.error = None
    assert await gathered([draft("c")], []) == [True]


async def test_no_more_waits_than_there_is_room_for_and_then_there_is_room_again() -> None:
    store = Store()
    gathered = Gathered(store.handle, most_waiting=10 * (EVENT_BYTES + 2))
    tasks = await waiting(gathered, ["a"] * 5, ["b"] * 5)
    with pytest.raises(UnavailableError, match="too much waits") as told:
        await gathered([draft("c")], [])
    assert told.value.what == "room"
    with pytest.raises(UnavailableError):
        await gathered([], [Outgoing("ingest-rejected", b"k", b"xx")])
    store.open.set()
    await asyncio.gather(*tasks)
    assert await gathered([draft("c")] * 20, []) == [True] * 20, (
        "one that finds nobody waiting is taken whatever its size"
    )
    assert await gathered([draft("d")], [Outgoing("ingest-rejected", b"k", None)]) == [True]
