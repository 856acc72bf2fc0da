"""Tells people what is due. Each channel is served by one process at a time, one message at a time; many channels at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from uuid import uuid4

import structlog

from services.handoff import metrics, store
from services.handoff.policies import Policies
from services.handoff.telling import queue
from services.handoff.telling.facts import Gathering
from services.handoff.telling.media import Message
from services.handoff.telling.queue import Claim, Notification
from services.handoff.telling.recipients import AT_ONCE, Reached, Recipients, language
from services.handoff.telling.schedule import FAILING, judge, pause_of
from services.handoff.telling.sending import Senders
from services.handoff.telling.words import MOST, message
from services.handoff.turns import take_turns
from shared.availability.people import Away
from shared.kit.clock import Clock
from shared.kit.database import HOPELESS, Connection, Pool

log = structlog.get_logger(__name__)

TURN_SECONDS = 10.0  # after which a channel makes room for the next one
WAKE_SECONDS = 15.0
COUNT_SECONDS = 15.0
FORGET_SECONDS = 3600.0
DAY = 86_400_000
BETWEEN_REMINDERS = 60_000  # ms between two messages that do nothing but remind the same rep on the same channel
NEW_AT_ONCE = 500


class Teller:
    """Tells the people of all tenants, at least once each. Several processes may run one.

    workers: of baton_worker;  most: channels served at once;  poll_seconds: how long it sleeps at most
    kept_days: for which notifications and the log of their tries are kept
    """

    def __init__(
        self,
        workers: Pool,
        policies: Policies,
        senders: Senders,
        gathering: Gathering,
        clock: Clock,
        *,
        most: int,
        poll_seconds: float,
        kept_days: int,
    ) -> None:
        self._workers, self._policies, self._clock = workers, policies, clock
        self._senders, self._gathering = senders, gathering
        self._most, self._poll, self._kept = most, poll_seconds, kept_days * DAY
        self._token = str(uuid4())  # of this process: a claim is no event, and need not be derived
        self._recipients: dict[str, Recipients] = {}

    async def run(self) -> None:
        """Until cancelled, or until Postgres fails: then the process restarts, and what it had claimed is free a minute later."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._count())
            tasks.create_task(self._wake())
            tasks.create_task(self._forget())
            await take_turns(self._claim, self._turn, most=self._most, poll_seconds=self._poll)

    async def tell_due(self) -> int:
        """Address what is new, and one turn of every channel that has something due; how many messages were tried."""
        return sum(await asyncio.gather(*map(self._turn, await self._claim(self._most))))

    async def address_new(self) -> int:
        """Find out whom the new ones reach; how many there were."""
        async with self._workers.acquire() as connection, connection.transaction():
            found = await queue.new(connection, NEW_AT_ONCE)
            reached = [(one, *await self._reached(connection, one)) for one in found]
            if found:
                await queue.address(connection, reached, self._clock.now())
        return len(found)

    async def _reached(self, connection: Connection, one: Notification) -> tuple[list[tuple[str, str]], bool]:
        """Reps and channels; and whether it is worth keeping that there are none: not of tenants who tell nobody anything."""
        recipients = self._of(one.tenant)
        if recipients is None or not recipients.has_channels():
            return [], False
        pool_id = await queue.pool_of(connection, one) if one.audience != "rep" else None
        return recipients.channels(recipients.audience(one.rep_id, one.audience, pool_id)), True

    async def wake_waiting(self) -> None:
        """What waits for the hours of people goes by those that hold now."""
        now = self._clock.now()
        for tenant, rep_id in await queue.waiting(self._workers):
            if recipients := self._of(tenant):
                at = recipients.from_when(rep_id, await self._away(tenant), now)
                await queue.wake(self._workers, tenant, rep_id, at)

    async def _claim(self, most: int) -> list[Claim]:
        while await self.address_new() == NEW_AT_ONCE:
            pass
        return await queue.claim(self._workers, self._token, most, self._clock.now())

    async def _turn(self, claimed: Claim) -> int:
        began, tries, failures = monotonic(), 0, claimed.failures
        try:
            found = await queue.due(self._workers, claimed, self._clock.now())
            away = await self._away(claimed.tenant)
            for together in _by_rep(found):
                sent = await self._tell(claimed, together, away, failures)
                if sent is None:
                    continue
                failures, goes_on = sent
                tries += 1
                if not goes_on or monotonic() - began > TURN_SECONDS:
                    break
        finally:
            await queue.release(self._workers, claimed)
        return tries

    async def _tell(
        self, claimed: Claim, found: Sequence[Notification], away: Mapping[str, Away], failures: int
    ) -> tuple[int, bool] | None:
        """One message to one rep, as far as they may be disturbed: the failures in a row and whether the next may follow; None
        where nothing was sent."""
        recipients, now = self._of(claimed.tenant), self._clock.now()
        to = recipients.reached(found[0].rep_id, claimed.channel_id) if recipients else None
        if recipients is None or to is None:
            await queue.drop(self._workers, found, "no_address", now)
            return None
        found = await self._disturbing(recipients, found, away, now)
        found = await self._not_too_often(claimed, found, now)
        holds = await queue.begin(self._workers, found, now) if found else set()
        found = [one for one in found if one.notification_id in holds]
        if not found:
            return None
        told = await self._written(found, to, now)
        if told is None:
            await queue.drop(self._workers, found, "unwritable", now)
            return None
        outcome, took_ms = await self._senders.send(to.channel.url, to.to, told)
        now, failures = self._clock.now(), 0 if outcome == "told" else failures + 1
        verdicts = [
            (one, judge(outcome, notification_id=one.notification_id, tries=one.attempts + 1, now=now)) for one in found
        ]
        paused_until = now + pause_of(outcome, failures) if outcome != "told" else 0
        goes_on = await queue.note(self._workers, claimed, verdicts, outcome, took_ms, failures, paused_until, now)
        metrics.MESSAGES_SENT.labels(outcome).inc()
        for _, verdict in verdicts:
            if verdict.state != "pending":
                metrics.NOTIFICATIONS_ENDED.labels(verdict.state).inc()
        if failures == FAILING + 1:
            log.warning("channel_failing", tenant=claimed.tenant, channel=claimed.channel_id, outcome=outcome)
        return failures, goes_on

    async def _written(self, found: Sequence[Notification], to: Reached, now: int) -> Message | None:
        """None where there is nothing any more of what is to be told, or where it cannot be put into words: others still can."""
        tenant = found[0].tenant
        reasons = {code: one.label.texts() for code, one in self._policies.decline_reasons(tenant).items()}
        try:
            facts = await self._gathering.facts(found, to, reasons, now)
            return message(to.rep.name, facts, language(to.rep), to.rep.zone) if facts else None
        except HOPELESS as error:
            log.error("unwritable", tenant=tenant, notifications=len(found), error=type(error).__name__)
            return None

    async def _disturbing(
        self, recipients: Recipients, found: Sequence[Notification], away: Mapping[str, Away], now: int
    ) -> list[Notification]:
        """Those for which the rep may be disturbed now; the others wait until they are at work."""
        at = recipients.from_when(found[0].rep_id, away, now)
        if at <= now:
            return list(found)
        urgent = [one for one in found if one.lead_class == AT_ONCE]
        if waits := [one for one in found if one.lead_class != AT_ONCE]:
            await queue.postpone(self._workers, waits, at, waits=True)
        return urgent

    async def _not_too_often(self, claimed: Claim, found: list[Notification], now: int) -> list[Notification]:
        """None, where they do nothing but remind somebody who was reminded within the minute: they go together, after it."""
        if not found or any(one.kind != "reminder" for one in found):
            return found
        last = await queue.last_reminded(self._workers, claimed, found[0].rep_id, now - BETWEEN_REMINDERS)
        if last is None:
            return found
        await queue.postpone(self._workers, found, last + BETWEEN_REMINDERS, waits=False)
        return []

    def _of(self, tenant: str) -> Recipients | None:
        """By the teams in force; made anew where these are others."""
        teams, known = self._policies.teams(tenant), self._recipients.get(tenant)
        if teams is None:
            return None
        if known is None or known.teams is not teams:
            known = self._recipients[tenant] = Recipients(teams)
        return known

    async def _away(self, tenant: str) -> Mapping[str, Away]:
        async with self._workers.acquire() as connection:
            return (await store.away(connection, [tenant]))[tenant]

    async def _wake(self) -> None:
        while True:
            await self.wake_waiting()
            await asyncio.sleep(WAKE_SECONDS)

    async def _count(self) -> None:
        while True:
            metrics.NOTIFICATIONS_LATE.set(await queue.late_seconds(self._workers, self._clock.now()))
            metrics.CHANNELS_FAILING.set(await queue.count_failing(self._workers, FAILING))
            await asyncio.sleep(COUNT_SECONDS)

    async def _forget(self) -> None:
        while True:
            await queue.forget(self._workers, self._clock.now() - self._kept)
            await asyncio.sleep(FORGET_SECONDS)


def _by_rep(found: Sequence[Notification]) -> list[list[Notification]]:
    """What goes in one message: things for the same rep, at most MOST; the rep whose thing is oldest comes first."""
    by_rep: dict[str, list[Notification]] = {}
    for one in found:
        by_rep.setdefault(one.rep_id, []).append(one)
    return [of_rep[n : n + MOST] for of_rep in by_rep.values() for n in range(0, len(of_rep), MOST)]
