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
from services.handoff.telling.words import MOST, Facts, message
from services.handoff.turns import COUNT_SECONDS, DAY, TURN_SECONDS, take_turns
from shared.availability.people import Away
from shared.kit.clock import Clock
from shared.kit.database import HOPELESS, Connection, Pool
from shared.kit.forgetting import keep_forgetting

log = structlog.get_logger(__name__)

WAKE_SECONDS = 15.0
BETWEEN_REMINDERS = 60_000  # ms between two messages that do nothing but remind the same rep on the same channel
NEW_AT_ONCE = 500
PATIENCE = 60_000  # ms in which the teams that a lead was routed by come to be known here, too
LOOK_AGAIN = 5_000  # ms from one look at what reaches nobody to the next


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
        self._nowhere: dict[tuple[str, str, str], int] = {}  # since when (ms) teams name a rep on a channel no more

    async def run(self) -> None:
        """Until cancelled, or until Postgres fails: then the process restarts, and what it had claimed is free a minute later."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._count())
            tasks.create_task(self._wake())
            tasks.create_task(keep_forgetting(queue.forget, self._workers, self._clock, self._kept))
            await take_turns(self._claim, self._turn, most=self._most, poll_seconds=self._poll)

    async def tell_due(self) -> int:
        """Address what is new, and one turn of every channel that has something due; how many messages were tried."""
        return sum(await asyncio.gather(*map(self._turn, await self._claim(self._most))))

    async def address_new(self) -> int:
        """Find out whom the new ones reach; how many there were."""
        async with self._workers.acquire() as connection, connection.transaction():
            now = self._clock.now()
            found = await queue.new(connection, NEW_AT_ONCE, now)
            reached = [(one, *await self._reached(connection, one)) for one in found]
            early = {one.notification_id for one, to, _ in reached if not to and self._may_lag(one, now)}
            if early:
                again = [one for one in found if one.notification_id in early]
                await queue.address_later(connection, again, now + LOOK_AGAIN)
            if settled := [each for each in reached if each[0].notification_id not in early]:
                await queue.address(connection, settled, now)
        return len(found)

    def _may_lag(self, one: Notification, now: int) -> bool:
        """Whether the teams may be others where the lead was routed: they come to each service at its own moment."""
        recipients = self._of(one.tenant)
        return now < one.created_at + PATIENCE and (recipients is None or recipients.has_channels())

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
        for tenant, reps in (await queue.waiting(self._workers)).items():
            if recipients := self._of(tenant):
                away = await self._away(tenant)
                await queue.wake(self._workers, tenant, {rep: recipients.from_when(rep, away, now) for rep in reps})

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
            await self._elsewhere(claimed, found, recipients, now)
            return None
        self._nowhere.pop((claimed.tenant, claimed.channel_id, found[0].rep_id), None)
        found = await self._disturbing(recipients, found, away, now)
        found = await self._not_too_often(claimed, found, now)
        states = await queue.begin(self._workers, found, now) if found else {}
        metrics.NOTIFICATIONS_ENDED.labels("failed").inc(sum(state == "failed" for state in states.values()))
        found, told = await self._written(
            [one for one in found if states.get(one.notification_id) == "pending"], to, now
        )
        if told is None:
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

    async def _elsewhere(
        self, claimed: Claim, found: Sequence[Notification], recipients: Recipients | None, now: int
    ) -> None:
        """The teams in force here do not name the rep on this channel. They may be older than those by which it was addressed: so
        it waits for a minute; and if it is so then, the rep is told on what other channels they have now."""
        rep_id = found[0].rep_id
        since = self._nowhere.setdefault((claimed.tenant, claimed.channel_id, rep_id), now)
        if now < since + PATIENCE:
            await queue.postpone(self._workers, found, now + LOOK_AGAIN, waits=False)
            return
        channels = [channel for _, channel in recipients.channels(rep_id)] if recipients else []
        await queue.readdress(self._workers, found, channels, now)

    async def _written(
        self, found: Sequence[Notification], to: Reached, now: int
    ) -> tuple[list[Notification], Message | None]:
        """Those of `found` that can be put into words, in a message; the others are dropped, one by one."""
        if not found:
            return [], None
        tenant, speaks = found[0].tenant, language(to.rep)
        reasons = {code: one.label.texts() for code, one in self._policies.decline_reasons(tenant).items()}
        rows = await self._gathering.rows(found)
        told: list[tuple[Notification, Facts]] = []
        bad: list[Notification] = []
        for one in found:
            try:
                facts = self._gathering.facts(one, rows[one.notification_id], to, reasons, now)
                message(to.rep.name, [facts], speaks, to.rep.zone)
                told.append((one, facts))
            except HOPELESS as error:
                log.error("unwritable", tenant=tenant, notification=one.notification_id, error=type(error).__name__)
                bad.append(one)
        if bad:
            await queue.drop(self._workers, bad, "unwritable", now)
        if not told:
            return [], None
        return [one for one, _ in told], message(to.rep.name, [facts for _, facts in told], speaks, to.rep.zone)

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
            metrics.NOTIFICATIONS_OVERDUE.set(await queue.overdue_seconds(self._workers, self._clock.now()))
            metrics.NOTIFICATIONS_LATE.set(await queue.late_seconds(self._workers, self._clock.now()))
            metrics.CHANNELS_FAILING.set(await queue.count_failing(self._workers, FAILING))
            await asyncio.sleep(COUNT_SECONDS)


def _by_rep(found: Sequence[Notification]) -> list[list[Notification]]:
    """What goes in one message: things for the same rep, at most MOST; the rep whose thing is oldest comes first."""
    by_rep: dict[str, list[Notification]] = {}
    for one in found:
        by_rep.setdefault(one.rep_id, []).append(one)
    return [of_rep[n : n + MOST] for of_rep in by_rep.values() for n in range(0, len(of_rep), MOST)]
