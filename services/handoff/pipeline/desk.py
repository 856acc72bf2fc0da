"""The desk of deals: each act is one transaction under the lock of the opportunity."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.handoff import metrics, store
from services.handoff.desk import UnknownOpportunityError
from services.handoff.domain.deal_clocks import watched
from services.handoff.domain.ending import fire
from services.handoff.domain.opportunity import Opportunity
from services.handoff.domain.pausing import stands_until
from services.handoff.domain.terms import Promises
from services.handoff.pipeline import store as rows
from services.handoff.pipeline.beginning import first
from services.handoff.pipeline.deal import Deal, changes
from services.handoff.pipeline.handover import applied, due_days, owner, worked
from services.handoff.pipeline.steps import Moment, RefusedError
from services.handoff.policies import Policies
from services.handoff.store import Write
from shared.kit.clock import Clock
from shared.kit.database import Connection, Pool, tenant_transaction
from shared.schemas.policies.pipeline import PipelinePolicy

Act = Callable[[Deal, PipelinePolicy, Moment], Deal]


class StaleError(Exception):
    """The deal is another version by now than the caller has seen. deal: as it is"""

    def __init__(self, deal: Deal) -> None:
        super().__init__(f"it is version {deal.version}")
        self.deal = deal


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. by: the name of the token;  rep_id: whose deal it has to be; None: anybody's"""

    by: str
    rep_id: str | None = None


class DealDesk:
    """What reps do with deals. Its methods raise UnknownOpportunityError and RefusedError, also no_pipeline_policy and
    not_accepted."""

    def __init__(self, pool: Pool, clock: Clock, policies: Policies) -> None:
        self._pool, self._clock, self._policies = pool, clock, policies

    async def read(self, tenant: str, opportunity_id: str) -> Deal:
        """The deal, as it stands; version 0 where nobody has written to it yet."""
        policy = self.policy(tenant)
        async with tenant_transaction(self._pool, tenant) as connection:
            found = await rows.find(connection, tenant, [opportunity_id])
            if opportunity_id in found:
                return found[opportunity_id]
            opportunity = (await store.lock(connection, tenant, [opportunity_id])).get(opportunity_id)
            if opportunity is None:
                raise UnknownOpportunityError
            return await first(connection, opportunity, policy, self._policies)

    async def change(
        self,
        tenant: str,
        opportunity_id: str,
        act: Act,
        asker: Asker,
        *,
        versions: Collection[int] | None = None,
        note: str | None = None,
    ) -> Deal:
        """The deal after `act`, stored. What changes nothing stores and tells nothing, whichever version it was said of: it has
        been done. Raises StaleError where the deal is none of `versions`, and RefusedError: not_the_holder.

        note: why, as it was said
        """
        policy = self.policy(tenant)
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity, before, promises, now = await self._locked(connection, tenant, opportunity_id)
            found = (await rows.find(connection, tenant, [opportunity_id])).get(opportunity_id)
            fired = fire(opportunity, now)
            if found and not found.is_open and fired.opportunity.current() is None:
                raise RefusedError("closed", f"the deal is {found.stage}, and stays so: a new cycle begins another")
            offer = owner(fired.opportunity)
            if asker.rep_id is not None and offer.rep_id != asker.rep_id:
                raise RefusedError("not_the_holder", "somebody else has this deal")
            deal = found or await first(connection, opportunity, policy, self._policies)
            moment = Moment(now, self._policies.zone(tenant, offer.rep_id))
            stale = versions is not None and deal.version not in versions
            try:
                after = act(deal, policy, moment)
            except RefusedError:
                if stale:  # what they would be told is of a deal that they have not seen
                    raise StaleError(deal) from None
                raise
            if not changes(deal, after):
                return deal
            if stale:
                raise StaleError(deal)
            after = after.model_copy(update={"version": deal.version + 1})
            change = fired.then(worked(fired.opportunity, deal, after, now))
            change = change.then(applied(change.opportunity, found, after, now))
            if promises:
                stands = stands_until(await store.pauses(connection, opportunity), now)
                days = due_days(after, policy, promises, offer.rep_id, now, stands)
                change = change.then(watched(change.opportunity, days, promises, now, stands))
            await store.save(connection, tenant, [Write(before, change)], now)
            await rows.save(connection, change.opportunity, found, after, policy, by=asker.by, now=now, note=note)
        metrics.count(change.events)
        return after

    async def history(self, tenant: str, opportunity_id: str, after: int, versions: int) -> list[rows.Recorded]:
        """The changes of so many versions after that one, in order."""
        async with tenant_transaction(self._pool, tenant) as connection:
            return await rows.history(connection, tenant, opportunity_id, after, versions)

    def policy(self, tenant: str) -> PipelinePolicy:
        """Raises RefusedError: no_pipeline_policy."""
        policy = self._policies.pipeline(tenant)
        if policy is None:
            raise RefusedError(
                "no_pipeline_policy",
                "the tenant has no pipeline policy: write pipeline.yaml, then `baton policy apply`",
            )
        return policy

    async def _locked(
        self, connection: Connection, tenant: str, opportunity_id: str
    ) -> tuple[Opportunity, Opportunity, Promises | None, int]:
        """The opportunity by what is promised now, as it is stored, that promise, and the time (ms) after it was locked."""
        found = (await store.lock(connection, tenant, [opportunity_id])).get(opportunity_id)
        if found is None:
            raise UnknownOpportunityError
        promises = self._policies.promises(tenant, (await store.away(connection, [tenant]))[tenant])
        now = self._clock.now()
        return found.by_promises(promises, now) if promises else found, found, promises, now
