"""Activities, results of calls by one tap, and tasks, over HTTP in process and a real Postgres."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.handoff.activities.desk import ActivityDesk
from services.handoff.activities.tasks import Task
from services.handoff.domain.rep import NotTheHolderError
from shared.schemas.policies import Label, PipelinePolicy, RoutingPolicy, SlaPolicy, TeamsPolicy
from shared.schemas.policies.calendars import Block, Calendar
from shared.schemas.policies.pipeline import DealStage, LossReason, Pipeline
from shared.schemas.policies.routing import DeclineReason, RoutingRule
from shared.schemas.policies.sla import LeadClass, Unreachable
from shared.schemas.policies.teams import Member, Pool, Rep

pytestmark = pytest.mark.servers
DAY = 86_400


def reason(code, effect):
    return DeclineReason(code=code, kind="quality", label=Label(en=code), effect=effect)


@pytest.fixture
async def clients(world, calling, publish):
    """Makes clients by role; the tenant gives up on who does not answer."""
    rules = (RoutingRule(id="all", when={"score.grade": {"exists": True}}, pool="tokyo"),)
    reasons = (
        reason("unreachable", "recycle"),
        reason("insufficient_info", "return_to_is"),
        reason("junk", "disqualify"),
    )
    sla = SlaPolicy(
        default=LeadClass(id="score", accept=60, first_touch=600), unreachable=Unreachable(attempts=3, days=2)
    )
    work = Calendar(id="office", blocks=(Block(open="09:00", close="18:00", days=("mon", "tue", "fri")),))
    teams = TeamsPolicy(
        calendars=(work,),
        reps=(Rep(id="sato", name="佐藤", zone="Asia/Tokyo", calendar="office"), Rep(id="tanaka", name="田中")),
        pools=(Pool(id="tokyo", members=(Member(rep="sato"), Member(rep="tanaka"))),),
    )
    for sequence, policy in enumerate((sla, RoutingPolicy(rules=rules, decline_reasons=reasons), teams), start=50):
        await world.policies.apply(publish(world.tenant, sequence, policy))

    async def make(*roles, name="crm"):
        return await calling(name, *roles)

    return make


@pytest.fixture
async def sato(clients):
    return await clients("rep", name="sato")


@pytest.fixture
async def opportunity(world, clients):
    await world.handler().handle([world.routed()])
    return f"/v1/opportunities/{world.opportunity_id()}"


def code_of(answer):
    return answer.status_code, answer.json()["code"]


async def called(client, opportunity, result, **more):
    answer = await client.post(f"{opportunity}/calls", json={"result": result} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_nobody_answers_one_tap_logs_stops_the_clocks_and_sets_the_next_call_in_working_hours(
    sato, opportunity, world
):
    # It is Tuesday, 2023-11-14 22:13 UTC, so Wednesday in Tokyo, where the next working day after tomorrow is Friday.
    done = await called(sato, opportunity, "no_answer", note="留守番電話", duration=20)
    assert (done["stage"], done["attempts"], done["given_back_for"]) == ("accepted", 1, None)
    task = done["task"]
    assert (task["kind"], task["rep_id"], task["state"], task["overdue"]) == ("call", "sato", "open", False)
    assert task["due_at"] == "2023-11-17T00:00:00.000Z"

    assert {state for _, _, state in await world.clocks()} == {"met"}
    [one] = (await sato.get(f"{opportunity}/activities")).json()["items"]
    assert (one["type"], one["outcome"], one["direction"], one["duration"]) == (
        "call_attempted",
        "no_answer",
        "out",
        20,
    )
    assert (one["note"], one["rep_id"]) == ("留守番電話", "sato")


async def test_the_next_call_takes_the_place_of_the_one_before(sato, opportunity, world):
    first = (await called(sato, opportunity, "call_back", next_at="2023-11-15T01:00:00Z"))["task"]
    assert first["due_at"] == "2023-11-15T01:00:00.000Z"
    world.clock.advance(days=1)
    [overdue] = (await sato.get("/v1/tasks", params={"rep_id": "sato", "state": "open"})).json()["items"]
    assert (overdue["id"], overdue["overdue"]) == (first["id"], True)

    second = (await called(sato, opportunity, "appointment", next_at="2023-11-20T01:00:00Z"))["task"]
    tasks = (await sato.get(f"{opportunity}/tasks")).json()["items"]
    assert [(task["id"], task["kind"], task["state"]) for task in tasks] == [
        (first["id"], "call", "done"),
        (second["id"], "meeting", "open"),
    ]


async def test_each_thing_that_becomes_of_a_task_is_told_once(sato, opportunity, world):
    await called(sato, opportunity, "call_back", next_at="2023-11-15T01:00:00Z", id="c-1")
    await called(sato, opportunity, "call_back", next_at="2023-11-15T01:00:00Z", id="c-1")
    await called(sato, opportunity, "connected", id="c-2")
    for title in ("x", "y"):
        made = (await sato.post(f"{opportunity}/tasks", json={"title": title, "due": "2023-11-16"})).json()
    for _ in range(2):
        await sato.post(f"/v1/tasks/{made['id']}/cancel")
    await sato.post(f"{opportunity}/decline", json={"reason": "junk"})
    told = [event for event in await world.events() if event["kind"].startswith("task-")]
    assert [event["kind"] for event in told] == [
        "task-created", "task-done", "task-created", "task-created", "task-cancelled", "task-cancelled",
    ]  # fmt: skip
    assert told[0]["subject"] == told[1]["subject"]
    assert told[3]["subject"] == told[4]["subject"] == made["id"]
    assert told[2]["subject"] == told[5]["subject"]
    assert {event["rep_id"] for event in told} == {"sato"}
    outcomes = [event["outcome"] for event in await world.events() if event["kind"] == "activity-logged"]
    assert outcomes == ["call_back", "connected"]


async def test_a_lead_is_sent_back_with_its_reason_and_the_touch_in_one(sato, opportunity, world):
    done = await called(sato, opportunity, "send_back", reason="insufficient_info", note="部署不明")
    assert (done["given_back_for"], done["task"]) == ("insufficient_info", None)
    kinds = [event["kind"] for event in await world.events()]
    assert kinds.index("activity-logged") < kinds.index("offer-declined")
    assert await world.offers() == [(1, "sato", "declined")]
    world.clock.advance(seconds=1)
    again = await sato.post(f"{opportunity}/calls", json={"result": "send_back", "reason": "junk"})
    assert code_of(again) == (409, "offer_not_open")
    assert len((await sato.get(f"{opportunity}/activities")).json()["items"]) == 1


async def test_who_is_never_reached_is_given_back_by_policy_unless_the_rep_says_when_to_call(sato, opportunity, world):
    for _ in range(2):
        await called(sato, opportunity, "no_answer")
        world.clock.advance(days=1)
    kept = await called(sato, opportunity, "no_answer", next_at="2023-11-20T01:00:00Z")
    assert (kept["attempts"], kept["stage"], kept["given_back_for"]) == (3, "accepted", None)
    world.clock.advance(days=4)

    last = await called(sato, opportunity, "no_answer")
    assert (last["stage"], last["given_back_for"], last["task"]) == ("recycled", "unreachable", None)
    declined = [event for event in await world.events() if event["kind"] == "offer-declined"]
    assert [(event["reason"], event["effect"]) for event in declined] == [("unreachable", "recycle")]


@pytest.mark.parametrize(("sql", "kept"), [("accepted", True), ("talks", False)])
async def test_a_deal_that_is_an_sql_does_not_end_because_nobody_answers(sato, opportunity, world, publish, sql, kept):
    stages = tuple(DealStage(id=name, label=Label(en=name), probability=5) for name in ("accepted", "talks"))
    deals = (Pipeline(type="new", sql=sql, stages=stages),)
    lost = (LossReason(code="price", label=Label(en="price")),)
    policy = PipelinePolicy(types=deals, counts_from="sal", loss_reasons=lost)
    await world.policies.apply(publish(world.tenant, 60, policy))
    await called(sato, opportunity, "connected")
    for _ in range(4):
        world.clock.advance(days=1)
        last = await called(sato, opportunity, "no_answer")
        if not kept and last["given_back_for"]:
            break
    assert (last["stage"], last["given_back_for"]) == (("accepted", None) if kept else ("recycled", "unreachable"))


@pytest.mark.parametrize("due", ["2020-01-01", "2023-11-14", "2023-11-14T14:59:59Z"])
async def test_no_task_is_set_for_a_day_that_has_passed(sato, opportunity, due):
    refused = await sato.post(f"{opportunity}/tasks", json={"title": "x", "due": due})
    assert code_of(refused) == (422, "in_the_past")
    for still in ("2023-11-15", "2023-11-14T15:00:00Z"):  # it is the 15th in Tokyo
        assert (await sato.post(f"{opportunity}/tasks", json={"title": "x", "due": still})).status_code == 201


@pytest.mark.parametrize("due", ["9999-12-31", "0001-01-01", "2031-01-01", "9999-12-31T23:59:59Z", "soon", 1e300])
async def test_a_task_that_is_due_at_no_time_of_ours_is_refused(sato, opportunity, due):
    refused = await sato.post(f"{opportunity}/tasks", json={"title": "x", "due": due})
    assert refused.status_code == 422


async def test_a_call_sent_again_by_its_id_gives_back_nothing_that_came_later(sato, opportunity, world):
    call = {"result": "send_back", "reason": "insufficient_info", "id": "pbx-1"}
    first = await sato.post(f"{opportunity}/calls", json=call)
    await world.handler().handle([world.routed(assignment=2)])
    again = await sato.post(f"{opportunity}/calls", json=call)
    assert again.status_code == 200
    assert again.json() == first.json() | {"stage": "offered"}
    assert await world.offers() == [(1, "sato", "declined"), (2, "sato", "open")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"result": "voicemail"}, "invalid_request"),
        ({"result": "call_back"}, "next_at_missing"),
        ({"result": "appointment"}, "next_at_missing"),
        ({"result": "send_back"}, "reason_missing"),
        ({"result": "send_back", "reason": "junkk"}, "unknown_reason"),
        ({"result": "connected", "reason": "junk"}, "reason_of_nothing"),
        ({"result": "connected", "at": "2999-01-01T00:00:00Z"}, "in_the_future"),
        ({"result": "connected", "next_at": "2020-01-01T00:00:00Z"}, "not_in_the_future"),
        ({"result": "connected", "note": "\x00"}, "invalid_request"),
        ({"result": "connected", "duration": -1}, "invalid_request"),
    ],
)
async def test_a_wrong_call_is_refused_and_leaves_nothing(sato, opportunity, world, body, code):
    assert code_of(await sato.post(f"{opportunity}/calls", json=body)) == (422, code)
    assert await world.offers() == [(1, "sato", "open")]


async def test_activities_are_listed_page_by_page_with_what_is_known_of_them(sato, opportunity):
    for number, kind in enumerate(("meeting_held", "poc_run", "card_exchanged")):
        body = {
            "type": kind,
            "id": f"id {number}",
            "at": f"2023-11-14T2{number}:00:00Z",
            "participants": ["s-1", "s-1"],
        }
        body |= {"direction": "in", "outcome": "wants_a_quote", "duration": 3600}
        assert (await sato.post(f"{opportunity}/activities", json=body)).status_code == 200
    found, after = [], None
    for _ in range(3):
        page = (
            await sato.get(f"{opportunity}/activities", params={"limit": 1} | ({"after": after} if after else {}))
        ).json()
        found += page["items"]
        after = page["next"]
    assert after is None
    assert [one["type"] for one in found] == ["card_exchanged", "poc_run", "meeting_held"]
    assert {(one["direction"], one["outcome"], one["duration"], *one["participants"]) for one in found} == {
        ("in", "wants_a_quote", 3600, "s-1")
    }
    assert found[0]["at"] == "2023-11-14T22:00:00.000Z"
    assert found[0]["received_at"] == "2023-11-14T22:13:20.000Z"
    bad = await sato.get(f"{opportunity}/activities", params={"after": "12.AA=="})
    assert code_of(bad) == (422, "bad_cursor")


async def test_a_task_is_due_by_the_end_of_the_day_of_its_rep_and_ends_once(sato, opportunity, world):
    made = await sato.post(f"{opportunity}/tasks", json={"title": "見積を送る", "due": "2023-11-16"})
    task = made.json()
    assert made.status_code == 201
    assert (task["due_at"], task["due_on"], task["title"]) == ("2023-11-16T15:00:00.000Z", "2023-11-16", "見積を送る")
    for _ in range(2):
        assert (await sato.post(f"/v1/tasks/{task['id']}/done")).json()["state"] == "done"
    refused = await sato.post(f"/v1/tasks/{task['id']}/cancel")
    assert code_of(refused) == (409, "task_ended")
    assert "見積" not in str(
        [row["title"] for row in await world.rows("tasks", "task_id") if isinstance(row["title"], str)]
    )


async def test_whoever_does_not_see_the_lead_sees_none_of_it(clients, sato, opportunity):
    await called(sato, opportunity, "no_answer")
    [task] = (await sato.get("/v1/tasks")).json()["items"]
    stranger = await clients("rep", name="tanaka")
    assert (await stranger.get("/v1/tasks", params={"rep_id": "sato"})).json() == {"items": [], "next": None}
    for method, path in (
        ("GET", f"{opportunity}/activities"),
        ("GET", f"{opportunity}/tasks"),
        ("POST", f"{opportunity}/calls"),
        ("POST", f"{opportunity}/tasks"),
        ("POST", f"/v1/tasks/{task['id']}/done"),
        ("POST", f"/v1/tasks/{uuid4()}/done"),
        ("POST", "/v1/tasks/nonsense/cancel"),
    ):
        sent = {"calls": {"result": "no_answer"}, "tasks": {"title": "x", "due": "2023-11-16"}}
        body = sent.get(path.rpartition("/")[2]) if method == "POST" else None
        assert code_of(await stranger.request(method, path, json=body)) == (404, "not_found"), path
    nobody = await clients("viewer-of-nothing")
    assert code_of(await nobody.get("/v1/tasks")) == (403, "no_role")


async def test_an_id_stands_for_one_activity_with_its_outcome(sato, opportunity, world):
    for body in ({"type": "call_attempted", "id": "a-1"}, {"type": "call_attempted", "id": "a-2", "outcome": "busy"}):
        assert (await sato.post(f"{opportunity}/activities", json=body)).status_code == 200
    await called(sato, opportunity, "no_answer", id="c-1")
    for result, taken in (("no_answer", "a-1"), ("no_answer", "a-2"), ("send_back", "c-1")):
        body = {"result": result, "id": taken} | ({"reason": "junk"} if result == "send_back" else {})
        assert code_of(await sato.post(f"{opportunity}/calls", json=body)) == (409, "activity_id_taken"), taken
    other = {"type": "call_attempted", "id": "a-2", "outcome": "wrong_number"}
    assert code_of(await sato.post(f"{opportunity}/activities", json=other)) == (409, "activity_id_taken")
    assert await world.offers() == [(1, "sato", "accepted")]


async def test_who_had_the_lead_before_ends_and_sets_nothing_of_who_has_it_now(clients, sato, opportunity, world):
    await world.handler().handle([world.routed(assignment=2, rep="tanaka")])
    tanaka, crm = await clients("rep", name="tanaka"), await clients("api")
    mine = (await called(tanaka, opportunity, "call_back", next_at="2023-11-20T01:00:00Z"))["task"]
    for doing, body in (("calls", {"result": "no_answer"}), ("tasks", {"title": "x", "due": "2023-11-16"})):
        assert code_of(await sato.post(f"{opportunity}/{doing}", json=body)) == (403, "not_yours_now")

    helped = await called(crm, opportunity, "no_answer", rep_id="sato", id="helped")
    assert (helped["task"], helped["given_back_for"], helped["stage"]) == (None, None, "accepted")
    assert (await sato.post(f"{opportunity}/activities", json={"type": "call_attempted"})).status_code == 200
    sent_back = {"result": "send_back", "reason": "junk", "rep_id": "sato"}
    assert code_of(await crm.post(f"{opportunity}/calls", json=sent_back)) == (409, "offer_not_open")
    tasks = (await crm.get(f"{opportunity}/tasks")).json()["items"]
    assert [(task["id"], task["state"]) for task in tasks] == [(mine["id"], "open")]
    logged = (await crm.get(f"{opportunity}/activities")).json()["items"]
    assert sorted(one["rep_id"] for one in logged) == ["sato", "sato", "tanaka"]


async def test_a_lead_that_goes_on_while_a_task_is_set_gets_no_task_of_whoever_had_it(opportunity, world):
    desk = ActivityDesk(world.app, world.desk(), world.policies, world.clock)
    task = Task(str(uuid4()), world.opportunity_id(), "todo", "x", world.clock.now() + 1, None, "sato", "sato")
    await world.handler().handle([world.routed(assignment=2, rep="tanaka")])  # after the caller has looked
    with pytest.raises(NotTheHolderError):
        await desk.add_task(world.tenant, task, asked_last="sato")
    assert await world.rows("tasks", "task_id") == []


async def test_lists_are_paged_on_past_the_longest_ids(sato, opportunity):
    for number in range(3):
        body = {"type": "call_attempted", "id": f"{number}" + "𠮷" * 199}
        assert (await sato.post(f"{opportunity}/activities", json=body)).status_code == 200
    for path in (f"{opportunity}/activities", f"{opportunity}/timeline"):
        found, after = [], None
        for _ in range(3):
            wanted = {"limit": 1} | ({"kind": "activity"} if path.endswith("timeline") else {})
            wanted |= {"after": after} if after else {}
            page = await sato.get(path, params=wanted)
            assert page.status_code == 200, page.text
            found += page.json()["items"]
            after = page.json()["next"]
        assert after is None
        assert len({str(one) for one in found}) == 3
    for after in ("", "x", "1." + "A" * 2000):
        for path in (
            f"{opportunity}/activities",
            f"{opportunity}/tasks",
            f"{opportunity}/timeline",
            "/v1/opportunities",
        ):
            assert (await sato.get(path, params={"after": after})).status_code == 422
