"""What the scorer does with a batch, and that no crash on the way changes what it says in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest

from services.scoring.domain.codec import decode_people
from services.scoring.handler import ContendedError, GapError, StatesLostError
from services.scoring.states import Change
from services.scoring.wire import INPUTS
from shared.kit.kafka import FakePublisher, Outgoing
from shared.schemas.ids import lead_id
from shared.schemas.scores import LeadScored, ScoreTransfer, Version
from shared.schemas.topics import ACCOUNT_SIGNALS, LEAD_SCORED, SCORE_TRANSFERS, TOUCHPOINTS
from tests.scoring_fakes import FakeStates

NOW = 1_790_000_000_000
ANN, BOB = lead_id("ann"), lead_id("bob")


async def test_a_known_lead_is_scored_once_per_batch(bench: Any) -> None:
    for number in range(3):
        bench.touch("ann", number)
    await bench.restart().handle(bench.log.all())
    assert len(bench.published(LEAD_SCORED.name)) == 1
    score = bench.scores()[ANN]
    assert score.engagement.parts[0].times == 3
    assert score.version == (1, 1, 3, score.as_of)


async def test_touches_of_nobody_are_kept_and_emit_nothing(bench: Any) -> None:
    bench.touch("phone", 1, identity_kind="anonymous")
    await bench.restart().handle(bench.log.all())
    assert bench.publisher.records == []
    assert list(bench.states.states[0]) == [f"acme/{lead_id('phone')}"]


async def test_what_nobody_did_counts_once_a_known_lead_owns_it(bench: Any) -> None:
    bench.touch("phone", 1, identity_kind="anonymous")
    bench.touch("ann", 2)
    for lead in (lead_id("phone"), ANN):
        bench.link(lead, "phone", ANN, 1)
    scorer = bench.restart()
    await scorer.handle(bench.log.all())
    bench.feed_back()
    await scorer.handle([bench.log.slice(SCORE_TRANSFERS.name)])
    assert bench.scores()[ANN].engagement.parts[0].times == 2


async def test_a_merged_lead_says_where_it_went_and_an_unmerged_one_is_back(bench: Any) -> None:
    bench.touch("ann", 1)
    bench.touch("bob", 2)
    for lead in (ANN, BOB):
        bench.link(lead, "bob", ANN, 1)
    scorer = bench.restart()
    await scorer.handle(bench.log.all())
    bench.feed_back()
    await scorer.handle([bench.log.slice(SCORE_TRANSFERS.name)])
    merged = bench.scores()
    assert merged[BOB].merged_into == ANN
    assert merged[ANN].engagement.parts[0].times == 2

    for lead in (ANN, BOB):
        bench.link(lead, "bob", BOB, 2)
    await scorer.handle([bench.log.slice(TOUCHPOINTS.name, 4)])
    apart = bench.scores()
    assert apart[BOB].merged_into is None
    assert apart[ANN].engagement.parts[0].times == apart[BOB].engagement.parts[0].times == 1


async def test_a_lead_known_by_a_link_alone_says_where_it_went_though_a_device_is_left_behind(bench: Any) -> None:
    bench.link(BOB, "bob", BOB, 1)
    bench.touch("device", 1, identity_kind="anonymous")
    bench.link(lead_id("device"), "device", BOB, 2, kind="anonymous")
    scorer = bench.restart()
    await scorer.handle(bench.log.all())
    bench.feed_back()
    await scorer.handle([bench.log.slice(SCORE_TRANSFERS.name)])
    known = bench.scores()[BOB]
    assert (known.merged_into, known.engagement.parts[0].times) == (None, 1)

    bench.link(BOB, "bob", ANN, 3)
    await scorer.handle([bench.log.slice(TOUCHPOINTS.name, 3)])
    assert bench.scores()[BOB].merged_into == ANN


async def test_an_identity_that_was_anothers_from_the_start_makes_no_lead(bench: Any) -> None:
    bench.touch("ann", 1)
    for lead in (ANN, lead_id("phone")):
        bench.link(lead, "phone", ANN, 1, kind="phone")
    await bench.restart().handle(bench.log.all())
    assert bench.scores().keys() == {ANN}


async def test_a_transfer_goes_out_again_when_more_of_the_identity_arrives(bench: Any) -> None:
    bench.touch("bob", 1)
    bench.link(BOB, "bob", ANN, 1)
    scorer = bench.restart()
    await scorer.handle(bench.log.all())
    bench.touch("bob", 2)
    await scorer.handle([bench.log.slice(TOUCHPOINTS.name, 2)])
    sent = [ScoreTransfer.model_validate_json(r.value) for r in bench.published(SCORE_TRANSFERS.name)]
    assert [(t.lead_id, t.sequence) for t in sent] == [(ANN, 1), (ANN, 1)]


async def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_rest_is_scored(bench: Any) -> None:
    bench.touch("ann", 1)
    bench.junk(ANN)
    bench.junk(ANN, b"\xff not json")
    bench.touch("ann", 2)
    await bench.restart().handle(bench.log.all())
    assert [dict(letter.headers)["baton-reason"] for letter in bench.letters.records] == [b"undecodable"] * 2
    assert bench.scores()[ANN].engagement.parts[0].times == 2


@pytest.mark.parametrize(("tenant", "lead"), [("acme/", "x"), ("acme", "/x"), ("acme", "a/x")])
async def test_no_record_reaches_the_state_of_an_account_or_of_another_tenant_by_its_name(
    bench: Any, tenant: str, lead: str
) -> None:
    link = {"record": "link", "tenant": tenant, "lead_id": lead, "identity_id": "i", "identity_kind": "email"}
    bench.junk(ANN, orjson.dumps(link | {"owner": "o", "sequence": 1, "received_at": NOW}))
    await bench.restart().handle(bench.log.all())
    assert [dict(letter.headers)["baton-reason"] for letter in bench.letters.records] == [b"undecodable"]
    assert bench.states.states[0] == {}


async def test_a_signal_that_no_state_can_hold_goes_to_the_dead_letters_and_stops_nobody(bench: Any) -> None:
    signal = {"record": "account-signal", "tenant": "acme", "account": "d", "lead_id": "x", "as_of": NOW}
    for position in (2**64, 7):
        said = json.dumps(signal | {"version": [1, 1, position, NOW]}).encode()
        bench.log.add(ACCOUNT_SIGNALS.name, b"acme/d", said)
    await bench.restart().handle(bench.log.all())
    assert [dict(letter.headers)["baton-reason"] for letter in bench.letters.records] == [b"undecodable"]
    assert decode_people(bench.states.states[0]["acme//d"])["x"].version == Version(1, 1, 7, NOW)


async def test_a_tenant_without_a_policy_is_rejected_and_stops_nobody_else(bench: Any) -> None:
    bench.touch("ann", 1)
    bench.touch("zoe", 2, tenant="nobody")
    await bench.restart().handle(bench.log.all())
    assert [dict(letter.headers)["baton-reason"] for letter in bench.letters.records] == [b"no_policy"]
    assert set(bench.scores()) == {ANN}


async def test_a_policy_on_its_way_is_waited_for(bench: Any) -> None:
    bench.policies._patience = 60
    bench.touch("zoe", 1, tenant="late")
    handling = asyncio.create_task(bench.restart().handle(bench.log.all()))
    while "late" not in bench.policies._waited:
        await asyncio.sleep(0)
    body = {"kind": "scoring", "hand_raises": [], "engagement": {"groups": {}, "rules": []}, "fit": {"rules": []}}
    bench.publish_policy("late", body, 2)
    await handling
    assert bench.letters.records == []
    assert lead_id("zoe") in bench.scores()


async def test_the_policies_of_several_tenants_are_waited_for_together(bench: Any) -> None:
    bench.policies._patience = 60
    for number in range(8):
        bench.touch(f"zoe-{number}", number, tenant=f"late-{number}")
    handling = asyncio.create_task(bench.restart().handle(bench.log.all()))
    async with asyncio.timeout(10):
        while len(bench.policies._waited) < 8:
            await asyncio.sleep(0)
    body = {"kind": "scoring", "hand_raises": [], "engagement": {"groups": {}, "rules": []}, "fit": {"rules": []}}
    for number in range(8):
        bench.publish_policy(f"late-{number}", body, 2)
    await handling
    assert bench.letters.records == []
    assert len(bench.scores()) == 8


# --- every crash, replayed ----------------------------------------------------------------------------------------------


def story(bench: Any) -> None:
    """Two leads that merge, junk in between, duplicates at the end."""
    bench.touch("ann", 1)
    bench.touch("bob", 2, type="contact_requested", attributes={"level": "head"})
    bench.junk(ANN)
    for lead in (ANN, BOB):
        bench.link(lead, "bob", ANN, 1)
    bench.touch("ann", 3)
    bench.touch("ann", 1)
    bench.touch("cat", 4)


CRASHES: dict[str, Callable[[Any], None]] = {
    "before the states are read": lambda bench: setattr(bench.states, "fail_load", True),
    "before the states are saved": lambda bench: setattr(bench.states, "fail_before", True),
    "after the states are saved": lambda bench: setattr(bench.states, "fail_after", True),
    "before the scores are published": lambda bench: setattr(bench.publisher, "fail_next", True),
    "after the scores are published": lambda bench: setattr(bench.publisher, "fail_after", True),
    "before the dead letters are published": lambda bench: setattr(bench.letters, "fail_next", True),
    "after the dead letters are published": lambda bench: setattr(bench.letters, "fail_after", True),
}


async def tell(bench: Any, crash: Callable[[Any], None] | None, *, restart: bool) -> dict[str, Any]:
    scorer = bench.restart()
    if crash:
        crash(bench)
        with pytest.raises(Exception, match="failed"):
            await scorer.handle(bench.log.all())
        scorer = bench.restart() if restart else scorer
    await scorer.handle(bench.log.all())
    bench.feed_back()
    await scorer.handle([bench.log.slice(SCORE_TRANSFERS.name)])
    return {lead: score.model_dump(exclude={"version"}) for lead, score in bench.scores().items()}


@pytest.mark.parametrize("restart", [True, False], ids=["in a new process", "in the same process"])
@pytest.mark.parametrize("crash", CRASHES, ids=str)
async def test_after_a_crash_anywhere_a_replay_says_the_same(new_bench: Any, crash: str, restart: bool) -> None:
    undisturbed, crashed = new_bench(), new_bench()
    story(undisturbed)
    story(crashed)
    wanted = await tell(undisturbed, None, restart=False)
    assert set(wanted) == {ANN, BOB, lead_id("cat")}
    assert await tell(crashed, CRASHES[crash], restart=restart) == wanted
    assert crashed.letters.records
    assert {lead: s.version.position for lead, s in crashed.scores().items() if lead != ANN} == {
        lead: s.version.position for lead, s in undisturbed.scores().items() if lead != ANN
    }


class SlowPublisher(FakePublisher):
    """Acknowledges nothing until it may; `begun` counts what was given to it."""

    def __init__(self) -> None:
        super().__init__()
        self.may, self.begun = asyncio.Event(), 0

    async def publish(self, records: Sequence[Outgoing]) -> None:
        self.begun += 1
        await self.may.wait()
        await super().publish(records)


async def test_a_batch_is_saved_while_the_one_before_is_published_and_published_after_it(bench: Any) -> None:
    bench.publisher = publisher = SlowPublisher()
    scorer = bench.restart()
    for number in range(3):
        bench.touch("ann", number)
    slices = [bench.log.slice(TOUCHPOINTS.name, number, number + 1) for number in range(3)]
    first = await scorer.take(slices[0:1])
    second, third = (asyncio.create_task(scorer.take([part])) for part in slices[1:])
    await turns()
    assert bench.states.applied[0][TOUCHPOINTS.name] == 2, "the second is saved, and the third waits for it"
    assert (publisher.begun, second.done(), first.done()) == (1, False, False)
    publisher.may.set()
    for telling in (first, await second, await third):
        await telling
    said = [LeadScored.model_validate_json(record.value or b"") for record in bench.published(LEAD_SCORED.name)]
    assert [score.version.position for score in said] == [1, 2, 3]


async def test_what_was_saved_and_never_published_is_said_by_a_replay(new_bench: Any) -> None:
    """Two batches at most: one under way to the broker, one that waits for it."""
    undisturbed, crashed = new_bench(), new_bench()
    for bench in (undisturbed, crashed):
        story(bench)
    wanted = await tell(undisturbed, None, restart=False)
    publisher, crashed.publisher = crashed.publisher, SlowPublisher()
    scorer, log = crashed.restart(), crashed.log
    under_way = await scorer.take([log.slice(TOUCHPOINTS.name, 0, 3)])
    waiting = asyncio.create_task(scorer.take([log.slice(TOUCHPOINTS.name, 3, 6)]))
    await turns()
    assert crashed.states.applied[0][TOUCHPOINTS.name] == 6
    for task in (under_way, waiting):
        task.cancel()
    assert crashed.publisher.records == []
    crashed.publisher = publisher
    assert await tell(crashed, None, restart=True) == wanted


async def test_what_time_makes_of_a_lead_is_said_after_what_the_last_batch_did(bench: Any) -> None:
    bench.publisher = publisher = SlowPublisher()
    scorer = bench.restart()
    bench.touch("ann", 1)
    telling = await scorer.take(bench.log.all())
    visit = asyncio.create_task(scorer.visit(0, {f"acme/{ANN}": NOW}, "policy", NOW + 86_400_000))
    await turns()
    assert publisher.begun == 1
    publisher.may.set()
    await telling
    assert await visit
    said = [LeadScored.model_validate_json(record.value or b"") for record in bench.published(LEAD_SCORED.name)]
    assert [score.cause for score in said] == ["input", "policy"]


async def turns() -> None:
    """Until everything waits for somebody else."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_batch_that_was_applied_already_publishes_its_leads_again(bench: Any) -> None:
    bench.touch("ann", 1)
    bench.touch("bob", 2)
    await bench.restart().handle(bench.log.all())
    first = bench.scores()
    bench.publisher.records.clear()
    await bench.restart().handle([bench.log.slice(TOUCHPOINTS.name, 0, 1)])
    assert bench.scores() == {ANN: first[ANN]}


# --- the fence ----------------------------------------------------------------------------------------------------------


async def test_a_zombie_is_refused_reads_again_and_says_nothing_old(bench: Any) -> None:
    """Trap 3 and 4: its batch is made only of duplicates, and its cache is old."""
    zombie, owner = bench.restart(), bench.restart()
    bench.touch("ann", 1)
    await zombie.handle(bench.log.all())
    bench.touch("ann", 2)
    await owner.handle([bench.log.slice(TOUCHPOINTS.name, 1)])
    await zombie.handle([bench.log.slice(TOUCHPOINTS.name, 0, 1)])
    score = bench.scores()[ANN]
    assert score.engagement.parts[0].times == 2
    assert score.version.position == 2


async def test_a_zombies_late_output_carries_a_lower_version(bench: Any) -> None:
    """Trap 6: the fence guards the states, not the topic; readers keep the highest version."""
    zombie, owner = bench.restart(), bench.restart()
    late, in_time = FakePublisher(), bench.publisher
    zombie._publisher = late
    bench.touch("ann", 1)
    await zombie.handle(bench.log.all())
    bench.touch("ann", 2)
    await owner.handle([bench.log.slice(TOUCHPOINTS.name, 1)])
    newest = bench.scores()[ANN]
    in_time.records.extend(late.records)
    assert bench.scores()[ANN].version < newest.version


async def test_a_write_that_took_effect_and_lost_its_answer_resolves_itself(bench: Any) -> None:
    scorer = bench.restart()
    bench.touch("ann", 1)
    await scorer.handle(bench.log.all())
    bench.touch("ann", 2)
    bench.states.applied[0] = {TOUCHPOINTS.name: 2, SCORE_TRANSFERS.name: 0}
    await scorer.handle([bench.log.slice(TOUCHPOINTS.name, 1)])
    assert bench.scores()[ANN].engagement.parts[0].times == 2


async def test_a_store_that_lost_what_it_had_acknowledged_stops_the_worker(bench: Any) -> None:
    """Trap 5."""
    scorer = bench.restart()
    for number in range(2):
        bench.touch("ann", number)
    await scorer.handle([bench.log.slice(TOUCHPOINTS.name, 0, 1)])
    await bench.states.reset(0)
    with pytest.raises(StatesLostError):
        await scorer.handle([bench.log.slice(TOUCHPOINTS.name, 1)])


async def test_a_gap_is_never_applied(bench: Any) -> None:
    """Trap 2: between what is applied and the batch, and within the batch."""
    for number in range(4):
        bench.touch("ann", number)
    scorer = bench.restart()
    with pytest.raises(GapError):
        await scorer.handle([bench.log.slice(TOUCHPOINTS.name, 2)])
    torn = bench.log.slice(TOUCHPOINTS.name)
    del torn.records[1]
    with pytest.raises(GapError):
        await scorer.handle([torn])
    assert bench.states.applied == {}


async def test_a_gap_that_another_worker_has_filled_meanwhile_is_none(bench: Any) -> None:
    """Trap 2: what is believed applied is read again first."""
    for number in range(3):
        bench.touch("ann", number)
    mine, other = bench.restart(), bench.restart()
    await mine.handle([bench.log.slice(TOUCHPOINTS.name, 0, 1)])
    await other.handle([bench.log.slice(TOUCHPOINTS.name, 1, 2)])
    await mine.handle([bench.log.slice(TOUCHPOINTS.name, 2)])
    assert bench.scores()[ANN].engagement.parts[0].times == 3


class Contested(FakeStates):
    """Another worker writes before every write of ours."""

    async def save(self, changes: Any) -> Any:
        for change in changes:
            topics = self.applied.setdefault(change.partition, {})
            topics[TOUCHPOINTS.name] = topics.get(TOUCHPOINTS.name, 0) + 1
        return await super().save(changes)


async def test_a_partition_that_is_contested_for_good_stops_the_worker(bench: Any) -> None:
    bench.states = Contested()
    bench.touch("ann", 1)
    with pytest.raises(ContendedError):
        await bench.restart().handle(bench.log.all())
    assert bench.publisher.records == []


async def test_a_cache_that_is_too_small_changes_nothing(bench: Any) -> None:
    scorer = bench.restart()
    scorer._cache._most = 1
    for number in range(20):
        bench.touch(f"person-{number % 5}", number)
        await scorer.handle([bench.log.slice(TOUCHPOINTS.name, number)])
    assert {s.engagement.parts[0].times for s in bench.scores().values()} == {3}  # of 4 views, the limit of a day


async def test_the_fence_checks_every_topic(bench: Any) -> None:
    """What another worker applied of the transfers alone must be noticed by one that only has touches."""
    bench.touch("ann", 1)
    scorer = bench.restart()
    await scorer.handle(bench.log.all())
    refused = await bench.states.save(
        [Change(0, {TOUCHPOINTS.name: 1, SCORE_TRANSFERS.name: 7}, {TOUCHPOINTS.name: 1, SCORE_TRANSFERS.name: 8})]
    )
    assert refused == {0: dict.fromkeys(INPUTS, 0) | {TOUCHPOINTS.name: 1}}
