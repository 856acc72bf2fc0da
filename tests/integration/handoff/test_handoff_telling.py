"""People are told, through Apprise, on a real Postgres, by real receivers of HTTP and mail."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl
from uuid import uuid4

import httpx
import orjson
import pytest
from aiosmtpd.smtp import SMTP

from baton.policies import check
from services.handoff.app import http_app
from services.handoff.domain.rep import Activity
from services.handoff.links.signing import Signer
from services.handoff.pipeline import steps
from services.handoff.pipeline.desk import Asker, DealDesk
from services.handoff.telling import apprising, queue
from services.handoff.telling.facts import Gathering
from services.handoff.telling.forks import Forks
from services.handoff.telling.schedule import DELAYS, Verdict
from services.handoff.telling.sending import Senders
from services.handoff.telling.teller import Teller
from shared.kit.auth import token_hash
from shared.kit.clock import FakeClock
from shared.kit.database import tenant_transaction
from shared.kit.person import seal
from shared.kit.service import Probes
from shared.schemas.policies import Label, RoutingPolicy, SlaPolicy, TeamsPolicy
from shared.schemas.policies.calendars import Block, Calendar
from shared.schemas.policies.routing import DeclineReason, RoutingRule
from shared.schemas.policies.sla import DealClocks, LeadClass, Step
from shared.schemas.policies.teams import Address, Channel, Member, Pool, Rep
from shared.schemas.routing import Reason
from tests.hinode_deals import PIPELINE, SAID

pytestmark = pytest.mark.servers

HERE = Path(__file__).parents[3]
MASTER = b"m" * 32
PUBLIC = "https://baton.example.jp"
HOUR = 3600
TUESDAY = 1_763_420_400_000  # 2025-11-18T08:00+09:00, a Tuesday


class Receiver:
    """What a chat service is to us. answer: the status of what it says; None: it says nothing, and keeps the line open."""

    def __init__(self):
        self.bodies, self.answer, self.asked = [], 200, asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @property
    def url(self):
        return f"json://127.0.0.1:{self.port}/{{to}}?rto=60&cto=60"  # seconds

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self):
        self._server.close()

    async def _serve(self, reader, writer):
        try:
            while line := await reader.readline():
                length = 0
                while (header := await reader.readline()) != b"\r\n":
                    name, _, value = header.decode().partition(":")
                    length = int(value) if name.lower() == "content-length" else length
                body = (await reader.readexactly(length)).decode()
                read = orjson.loads(body) if body.startswith("{") else dict(parse_qsl(body, keep_blank_values=True))
                self.bodies.append((line.decode().split()[1], read))
                self.asked.set()
                if self.answer is None:
                    await reader.read()
                    return
                await self.may_answer.wait()
                writer.write(f"HTTP/1.1 {self.answer} X\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    @property
    def told(self):
        """(path, title, text) of each message."""
        return [(path, body["title"], body["message"]) for path, body in self.bodies]


@pytest.fixture
async def receiver():
    made = Receiver()
    await made.start()
    yield made
    made.stop()


OFFICE = Calendar(id="office", blocks=(Block(days=("mon", "tue", "wed", "thu", "fri"), open="09:00", close="18:00"),))


def teams(*channels, reps=()):
    """佐藤 and Tanaka, who are told on all of `channels`, and their manager."""
    told = tuple(Address(channel=channel.id) for channel in channels)
    people = reps or (
        Rep(id="sato", name="佐藤 花子", email="sato@hinode.example", manager="boss", notify=told),
        Rep(id="tanaka", name="Taro Tanaka", email="tanaka@hinode.example", tell_in="en", manager="boss", notify=told),
        Rep(id="boss", name="部長 一郎", email="boss@hinode.example", notify=told),
    )
    return TeamsPolicy(
        calendars=(OFFICE,),
        channels=channels,
        reps=people,
        pools=(Pool(id="tokyo", members=(Member(rep="sato"), Member(rep="tanaka"))),),
    )


class Telling:
    def __init__(self, world, monkeypatch, publish, forks):
        self.world, self._env, self._publish, self._sequence = world, monkeypatch, publish, 100
        self._forks = forks
        self.teller = self.make_teller()

    def make_teller(self, workers=None, names=None, deliver=None):
        workers = workers or self.world.workers
        return Teller(
            workers,
            self.world.policies,
            Senders(deliver or self._forks.send, names),
            Gathering(workers, Signer(MASTER), PUBLIC),
            self.world.clock,
            most=16,
            poll_seconds=0.02,
            kept_days=30,
        )

    async def apply(self, policy):
        self._sequence += 1
        await self.world.policies.apply(self._publish(self.world.tenant, self._sequence, policy))

    async def reach(self, receiver, name="chat", **channel):
        variable = f"{name.upper()}_{self.world.tenant[2:].upper()}"
        self._env.setenv(variable, receiver.url)
        return Channel(id=name, url=f"env:{variable}", **channel)

    async def offer(self, lead="lead-1", **more):
        await self.world.handler().handle([self.world.routed(lead, **more)])

    async def tell(self):
        while await self.teller.tell_due():
            pass

    async def states(self):
        rows = await self.world.rows("notifications", "created_at, kind, rep_id, channel_id")
        return [(row["kind"], row["rep_id"], row["state"]) for row in rows]


@pytest.fixture(scope="module")
def forks():
    """Who sends: allowed to reach this machine."""
    made = Forks("127.0.0.1")
    yield made
    made.close()


@pytest.fixture
async def telling(world, monkeypatch, publish, forks):
    world.clock = FakeClock(TUESDAY + 2 * HOUR * 1000)  # 10:00 in Tokyo
    made = Telling(world, monkeypatch, publish, forks)
    yield made
    await world.workers.execute(
        "UPDATE handoff.notifications SET state = 'dropped', why = 'test over', ended_at = 1 WHERE state IN ('new', 'pending')"
    )


@pytest.fixture
async def patient(telling):
    """Leads wait for hours until they are accepted."""
    await telling.apply(SlaPolicy(default=LeadClass(id="score", accept=12 * HOUR, first_touch=24 * HOUR)))


@pytest.fixture
async def remind(telling):
    await telling.apply(SlaPolicy(default=LeadClass(id="score", accept=60, first_touch=600, remind=(50,))))


class Direct:
    """A pool of one process that may die: what it does after that, it does not do."""

    def __init__(self, pool, crash):
        self._pool, self._crash, self._dead = pool, crash, False

    def acquire(self):
        if self._dead:
            raise self._crash
        return self._pool.acquire()

    def __getattr__(self, name):
        async def run(*args):
            try:
                async with self.acquire() as connection:
                    return await getattr(connection, name)(*args)
            except self._crash:
                self._dead = True
                raise

        return run


AOBA = seal({"email": "taro@aoba.example", "name": "山田 太郎様"})
REASONS = tuple(
    Reason(code=f"r{n}", text={"ja": ja, "en": en})
    for n, (ja, en) in enumerate(
        [("デモ依頼", "asked for a demo"), ("東日本", "east"), ("順番", "their turn"), ("第四", "fourth")]
    )
)


async def test_an_offer_is_told_with_a_link_that_takes_the_lead(telling, receiver, world):
    await telling.apply(teams(await telling.reach(receiver, personal=True)))
    record = world.routed(person=AOBA, attributes={"company": "株式会社青葉"}).model_copy(update={"reasons": REASONS})
    await world.handler().handle([record])
    await telling.tell()
    [(path, title, text)] = receiver.told
    link = text.splitlines()[-1].partition(": ")[2]
    assert path == "/sato@hinode.example"
    assert title == "【Baton】リードのご案内: 株式会社青葉"
    assert text.splitlines()[:-1] == [
        "佐藤 花子さん、新しいリードのご案内です。",
        "会社名: 株式会社青葉",
        "お名前: 山田 太郎 様",
        "評価: B1",
        "理由:",
        "・デモ依頼",
        "・東日本",
        "・順番",
        "受領期限: 11月18日(火) 10:01 (JST)",
    ]
    assert text.splitlines()[-1] == f"受け取る・差し戻す: {link}"
    app = http_app(world.app, world.policies, world.clock, Probes(), MASTER)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as browser:
        assert (await browser.get(link)).status_code == 200
        assert (await browser.post(link, data={"do": "accept"})).status_code == 200
    assert await world.offers() == [(1, "sato", "accepted")]
    await telling.tell()
    assert len(receiver.told) == 1
    assert await telling.states() == [("offer", "sato", "told")]


def office(*channels, **rep):
    """佐藤 works from nine to six on weekdays."""
    told = tuple(Address(channel=channel.id) for channel in channels)
    return teams(
        *channels,
        reps=(
            Rep(id="sato", name="佐藤 花子", email="sato@hinode.example", calendar="office", notify=told, **rep),
            Rep(id="tanaka", name="Taro Tanaka", email="tanaka@hinode.example", notify=told, tell_in="en"),
        ),
    )


async def test_what_comes_at_night_is_told_when_the_rep_begins_work_and_a_lead_on_the_line_at_once(
    telling, receiver, world, patient
):
    await telling.apply(office(await telling.reach(receiver)))
    world.clock.advance(seconds=-7 * HOUR)  # three in the morning
    await telling.offer("lead-1")
    await telling.tell()
    assert receiver.told == []
    await world.handler().handle([world.routed("lead-2").model_copy(update={"lead_class": "live"})])
    await telling.tell()
    assert len(receiver.told) == 1
    world.clock.advance(seconds=6 * HOUR - 1)
    await telling.tell()
    assert len(receiver.told) == 1
    world.clock.advance(seconds=1)
    await telling.tell()
    assert len(receiver.told) == 2
    assert "回答" not in receiver.told[1][2]
    assert "会社名" not in receiver.told[1][2]


async def test_nobody_is_offered_in_the_morning_what_was_taken_back_at_night(telling, receiver, world):
    await telling.apply(office(await telling.reach(receiver)))
    world.clock.advance(seconds=-7 * HOUR)
    await telling.offer()
    await telling.tell()
    world.clock.advance(seconds=61)
    await world.firing().fire_due()
    await telling.tell()
    world.clock.advance(seconds=7 * HOUR)
    await telling.tell()
    assert receiver.told == []
    assert await telling.states() == [("offer", "sato", "dropped")]


async def test_what_waits_is_dropped_by_the_transaction_that_ends_it_and_looked_at_again_before_it_is_told(
    telling, receiver, world, patient
):
    await telling.apply(office(await telling.reach(receiver)))
    world.clock.advance(seconds=-7 * HOUR)
    await telling.offer()
    await telling.tell()
    assert await telling.states() == [("offer", "sato", "pending")]
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    assert await telling.states() == [("offer", "sato", "dropped")]
    # As if it had been addressed in the very moment in which it ended.
    await world.workers.execute(
        "UPDATE handoff.notifications SET state = 'pending', ended_at = NULL WHERE tenant = $1", world.tenant
    )
    world.clock.advance(seconds=7 * HOUR)
    await telling.tell()
    assert receiver.told == []
    assert await telling.states() == [("offer", "sato", "dropped")]


async def test_who_comes_back_early_is_told_at_once_and_who_is_away_without_an_end_when_they_are_back(
    telling, receiver, world, patient
):
    await telling.apply(teams(await telling.reach(receiver)))
    async with tenant_transaction(world.app, world.tenant) as connection:
        await connection.execute(
            "INSERT INTO router.availability (tenant, rep_id, away_from, away_until, said_by, said_at)"
            " VALUES ($1, 'sato', $2, NULL, 'sato', $2)",
            world.tenant,
            world.clock.now(),
        )
    await telling.offer()
    await telling.tell()
    world.clock.advance(seconds=HOUR)
    await telling.tell()
    assert receiver.told == []
    async with tenant_transaction(world.app, world.tenant) as connection:
        await connection.execute("DELETE FROM router.availability WHERE tenant = $1", world.tenant)
    await telling.teller.wake_waiting()
    await telling.tell()
    assert len(receiver.told) == 1


async def test_whole_messages_in_english_without_names_where_the_channel_may_not_show_them(telling, receiver, world):
    channel = await telling.reach(receiver)
    await telling.apply(teams(channel))
    reasons = (
        Reason(code="account", text={"en": "account “Aoba Holdings”, by domain", "ja": "取引先「Aoba Holdings」"}),
        Reason(code="rule", text={"en": "rule “Tokyo”", "ja": "ルール"}),
        Reason(code="x", text={"en": "because of AOBA HOLDINGS", "ja": "青葉"}),
    )
    record = world.routed(rep="tanaka", person=AOBA, attributes={"company": "Aoba KK"})
    await world.handler().handle([record.model_copy(update={"reasons": reasons})])
    await telling.tell()
    [(path, title, text)] = receiver.told
    assert (path, title) == ("/tanaka@hinode.example", "[Baton] A lead for you")
    lines = text.splitlines()
    assert lines[:-1] == [
        "Taro Tanaka: There is a lead for you.",
        "Grade: B1",
        "Why:",
        "• rule “Tokyo”",
        "Accept by: Tue 18 Nov 10:01 JST",
    ]
    assert lines[-1].startswith(f"Take it, or give it back: {PUBLIC}/o/")


async def test_a_room_gets_no_link_by_which_others_could_answer(telling, receiver, world):
    await telling.apply(teams(await telling.reach(receiver, room=True)))
    await telling.offer()
    await telling.tell()
    assert len(receiver.told) == 1
    assert "http" not in receiver.told[0][2]


async def test_what_happens_after_the_offer_is_told_to_who_heard_of_it(telling, receiver, world, remind):
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer()
    await telling.tell()
    world.clock.advance(seconds=30)
    await world.firing().fire_due()
    await telling.tell()
    world.clock.advance(seconds=31)
    await world.firing().fire_due()
    await telling.tell()
    world.clock.advance(seconds=1)
    await telling.offer(assignment=2, rep="tanaka")
    await telling.tell()
    await world.handler().handle([world.withdrawn(assignment=2)])
    await telling.tell()
    told = [(path, title) for path, title, _ in receiver.told]
    assert told == [
        ("/sato@hinode.example", "【Baton】リードのご案内"),
        ("/sato@hinode.example", "【Baton】期限のリマインド"),
        ("/sato@hinode.example", "【Baton】期限切れによる担当解除"),
        ("/tanaka@hinode.example", "[Baton] A lead for you"),
        ("/tanaka@hinode.example", "[Baton] A lead is no longer yours"),
    ]
    reminder = receiver.told[1][2].splitlines()
    assert reminder[0] == "佐藤 花子さん、受領期限までの時間の50%が経過しました。"
    assert reminder[1] == "受領期限: 11月18日(火) 10:01 (JST)"
    assert receiver.told[2][2].splitlines()[0] == "佐藤 花子さん、受領期限を過ぎたため、担当から外れました。"


async def test_only_where_somebody_else_has_the_lead_is_it_said_to_have_gone_on(telling, receiver, world):
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer()
    await telling.tell()
    world.clock.advance(seconds=61)
    await world.firing().fire_due()
    await telling.offer(assignment=2, rep="tanaka")
    await telling.tell()
    said = {path: text.splitlines()[0] for path, _, text in receiver.told}
    assert said["/sato@hinode.example"] == "佐藤 花子さん、受領期限を過ぎたため、ほかの担当者に移りました。"
    assert said["/tanaka@hinode.example"] == "Taro Tanaka: There is a lead for you."


async def test_a_chat_that_the_duty_desk_of_hinode_leaves_waiting_is_told_to_the_manager_though_all_sleep(
    telling, receiver, world
):
    hinode = next(one for one in check(HERE / "policies", datetime.now(UTC)) if one.tenant == "hinode")
    people, channel = hinode.policies["teams"], await telling.reach(receiver, personal=True)
    await telling.apply(hinode.policies["sla"])
    await telling.apply(people.model_copy(update={"channels": (channel,)}))
    world.clock.advance(days=4, seconds=11 * HOUR)  # Saturday at nine in the evening
    record = world.routed(rep="toban").model_copy(update={"lead_class": "live", "rep_name": "営業当番デスク"})
    await world.handler().handle([record])
    await telling.tell()
    world.clock.advance(seconds=16)
    await world.firing().fire_due()
    await telling.tell()
    world.clock.advance(seconds=4)
    await world.firing().fire_due()
    await telling.tell()
    told = [(path.split("@")[0], title, text.splitlines()[0]) for path, title, text in receiver.told]
    assert told[1:] == [
        (
            "/yamamoto",
            "【Baton】対応遅れのお知らせ",
            "山本 直子さん、受領期限までの時間の80%が経過しましたが、まだ対応がありません。担当は営業当番デスクさんです。",
        ),
        (
            "/toban",
            "【Baton】期限切れによる担当解除",
            "営業当番デスクさん、受領期限を過ぎたため、担当から外れました。",
        ),
    ]


async def test_what_is_late_is_told_to_the_manager_until_it_is_done(telling, receiver, world, publish):
    late = LeadClass(id="score", accept=60, first_touch=600, untouched="tell_manager")
    await telling.apply(SlaPolicy(default=late))
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer("lead-1")
    await telling.offer("lead-2")
    await telling.tell()
    for lead in ("lead-1", "lead-2"):
        await world.desk().accept(world.tenant, world.opportunity_id(lead), "sato")
    world.clock.advance(seconds=601)
    await world.firing().fire_due()
    touch = Activity("a-1", "call_connected", world.clock.now(), "sato", is_first_touch=True)
    await world.desk().log_touch(world.tenant, world.opportunity_id("lead-2"), touch, None, "sato")
    await telling.tell()
    [(path, title, text)] = [one for one in receiver.told if "遅れ" in one[1]]
    assert (path, title) == ("/boss@hinode.example", "【Baton】対応遅れのお知らせ")
    assert text.splitlines() == [
        "部長 一郎さん、初回接触期限を過ぎましたが、まだ対応がありません。担当はSatoさんです。",
        "初回接触期限: 11月18日(火) 10:10 (JST)",
    ]


async def test_a_deal_that_waits_is_told_to_its_rep_then_to_the_manager_and_to_nobody_once_it_moved(
    telling, receiver, world
):
    long = LeadClass(id="score", accept=24 * HOUR, first_touch=240 * HOUR)
    sla = SlaPolicy(default=long, deals=DealClocks(stage_rot=False, manager_after=1))
    for policy in (sla, PIPELINE, teams(await telling.reach(receiver))):
        await telling.apply(policy)
    deals = DealDesk(world.app, world.clock, world.policies)

    async def step(lead, day):
        given = {"next_step": "訪問", "next_step_on": day}
        edit = partial(edited, given=given)
        await deals.change(world.tenant, world.opportunity_id(lead), edit, Asker("sato"))

    for lead in ("lead-1", "lead-2"):
        await telling.offer(lead)
        await world.desk().accept(world.tenant, world.opportunity_id(lead), "sato")
        await step(lead, date(2025, 11, 18))
    await telling.tell()
    receiver.bodies.clear()
    world.clock.advance(seconds=14 * HOUR)
    await world.firing().fire_due()
    await step("lead-2", date(2025, 11, 28))
    await telling.tell()
    world.clock.advance(days=1)
    await world.firing().fire_due()
    await telling.tell()
    assert [(path, title) for path, title, _ in receiver.told] == [
        ("/sato@hinode.example", "【Baton】商談の確認のお願い"),
        ("/boss@hinode.example", "【Baton】対応遅れのお知らせ"),
    ]
    assert receiver.told[0][2].splitlines()[:2] == [
        "佐藤 花子さん、次回行動の期限を過ぎました。次回行動と期日をご入力ください。",
        "次回行動の期日: 11月18日(火)中 (JST)",
    ]


async def test_the_account_manager_hears_of_a_customer_who_is_handed_over_to_them_and_the_seller_does_not(
    telling, receiver, world, patient, calling
):
    for policy in (PIPELINE, teams(await telling.reach(receiver, personal=True))):
        await telling.apply(policy)
    crm = await calling("crm", "api")
    full = {item.id: "済" for item in PIPELINE.handover}
    said = SAID | {"expected_close": "2026-03-31"}
    for lead, manager in (("lead-1", "boss"), ("lead-2", "sato")):
        await telling.offer(lead, person=AOBA)
        await world.desk().accept(world.tenant, world.opportunity_id(lead), "sato")
        deal = f"/v1/opportunities/{world.opportunity_id(lead)}/deal"
        assert (await crm.patch(deal, json=said, headers={"If-Match": "*"})).status_code == 200
        assert (await crm.post(f"{deal}/win", json={"ordered_on": "2025-11-18"})).status_code == 200
        await telling.tell()
        receiver.bodies.clear()
        for _ in range(2):
            handed = await crm.post(f"{deal}/hand-over", json={"account_manager": manager, "items": full})
            assert handed.status_code == 200, handed.text
            await telling.tell()
        if manager == "sato":
            assert receiver.told == [], "who won it knows"
            continue
        [(path, title, text)] = receiver.told
        assert (path, title) == ("/boss@hinode.example", "【Baton】受注案件の引き継ぎ")
        assert "Satoさんが受注し、本日よりご担当となるお客様です。" in text
        assert "お名前: 山田 太郎 様" in text


def edited(deal, policy, moment, given):
    return steps.edit(deal, given, policy, moment)


async def test_steps_of_escalation_go_up_to_the_manager_and_to_theirs(telling, receiver, world):
    steps = (Step(at=50, do="tell_manager"), Step(at=150, do="tell_their_manager"))
    late = LeadClass(id="score", accept=600, first_touch=600, untouched="tell_manager", escalate=steps)
    await telling.apply(SlaPolicy(default=late))
    channel = await telling.reach(receiver)
    told = (Address(channel="chat"),)
    reps = (
        Rep(id="sato", name="佐藤 花子", email="sato@hinode.example", manager="boss"),
        Rep(id="tanaka", name="田中", email="tanaka@hinode.example"),
        Rep(id="boss", name="Boss", email="boss@hinode.example", manager="chief", tell_in="en", notify=told),
        Rep(id="chief", name="Chief", email="chief@hinode.example", tell_in="en", notify=told),
    )
    await telling.apply(teams(channel, reps=reps))
    await telling.offer(mode="assign")
    for seconds in (301, 300, 300):
        world.clock.advance(seconds=seconds)
        await world.firing().fire_due()
        await telling.tell()
    assert [(path, text.splitlines()[0]) for path, _, text in receiver.told] == [
        ("/boss@hinode.example", "Boss: 50% of the time for the first contact have passed, and Sato has the lead."),
        ("/boss@hinode.example", "Boss: The time for the first contact is over, and Sato has the lead."),
        ("/chief@hinode.example", "Chief: The time for the first contact is over, and Sato has the lead."),
    ]


async def test_what_cannot_be_put_into_words_stops_nobody_else(telling, receiver, world, owner, patient):
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer("lead-1")
    await telling.offer("lead-2", rep="tanaka")
    await owner.execute(
        "UPDATE handoff.opportunities SET score = '[]' WHERE opportunity_id = $1", world.opportunity_id("lead-1")
    )
    await owner.execute(
        "UPDATE handoff.opportunities SET reasons = '[{}]' WHERE opportunity_id = $1", world.opportunity_id("lead-1")
    )
    await telling.tell()
    assert sorted(await telling.states()) == [("offer", "sato", "dropped"), ("offer", "tanaka", "told")]


async def test_of_what_goes_together_what_cannot_be_put_into_words_is_left_out_alone(
    telling, receiver, world, owner, patient
):
    await telling.apply(teams(await telling.reach(receiver, personal=True)))
    for lead in ("lead-1", "lead-2", "lead-3"):
        await telling.offer(lead, attributes={"company": f"Company of {lead}"})
    await owner.execute(
        "UPDATE handoff.opportunities SET reasons = '[{}]' WHERE opportunity_id = $1", world.opportunity_id("lead-2")
    )
    await telling.tell()
    [(_, title, text)] = receiver.told
    assert title == "【Baton】お知らせ 2件"
    assert [lead for lead in ("lead-1", "lead-2", "lead-3") if lead in text] == ["lead-1", "lead-3"]
    rows = await world.rows("notifications", "state")
    assert [(row["state"], row["why"]) for row in rows] == [("dropped", "unwritable"), ("told", None), ("told", None)]


async def test_who_crashed_all_of_its_tries_is_given_up_before_it_is_sent_again(telling, receiver, world, patient):
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer()
    await telling.teller.address_new()
    await world.workers.execute(
        "UPDATE handoff.notifications SET attempts = $2 WHERE tenant = $1", world.tenant, len(DELAYS) + 1
    )
    await telling.tell()
    assert receiver.told == []
    assert await telling.states() == [("offer", "sato", "failed")]


async def test_a_manager_hears_no_more_of_what_is_somebody_elses_by_now(telling, receiver, world):
    late = LeadClass(id="score", accept=600, first_touch=600, untouched="tell_manager")
    await telling.apply(SlaPolicy(default=late))
    channel = await telling.reach(receiver)
    await telling.apply(
        teams(
            channel,
            reps=(
                Rep(id="sato", name="佐藤 花子", manager="boss"),
                Rep(id="tanaka", name="田中 太郎", manager="boss"),
                Rep(id="boss", name="部長 一郎", email="boss@hinode.example", notify=(Address(channel="chat"),)),
            ),
        )
    )
    await telling.offer(mode="assign")
    world.clock.advance(seconds=601)
    await world.firing().fire_due()
    receiver.answer = 500
    await telling.tell()
    assert [title for _, title, _ in receiver.told] == ["【Baton】対応遅れのお知らせ"]
    receiver.answer = 200
    await telling.offer(assignment=2, rep="tanaka", mode="assign")
    states = [state for kind, _, state in await telling.states() if kind == "late"]
    assert states == ["dropped"], "by the transaction that gave the lead to somebody else"
    # As if it had been addressed in that very moment.
    await world.workers.execute(
        "UPDATE handoff.notifications SET state = 'pending', ended_at = NULL WHERE tenant = $1 AND kind = 'late'",
        world.tenant,
    )
    world.clock.advance(seconds=20)
    await telling.tell()
    assert len(receiver.told) == 1


async def test_who_is_known_here_a_moment_later_than_to_the_router_is_told_then(telling, receiver, world, patient):
    channel = await telling.reach(receiver)
    told = (Address(channel="chat"),)
    tanaka = Rep(id="tanaka", name="Taro Tanaka", email="tanaka@hinode.example", notify=told)
    await telling.apply(teams(channel, reps=(tanaka, Rep(id="sato", name="佐藤"))))
    await telling.offer()
    await telling.tell()
    assert receiver.told == []
    sato = Rep(id="sato", name="佐藤", email="sato@hinode.example", notify=told)
    await telling.apply(teams(channel, reps=(tanaka, sato)))
    world.clock.advance(seconds=6)
    await telling.tell()
    assert [path for path, _, _ in receiver.told] == ["/sato@hinode.example"]
    assert await telling.states() == [("offer", "sato", "told")]


async def test_what_was_for_a_channel_that_is_renamed_is_told_on_the_new_one_and_on_no_other_twice(
    telling, receiver, world, patient
):
    old, mail, new = [await telling.reach(receiver, name) for name in ("old", "mail", "new")]
    await telling.apply(teams(old, mail))
    await telling.offer()
    await telling.teller.address_new()
    await telling.apply(teams(new, mail))
    await telling.tell()
    assert len(receiver.told) == 1
    rows = await world.rows("notifications", "channel_id")
    assert [(row["channel_id"], row["state"]) for row in rows] == [("mail", "told"), ("old", "pending")]
    for _ in range(13):
        world.clock.advance(seconds=5)
        await telling.tell()
    assert len(receiver.told) == 2
    rows = await world.rows("notifications", "channel_id")
    assert [(row["channel_id"], row["state"], row["why"]) for row in rows] == [
        ("mail", "told", None),
        ("new", "told", None),
        ("old", "dropped", "no_address"),
    ]


async def test_teams_that_name_the_channel_again_within_a_minute_lose_nothing(telling, receiver, world, patient):
    old, new = [await telling.reach(receiver, name) for name in ("old", "new")]
    await telling.apply(teams(old))
    await telling.offer()
    await telling.teller.address_new()
    await telling.apply(teams(new))
    await telling.tell()
    await telling.apply(teams(old))
    world.clock.advance(seconds=6)
    await telling.tell()
    assert len(receiver.told) == 1
    assert await telling.states() == [("offer", "sato", "told")]


async def test_a_channel_that_is_slow_is_seen_to_be_late_while_it_is_served(telling, receiver, world, patient):
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer()
    await telling.teller.address_new()
    now, since = world.clock.now(), -1000  # before all that other tests have left
    await world.workers.execute(
        "UPDATE handoff.channels SET claimed_until = $2 WHERE tenant = $1", world.tenant, now + 60_000
    )
    await world.workers.execute("UPDATE handoff.notifications SET due_at = $2 WHERE tenant = $1", world.tenant, since)
    assert await queue.overdue_seconds(world.workers, now) == (now - since) / 1000


class Counting:
    """A pool that counts how often it is asked."""

    def __init__(self, pool):
        self._pool, self.asked = pool, 0

    def __getattr__(self, name):
        self.asked += 1
        return getattr(self._pool, name)


async def test_who_waits_for_the_morning_costs_no_more_than_their_tenant(telling, receiver, world, patient):
    channel = await telling.reach(receiver)
    told = (Address(channel="chat"),)
    reps = tuple(Rep(id=f"rep-{n}", name=f"Rep {n}", email="x@x", calendar="office", notify=told) for n in range(10))
    others = (Rep(id="sato", name="佐藤"), Rep(id="tanaka", name="田中"))
    await telling.apply(teams(channel, reps=(*reps, *others)))
    world.clock.advance(seconds=-7 * HOUR)
    for n in range(10):
        await telling.offer(f"lead-{n}", rep=f"rep-{n}")
    await telling.tell()
    await world.workers.execute("UPDATE handoff.notifications SET due_at = 1 WHERE tenant = $1", world.tenant)
    counting = Counting(world.workers)
    await telling.make_teller(workers=counting).wake_waiting()
    assert counting.asked <= 3
    rows = await world.rows("notifications", "rep_id")
    assert {row["due_at"] for row in rows} == {TUESDAY + HOUR * 1000}


async def test_telling_and_the_transactions_of_handoff_never_wait_for_each_other_in_a_circle(
    telling, receiver, world, patient
):
    await telling.apply(teams(await telling.reach(receiver)))
    leads = [f"lead-{n}" for n in range(40)]
    await world.handler().handle([world.routed(lead) for lead in leads])
    await telling.teller.address_new()
    found = await queue.due(world.workers, queue.Claim(world.tenant, "chat", 0, str(uuid4())), world.clock.now())
    assert len(found) == 40
    claimed = queue.Claim(world.tenant, "chat", 0, str(uuid4()))
    verdicts = [(one, Verdict("pending", world.clock.now())) for one in reversed(found)]

    async def end():
        async with tenant_transaction(world.app, world.tenant) as connection:
            ended = [(one.opportunity_id, one.assignment) for one in found]
            await queue._end(connection, world.tenant, ended, world.clock.now())

    for number in range(25):
        order = sorted(found, key=lambda one: one.notification_id, reverse=number % 2 == 0)
        await world.workers.execute(
            "UPDATE handoff.notifications SET waits = true, attempts = 0, due_at = $2 WHERE tenant = $1",
            world.tenant,
            number,
        )
        now = world.clock.now()
        await asyncio.gather(
            end(),
            queue.begin(world.workers, order, now),
            queue.postpone(world.workers, list(reversed(order)), now, waits=True),
            queue.note(world.workers, claimed, verdicts, "refused", 1, 0, 0, now),
            queue.wake(world.workers, world.tenant, {"sato": now + number}),
            end(),
        )
    await asyncio.gather(queue.drop(world.workers, found, "over", 1), queue.drop(world.workers, found[::-1], "over", 1))


async def test_what_failed_waits_for_its_next_try_whatever_the_hours(telling, receiver, world, patient):
    receiver.answer = 500
    await telling.apply(office(await telling.reach(receiver)))
    world.clock.advance(seconds=-7 * HOUR)
    await telling.offer()
    await telling.tell()
    world.clock.advance(seconds=6 * HOUR)
    await telling.tell()
    assert len(receiver.told) == 1
    await telling.teller.wake_waiting()
    await telling.tell()
    assert len(receiver.told) == 1


async def test_inside_sales_hears_that_field_sales_gave_a_lead_back(telling, receiver, world):
    back = DeclineReason(
        code="no_need", kind="quality", label=Label(en="no need", ja="ニーズなし"), effect="return_to_is"
    )
    rules = (RoutingRule(id="all", when={"score.grade": {"exists": True}}, pool="tokyo"),)
    await telling.apply(RoutingPolicy(rules=rules, decline_reasons=(back,)))
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer(leg="is")
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    await world.desk().qualify(world.tenant, world.opportunity_id(), "sato")
    await telling.offer(assignment=2, rep="tanaka")
    await world.desk().decline(world.tenant, world.opportunity_id(), "tanaka", back, None)
    await telling.tell()
    [(path, title, text)] = receiver.told  # of the offers that were answered before anybody heard of them, nothing
    assert (path, title) == ("/sato@hinode.example", "【Baton】リードの差し戻し")
    assert text.splitlines() == ["佐藤 花子さん、引き渡したリードが、営業から差し戻されました。", "理由: ニーズなし"]


async def test_what_a_trade_fair_gives_at_once_goes_in_few_messages_and_reminders_within_a_minute_in_one(
    telling, receiver, world, remind
):
    await telling.apply(teams(await telling.reach(receiver)))
    await world.handler().handle([world.routed(f"lead-{n}") for n in range(40)])
    await telling.tell()
    assert [title for _, title, _ in receiver.told] == ["【Baton】お知らせ 20件"] * 2
    assert receiver.told[0][2].count(f"{PUBLIC}/o/") == 20
    receiver.bodies.clear()
    await world.handler().handle([world.routed(f"late-{n}") for n in range(3)])
    await telling.tell()
    receiver.bodies.clear()
    world.clock.advance(seconds=30)
    await world.firing(most=1).fire_due()
    await telling.tell()
    assert len(receiver.told) == 1
    await world.firing().fire_due()
    await telling.tell()
    world.clock.advance(seconds=29)
    await telling.tell()
    assert len(receiver.told) == 1, "the others wait until the minute is over"


async def test_a_stuck_channel_delays_no_other_and_is_tried_again(telling, receiver, world, patient):
    stuck, well = Receiver(), receiver
    stuck.answer = None
    await stuck.start()
    impatient = Forks("127.0.0.1", seconds=10)
    telling.teller = telling.make_teller(deliver=impatient.send)
    await telling.apply(teams(await telling.reach(stuck, "stuck"), await telling.reach(well, "well")))
    await telling.offer("lead-1")
    sending = asyncio.create_task(telling.tell())
    async with asyncio.timeout(60):
        await stuck.asked.wait()
        await well.asked.wait()
    await sending
    impatient.close()
    assert len(well.told) == 1
    rows = await world.rows("notification_tries", "outcome")
    assert [row["outcome"] for row in rows] == ["timed_out", "told"]
    stuck.answer = 200
    stuck.stop()
    await stuck.start()
    world.clock.advance(seconds=120)
    await telling.apply(teams(await telling.reach(stuck, "stuck"), await telling.reach(well, "well")))
    telling.teller = telling.make_teller()
    await telling.tell()
    assert len(stuck.told) == 2
    assert len(well.told) == 1
    stuck.stop()


async def test_what_cannot_be_told_is_given_up_after_the_last_try(telling, receiver, world, patient):
    receiver.answer = 500
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer()
    for delay in (*DELAYS, 0):
        await telling.tell()
        world.clock.advance(seconds=delay / 1000 * 1.2 + 60)
    assert len(receiver.told) == len(DELAYS) + 1
    assert await telling.states() == [("offer", "sato", "failed")]
    await telling.tell()
    assert len(receiver.told) == len(DELAYS) + 1


async def test_a_channel_without_its_secret_is_told_apart_and_mended_by_it(telling, receiver, world, patient, tmp_path):
    names = tmp_path / "secrets"
    telling.teller = telling.make_teller(names=names)
    await telling.apply(teams(Channel(id="chat", url="env:CHAT_OF_NOBODY")))
    await telling.offer()
    await telling.tell()
    names.write_text(f"# of chat\nCHAT_OF_NOBODY={receiver.url}\n")
    world.clock.advance(seconds=60)
    await telling.tell()
    assert [row["outcome"] for row in await world.rows("notification_tries", "number")] == ["unsendable", "told"]
    assert len(receiver.told) == 1


async def test_a_crash_between_sending_and_noting_sends_again_and_loses_nothing(
    telling, receiver, world, crashing, crash, patient
):
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer()
    at = 0
    while True:
        at += 1
        pool = crashing(world.workers, at, before=False)
        teller = telling.make_teller(workers=Direct(pool, crash))
        try:
            while await teller.tell_due():
                pass
        except crash:
            world.clock.advance(seconds=61)
            continue
        break
    assert at > 5
    assert {body["message"].splitlines()[0] for _, body in receiver.bodies} == {
        "佐藤 花子さん、新しいリードのご案内です。"
    }
    assert len(receiver.told) < at, "told again only where the note was lost"
    assert await telling.states() == [("offer", "sato", "told")]


async def test_what_is_over_while_it_is_on_its_way_was_told(telling, receiver, world, patient):
    await telling.apply(teams(await telling.reach(receiver)))
    await telling.offer()
    receiver.may_answer.clear()
    sending = asyncio.create_task(telling.teller.tell_due())
    async with asyncio.timeout(20):
        await receiver.asked.wait()
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    assert await telling.states() == [("offer", "sato", "dropped")]
    receiver.may_answer.set()
    await sending
    [row] = await world.rows("notifications", "created_at")
    assert (row["state"], row["why"]) == ("told", None)


async def test_two_processes_at_once_send_once(telling, receiver, world, patient):
    await telling.apply(teams(await telling.reach(receiver)))
    for number in range(5):
        await telling.offer(f"lead-{number}")
    receiver.may_answer.clear()
    sending = asyncio.create_task(telling.teller.tell_due())
    async with asyncio.timeout(20):
        await receiver.asked.wait()
    assert await telling.make_teller().tell_due() == 0, "the channel is served"
    receiver.may_answer.set()
    assert await sending == 1
    assert await telling.make_teller().tell_due() == 0
    assert len(receiver.told) == 1
    assert {state for _, _, state in await telling.states()} == {"told"}


async def test_a_rep_without_an_address_is_kept_in_the_log_and_a_tenant_without_channels_keeps_nothing(
    telling, receiver, world
):
    channel = await telling.reach(receiver)
    await telling.apply(teams(channel, reps=(Rep(id="sato", name="佐藤 花子"), Rep(id="tanaka", name="田中 太郎"))))
    await telling.offer("lead-1")
    await telling.tell()
    world.clock.advance(seconds=61)
    await telling.tell()
    assert await telling.states() == [("offer", "sato", "unreachable")]
    await telling.apply(teams(reps=(Rep(id="sato", name="佐藤 花子"), Rep(id="tanaka", name="田中 太郎"))))
    await telling.offer("lead-2")
    await telling.tell()
    assert await telling.states() == [("offer", "sato", "unreachable")]


HOSTILE = "<b>*Evil*</b> & [here](https://evil.example) <!channel> @everyone `x` www.evil.example\r\nBcc: x@evil.example\x07\u202e"


@pytest.fixture
async def mailbox():
    """A mail server: what it was sent, read as a mail client reads it."""

    class Mailbox:
        def __init__(self):
            self.mails = []

        async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - as aiosmtpd calls it
            mail = message_from_bytes(envelope.content, policy=default)
            self.mails.append((envelope.rcpt_tos, mail))
            return "250 OK"

    kept = Mailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(kept), "127.0.0.1", 0)
    kept.url = f"mailto://127.0.0.1:{server.sockets[0].getsockname()[1]}?from=baton@hinode.example&to={{to}}"
    yield kept
    server.close()


async def test_a_mail_is_read_by_a_mail_client_and_hostile_names_stay_text(telling, mailbox, world, patient):
    await telling.apply(teams(await telling.reach(mailbox, "mail", personal=True)))
    record = world.routed(person=seal({"name": HOSTILE}), attributes={"company": HOSTILE})
    await world.handler().handle([record])
    await telling.tell()
    [(to, mail)] = mailbox.mails
    assert to == ["sato@hinode.example"]
    assert mail["to"] == "sato@hinode.example"
    assert mail["bcc"] is None
    subject = str(mail["subject"])
    assert subject.startswith("【Baton】リードのご案内: <b>*Evil*</b> & [\u2060here]")
    assert "\n" not in subject
    html = mail.get_body(("html",)).get_content()
    assert "<b>" not in html
    assert "&lt;b&gt;*Evil*&lt;/b&gt; &amp; [\u2060here]\u2060(" in html
    links = re.findall(r'href="([^"]*)"', html)
    assert len(links) == 1, links
    assert links[0].startswith(f"{PUBLIC}/o/")
    assert "受領期限: 11月18日(火) 22:00 (JST)" in html
    assert html.count("<br") >= 5, "each line is one of its own"
    plain = mail.get_body(("plain",)).get_content()
    assert "佐藤 花子さん、新しいリードのご案内です。" in plain
    assert f"受け取る・差し戻す: {links[0]}" in plain


async def test_slack_shows_hostile_names_as_text_and_the_link_as_a_link(telling, receiver, world, patient, monkeypatch):
    from apprise.plugins.slack import NotifySlack

    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{receiver.port}/services")
    telling.teller = telling.make_teller(deliver=partial(asyncio.to_thread, apprising.notify))
    monkeypatch.setattr(type(receiver), "url", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/")
    await telling.apply(teams(await telling.reach(receiver, "slack", personal=True)))
    record = world.routed(person=seal({"name": HOSTILE}), attributes={"company": HOSTILE})
    await world.handler().handle([record])
    await telling.tell()
    [(path, body)] = receiver.bodies
    assert path.startswith("/services/T1JJ3T3L2/")
    [shown] = body["attachments"]

    marks = re.findall(r"<[^>]*>", shown["text"])
    assert len(marks) == 1
    assert marks[0].startswith(f"<{PUBLIC}/o/")
    assert "<" not in shown["title"]
    assert "&lt;!channel&gt;" in shown["text"]
    assert "https://evil" not in shown["text"]
    assert "受領期限: 11月18日(火) 22:00 (JST)" in shown["text"]
    assert "http" not in str(shown.get("footer_icon", "")), "no picture is fetched from elsewhere"


async def test_microsoft_teams_shows_hostile_names_as_text_and_the_link_as_a_link(
    telling, receiver, world, patient, monkeypatch
):
    from apprise.plugins import workflows

    post, port = workflows.requests.post, receiver.port
    # It knows no other way than TLS, which the receiver here has not.
    plain = SimpleNamespace(codes=workflows.requests.codes, RequestException=workflows.requests.RequestException)
    plain.post = lambda url, **more: post(url.replace("https://", "http://", 1), **more)
    monkeypatch.setattr(workflows, "requests", plain)
    monkeypatch.setattr(type(receiver), "url", f"workflows://127.0.0.1:{port}/643e7f8b/signature/")
    telling.teller = telling.make_teller(deliver=partial(asyncio.to_thread, apprising.notify))
    await telling.apply(teams(await telling.reach(receiver, "workflows", personal=True)))
    await world.handler().handle([world.routed(person=seal({"name": HOSTILE}), attributes={"company": HOSTILE})])
    await telling.tell()
    [(path, body)] = receiver.bodies
    assert path.startswith("/workflows/643e7f8b/")
    [card] = body["attachments"]
    shown = {block["id"]: block["text"] for block in card["content"]["body"] if block["type"] == "TextBlock"}
    links = re.findall(r"(?<!\\)\[([^\]]*)\]\(([^)]*)\)", shown["body"])
    assert [label for label, _ in links] == ["受け取る・差し戻す"]
    assert links[0][1].startswith(f"{PUBLIC}/o/")
    for text in shown.values():
        assert "\\*Evil\\*" in text
        assert not re.search(r"(?<!\\)[*<`]", text), "none of its marks is one"
        assert "https://evil" not in text
        assert "@everyone" not in text


async def test_mattermost_reads_plain_text_as_markdown_and_shows_a_strangers_link_as_text(
    telling, receiver, world, patient, monkeypatch
):
    monkeypatch.setattr(type(receiver), "url", f"mmost://127.0.0.1:{receiver.port}/3ccdd113474722377935511fc85d3dd4")
    await telling.apply(teams(await telling.reach(receiver, "mattermost", personal=True)))
    await world.handler().handle([world.routed(attributes={"company": "[Click](//16843009/x) ![p](//16843009/p.png)"})])
    await telling.tell()
    [(_, body)] = receiver.bodies
    assert body["text"].count("Click") == 2
    assert "](" not in body["text"]
    assert "![" not in body["text"]


async def test_telegram_gets_a_title_whose_signs_are_text_too(telling, receiver, world, patient, monkeypatch):
    from apprise.plugins.telegram import NotifyTelegram

    monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{receiver.port}/bot")
    token = "123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI"
    monkeypatch.setattr(type(receiver), "url", f"tgram://{token}/12315544/")
    telling.teller = telling.make_teller(deliver=partial(asyncio.to_thread, apprising.notify))
    await telling.apply(teams(await telling.reach(receiver, "telegram", personal=True)))
    await world.handler().handle([world.routed(attributes={"company": "*Aoba [1 _x\\"})])
    await telling.tell()
    [(_, body)] = receiver.bodies
    title = body["text"].splitlines()[0]
    assert title == "*【Baton】リードのご案内: \\*Aoba \\[1 \\_x\\\u2060*"


async def test_chatwork_is_reached_by_a_form_and_a_strangers_tags_call_nobody(
    telling, receiver, world, patient, monkeypatch
):
    url = f"form://127.0.0.1:{receiver.port}/v2/rooms/{{to}}/messages?+X-ChatWorkToken=x&:message=body&:title=&:type=&:version="
    monkeypatch.setattr(type(receiver), "url", url)
    channel = await telling.reach(receiver, "chatwork", personal=True)
    reps = (Rep(id="sato", name="佐藤 花子", notify=(Address(channel="chatwork", to="4711"),)),)
    await telling.apply(teams(channel, reps=(*reps, Rep(id="tanaka", name="田中 太郎"))))
    await world.handler().handle([world.routed(attributes={"company": "[toall] [To:1] 青葉"})])
    await telling.tell()
    [(path, body)] = receiver.bodies
    assert path == "/v2/rooms/4711/messages"
    assert list(body) == ["body"]
    assert "会社名: [\u2060toall] [\u2060To:1] 青葉" in body["body"]


async def test_in_plain_text_a_strangers_name_is_one_line_without_addresses(telling, receiver, world, patient):
    await telling.apply(teams(await telling.reach(receiver, personal=True)))
    await world.handler().handle([world.routed(attributes={"company": HOSTILE})])
    await telling.tell()
    [(_, title, text)] = receiver.told
    company = next(line for line in text.splitlines() if line.startswith("会社名"))
    assert len(company) <= 100
    for told in (title, company):
        assert not re.search(r"https?://|www\.|@\w|[\x00-\x1f\u202e]", told)


async def test_the_log_shows_what_was_told_to_whom_and_to_each_what_they_may_see(
    telling, receiver, world, owner, patient
):
    await telling.apply(teams(await telling.reach(receiver, personal=True)))
    await telling.offer("lead-1")
    await telling.offer("lead-2", rep="tanaka")
    await telling.tell()

    async def read(role, name="crm", **query):
        token = uuid4().hex
        await owner.execute(
            "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, $3, $4)",
            world.tenant,
            token_hash(token),
            name,
            [role],
        )
        app = http_app(world.app, world.policies, world.clock, Probes(), MASTER)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as client:
            return await client.get("/v1/notifications", headers={"authorization": f"Bearer {token}"}, params=query)

    everything = (await read("api")).json()
    assert {(one["rep_id"], one["state"], one["channel"]) for one in everything["items"]} == {
        ("sato", "told", "chat"),
        ("tanaka", "told", "chat"),
    }
    assert [tried["outcome"] for tried in everything["items"][0]["tries"]] == ["told"]
    assert "青葉" not in str(everything)
    assert [one["rep_id"] for one in (await read("rep", "sato")).json()["items"]] == ["sato"]
    assert (await read("rep", "sato", rep_id="tanaka")).json()["items"] == []
    assert len((await read("manager", "boss")).json()["items"]) == 2
    assert (await read("manager", "nobody")).json()["items"] == []
    assert (await read("api", state="pending")).json()["items"] == []
    first = (await read("api", limit=1)).json()
    second = (await read("api", limit=1, after=first["next"])).json()
    assert [one["id"] for page in (first, second) for one in page["items"]] == [
        one["id"] for one in everything["items"]
    ]
    assert second["next"] is None
    assert (await read("api", after="x")).json()["code"] == "bad_cursor"
    assert (await read("api", rep_id="\x00")).status_code == 422
    assert (await read("stranger")).status_code == 403


async def test_a_teller_that_runs_tells_by_itself_and_stops_when_told_to(telling, receiver, world, patient):
    await telling.apply(teams(await telling.reach(receiver)))
    running = asyncio.create_task(telling.teller.run())
    await telling.offer("lead-1")
    async with asyncio.timeout(20):
        await receiver.asked.wait()
        while {state for _, _, state in await telling.states()} != {"told"}:
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(receiver.told) == 1
