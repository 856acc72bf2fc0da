"""Who sees which opportunities, and who acts on them: over HTTP, on the app itself and a real Postgres."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from services.handoff.reads import Filter, Reads
from shared.schemas.policies import SlaPolicy, TeamsPolicy
from shared.schemas.policies.sla import LeadClass, PauseReason
from shared.schemas.policies.teams import Member, Pool, Rep
from shared.sight import Sight
from tests.hinode_deals import PIPELINE

pytestmark = pytest.mark.servers

# 佐藤 is of 鈴木's team, 田中 of 森's; all are in one pool. 岡 manages a pool of her own, 鈴木 is her manager.
TEAMS = TeamsPolicy(
    reps=(
        Rep(id="sato", name="佐藤", manager="suzuki"),
        Rep(id="tanaka", name="田中", manager="mori"),
        Rep(id="oka", name="岡", manager="suzuki"),
        Rep(id="suzuki", name="鈴木"),
        Rep(id="mori", name="森"),
    ),
    pools=(
        Pool(id="tokyo", members=(Member(rep="sato"), Member(rep="tanaka"))),
        Pool(id="osaka", manager="oka", members=(Member(rep="tanaka"),)),
    ),
)
PAUSES = (PauseReason(code="waiting_for_customer", most=3600),)
SLA = SlaPolicy(default=LeadClass(id="score", accept=60, first_touch=600), pauses=PAUSES)
ACTS: dict[str, dict[str, Any]] = {
    "accept": {},
    "decline": {"reason": "junk"},
    "qualify": {},
    "activities": {"type": "call_connected"},
    "pause": {"reason": "waiting_for_customer"},
    "resume": {},
}
Client = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def client(world, calling, publish) -> Client:
    """client(name, *roles): one with a token of this name and these roles."""
    for sequence, policy in enumerate((TEAMS, SLA), start=50):
        await world.policies.apply(publish(world.tenant, sequence, policy))
    return calling


@pytest.fixture
async def leads(world, client) -> None:
    """`his` went to 佐藤, `hers` to 田中, `moved` from 佐藤 on to 田中; `osaka` to 田中 out of 岡's pool."""
    routed = [
        world.routed("his"),
        world.routed("hers", rep="tanaka"),
        world.routed("moved"),
        world.routed("moved", assignment=2, rep="tanaka"),
        world.routed("osaka", rep="tanaka").model_copy(update={"pool_id": "osaka"}),
    ]
    for record in routed:
        await world.handler().handle([record])


def code_of(answer: httpx.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize(
    ("name", "role", "seen"),
    [
        ("sato", "rep", {"his", "moved"}),
        ("tanaka", "rep", {"hers", "moved", "osaka"}),
        ("nobody", "rep", set()),
        ("suzuki", "manager", {"his", "moved", "osaka"}),
        ("mori", "manager", {"hers", "moved", "osaka"}),
        ("oka", "manager", {"osaka"}),
        ("nobody", "manager", set()),
        ("crm", "api", {"his", "hers", "moved", "osaka"}),
        ("root", "admin", {"his", "hers", "moved", "osaka"}),
    ],
)
async def test_a_list_and_a_read_show_what_the_token_may_see(client, leads, world, name, role, seen):
    caller = await client(name, role)
    pages, after = set(), {}
    while after is not None:
        page = (await caller.get("/v1/opportunities", params={"limit": 1} | after)).json()
        pages |= {item["lead_id"] for item in page["items"]}
        after = {"after": page["next"]} if page["next"] else None
    assert pages == seen
    asked = (await caller.get("/v1/opportunities", params={"rep_id": "tanaka"})).json()["items"]
    assert {item["lead_id"] for item in asked} == seen & {"hers", "moved", "osaka"}
    for lead in ("his", "hers", "moved", "osaka"):
        status = (await caller.get(f"/v1/opportunities/{world.opportunity_id(lead)}")).status_code
        assert status == (200 if lead in seen else 404)


@pytest.mark.parametrize("act", [*ACTS, "link"])
async def test_nobody_acts_on_what_is_another_teams(client, leads, world, act):
    sato, suzuki = await client("sato", "rep"), await client("suzuki", "manager")
    before = await world.story()
    hers, moved = (f"/v1/opportunities/{world.opportunity_id(lead)}/{act}" for lead in ("hers", "moved"))
    body = ACTS.get(act)
    assert code_of(await suzuki.post(hers, json=body)) == (404, "not_found")
    assert code_of(await suzuki.post(moved, json=body)) == (403, "not_your_team"), "it was 佐藤's; 田中 has it now"
    assert code_of(await sato.post(hers, json=body)) == ((403, "no_role") if act == "link" else (404, "not_found"))
    if act != "link":
        named = {**ACTS[act], "rep_id": "tanaka"}
        assert code_of(await suzuki.post(moved, json=named)) == (403, "not_your_team")
        assert code_of(await sato.post(moved, json=named)) == (403, "not_your_name")
    assert await world.story() == before


async def test_a_manager_acts_for_the_team_and_for_who_has_a_lead_of_their_pool(client, leads, world):
    suzuki, oka = await client("suzuki", "manager"), await client("oka", "manager")
    his, osaka = (f"/v1/opportunities/{world.opportunity_id(lead)}" for lead in ("his", "osaka"))
    assert (await suzuki.post(f"{his}/link")).json()["rep_id"] == "sato"
    assert (await suzuki.post(f"{his}/accept")).json()["owner"] == {
        "rep_id": "sato",
        "name": "佐藤",
        "state": "accepted",
    }
    assert (await suzuki.post(f"{his}/pause", json=ACTS["pause"])).json()["pauses"][0]["paused_by"] == "suzuki"
    assert (await suzuki.post(f"{his}/resume")).status_code == 200
    [touch] = (await suzuki.post(f"{his}/activities", json=ACTS["activities"])).json()["activities"]
    assert (touch["rep_id"], touch["logged_by"]) == ("sato", "suzuki")
    assert (await oka.post(f"{osaka}/link")).json()["rep_id"] == "tanaka"
    assert (await oka.post(f"{osaka}/decline", json=ACTS["decline"])).json()["stage"] == "disqualified"


async def test_a_manager_sees_all_where_the_policy_names_no_managers(client, leads, world, publish):
    teams = TeamsPolicy(reps=tuple(Rep(id=rep.id, name=rep.name) for rep in TEAMS.reps), pools=TEAMS.pools[:1])
    await world.policies.apply(publish(world.tenant, 60, teams))
    mori = await client("mori", "manager")
    assert len((await mori.get("/v1/opportunities")).json()["items"]) == 4
    assert (await mori.post(f"/v1/opportunities/{world.opportunity_id('his')}/accept")).status_code == 200


async def test_a_token_without_a_role_may_nothing(client, leads, world):
    nobody, one = await client("suzuki", "guest"), f"/v1/opportunities/{world.opportunity_id('his')}"
    answers = [await nobody.get("/v1/opportunities"), await nobody.get(one), await nobody.post(f"{one}/link")]
    answers += [await nobody.post(f"{one}/{act}", json=body) for act, body in ACTS.items()]
    assert {code_of(answer) for answer in answers} == {(403, "no_role")}


async def test_a_link_acts_for_the_rep_it_was_made_for_whoever_made_it(client, leads, world):
    suzuki, anyone = await client("suzuki", "manager"), await client("nobody")
    path = (await suzuki.post(f"/v1/opportunities/{world.opportunity_id('his')}/link")).json()["path"]
    assert (await anyone.post(path, data={"do": "accept"})).status_code == 200
    assert ("sato", "accepted") in [(rep, state) for _, rep, state in await world.offers()]


async def test_who_is_of_the_team_of_a_deal_sees_all_of_it_and_logs_what_they_did_and_leaves_the_rest_to_its_owner(
    client, world, publish
):
    """田中 is the presales of a deal that 佐藤 has, 森 her manager."""
    await world.policies.apply(publish(world.tenant, 60, PIPELINE))
    await world.handler().handle([world.routed("his")])
    await world.desk().accept(world.tenant, world.opportunity_id("his"), None)
    one = f"/v1/opportunities/{world.opportunity_id('his')}"
    sato, tanaka, mori = await client("sato", "rep"), await client("tanaka", "rep"), await client("mori", "manager")
    own = (one, f"{one}/deal", f"{one}/deal/history", f"{one}/timeline", f"{one}/activities", f"{one}/stakeholders")
    paths = (*own, f"{one}/approval", f"{one}/tasks", "/v1/leads/his/timeline")

    async def seen(caller):
        """Which of the paths are found, and whether the lists have it."""
        found = {(await caller.get(path)).status_code for path in paths}
        listed = (await caller.get("/v1/opportunities")).json()["items"]
        tasks = (await caller.get("/v1/tasks")).json()["items"]
        exported = (await caller.get("/v1/exports/opportunities.csv")).text
        return found, [len(listed), len(tasks), exported.count("\n") - 1]

    task = {"kind": "todo", "title": "見積の確認", "due": "2023-11-20"}
    assert (await sato.post(f"{one}/tasks", json=task)).is_success
    assert await seen(tanaka) == ({404}, [0, 0, 0])

    async def team(*members):
        said = {"team": [{"rep_id": rep, "role": "presales"} for rep in members]}
        answer = await sato.patch(f"{one}/deal", json=said, headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text

    await team("tanaka", "oka")
    assert await seen(tanaka) == ({200}, [1, 1, 1])
    assert await seen(mori) == ({200}, [1, 1, 1])
    demo = {"type": "workshop_held", "id": "demo-1"}
    assert (await tanaka.post(f"{one}/activities", json=demo)).status_code == 200
    [logged] = (await sato.get(one)).json()["activities"]
    assert (logged["rep_id"], logged["logged_by"]) == ("tanaka", "tanaka")
    assert {c["state"] for c in (await sato.get(one)).json()["clocks"] if c["kind"] == "first_touch"} == {"running"}
    refused = [
        await tanaka.post(f"{one}/decline", json={"reason": "junk"}),
        await tanaka.post(f"{one}/deal/lose", json={"reason": "no_response"}),
        await tanaka.patch(f"{one}/deal", json={"amount": 1}, headers={"If-Match": "*"}),
        await tanaka.post(f"{one}/stakeholders", json={"id": "s-1", "name": "山田"}),
        await mori.post(f"{one}/deal/lose", json={"reason": "no_response"}),
    ]
    assert [answer.status_code // 100 for answer in refused] == [4] * 5
    assert 404 not in [answer.status_code for answer in refused]
    worth = [(await caller.get("/v1/pipeline")).json()["without_amount"] for caller in (tanaka, mori)]
    assert worth == [0, 0], "what the pipeline is worth is told of whoever has it, so that nothing counts twice"
    running = [(await caller.get("/v1/clocks")).json()["items"] for caller in (tanaka, mori)]
    assert running == [[], []], "nor are its clocks theirs"

    await team("oka")
    assert await seen(tanaka) == ({404}, [0, 0, 0])
    assert [row["rep_id"] for row in await world.rows("deal_members", "rep_id")] == ["oka"]


MANY = 20_000
READ = (
    "SELECT sum(seq_tup_read + idx_tup_fetch)::integer FROM pg_stat_xact_user_tables"
    " WHERE schemaname = 'handoff' AND relname IN ('opportunities', 'offers', 'deal_members')"
)


TENS = range(MANY // 10 + 1)


@pytest.mark.parametrize(
    ("sight", "newest"),
    [
        (Sight(reps=("rep7",)), range(79, 69, -1)),
        (Sight(reps=("rep7", "x"), led=("pool7",)), range(79, 69, -1)),
        (Sight(reps=("rep7",), led=tuple(f"pool{n}" for n in TENS)), range(MANY, MANY - 51, -1)),
    ],
    ids=["rep", "manager", "manager of all"],
)
async def test_a_list_reads_no_more_than_its_caller_sees_nor_much_more_than_it_shows(world, owner, sight, newest):
    columns = [
        row["column_name"]
        for row in await owner.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'handoff' AND table_name = 'opportunities'"
        )
    ]
    await world.handler().handle([world.routed()])
    took = {
        "opportunity_id": "md5($1 || n)::uuid",
        "lead_id": "'l' || n",
        "created_at": "o.created_at + n",
    }
    values = ", ".join(took.get(column, f"o.{column}") for column in columns)
    await owner.execute(
        f"INSERT INTO handoff.opportunities ({', '.join(columns)}) SELECT {values} FROM handoff.opportunities o,"
        f" generate_series(1, {MANY}) n WHERE o.tenant = $1 AND o.lead_id = 'lead-1'",
        world.tenant,
    )
    await owner.execute(
        "INSERT INTO handoff.offers (tenant, opportunity_id, assignment, rep_id, rep_name, mode, leg, pool_id, state, offered_at)"
        " SELECT $1, md5($1 || n)::uuid, 1, 'rep' || n / 10, '', 'offer', 'fs', 'pool' || n / 10, 'declined', 0"
        f" FROM generate_series(1, {MANY}) n",
        world.tenant,
    )
    await owner.execute(
        "INSERT INTO handoff.deal_members (tenant, opportunity_id, rep_id)"
        f" SELECT $1, md5($1 || n)::uuid, 'rep' || n / 10 FROM generate_series(1, {MANY}) n",
        world.tenant,
    )
    for table in ("opportunities", "offers", "deal_members"):
        await owner.execute(f"ANALYZE handoff.{table}")
    async with world.app.acquire() as connection, connection.transaction():
        before = await connection.fetchval(READ)
        rows = await Reads(_One(connection)).page(world.tenant, sight, Filter(), None, 51)
        read = await connection.fetchval(READ) - before
    assert [row["lead_id"] for row in rows] == [f"l{n}" for n in newest]
    assert 0 < read < 500, "a part of the sight without an index reads all offers of the tenant"


class _One:
    """A pool of the one connection whose reads are counted."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def acquire(self) -> Any:
        return self

    async def __aenter__(self) -> Any:
        return self._connection

    async def __aexit__(self, *_: object) -> None: ...


async def test_a_viewer_sees_all_and_changes_nothing(client, leads, world):
    viewer = await client("sato", "viewer")
    listed = (await viewer.get("/v1/opportunities")).json()["items"]
    assert {item["lead_id"] for item in listed} == {"his", "hers", "moved", "osaka"}
    before = await world.story()
    for act, body in ACTS.items():
        answer = await viewer.post(f"/v1/opportunities/{world.opportunity_id('his')}/{act}", json=body)
        assert code_of(answer) == (403, "read_only")
    for path in ("/v1/endpoints", "/v1/events"):
        assert code_of(await viewer.get(path)) == (403, "no_role")
    assert await world.story() == before
