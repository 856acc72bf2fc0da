"""The list of running clocks: due first, a page at a time, to each what is theirs."""

from __future__ import annotations

import pytest

from shared.schemas.policies import TeamsPolicy
from shared.schemas.policies.teams import Member, Pool, Rep

pytestmark = pytest.mark.servers
TEAMS = TeamsPolicy(
    reps=(Rep(id="sato", name="佐藤", manager="suzuki"), Rep(id="tanaka", name="田中"), Rep(id="suzuki", name="鈴木")),
    pools=(Pool(id="tokyo", members=(Member(rep="sato"), Member(rep="tanaka"))),),
)


@pytest.fixture
async def leads(world, publish):
    """Six leads a second apart, of 佐藤 and 田中 in turn; each has a clock to accept it and one of the first touch."""
    await world.policies.apply(publish(world.tenant, 80, TEAMS))
    for n in range(6):
        rep = ("sato", "tanaka")[n % 2]
        await world.handler().handle([world.routed(f"lead-{n}", rep=rep)])
        world.clock.advance(seconds=1)


async def listed(client, **query):
    found, after = [], None
    while True:
        page = (await client.get("/v1/clocks", params=query | ({"after": after} if after else {}))).json()
        found += [(one["lead_id"], one["kind"]) for one in page["items"]]
        after = page["next"]
        if after is None:
            return found


async def test_clocks_are_listed_by_when_they_are_due_and_pages_lose_none(leads, world, calling):
    crm = await calling("crm", "api")
    everything = [(f"lead-{n}", kind) for kind in ("accept", "first_touch") for n in range(6)]
    assert await listed(crm, limit=10) == everything
    assert await listed(crm, rep_id="sato", kind="accept") == [(f"lead-{n}", "accept") for n in (0, 2, 4)]
    await world.desk().accept(world.tenant, world.opportunity_id("lead-0"), None)
    assert ("lead-0", "accept") not in await listed(crm)
    assert await listed(crm, due_before="2023-11-14T22:14:22Z") == [("lead-1", "accept")]


async def test_two_of_one_opportunity_that_are_due_together_are_never_parted(leads, world, calling, owner):
    """Eleven to a page, of which the last and the next are due at the same moment."""
    together = "UPDATE handoff.clocks SET due_at = 1800000000000 WHERE (tenant, opportunity_id) = ($1, $2::uuid)"
    await owner.execute(together, world.tenant, world.opportunity_id("lead-5"))
    crm = await calling("crm", "api")
    page = (await crm.get("/v1/clocks", params={"limit": 11})).json()
    assert len(page["items"]) == 10
    following = (await crm.get("/v1/clocks", params={"limit": 11, "after": page["next"]})).json()
    assert [one["lead_id"] for one in following["items"]] == ["lead-5"] * 2


async def test_each_sees_their_own_and_a_manager_the_teams(leads, calling):
    assert {lead for lead, _ in await listed(await calling("sato", "rep"))} == {"lead-0", "lead-2", "lead-4"}
    assert {lead for lead, _ in await listed(await calling("suzuki", "manager"))} == {"lead-0", "lead-2", "lead-4"}
    assert (await (await calling("nobody")).get("/v1/clocks")).json()["code"] == "no_role"


@pytest.mark.parametrize("query", [{"after": "x"}, {"limit": 1}, {"kind": "x"}, {"due_before": "2023-01-01T00:00:00"}])
async def test_what_makes_no_sense_is_refused(calling, query):
    assert (await (await calling("crm", "api")).get("/v1/clocks", params=query)).status_code == 422
