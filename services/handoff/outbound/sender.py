"""Sends what is due. Each endpoint is served by one process at a time, one message at a time; many endpoints at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from uuid import uuid4

import structlog

from services.handoff import metrics
from services.handoff.outbound import queue, signing
from services.handoff.outbound.post import Answer, Poster
from services.handoff.outbound.queue import Claim, Delivery
from services.handoff.outbound.schedule import judge
from services.handoff.turns import COUNT_SECONDS, DAY, TURN_SECONDS, take_turns
from shared.kit.clock import Clock
from shared.kit.database import Pool
from shared.kit.forgetting import keep_forgetting

log = structlog.get_logger(__name__)


class Sender:
    """Delivers the webhooks of all tenants, at least once each. Several processes may run one.

    workers: of baton_worker;  most: endpoints served at once;  poll_seconds: how long it sleeps at most
    kept_days: for which messages and the log of their deliveries are kept
    """

    def __init__(
        self,
        workers: Pool,
        poster: Poster,
        seals: signing.Seals,
        clock: Clock,
        *,
        most: int,
        poll_seconds: float,
        kept_days: int,
    ) -> None:
        self._workers, self._poster, self._seals, self._clock = workers, poster, seals, clock
        self._most, self._poll, self._kept = most, poll_seconds, kept_days * DAY
        self._token = str(uuid4())  # of this process: a claim is no event, and need not be derived

    async def run(self) -> None:
        """Until cancelled, or until Postgres fails: then the process restarts, and what it had claimed is free a minute later."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._count())
            tasks.create_task(keep_forgetting(queue.forget, self._workers, self._clock, self._kept))
            await take_turns(self._claim, self._turn, most=self._most, poll_seconds=self._poll)

    async def send_due(self) -> int:
        """One turn of every endpoint that has something due; how many tries were made."""
        claimed = await self._claim(self._most)
        return sum(await asyncio.gather(*map(self._turn, claimed)))

    async def _claim(self, most: int) -> list[Claim]:
        return await queue.claim(self._workers, self._token, most, self._clock.now())

    async def _turn(self, claimed: Claim) -> int:
        began, tries = monotonic(), 0
        try:
            secrets, failures = self._open(claimed), claimed.failures
            for delivery in await queue.due(self._workers, claimed, self._clock.now()):
                failures, goes_on = await self._send(claimed, secrets, delivery, failures)
                tries += 1
                if not goes_on or monotonic() - began > TURN_SECONDS:
                    break
        finally:
            await queue.release(self._workers, claimed)
        return tries

    async def _send(self, claimed: Claim, secrets: list[bytes], delivery: Delivery, failures: int) -> tuple[int, bool]:
        answer = await self._post(claimed.url, secrets, delivery)
        now = self._clock.now()
        verdict = judge(
            answer,
            message_id=delivery.message_id,
            tries=delivery.tries + 1,
            failures=failures,
            nothing_since=claimed.last_success_at < delivery.created_at,
            now=now,
        )
        goes_on = await queue.note(self._workers, claimed, delivery, answer, verdict, now)
        metrics.WEBHOOKS_SENT.labels(answer.outcome).inc()
        if verdict.state != "pending":
            metrics.WEBHOOKS_ENDED.labels(verdict.state).inc()
        if verdict.disable:
            log.warning(
                "endpoint_disabled", tenant=claimed.tenant, endpoint=claimed.endpoint_id, reason=verdict.disable
            )
        return verdict.failures, goes_on

    def _open(self, claimed: Claim) -> list[bytes]:
        """The secrets to sign with; none where the newest cannot be read, because IDENTITY_SECRET is another now."""
        try:
            newest, *older = claimed.secrets
            secrets = [self._seals.open(claimed.tenant, claimed.endpoint_id, newest)]
            for sealed in older:
                with suppress(ValueError):
                    secrets.append(self._seals.open(claimed.tenant, claimed.endpoint_id, sealed))
        except ValueError:
            return []
        return secrets

    async def _post(self, url: str, secrets: list[bytes], delivery: Delivery) -> Answer:
        if not secrets:
            return Answer("unsigned", text="the endpoint's secret cannot be read: rotate it")
        body = delivery.body.encode()
        return await self._poster.post(
            url, signing.headers(secrets, delivery.message_id, self._clock.now(), body), body
        )

    async def _count(self) -> None:
        while True:
            metrics.WEBHOOKS_LATE.set(await queue.late_seconds(self._workers, self._clock.now()))
            metrics.ENDPOINTS_DISABLED.set(await queue.count_disabled(self._workers))
            await asyncio.sleep(COUNT_SECONDS)
