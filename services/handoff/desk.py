"""The rep's desk: accept, decline, log a touch; each is one transaction under the lock of the opportunity."""

from __future__ import annotations

from services.handoff import metrics, store
from services.handoff.answers import store as answers
from services.handoff.domain import hearing, pausing, rep
from services.handoff.domain.hearing import Heard
from services.handoff.domain.next_year import before_next_year
from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.domain.rep import Activity, Handover, HandoverIncompleteError, OfferNotOpenError
from services.handoff.domain.terms import Promises
from services.handoff.pipeline import beginning
from services.handoff.policies import Policies
from services.handoff.store import Write
from services.handoff.touches import store as touches
from shared.kit.clock import Clock
from shared.kit.database import Connection, Pool, tenant_transaction
from shared.kit.person import seal
from shared.schemas.person import SealedPerson
from shared.schemas.policies.frameworks import Fiscal
from shared.schemas.policies.routing import DeclineReason
from shared.schemas.policies.sla import PauseReason

NOTHING_SAID = Handover()


class UnknownOpportunityError(Exception):
    """The tenant has no opportunity of this id."""


class ActivityIdTakenError(Exception):
    """Another activity of this opportunity has this id already."""


class Desk:
    """What reps do. Every method raises UnknownOpportunityError; the first two NotTheHolderError and OfferNotOpenError.

    rep_id:     who does it; None stands for whoever was asked last
    assignment: where it is given, only the open offer of this one is answered; else OfferNotOpenError
    """

    def __init__(self, pool: Pool, clock: Clock, policies: Policies) -> None:
        self._pool, self._clock, self._policies = pool, clock, policies

    async def accept(self, tenant: str, opportunity_id: str, rep_id: str | None, assignment: int | None = None) -> None:
        """Accepting twice is accepting once."""
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity, before, promises, now = await self._promised(connection, tenant, opportunity_id)
            _still_open(opportunity, assignment)
            change = rep.accept(opportunity, rep_id or opportunity.offers[-1].rep_id, now)
            change = await beginning.save(connection, Write(before, change), self._policies, promises, now)
        metrics.count(change.events)

    async def decline(
        self,
        tenant: str,
        opportunity_id: str,
        rep_id: str | None,
        reason: DeclineReason,
        note: str | None,
        until: int | None = None,
        assignment: int | None = None,
    ) -> None:
        """Declining twice for the same reason is declining once. until: when the lead wants to be called again (ms); where that is
        not said, the reason may say that it is some time before the customer's next fiscal year"""
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity, before, now = await self._locked(connection, tenant, opportunity_id)
            _still_open(opportunity, assignment)
            asked = rep_id or opportunity.offers[-1].rep_id
            if until is None and reason.before_fiscal_year is not None:
                until = await self._before_next_year(connection, opportunity, reason.before_fiscal_year, now)
            change = rep.decline(opportunity, asked, reason, now, note_given=bool(note), until=until)
            await store.save(connection, tenant, [Write(before, change, note=_sealed(note))], now)
        metrics.count(change.events)

    async def qualify(
        self, tenant: str, opportunity_id: str, rep_id: str | None, handover: Handover = NOTHING_SAID
    ) -> None:
        """Passing on twice is passing on once. Raises NotInsideSalesError, and HandoverIncompleteError where policy wants more."""
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity, before, now = await self._locked(connection, tenant, opportunity_id)
            change = rep.qualify(opportunity, rep_id or opportunity.offers[-1].rep_id, now)
            passed = next((event for event in change.events if event.kind == "lead-qualified"), None)
            if passed and (missing := handover.lacks(self._policies.handover(tenant))):
                raise HandoverIncompleteError(missing)
            await store.save(connection, tenant, [Write(before, change)], now)
            if passed and passed.rep_id and not handover.is_empty():
                await store.add_handover(connection, before, passed.assignment, passed.rep_id, handover, now)
        metrics.count(change.events)

    async def pause(
        self,
        tenant: str,
        opportunity_id: str,
        rep_id: str | None,
        reason: PauseReason,
        by: str,
        until: int | None = None,
    ) -> None:
        """Pausing twice is pausing once. Raises also PausedAlreadyError, PauseLimitError and NothingRunsError.

        until: when the clocks are to go on (ms), if sooner than policy lets;  by: whose token said so
        """
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity, before, promises, now = await self._promised(connection, tenant, opportunity_id)
            known = await store.pauses(connection, opportunity)
            asked = rep_id or opportunity.offers[-1].rep_id
            change, made = pausing.pause(opportunity, known, asked, reason, now, by=by, until=until, promises=promises)
            await store.save(connection, tenant, [Write(before, change)], now)
            if made:
                await store.save_pause(connection, opportunity, made)
        metrics.count(change.events)

    async def resume(self, tenant: str, opportunity_id: str, rep_id: str | None, by: str) -> None:
        """Resuming what runs changes nothing."""
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity, before, promises, now = await self._promised(connection, tenant, opportunity_id)
            known = await store.pauses(connection, opportunity)
            asked = rep_id or opportunity.offers[-1].rep_id
            change, ended = pausing.resume(opportunity, known, asked, now, by=by, promises=promises)
            await store.save(connection, tenant, [Write(before, change)], now)
            if ended:
                await store.save_pause(connection, opportunity, ended)
        metrics.count(change.events)

    async def log_touch(
        self, tenant: str, opportunity_id: str, activity: Activity, note: str | None, logged_by: str
    ) -> bool:
        """Whether it is new: logging an activity of a known id again changes nothing.

        Raises ActivityIdTakenError when it was another one: of another type, or with another outcome."""
        change: Change | None = None
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity, before, promises, now = await self._promised(connection, tenant, opportunity_id)
            known = await store.find_activity(connection, tenant, opportunity_id, activity.activity_id)
            if known and known != (activity.type, activity.outcome):
                raise ActivityIdTakenError
            if not known:
                activity = rep.attributed(opportunity, activity)
                change = rep.log_touch(opportunity, activity, now)
                change = await beginning.save(connection, Write(before, change), self._policies, promises, now)
                await store.add_activity(
                    connection, opportunity, activity, logged_by=logged_by, note=_sealed(note), now=now
                )
        if change:
            metrics.count(change.events)
        return change is not None

    def counting(self, tenant: str) -> frozenset[str]:
        """Types that are a human touch by what policy says now."""
        return self._policies.activity_types(tenant)[0]

    async def hear(self, tenant: str, opportunity_id: str, heard: Heard) -> bool:
        """Whether a touch that was told on `touchpoints` became an activity of the opportunity by this: it does so once."""
        change: Change | None = None
        counting = self.counting(tenant)
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity, before, promises, now = await self._promised(connection, tenant, opportunity_id)
            chosen = await touches.chosen(connection, tenant, opportunity_id)
            found = hearing.hear(opportunity, heard, chosen, counting, now)
            if found is None or not await touches.claim(connection, tenant, heard):
                return False
            if await store.find_activity(connection, tenant, opportunity_id, heard.event_id):
                return False  # whoever sent it has logged it here, too
            change, activity = found
            change = await beginning.save(connection, Write(before, change), self._policies, promises, now)
            logged_by = f"ingest/{heard.source_id}"
            await store.add_activity(connection, opportunity, activity, logged_by=logged_by, note=None, now=now)
        metrics.count(change.events)
        return True

    async def _before_next_year(self, connection: Connection, opportunity: Opportunity, months: int, now: int) -> int:
        """By the fiscal year of the account that the router matched, else by the policy's."""
        framework = self._policies.framework(opportunity.tenant)
        usual = framework.fiscal if framework else Fiscal()
        ends_with = await answers.fiscal_month(connection, opportunity.tenant, opportunity.lead_id)
        return before_next_year(now, months, ends_with or usual.month, usual.zone)

    async def _locked(
        self, connection: Connection, tenant: str, opportunity_id: str
    ) -> tuple[Opportunity, Opportunity, int]:
        """The opportunity by what is promised now, as it is stored, and the time (ms) after it was locked."""
        opportunity, before, _, now = await self._promised(connection, tenant, opportunity_id)
        return opportunity, before, now

    async def _promised(
        self, connection: Connection, tenant: str, opportunity_id: str
    ) -> tuple[Opportunity, Opportunity, Promises | None, int]:
        """The same, with that promise."""
        found = (await store.lock(connection, tenant, [opportunity_id])).get(opportunity_id)
        if found is None:
            raise UnknownOpportunityError
        promises = self._policies.promises(tenant, (await store.away(connection, [tenant]))[tenant])
        now = self._clock.now()
        return found.by_promises(promises, now) if promises else found, found, promises, now


def _still_open(opportunity: Opportunity, assignment: int | None) -> None:
    if assignment is None:
        return
    last = opportunity.offers[-1]
    if (last.assignment, last.state) != (assignment, "open"):
        raise OfferNotOpenError(last.state)


def _sealed(note: str | None) -> SealedPerson | None:
    return seal({"free_text": note})
