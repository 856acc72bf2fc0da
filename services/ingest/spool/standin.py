"""Kafka or Redis away: the spool stands in for them, and is drained when they are back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

import structlog

from services.ingest.domain.touch import Draft
from services.ingest.handler import Handle, UnavailableError
from services.ingest.links import LinksLostError
from services.ingest.spool import Spool, SpoolError
from services.ingest.spool.drain import LONGEST_PAUSE, Drain
from shared.kit.kafka import Outgoing

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2.5  # for a call that goes straight; senders give up after 3 to 5


class StandIn:
    """`handle`, which answers although Kafka or Redis is away: what it cannot write it leaves in the spool.

    The first call that finds them away waits for `patience` seconds. From then on calls go to the spool at once, until events that
    are drained from it have been written. What is in the spool has not been given to a lead; that is done as it is drained.
    """

    def __init__(self, handle: Handle, spool: Spool, *, patience: float = PATIENCE_SECONDS) -> None:
        self._handle, self._spool, self._patience = handle, spool, patience
        self._attempts: set[asyncio.Future[list[bool]]] = set()
        self._arrived = asyncio.Event()
        self._try_again_at = 0.0
        self.away = False

    async def __call__(self, drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        """As `handle`. Raises UnavailableError when the spool cannot keep it either."""
        if not drafts and not others:
            return []
        away = "Kafka or Redis is away"
        if not self.away or self._is_trial():
            try:
                return await self._straight(drafts, others)
            except (UnavailableError, LinksLostError) as error:
                away = str(error)
        try:
            new = await self._spool.keep(drafts, others)
        except SpoolError as error:
            log.warning("spool_refused", reason=error.reason, error=str(error))
            raise UnavailableError(f"{away}, and {error}", "spool") from error
        self._arrived.set()
        return new

    def has_room(self) -> bool:
        """Whether a call will be kept although Kafka or Redis is away, as far as can be told."""
        return self._spool.has_room()

    def is_draining(self) -> bool:
        """Whether they are away and the spool will find out when they are back."""
        return self.away and self._spool.figures.rows > 0

    async def drain(self) -> None:
        """Write what is in the spool, oldest first, whenever there is something; until cancelled."""
        drain = Drain(self._spool, self._straight)
        while True:
            # A spool that could not be read may hold what an earlier life was told to keep: it is asked until it answers.
            if not self._spool.figures.rows and not self._spool.is_broken():
                self._arrived.clear()
                await self._arrived.wait()
            try:
                await drain.run()
            except SpoolError as error:
                log.warning("spool_not_drained", reason=error.reason, error=str(error))
            else:
                if not self._spool.is_broken():
                    continue
            await asyncio.sleep(LONGEST_PAUSE)

    async def close(self) -> None:
        """Give up on what is still under way; it is in the spool."""
        for attempt in tuple(self._attempts):
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)

    async def _straight(self, drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        """As `handle`, which is left to itself after `patience`: should it succeed after all, then its events are claimed, so that
        draining them finds duplicates, or writes the same bytes again."""
        attempt = asyncio.ensure_future(self._handle(drafts, others))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._ended)
        await asyncio.wait({attempt}, timeout=self._patience)
        try:
            if not attempt.done():
                raise UnavailableError(f"no answer from kafka and redis in {self._patience:g} s")
            accepted = attempt.result()
        except (UnavailableError, LinksLostError) as error:
            if not self.away:
                log.error("spooling", why=str(error))
            self.away = True
            raise
        if drafts:  # other records need no Redis, so they tell nothing of it
            if self.away:
                log.warning("spooling_ended", rows=self._spool.figures.rows)
            self.away = False
        return accepted

    def _ended(self, attempt: asyncio.Future[list[bool]]) -> None:
        self._attempts.discard(attempt)
        if not attempt.cancelled():
            attempt.exception()  # it was told where somebody still waited

    def _is_trial(self) -> bool:
        """Whether this call shall find out if they are back, since no row in the spool does."""
        if self._spool.figures.rows or monotonic() < self._try_again_at:
            return False
        self._try_again_at = monotonic() + LONGEST_PAUSE
        return True
