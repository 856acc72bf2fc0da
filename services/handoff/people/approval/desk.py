"""Changing the approval route of a deal: each is one transaction under the lock of the opportunity."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date

from services.handoff import metrics, store
from services.handoff.desk import UnknownOpportunityError
from services.handoff.domain import events
from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.people import changes, history
from services.handoff.people import store as people
from services.handoff.people.approval import store as rows
from services.handoff.people.approval.route import WHOLE, Approval, Item, Material, RouteIncompleteError, State, went_on
from services.handoff.people.approval.store import Passed
from services.handoff.people.changes import Of
from services.handoff.people.desk import ChangedMeanwhileError, UnknownPersonError
from services.handoff.store import Write
from shared.kit.clock import Clock
from shared.kit.database import Connection, Pool, tenant_transaction


class ApprovedAlreadyError(Exception):
    """The route of what was approved is not changed any more."""


@dataclass(frozen=True, slots=True)
class Paper:
    """All that is known of the approval. pack: what was said of the material, by item"""

    approval: Approval
    course: list[Passed]
    pack: dict[str, Material]


@dataclass(slots=True)
class _Locked:
    connection: Connection
    opportunity: Opportunity
    approval: Approval
    pack: dict[str, Material]
    now: int
    said: str | None = None  # what is to be told, if anything changed


class ApprovalDesk:
    """What reps know of the approval. Every method raises UnknownOpportunityError; `by` is whose token said so."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def draw(self, tenant: str, opportunity_id: str, wanted: Approval, seen: int | None, by: str) -> None:
        """The route is to be so, and with these dates; where it stands does not change. seen: the version that the caller has seen

        Raises ChangedMeanwhileError, UnknownPersonError, ApprovedAlreadyError, RouteIncompleteError for what was submitted.
        """
        async with self._locked(tenant, opportunity_id) as locked:
            known = locked.approval
            if seen is not None and seen != known.version:
                raise ChangedMeanwhileError(known.version)
            kept = ("state", "submitted_on", "decided_on", "version")
            drawn = replace(wanted, **{name: getattr(known, name) for name in kept})
            if drawn == known:
                return
            if known.state == "approved":
                raise ApprovedAlreadyError
            if known.state in WHOLE and (missing := drawn.lacks()):
                raise RouteIncompleteError(missing)
            present = {one.stakeholder_id for one in await people.of_opportunity(locked.connection, locked.opportunity)}
            before = {step.stakeholder_id for step in known.steps}  # who was removed meanwhile may stay in the route
            for step in drawn.steps:
                if step.stakeholder_id is not None and step.stakeholder_id not in present | before:
                    raise UnknownPersonError("stakeholder", step.stakeholder_id, sorted(present))
            await self._save(locked, drawn, by, "drawn")

    async def go_on(self, tenant: str, opportunity_id: str, state: State, on: date, note: str | None, by: str) -> None:
        """It went on to `state` on that day. Saying so again changes nothing.

        Raises NotFromHereError, RouteIncompleteError, TooEarlyError.
        """
        async with self._locked(tenant, opportunity_id) as locked:
            if state == locked.approval.state and locked.approval.version:
                return
            await self._save(locked, went_on(locked.approval, state, on), by, state)
            opportunity, saved = locked.opportunity, locked.approval
            await rows.add_passed(
                locked.connection, tenant, opportunity.opportunity_id, saved, on, by, locked.now, note
            )

    async def put_material(self, tenant: str, opportunity_id: str, item: Item, material: Material, by: str) -> None:
        """What there is of an item of the pack."""
        async with self._locked(tenant, opportunity_id) as locked:
            if locked.pack.get(item) == material:
                return
            await rows.save_material(locked.connection, tenant, opportunity_id, item, material)
            await self._save(locked, locked.approval, by, "pack", {**locked.pack, item: material})

    async def paper(self, tenant: str, opportunity_id: str) -> Paper:
        async with tenant_transaction(self._pool, tenant) as connection:
            return Paper(
                await rows.find(connection, tenant, opportunity_id),
                await rows.course(connection, tenant, opportunity_id),
                await rows.pack(connection, tenant, opportunity_id),
            )

    async def _save(
        self, locked: _Locked, approval: Approval, by: str, said: str, pack: dict[str, Material] | None = None
    ) -> None:
        """pack: as it is now, where that became other"""
        before = history.of_approval(locked.approval, locked.pack)
        locked.pack = locked.pack if pack is None else pack
        locked.approval = replace(approval, version=approval.version + 1)
        locked.said = said
        opportunity = locked.opportunity
        await rows.save(
            locked.connection, opportunity.tenant, opportunity.opportunity_id, locked.approval, by, locked.now
        )
        of = Of(opportunity.tenant, opportunity.opportunity_id, "approval")
        after = history.of_approval(locked.approval, locked.pack)
        await changes.record(locked.connection, of, before, after, locked.approval.version, by, locked.now)

    @asynccontextmanager
    async def _locked(self, tenant: str, opportunity_id: str) -> AsyncIterator[_Locked]:
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity = (await store.lock(connection, tenant, [opportunity_id])).get(opportunity_id)
            if opportunity is None:
                raise UnknownOpportunityError
            known = await rows.find(connection, tenant, opportunity_id)
            pack = await rows.pack(connection, tenant, opportunity_id)
            locked = _Locked(connection, opportunity, known, pack, self._clock.now())
            yield locked
            if locked.said is None:
                return
            last, version = opportunity.offers[-1].assignment, str(locked.approval.version)
            event = events.event(opportunity, "approval-changed", locked.now, last, version, reason=locked.said)
            await store.save(connection, tenant, [Write(opportunity, Change(opportunity, (event,)))], locked.now)
        metrics.count([event])
