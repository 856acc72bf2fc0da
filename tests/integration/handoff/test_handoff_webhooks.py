"""Webhooks: from the transaction that causes them to a receiver that verifies them, on a real Postgres and over real HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import standardwebhooks.webhooks
from standardwebhooks import Webhook

from services.handoff.outbound import queue
from services.handoff.outbound.addresses import Allowed
from services.handoff.outbound.endpoints import Changes, DisabledError, Endpoints
from services.handoff.outbound.messages import TEST
from services.handoff.outbound.post import Poster
from services.handoff.outbound.schedule import DELAYS
from services.handoff.outbound.sender import Sender
from services.handoff.outbound.signing import Seals, new_secret, written
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers

HERE = Allowed.parse("127.0.0.1")  # and not 127.0.0.2, which leads to this machine as well
MASTER = b"m" * 32
HOUR = 3600
OFFERED = ["stage.changed", "offer.opened"]  # what an offer makes of a lead, in any order


class Receiver:
    """An HTTP server of a customer. answer: status and headers of what it says; None: it says nothing, and keeps the line open."""

    def __init__(self):
        self.requests, self.answer, self.asked = [], (204, {}), asyncio.Event()
        self.at_once = self.most_at_once = 0
        self.port, self._server = 0, None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hooks"

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()

    async def _serve(self, reader, writer):
        try:
            while line := await reader.readline():
                headers = {}
                while (header := await reader.readline()) != b"\r\n":
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers["content-length"]))
                self.at_once += 1
                self.most_at_once = max(self.at_once, self.most_at_once)
                self.requests.append((line.decode(), headers, body))
                self.asked.set()
                if self.answer is None:
                    await reader.read()
                    self.at_once -= 1
                    return
                status, said = self.answer
                await asyncio.sleep(0)
                self.at_once -= 1
                text = said.get("body", "")
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(text)}\r\n".encode())
                for name, value in said.items():
                    writer.write(b"" if name == "body" else f"{name}: {value}\r\n".encode())
                writer.write(f"\r\n{text}".encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def ids(self):
        return [headers["webhook-id"] for _, headers, _ in self.requests]

    def verified(self, secret):
        """What was received, as the library of Standard Webhooks lets it pass."""
        return [Webhook(secret).verify(body, headers) for _, headers, body in self.requests]


@pytest.fixture
async def receivers():
    started = []

    async def make(answer=(204, {})):
        receiver = Receiver()
        receiver.answer = answer
        await receiver.start()
        started.append(receiver)
        return receiver

    yield make
    for receiver in started:
        await receiver.stop()


class Hooks:
    """The endpoints of a tenant, and senders for them."""

    def __init__(self, world):
        self.world, self._posters = world, []
        self.endpoints = Endpoints(world.app, Seals(MASTER), world.clock)
        self.sender = self.make_sender()

    def make_sender(self, clock=None, seconds=5.0, **poster):
        made = Poster(HERE, connections=32, seconds=seconds, **poster)
        self._posters.append(made)
        clock = clock or self.world.clock
        return Sender(self.world.workers, made, Seals(MASTER), clock, most=32, poll_seconds=0.02, kept_days=30)

    async def add(self, url, *types):
        """Its id and secret."""
        secret = new_secret()
        row = await self.endpoints.create(
            self.world.tenant, url=url, description="", event_types=list(types), secret=secret
        )
        return row["id"], written(secret)

    async def offer(self, *leads):
        await self.world.handler().handle([self.world.routed(lead) for lead in leads])

    async def send_all(self):
        while await self.sender.send_due():
            pass

    async def log(self, endpoint_id, state=None):
        return await self.endpoints.deliveries(self.world.tenant, endpoint_id, state, None, 200)

    async def outcomes(self, endpoint_id):
        """(state, outcomes of its tries) of each message."""
        return [(row["state"], [tried["outcome"] for tried in row["tries"]]) for row in await self.log(endpoint_id)]

    async def unsent(self):
        return await self.world.workers.fetchval(
            "SELECT count(*) FROM handoff.deliveries WHERE tenant = $1 AND state = 'pending'", self.world.tenant
        )

    async def read(self, endpoint_id):
        return await self.endpoints.read(self.world.tenant, endpoint_id)

    async def close(self):
        for poster in self._posters:
            await poster.close()
        await self.world.workers.execute(
            "UPDATE handoff.endpoints SET state = 'disabled', disabled_reason = 'test over'"
        )


@pytest.fixture
async def hooks(world, monkeypatch):
    class Now(datetime):
        """The receivers' clocks stand with ours."""

        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(world.clock.now() / 1000, tz or UTC)

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Now)
    made = Hooks(world)
    yield made
    await made.close()


async def test_what_happens_to_an_offer_arrives_signed_and_once(hooks, receivers, world):
    receiver = await receivers()
    endpoint, secret = await hooks.add(receiver.url)
    await hooks.offer("lead-1")
    await hooks.send_all()
    world.clock.advance(seconds=1)
    await world.desk().accept(world.tenant, world.opportunity_id(), "sato")
    await hooks.send_all()
    heard = receiver.verified(secret)
    assert sorted(message["type"] for message in heard[:2]) == sorted(OFFERED)
    assert {message["type"] for message in heard[2:]} == {"offer.accepted", "clock.met", "stage.changed"}
    told = {event["event_id"] for event in await world.events()}
    assert set(receiver.ids()) == told
    assert len(receiver.ids()) == len(told)
    [accepted] = [message for message in heard if message["type"] == "offer.accepted"]
    assert accepted["data"]["opportunity_id"] == world.opportunity_id()
    assert accepted["data"]["rep_id"] == "sato"
    assert {state for state, _ in await hooks.outcomes(endpoint)} == {"delivered"}


async def test_an_endpoint_hears_what_it_asked_for_and_other_tenants_nothing(hooks, receivers, make_world):
    asked, other = await receivers(), await receivers()
    _, secret = await hooks.add(asked.url, "offer.opened")
    stranger = Hooks(await make_world(f"t-{uuid4().hex[:8]}"))
    await stranger.add(other.url)
    await hooks.offer("lead-1", "lead-2")
    await hooks.send_all()
    assert [message["type"] for message in asked.verified(secret)] == ["offer.opened", "offer.opened"]
    assert other.requests == []
    await stranger.close()


async def test_what_is_rolled_back_is_told_to_nobody_and_what_fires_is(hooks, receivers, world, crashing, crash):
    receiver = await receivers()
    _, secret = await hooks.add(receiver.url, "clock.breached")
    await hooks.offer("lead-1")
    world.clock.advance(seconds=61)
    with pytest.raises(crash):
        await world.firing(crashing(world.workers, 7, before=True)).fire_due()
    await hooks.send_all()
    assert receiver.requests == []
    assert await world.firing().fire_due()
    await hooks.send_all()
    assert [message["data"]["clock"] for message in receiver.verified(secret)] == ["accept"]


async def test_a_receiver_that_is_down_for_an_hour_gets_everything_and_another_one_gets_it_in_time(
    hooks, receivers, world
):
    down, up = await receivers(), await receivers()
    endpoint, secret = await hooks.add(down.url, "offer.opened")
    await hooks.add(up.url, "offer.opened")
    await down.stop()
    in_time = []
    for minute in range(60):
        before = len(up.requests)
        await hooks.offer(f"lead-{minute:02}")
        await hooks.send_all()
        in_time.append(len(up.requests) - before)
        world.clock.advance(seconds=60)
    assert in_time == [1] * 60
    assert {row["state"] for row in await hooks.log(endpoint)} == {"pending"}
    await down.start()
    hour = 0
    while await hooks.log(endpoint, "pending"):
        await hooks.send_all()
        world.clock.advance(seconds=600)
        hour += 1 / 6
        assert hour < 4, "after an hour's outage the schedule has long come round"
    assert sorted(down.ids()) == sorted(up.ids())
    assert len(set(down.ids())) == 60
    tries = Counter(outcome for row in await hooks.log(endpoint) for outcome in (t["outcome"] for t in row["tries"]))
    assert tries["delivered"] == 60
    # Paused while it is down: it is not asked once per message and delay.
    assert tries["unreachable"] <= 180
    _, headers, body = down.requests[-1]
    world.clock.advance(milliseconds=int(headers["webhook-timestamp"]) * 1000 - world.clock.now())
    assert Webhook(secret).verify(body, headers)["type"] == "offer.opened"  # signed anew, with the time of this try


async def test_one_that_never_answers_delays_nobody_else(hooks, receivers):
    stuck, well = await receivers(None), await receivers()
    stuck_endpoint, _ = await hooks.add(stuck.url, "offer.opened")
    await hooks.add(well.url, "offer.opened")
    hooks.sender = hooks.make_sender(seconds=15)
    await hooks.offer("lead-1", "lead-2")
    sending = asyncio.create_task(hooks.sender.run())
    try:
        async with asyncio.timeout(60):
            await stuck.asked.wait()
            while len(well.requests) < 2:
                await asyncio.sleep(0.01)
        assert await hooks.outcomes(stuck_endpoint) == [("pending", []), ("pending", [])]
        async with asyncio.timeout(60):
            while not (await hooks.read(stuck_endpoint))["failures"]:
                await asyncio.sleep(0.05)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert stuck.most_at_once == 1
    assert sorted(await hooks.outcomes(stuck_endpoint)) == [("pending", []), ("pending", ["timed_out"])]
    assert (await hooks.read(stuck_endpoint))["paused_until"] > hooks.world.clock.now()


async def test_410_disables_and_who_is_enabled_again_gets_what_waited(hooks, receivers, world):
    receiver = await receivers((410, {}))
    endpoint, _ = await hooks.add(receiver.url, "offer.opened")
    await hooks.offer("lead-1", "lead-2")
    await hooks.send_all()
    row = await hooks.read(endpoint)
    assert (row["state"], row["disabled_reason"]) == ("disabled", "gone")
    assert len(receiver.requests) == 1
    await hooks.offer("lead-3")
    world.clock.advance(days=1)
    await hooks.send_all()
    assert len(receiver.requests) == 1
    with pytest.raises(DisabledError):
        await hooks.endpoints.test(world.tenant, endpoint)
    receiver.answer = (200, {})
    await hooks.endpoints.change(world.tenant, endpoint, Changes(enabled=True))
    await hooks.send_all()
    assert len(set(receiver.ids())) == 2  # not lead-3: nothing is kept for one that is disabled
    assert {row["state"] for row in await hooks.log(endpoint)} == {"delivered"}


async def test_a_redirect_is_a_failure_and_leads_nowhere(hooks, receivers):
    inside = await receivers()
    receiver = await receivers((307, {"location": inside.url, "body": "over there"}))
    endpoint, _ = await hooks.add(receiver.url, "offer.opened")
    await hooks.offer("lead-1")
    await hooks.send_all()
    [row] = await hooks.log(endpoint)
    assert [(tried["outcome"], tried["status"], tried["answer"]) for tried in row["tries"]] == [
        ("refused", 307, "over there")
    ]
    assert inside.requests == []


async def test_a_name_that_leads_into_our_network_is_never_connected_to(hooks, receivers):
    receiver = await receivers((204, {"connection": "close"}))
    looked_up = []

    async def rebinding(host, _port):
        looked_up.append(host)
        return ["127.0.0.1"] if len(looked_up) == 1 else ["169.254.169.254", "127.0.0.2"]

    hooks.sender = hooks.make_sender(resolve=rebinding)
    url = f"http://crm.example.com:{receiver.port}/hooks"
    endpoint, _ = await hooks.add(url, "offer.opened")
    await hooks.offer("lead-1")
    await hooks.send_all()
    await hooks.offer("lead-2")
    await hooks.send_all()
    assert looked_up == ["crm.example.com"] * 2  # once per connection, which goes to what was looked at
    assert len(receiver.requests) == 1
    assert receiver.requests[0][1]["host"] == f"crm.example.com:{receiver.port}"
    assert sorted(await hooks.outcomes(endpoint)) == [("delivered", ["delivered"]), ("pending", ["forbidden"])]


async def test_an_answer_without_end_is_read_no_further_than_is_kept(hooks, receivers):
    receiver = await receivers((500, {"body": "\x00" + "え" * 100_000}))
    endpoint, _ = await hooks.add(receiver.url, "offer.opened")
    await hooks.offer("lead-1")
    await hooks.send_all()
    [row] = await hooks.log(endpoint)
    [tried] = row["tries"]
    assert tried["status"] == 500
    assert len(tried["answer"]) == 300


_DYING = """
import asyncio, sys
from services.handoff.outbound.addresses import Allowed
from services.handoff.outbound.post import Poster
from services.handoff.outbound.sender import Sender
from services.handoff.outbound.signing import Seals
from shared.kit.clock import FakeClock
from shared.kit.database import open_pool

async def main():
    workers = await open_pool(sys.argv[1], "baton_worker", application="dying")
    poster = Poster(Allowed.parse("127.0.0.1"), connections=4)
    clock = FakeClock(int(sys.argv[2]))
    await Sender(workers, poster, Seals(b"m" * 32), clock, most=4, poll_seconds=0.02, kept_days=30).run()

asyncio.run(main())
"""


async def test_killed_between_sending_and_noting_the_same_message_comes_again(hooks, receivers, world, database_url):
    receiver = await receivers(None)
    endpoint, secret = await hooks.add(receiver.url, "offer.opened")
    await hooks.offer("lead-1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _DYING, database_url, str(world.clock.now()), env=os.environ | {"PYTHONPATH": os.getcwd()}
    )
    async with asyncio.timeout(60):
        await receiver.asked.wait()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    receiver.answer = (204, {})
    assert await hooks.sender.send_due() == 0  # it is still the other one's, who may be slow merely
    world.clock.advance(milliseconds=queue.LEASE)
    await hooks.send_all()
    first, second = receiver.ids()
    assert first == second
    assert await hooks.outcomes(endpoint) == [("delivered", ["delivered"])]
    assert Webhook(secret).verify(receiver.requests[1][2], receiver.requests[1][1])["data"]["lead_id"] == "lead-1"


async def test_two_senders_deliver_each_message_once_and_one_at_a_time_to_each(hooks, receivers):
    targets = [await receivers() for _ in range(6)]
    for target in targets:
        await hooks.add(target.url, "offer.opened")
    await hooks.offer(*(f"lead-{n:02}" for n in range(50)))
    senders = [asyncio.create_task(hooks.make_sender().run()) for _ in range(2)]
    try:
        async with asyncio.timeout(60):
            while await hooks.unsent():  # noted as well: whoever is stopped before that sends again
                await asyncio.sleep(0.05)
    finally:
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
    for target in targets:
        assert len(target.ids()) == len(set(target.ids())) == 50
        assert target.most_at_once == 1


async def test_one_that_fails_for_days_is_disabled_and_what_was_given_up_can_be_sent_again(hooks, receivers, world):
    receiver = await receivers((500, {"body": "no"}))
    endpoint, _ = await hooks.add(receiver.url, "offer.opened")
    await hooks.offer("lead-1")
    start = world.clock.now()
    for _ in range(400):
        await hooks.send_all()
        if (await hooks.read(endpoint))["state"] == "disabled":
            break
        world.clock.advance(seconds=900)
    assert await hooks.outcomes(endpoint) == [("failed", ["refused"] * (len(DELAYS) + 1))]
    assert 75.5 < (world.clock.now() - start) / 1000 / HOUR < 86
    assert (await hooks.read(endpoint))["disabled_reason"] == "failing"
    receiver.answer = (200, {})
    await hooks.endpoints.change(world.tenant, endpoint, Changes(enabled=True))
    assert await hooks.endpoints.resend_failed(world.tenant, endpoint, start) == 1
    await hooks.send_all()
    assert [state for state, _ in await hooks.outcomes(endpoint)] == ["delivered"]
    assert len(set(receiver.ids())) == 1
    [row] = await hooks.log(endpoint)
    await hooks.endpoints.resend(world.tenant, endpoint, row["message_id"])
    await hooks.send_all()
    assert (await hooks.log(endpoint))[0]["attempts"] == len(DELAYS) + 3


async def test_a_rotated_secret_overlaps_for_as_long_as_was_said(hooks, receivers, world):
    receiver = await receivers()
    endpoint, old = await hooks.add(receiver.url)
    new = new_secret()
    await hooks.endpoints.rotate(world.tenant, endpoint, new, HOUR * 1000)
    await hooks.endpoints.test(world.tenant, endpoint)
    await hooks.send_all()
    assert [message["type"] for message in receiver.verified(old)] == [TEST]
    assert receiver.verified(written(new))
    world.clock.advance(seconds=HOUR)
    receiver.requests.clear()
    await hooks.endpoints.test(world.tenant, endpoint)
    await hooks.send_all()
    assert receiver.verified(written(new))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        receiver.verified(old)


async def test_a_secret_that_cannot_be_read_any_more_is_a_failure_of_its_endpoint_alone(hooks, receivers, world):
    blind, well = await receivers(), await receivers()
    endpoint, _ = await hooks.add(blind.url, "offer.opened")
    await hooks.add(well.url, "offer.opened")
    async with tenant_transaction(world.app, world.tenant) as connection:
        await connection.execute(
            "UPDATE handoff.endpoints SET secret = $1 WHERE endpoint_id = $2::uuid", b"x" * 44, endpoint
        )
    await hooks.offer("lead-1")
    await hooks.send_all()
    assert len(well.requests) == 1
    assert blind.requests == []
    assert await hooks.outcomes(endpoint) == [("pending", ["unsigned"])]


async def test_secrets_are_stored_sealed_and_what_is_deleted_or_old_is_gone(hooks, receivers, world):
    receiver = await receivers()
    endpoint, secret = await hooks.add(receiver.url, "offer.opened")
    await hooks.offer("lead-1")
    await hooks.send_all()
    raw = standardwebhooks.Webhook(secret)._whsecret
    stored = [row["secret"] for row in await world.rows("endpoints", "created_at")]
    assert stored
    assert all(raw not in sealed for sealed in stored)
    assert await queue.forget(world.workers, world.clock.now()) == 0
    assert await queue.forget(world.workers, world.clock.now() + 1) >= 1
    for table in ("messages", "deliveries", "delivery_attempts"):
        assert await world.rows(table, "1") == []
    await hooks.offer("lead-2")
    await hooks.endpoints.delete(world.tenant, endpoint)
    assert await hooks.sender.send_due() == 0
    assert await world.rows("deliveries", "1") == []


async def test_lateness_is_ours_alone_not_that_of_a_receiver_that_fails(hooks, receivers, world):
    receiver = await receivers((503, {}))
    await hooks.add(receiver.url, "offer.opened")
    await hooks.offer("lead-1")
    world.clock.advance(seconds=40)
    assert await queue.late_seconds(world.workers, world.clock.now()) == 40
    await hooks.send_all()
    world.clock.advance(seconds=2)
    assert await queue.late_seconds(world.workers, world.clock.now()) == 0
