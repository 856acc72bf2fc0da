"""People are told, through Apprise, on a real Postgres, by real receivers of HTTP and mail."""

from __future__ import annotations

import asyncio

import httpx
import orjson
import pytest

from services.handoff.app import http_app
from services.handoff.links.signing import Signer
from services.handoff.telling.facts import Gathering
from services.handoff.telling.sending import Senders
from services.handoff.telling.teller import Teller
from shared.kit.clock import FakeClock
from shared.kit.person import seal
from shared.kit.service import Probes
from shared.schemas.policies import TeamsPolicy
from shared.schemas.policies.calendars import Block, Calendar
from shared.schemas.policies.teams import Address, Channel, Member, Pool, Rep
from shared.schemas.routing import Reason

pytestmark = pytest.mark.servers

MASTER = b"m" * 32
PUBLIC = "https://baton.example.jp"
HOUR = 3600
TUESDAY = 1_763_420_400_000  # 2025-11-18T08:00+09:00, a Tuesday


class Receiver:
    """What a chat service is to us. answer: the status of what it says; None: it says nothing, and keeps the line open."""

    def __init__(self):
        self.bodies, self.answer, self.asked = [], 200, asyncio.Event()

    @property
    def url(self):
        return f"json://127.0.0.1:{self.port}/{{to}}"

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
                body = orjson.loads(await reader.readexactly(length))
                self.bodies.append((line.decode().split()[1], body))
                self.asked.set()
                if self.answer is None:
                    await reader.read()
                    return
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
    def __init__(self, world, monkeypatch, publish):
        self.world, self._env, self._publish, self._sequence = world, monkeypatch, publish, 100
        self.teller = self.make_teller()

    def make_teller(self, **senders):
        signer = Signer(MASTER)
        gathering = Gathering(self.world.workers, signer, PUBLIC)
        return Teller(
            self.world.workers,
            self.world.policies,
            Senders(**{"seconds": 5, **senders}),
            gathering,
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


@pytest.fixture
async def telling(world, monkeypatch, publish):
    world.clock = FakeClock(TUESDAY + 2 * HOUR * 1000)  # 10:00 in Tokyo
    made = Telling(world, monkeypatch, publish)
    yield made
    await world.workers.execute(
        "UPDATE handoff.notifications SET state = 'dropped', why = 'test over', ended_at = 1 WHERE state IN ('new', 'pending')"
    )


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
