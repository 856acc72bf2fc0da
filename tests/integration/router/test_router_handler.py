"""The router on a real Postgres: a lead gets one owner, whatever is retried, replayed, declined or refused."""

from __future__ import annotations

import asyncio
from collections import Counter
from fractions import Fraction

import pytest

from services.router.domain.decision import replay
from services.router.store import trail
from shared.kit.database import tenant_transaction
from shared.kit.dead_letters import Reject
from shared.schemas.ids import derived_id
from shared.schemas.scores import IdentityRef, Version

pytestmark = pytest.mark.servers


async def test_a_ripe_lead_goes_to_a_rep_and_handoff_is_told(world):
    await world.router().handle([world.score("l1", hand_raise="demo_requested")])
    [routed] = await world.routed()
    lead = await world.lead("l1")
    assert (routed.lead_id, routed.assignment, routed.pool_id, routed.leg) == ("l1", 1, "field", "fs")
    assert (routed.lead_class, routed.qualifying_at) == ("hand_raise", world.clock.now())
    assert (lead["owner_rep"], lead["stage"], lead["waiting_reason"]) == (routed.rep_id, "mql", None)
    assert lead["provisional"]
    assert [reason.code for reason in routed.reasons] == ["sentence", "gate_mql", "bant", "rule", "fair_turn"]
    assert routed.person.fields["email"] == "l1@example.com"


async def test_a_batch_that_comes_again_writes_nothing(world):
    batch = [world.score(f"l{n}", grade) for n, grade in enumerate(("A1", "B2", "D4"))]
    await world.router().handle(batch)
    assert len(await world.published()) == 2
    rows = [await world.lead(f"l{n}") for n in range(3)]
    world.clock.advance(seconds=60)
    await world.router().handle(batch)
    assert await world.published() == []
    assert [await world.lead(f"l{n}") for n in range(3)] == rows
    assert await world.count("decisions") == 3


async def test_the_highest_version_wins_in_whichever_order_scores_come(world):
    low, high = world.score("l1", "A1"), world.score("l1", "D4")
    await world.router().handle([high, low])
    await world.router().handle([low])
    lead = await world.lead("l1")
    assert (lead["grade"], lead["owner_rep"], lead["version"]) == ("D4", None, list(high.version))
    assert await world.published() == []


async def test_a_score_that_looks_the_same_to_the_gate_is_kept_and_decides_nothing(world):
    first = world.score("l1", "B3")
    await world.router().handle([first])
    world.clock.advance(seconds=1)
    second = world.score("l1", "B3").model_copy(update={"engagement": first.engagement.model_copy(update={"total": 9})})
    await world.router().handle([second])
    assert (await world.lead("l1"))["score"]["engagement"]["total"] == 9
    assert await world.count("decisions") == 1


async def test_every_stored_decision_is_repeated_by_its_row(world, team):
    scores = [world.score(f"l{n}", grade) for n, grade in enumerate(("A1", "B2", "D4", "A2"))]
    await world.router().handle(scores)
    await world.apply(team(field=("mori", "abe")))
    await world.router().handle([world.score("l9", "A1", attributes={"employees": 450, "own_domain": True})])
    for routed in await world.routed():
        await world.router().handle([world.event(routed, "offer-expired", effect="reroute")])
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch(trail.DECISIONS)
        assert len(rows) >= 7
        for row in rows:
            decision = trail.decision_of(row)
            playbook = await trail.playbook_of(connection, world.tenant, row["policies"])
            assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)


async def test_a_declined_lead_goes_to_somebody_else_until_nobody_is_left(world):
    router, asked = world.router(), []
    await router.handle([world.score("l1")])
    for _ in range(3):
        [routed] = await world.routed()
        asked.append(routed.rep_id)
        assert routed.excluded == tuple(asked[:-1])
        assert routed.replaces == (routed.assignment - 1 or None)
        declined = world.event(routed, "offer-declined", reason="at_capacity", effect="reroute")
        await router.handle([world.event(routed, "offer-opened"), declined])
        await router.handle([declined])
    lead = await world.lead("l1")
    assert sorted(asked) == ["mori", "sato", "tanaka"]
    assert (lead["owner_rep"], lead["waiting_reason"]) == (None, "parked:all_declined")
    assert await world.published() == []


async def test_a_lead_that_was_none_gives_the_turn_back(world):
    router = world.router()
    await router.handle([world.score("l1")])
    [routed] = await world.routed()
    await router.handle([world.event(routed, "offer-declined", reason="junk", effect="disqualify")])
    await router.handle([world.score("l2")])
    [again] = await world.routed()
    assert again.rep_id == routed.rep_id
    assert (await world.lead("l1"))["waiting_reason"] == "disqualified"


async def test_a_lead_that_was_none_leaves_no_debt_with_who_was_away(world, team):
    away = team()
    away["reps"] = [rep | {"active": rep["id"] != "mori"} for rep in away["reps"]]
    away["pools"][1]["members"] = away["pools"][0]["members"]
    await world.apply(away)
    router = world.router()
    for number in range(6):
        await router.handle([world.score(f"l{number}")])
        [routed] = await world.routed()
        await router.handle([world.event(routed, "offer-declined", reason="junk", effect="disqualify")])
    async with tenant_transaction(world.pool, world.tenant) as connection:
        due = await connection.fetch("SELECT due FROM router.pool_members WHERE tenant = $1", world.tenant)
    assert {row["due"] for row in due} == {"0"}


async def test_a_lead_that_is_returned_goes_to_inside_sales(world):
    router = world.router()
    await router.handle([world.score("l1")])
    [routed] = await world.routed()
    await router.handle([world.event(routed, "offer-declined", reason="wrong_person", effect="return_to_is")])
    [again] = await world.routed()
    assert (again.leg, again.rep_id, again.assignment, again.cycle) == ("is", "ito", 2, 1)


async def test_a_recycled_lead_starts_another_cycle_by_a_new_hand_raise(world):
    router = world.router()
    await router.handle([world.score("l1", hand_raise="demo_requested")])
    [routed] = await world.routed()
    await router.handle([world.event(routed, "offer-declined", reason="not_now", effect="recycle")])
    await router.handle([world.score("l1", "A2")])
    assert await world.published() == []
    world.clock.advance(seconds=1)
    await router.handle([world.score("l1", hand_raise="demo_requested")])
    [again] = await world.routed()
    assert (again.cycle, again.assignment, again.replaces) == (2, 2, None)


async def test_a_lead_that_all_have_declined_starts_another_cycle_by_a_new_hand_raise(world):
    router = world.router()
    await router.handle([world.score("l1")])
    for _ in range(3):
        [routed] = await world.routed()
        await router.handle([world.event(routed, "offer-expired", effect="reroute")])
    assert (await world.lead("l1"))["waiting_reason"] == "parked:all_declined"
    world.clock.advance(seconds=1)
    await router.handle([world.score("l1", "A2")])
    assert (await world.lead("l1"))["waiting_reason"] == "parked:all_declined", "a page view asks nobody again"
    world.clock.advance(seconds=1)
    await router.handle([world.score("l1", hand_raise="demo_requested")])
    withdrawn, anew = await world.published()
    assert (withdrawn["record"], withdrawn["cycle"], withdrawn["assignment"]) == ("lead-withdrawn", 1, 3)
    assert withdrawn["reason"]["code"] == "recycled", "the opportunity of the cycle before is closed"
    assert (anew["record"], anew["cycle"], anew["assignment"]) == ("lead-routed", 2, 4)
    assert (anew["lead_class"], anew["excluded"]) == ("hand_raise", [])


async def test_a_hand_raise_that_overtakes_the_news_of_the_closing_is_not_lost(world):
    router = world.router()
    await router.handle([world.score("l1")])
    [routed] = await world.routed()
    closing = world.event(routed, "offer-declined", reason="not_now", effect="recycle")
    world.clock.advance(seconds=1)
    await router.handle([world.score("l1", hand_raise="demo_requested")])
    await router.handle([closing])
    [again] = await world.routed()
    assert again.cycle == 2


async def test_a_refused_routing_leaves_the_lead_with_who_had_accepted(world):
    router = world.router()
    await router.handle([world.score("l1")])
    [first] = await world.routed()
    await router.handle([world.event(first, "offer-expired", effect="reroute")])
    [second] = await world.routed()
    refused = world.event(second, "routing-refused", reason="accepted", holder=first.rep_id)
    await router.handle([refused])
    await router.handle([refused])
    lead = await world.lead("l1")
    assert (lead["owner_rep"], lead["stage"], lead["held_assignment"]) == (first.rep_id, "sal", 1)
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch("SELECT rep_id, received, due FROM router.pool_members WHERE pool_id = 'field'")
    received = {row["rep_id"]: row["received"] for row in rows}
    assert received == {"sato": 0, "tanaka": 0, "mori": 0} | {first.rep_id: 1}, "the turn was given back, once"
    assert sum(Fraction(row["due"]) for row in rows) == 0


async def test_a_merged_lead_is_withdrawn_and_says_where_it_went(world):
    router = world.router()
    await router.handle([world.score("l1")])
    await world.routed()
    await router.handle([world.score("l1", merged_into="l2", identities=())])
    [withdrawn] = await world.published()
    assert (withdrawn["record"], withdrawn["assignment"], withdrawn["merged_into"]) == ("lead-withdrawn", 1, "l2")
    lead = await world.lead("l1")
    assert (lead["stage"], lead["waiting_reason"], lead["merged_into"]) == ("merged", "merged", "l2")


async def test_a_merged_lead_that_its_holder_gives_up_is_withdrawn_once_so_that_nothing_of_it_stays_open(world):
    router = world.router()
    await router.handle([world.score("l1")])
    [routed] = await world.routed()
    await router.handle([world.event(routed, "offer-accepted")])
    await router.handle([world.score("l1", merged_into="l2", identities=())])
    assert await world.published() == [], "who has accepted keeps it"
    given_up = world.event(routed, "offer-declined", reason="at_capacity", effect="reroute")
    for _ in range(2):
        await router.handle([given_up])
    [withdrawn] = await world.published()
    assert (withdrawn["record"], withdrawn["assignment"], withdrawn["merged_into"]) == ("lead-withdrawn", 1, "l2")
    async with tenant_transaction(world.pool, world.tenant) as connection:
        assert await connection.fetchval("SELECT ended FROM router.assignments WHERE lead_id = 'l1'") == "declined"


@pytest.fixture
def inside(world):
    """A lead that inside sales has accepted, and the news that it is qualified."""

    async def make(lead_id="l1"):
        await world.router().handle([world.score(lead_id, "A3")])
        [routed] = await world.routed()
        assert routed.leg == "is"
        await world.router().handle([world.event(routed, "offer-accepted")])
        return world.event(routed, "lead-qualified", reason="qualified")

    return make


async def routed_as(world):
    """What is told of each lead: the leg that it is routed to, or that it is withdrawn."""
    told = [(record["lead_id"], record.get("leg", "withdrawn")) for record in await world.published()]
    return sorted(told, key=lambda one: one[0])  # of several leads, the relay keeps no order


@pytest.mark.parametrize("order", ["merged before", "merged after", "at the same time", "in one batch", "unknown"])
async def test_what_inside_sales_qualified_goes_to_field_sales_as_the_lead_that_it_was_merged_into(
    world, inside, order
):
    qualified, router = await inside(), world.router()
    merged = world.score("l1", merged_into="l2", identities=())
    if order != "unknown":
        await router.handle([world.score("l2", "D4")])
    assert await routed_as(world) == []
    if order == "merged after":
        await router.handle([qualified])
        assert await routed_as(world) == [("l1", "fs")]
        await router.handle([merged])
    elif order == "at the same time":
        await asyncio.gather(world.router().handle([qualified]), world.router().handle([merged]))
    elif order == "in one batch":
        await router.handle([merged, qualified, world.score("l2", "D4")])
    else:
        await router.handle([merged])
        await router.handle([qualified])
    if order == "unknown":  # what is left of it has no score yet: it is judged with its first one
        assert await routed_as(world) == [("l1", "withdrawn")]
        await router.handle([world.score("l2", "D4")])
    told = await routed_as(world)
    assert told[-1] == ("l2", "fs")
    assert ("l1", "withdrawn") in told or order == "unknown", "and nothing of the merged one stays open"
    for again in (merged, qualified):
        await router.handle([again])
    assert await routed_as(world) == []
    lead = await world.lead("l2")
    assert (lead["passed_on"], lead["leg"], lead["stage"]) == (True, "fs", "tql")
    gone = await world.lead("l1")
    assert (gone["owner_rep"], gone["waiting_reason"]) == (None, "merged")


async def test_who_has_the_lead_that_is_left_keeps_it_and_after_them_it_is_of_field_sales(world, inside):
    await inside("l2")
    qualified, router = await inside("l1"), world.router()
    await router.handle([world.score("l1", merged_into="l2", identities=())])
    await router.handle([qualified])
    assert await routed_as(world) == [("l1", "withdrawn")]
    lead = await world.lead("l2")
    assert (lead["owner_rep"], lead["accepted"], lead["passed_on"], lead["leg"]) == ("ito", True, True, "is")
    given_up = {
        "kind": "offer-declined",
        "event_id": "d",
        "lead_id": "l2",
        "reason": "at_capacity",
        "effect": "reroute",
    }
    await router.handle([qualified.model_copy(update=given_up)])
    assert await routed_as(world) == [("l2", "fs")]


async def test_a_qualified_lead_goes_along_the_whole_chain_to_the_one_that_is_left(world, inside):
    qualified, router = await inside(), world.router()
    await router.handle([world.score("l3", "D4"), world.score("l2", "D4")])
    await router.handle([world.score("l2", merged_into="l3"), world.score("l1", merged_into="l2")])
    await router.handle([qualified])
    assert await routed_as(world) == [("l1", "withdrawn"), ("l3", "fs")]
    await router.handle([world.score("l3", merged_into="l4", identities=())])
    await router.handle([world.score("l4", "D4")])
    assert await routed_as(world) == [("l3", "withdrawn"), ("l4", "fs")], "until field sales has taken it"


async def test_a_merged_lead_that_was_given_up_or_closed_says_nothing_of_the_one_that_is_left(world, inside):
    qualified, router = await inside(), world.router()
    await router.handle([world.score("l2", "D4"), qualified])
    [routed] = await world.routed()
    await router.handle([world.event(routed, "offer-accepted")])
    await router.handle([world.score("l1", merged_into="l2")])
    assert await routed_as(world) == [], "who has accepted keeps it"
    await router.handle([world.event(routed, "offer-declined", reason="junk", effect="disqualify")])
    assert await routed_as(world) == [("l1", "withdrawn")]
    assert not (await world.lead("l2"))["passed_on"]


async def test_identities_follow_the_latest_scores(world):
    router, mail = world.router(), IdentityRef(identity_id="mail", kind="email")
    await router.handle([world.score("l1", "D4", identities=(mail,))])
    await router.handle([world.score("l2", "D4", identities=(mail,)), world.score("l1", merged_into="l2")])
    async with tenant_transaction(world.pool, world.tenant) as connection:
        rows = await connection.fetch("SELECT lead_id FROM router.lead_identities WHERE identity_id = 'mail'")
    assert [row["lead_id"] for row in rows] == ["l2"]


async def test_leads_of_a_pool_are_shared_fairly_however_they_are_batched(world):
    router = world.router()
    given: Counter[str] = Counter()
    for size in (1, 2, 3, 5, 8, 13, 21):
        await router.handle([world.score(f"{size}-{n}") for n in range(size)])
        given.update(routed.rep_id for routed in await world.routed())
        assert max(given.values()) - min(given[rep] for rep in ("sato", "tanaka", "mori")) <= 1
    assert sum(given.values()) == 53


async def test_two_processes_share_a_pool_without_a_lead_too_many_or_an_owner_too_many(world):
    scores = [world.score(f"l{n:03}") for n in range(120)]
    batches = [scores[start : start + 6] for start in range(0, 120, 6)]
    # Every batch twice: each process has half of them first, and then those that the other has had.
    mine, others = batches[::2] + batches[1::2], batches[1::2] + batches[::2]

    async def process(share: list) -> None:
        router = world.router()
        for batch in share:
            await router.handle(batch)

    await asyncio.gather(process(mine), process(others), process(batches))
    routed = await world.routed()
    assert Counter(record.lead_id for record in routed) == dict.fromkeys((s.lead_id for s in scores), 1)
    assert Counter(record.rep_id for record in routed) == {"sato": 40, "tanaka": 40, "mori": 40}


async def test_records_of_a_lead_leave_in_order(world):
    router = world.router()
    await router.handle([world.score(f"l{n}") for n in range(4)])
    for record in await world.routed():
        await router.handle([world.event(record, "offer-expired", effect="reroute")])
        await router.handle([world.score(record.lead_id, merged_into="l9")])
    published = await world.published()
    for lead_id in {record["lead_id"] for record in published}:
        mine = [(r["record"], r["assignment"]) for r in published if r["lead_id"] == lead_id]
        assert mine == [("lead-routed", 2), ("lead-withdrawn", 2)]


async def test_a_record_that_can_never_be_decided_on_is_rejected_alone(world):
    poisoned = world.score("bad", version=Version(1, 1, 1, 2**80))
    poisoned = poisoned.model_copy(update={"hand_raise": None, "as_of": 2**80})
    healthy = world.score("good")
    router = world.router()
    with pytest.raises(Reject):
        await router.handle([healthy, poisoned])
    with pytest.raises(Reject):
        await router.handle([poisoned])
    await router.handle([healthy])
    assert [record.lead_id for record in await world.routed()] == ["good"]


async def test_an_id_that_no_index_can_hold_is_rejected_and_stops_nobody_else(world):
    endless = "".join(derived_id("part", number) for number in range(300))
    with pytest.raises(Reject) as reject:
        await world.router().handle([world.score(endless)])
    assert reject.value.code == "undecidable"


async def test_events_of_leads_that_were_never_scored_are_left_alone(world):
    await world.router().handle([world.score("l1")])
    [routed] = await world.routed()
    await world.router().handle([world.event(routed.model_copy(update={"lead_id": "stranger"}), "offer-accepted")])
    assert await world.count("leads") == 1


async def test_a_batch_of_two_tenants_is_decided_for_each_by_its_own_policies(world):
    theirs = world.score("l1").model_copy(update={"tenant": f"{world.tenant}-b"})
    await world.router().handle([world.score("l1"), theirs])
    assert [record.tenant for record in await world.routed()] == [world.tenant]
    async with tenant_transaction(world.pool, f"{world.tenant}-b") as connection:
        assert await connection.fetchval("SELECT waiting_reason FROM router.leads") == "parked:no_policy"


async def test_no_tenant_sees_or_writes_anothers_rows(world, pools):
    await world.router().handle([world.score("l1"), world.score("l2", "D4")])
    app, workers = pools
    tables = ("leads", "lead_identities", "decisions", "stage_history", "pools", "pool_members", "outbox")
    async with tenant_transaction(app, "t-another") as connection:
        for table in tables:
            assert await connection.fetchval(f"SELECT count(*) FROM router.{table}") == 0, table
        assert await connection.execute("UPDATE router.leads SET stage = 'won'") == "UPDATE 0"
        with pytest.raises(Exception, match="row-level security"):
            await connection.execute("INSERT INTO router.leads (tenant, lead_id) VALUES ($1, 'x')", world.tenant)
    async with app.acquire() as connection:
        for table in tables:
            assert await connection.fetchval(f"SELECT count(*) FROM router.{table}") == 0, "no tenant, no row"
    async with workers.acquire() as connection:
        with pytest.raises(Exception, match="permission denied"):
            await connection.fetch("SELECT score FROM router.leads")


async def test_the_table_itself_refuses_a_lead_with_two_answers_or_none(world):
    await world.router().handle([world.score("l1")])
    for wrong in ("waiting_reason = 'below_gate'", "owner_rep = NULL"):
        with pytest.raises(Exception, match="owner_or_reason"):
            async with tenant_transaction(world.pool, world.tenant) as connection:
                await connection.execute(f"UPDATE router.leads SET {wrong} WHERE tenant = $1", world.tenant)
