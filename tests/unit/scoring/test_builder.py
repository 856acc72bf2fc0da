"""Building states anew over a fake store: what a worker's own code would have made of all that was ever said."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest

from services.scoring.batch import Slice
from services.scoring.builder import Builder, BuildingLostError, MissingRecordsError
from services.scoring.domain.codec import decode_people, decode_state, encode_memory, encode_state
from services.scoring.domain.ledger import count, marked
from services.scoring.domain.memory import Memory
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState, Register
from services.scoring.states import SupersededError
from services.scoring.subjects import account_key, lead_key
from services.scoring.wire import INPUTS
from shared.kit.partitioner import by_murmur2
from shared.schemas.base import record_key
from shared.schemas.ids import lead_id
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import AccountSignal, PolicyRef, ScoreTransfer, Version
from shared.schemas.topics import ACCOUNT_SIGNALS, SCORE_TRANSFERS, TOUCHPOINTS
from shared.schemas.touches import LinkChanged, Touch
from tests.scoring_fakes import FakeStates
from tests.unit.scoring.conftest import NOW, POLICY, Record

PARTITIONS = range(4)
RULES = Rules(ScoringPolicy.model_validate(POLICY), PolicyRef(sequence=1, hash="h"))
(KEY,) = RULES.keys()
TODAY = NOW // 86_400_000


class Topics:
    """The inputs of all partitions; `after` gives what was said since."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[Record]] = {}
        self._given: dict[tuple[str, int], int] = {}
        self.start = 0

    def say(self, topic: str, record: Any) -> None:
        where = (topic, by_murmur2(record.key(), list(PARTITIONS), ()))
        records = self.records.setdefault(where, [])
        value = record.model_dump_json(exclude_none=True).encode()
        records.append(Record(self.start + len(records), record.key(), value))

    def touch(self, identity: str, number: int, **more: Any) -> None:
        body = {
            "tenant": "acme",
            "lead_id": lead_id(identity),
            "identity_id": identity,
            "identity_kind": "email",
            "event_id": f"event-{number}",
            "source_id": "site",
            "type": "page_viewed",
            "at": NOW + number,
            "received_at": NOW + number,
        }
        self.say(TOUCHPOINTS.name, Touch.model_validate(body | more))

    def link(self, identity: str, owner: str, sequence: int) -> None:
        for lead in {lead_id(identity), owner}:
            self.tell(lead, identity, owner, sequence)

    def tell(self, lead: str, identity: str, owner: str, sequence: int) -> None:
        """One lead alone hears of an owner."""
        link = {"identity_id": identity, "identity_kind": "email", "owner": owner, "sequence": sequence}
        self.say(TOUCHPOINTS.name, LinkChanged(tenant="acme", lead_id=lead, received_at=NOW, **link))  # type: ignore[arg-type]

    def after(self, most: int = 1_000) -> list[Slice]:
        found = []
        for (topic, partition), records in self.records.items():
            first = self._given.get((topic, partition), 0)
            if part := records[first : first + most]:
                self._given[topic, partition] = first + len(part)
                found.append(Slice(topic, partition, part))
        return found


def starts(at: int = 0) -> dict[int, dict[str, int]]:
    return {partition: dict.fromkeys(INPUTS, at) for partition in PARTITIONS}


@pytest.fixture
def states() -> FakeStates:
    return FakeStates()


@pytest.fixture
def topics() -> Topics:
    return Topics()


def builder(states: FakeStates) -> Builder:
    return Builder(states, lambda tenant: RULES if tenant == "acme" else None, PARTITIONS, cached=2)


def home(lead: str) -> int:
    return by_murmur2(record_key("acme", lead), list(PARTITIONS), ())


def of(states: FakeStates, lead: str) -> LeadState:
    return decode_state(states.states[home(lead)][lead_key("acme", lead)])


def marks(state: LeadState, identity: str) -> int:
    return sum(count(bucket) for bucket in state.memories[identity].marks.get(KEY, {}).values())


async def test_what_one_lead_has_to_tell_another_is_told_at_once_wherever_it_is(
    states: FakeStates, topics: Topics
) -> None:
    """Down a chain of leads of which each knows of a later owner, and again when more is heard of it."""
    anew = builder(states)
    await anew.begin(starts())
    chain = [lead_id("ann"), *(lead_id(f"person-{n}") for n in range(12))]
    topics.touch("ann", 1)
    for number, (lead, following) in enumerate(pairwise(chain), start=1):
        topics.tell(lead, "ann", following, number)
    await anew.build(topics.after())
    assert marks(of(states, chain[-1]), "ann") == 1
    topics.touch("ann", 2)
    await anew.build(topics.after())
    assert marks(of(states, chain[-1]), "ann") == 2
    assert of(states, chain[-1]).owned(chain[-1]) == ["ann"]
    await anew.verify()


async def test_chunks_of_any_size_make_the_same_states(topics: Topics) -> None:
    for number in range(60):
        topics.touch(f"person-{number % 7}", number)
        if number % 9 == 5:
            topics.link(f"person-{number % 7}", lead_id(f"person-{number % 5}"), number)
    found = []
    for most in (1, 3, 1_000):
        states, topics._given = FakeStates(), {}
        anew = builder(states)
        await anew.begin(starts())
        while polled := topics.after(most):
            await anew.build(polled)
        leads = {lead: of(states, lead) for lead in (lead_id(f"person-{n}") for n in range(7))}
        found.append(
            {
                (lead, identity): remembered(state.memories[identity])
                for lead, state in leads.items()
                for identity in state.owned(lead)
                if identity in state.memories
            }
        )
    assert found[0] == found[1] == found[2]


def remembered(memory: Memory) -> dict[str, Any]:
    return {"marks": memory.marks, "touches": memory.touches, "received_at": memory.received_at}


async def test_transfers_on_the_topic_are_joined_without_marks_that_no_rule_reads(
    states: FakeStates, topics: Topics
) -> None:
    other = KEY.replace(KEY.partition(".")[0], "0" * 16)
    memory = Memory(
        "email", NOW, 1, {KEY: {TODAY: marked([(NOW, b"e" * 16)])}, other: {TODAY: marked([(NOW, b"e" * 16)])}}
    )
    topics.say(
        SCORE_TRANSFERS.name,
        ScoreTransfer(
            tenant="acme", lead_id=lead_id("ann"), from_lead_id=lead_id("bob"), identity_id="bob", identity_kind="email",
            sequence=3, received_at=NOW, memory=encode_memory(memory),
        ),
    )  # fmt: skip
    anew = builder(states)
    await anew.begin(starts())
    await anew.build(topics.after())
    state = of(states, lead_id("ann"))
    assert state.registers["bob"] == Register(3, lead_id("ann"), "email", 0, held=True)
    assert list(state.memories["bob"].marks) == [KEY]


async def test_accounts_are_joined_from_their_signals(states: FakeStates, topics: Topics) -> None:
    for version, engagement in ((5, 700), (4, 300)):
        topics.say(
            ACCOUNT_SIGNALS.name,
            AccountSignal(
                tenant="acme", account="domain:aozora", lead_id="lead", version=Version(1, 1, version, NOW), as_of=NOW,
                engagement=engagement,
            ),
        )  # fmt: skip
    anew = builder(states)
    await anew.begin(starts())
    await anew.build(topics.after())
    raw = next(known[key] for known in states.states.values() if (key := account_key("acme", "domain:aozora")) in known)
    assert decode_people(raw)["lead"].engagement == 700


async def test_what_can_never_be_read_is_counted_and_passed(states: FakeStates, topics: Topics) -> None:
    topics.touch("ann", 1)
    topics.touch("ann", 2, tenant="stranger")
    where = next(iter(topics.records))
    topics.records[where].append(Record(len(topics.records[where]), b"acme/x", b"{"))
    anew = builder(states)
    await anew.begin(starts())
    await anew.build(topics.after())
    assert anew.rejected == 2
    assert marks(of(states, lead_id("ann")), "ann") == 1


async def test_a_gap_is_refused(states: FakeStates, topics: Topics) -> None:
    topics.touch("ann", 1)
    anew = builder(states)
    await anew.begin(starts(5))
    with pytest.raises(MissingRecordsError, match="5 is the next to read"):
        await anew.build(topics.after())
    topics.start = 5
    topics.records.clear()
    topics._given.clear()
    topics.touch("ann", 1)
    await anew.build(topics.after())


async def test_a_store_that_lost_a_write_is_found_out_though_no_offset_says_so(
    states: FakeStates, topics: Topics
) -> None:
    """What one lead tells another is written where that one is, whose own records did not move."""
    ann, other = (
        lead_id("ann"),
        next(lead for n in range(99) if home(lead := lead_id(f"p-{n}")) != home(lead_id("ann"))),
    )
    anew = builder(states)
    await anew.begin(starts())
    topics.tell(ann, "ann", other, 1)
    await anew.build(topics.after())
    before = deepcopy((states.applied[home(other)], states.states[home(other)]))
    topics.touch("ann", 1)
    await anew.build(topics.after())
    await anew.verify()
    states.applied[home(other)], states.states[home(other)] = before
    with pytest.raises(BuildingLostError):
        await anew.verify()
    topics.touch("ann", 2)
    with pytest.raises(BuildingLostError):
        await anew.build(topics.after())


async def test_a_write_of_which_no_answer_came_stands(states: FakeStates, topics: Topics) -> None:
    class Ambiguous(FakeStates):
        """Writes each change twice, as a connection that broke after the first time does."""

        async def save(self, changes: Any) -> Any:
            await super().save(changes)
            return await super().save(changes)

    twice = Ambiguous()
    topics.touch("ann", 1)
    anew = builder(twice)
    await anew.begin(starts())
    await anew.build(topics.after())
    await anew.verify()


async def test_a_building_that_another_rebuild_has_dropped_is_given_up(states: FakeStates, topics: Topics) -> None:
    topics.touch("ann", 1)
    anew = builder(states)
    await anew.begin(starts())
    states.superseded = True
    with pytest.raises(SupersededError):
        await anew.build(topics.after())


async def test_states_that_are_carried_over_lose_only_marks_that_no_rule_reads(
    states: FakeStates, topics: Topics
) -> None:
    other = KEY.replace(KEY.partition(".")[0], "0" * 16)
    lead = lead_id("ann")
    marks_of_both = {KEY: {TODAY: marked([(NOW - 9, b"e" * 16)])}, other: {TODAY: marked([(NOW, b"e" * 16)])}}
    old = LeadState({"ann": Memory("email", NOW - 9, 1, marks_of_both)})
    old.registers["bob"] = Register(7, lead, "email", NOW - 9)
    anew = builder(states)
    await anew.begin(starts())
    await anew.carry(home(lead), {lead_key("acme", lead): encode_state(old)})
    topics.touch("ann", 1)
    await anew.build(topics.after())
    state = of(states, lead)
    assert list(state.memories["ann"].marks) == [KEY]
    assert marks(state, "ann") == 2
    assert state.owned(lead) == ["ann", "bob"]
