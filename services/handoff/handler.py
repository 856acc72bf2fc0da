"""What the router says becomes opportunities and offers: gather, decide, apply; one transaction per (batch, tenant)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import asyncpg
import structlog

from services.handoff import decisions, metrics, store
from services.handoff.desk import Desk
from services.handoff.domain.opportunity import Change
from services.handoff.domain.routed import route, withdraw
from services.handoff.domain.terms import Promises
from services.handoff.policies import Policies
from services.handoff.store import Write
from services.handoff.touches.handler import Hearing
from shared.kit import metrics as kit_metrics
from shared.kit.clock import Clock
from shared.kit.database import HOPELESS, Pool, tenant_transaction
from shared.kit.dead_letters import Reject
from shared.schemas import ids
from shared.schemas.routing import LeadNurtured, LeadRouted, LeadWithdrawn

log = structlog.get_logger(__name__)

Record = LeadRouted | LeadWithdrawn | LeadNurtured
ATTEMPTS = 5


class Handoff:
    """Applies what the router said. Repeating it changes nothing: an assignment that is known is not applied again."""

    def __init__(self, pool: Pool, clock: Clock, policies: Policies) -> None:
        self._pool, self._clock, self._policies = pool, clock, policies
        self._hearing = Hearing(pool, Desk(pool, clock, policies))

    async def handle(self, batch: Sequence[Record]) -> None:
        """Raises Reject: `no_policy` for a tenant without an SLA policy, `inapplicable` where a record fails however often it is
        tried."""
        by_tenant: dict[str, list[Record]] = {}
        for record in batch:
            by_tenant.setdefault(record.tenant, []).append(record)
        for tenant, records in by_tenant.items():
            try:
                await self._apply_again_if_overtaken(tenant, records)
                # Those that were told before they were anybody's, or applied before the process died.
                if leads := {record.lead_id for record in records if isinstance(record, LeadRouted)}:
                    await self._hearing.catch_up(tenant, leads)
            except HOPELESS as error:
                # Not its message, which may quote a row, and so a person.
                log.error("inapplicable", tenant=tenant, records=len(records), error=type(error).__name__)
                raise Reject("inapplicable", f"{type(error).__name__} while applying it") from error

    async def _apply_again_if_overtaken(self, tenant: str, records: Sequence[Record]) -> None:
        """Processes that had these partitions a moment ago may still create opportunities of this batch; once they have, their rows
        can be seen. Who is overtaken every time tries its records one by one."""
        for _ in range(ATTEMPTS - 1):
            try:
                await self._apply(tenant, records)
            except asyncpg.UniqueViolationError:
                log.warning("opportunity_created_meanwhile", tenant=tenant)
            else:
                return
        await self._apply(tenant, records)

    async def _apply(self, tenant: str, records: Sequence[Record]) -> None:
        routes = any(isinstance(record, LeadRouted) for record in records)
        promises = await self._policies.awaited(tenant) if routes else self._policies.promises(tenant)
        async with tenant_transaction(self._pool, tenant) as connection:
            leads = [record for record in records if not isinstance(record, LeadNurtured)]
            known = await store.lock(connection, tenant, [_opportunity_id(record) for record in leads])
            if promises:
                promises = replace(promises, away=(await store.away(connection, [tenant]))[tenant])
            now = self._clock.now()  # after the lock: nothing that ended while we waited for it seems to end later
            writes = {
                key: Write(found, Change(found.by_promises(promises, now) if promises else found))
                for key, found in known.items()
            }
            for record in leads:
                _decide(writes, record, promises, now)
            await store.save(connection, tenant, list(writes.values()), now)
            await decisions.keep(connection, tenant, records)
        for write in writes.values():
            metrics.count(write.change.events)
            if write.record:
                kit_metrics.EVENT_AGE.labels("handoff").observe(max(0, now - write.record.qualifying_at) / 1000)


def _decide(writes: dict[str, Write], record: LeadRouted | LeadWithdrawn, promises: Promises | None, now: int) -> None:
    """Put what `record` does on top of what the earlier records of the batch did."""
    key = _opportunity_id(record)
    write = writes.get(key)
    if isinstance(record, LeadRouted):
        assert promises is not None
        change = route(write.change.opportunity if write else None, record, promises, now)
        applied = any(event.kind == "offer-opened" for event in change.events)
        writes[key] = _on_top(write, change, record if applied else None)
    elif write:
        writes[key] = _on_top(write, withdraw(write.change.opportunity, record, now), None)


def _on_top(write: Write | None, change: Change, record: LeadRouted | None) -> Write:
    if write is None:
        return Write(None, change, record)
    return replace(write, change=write.change.then(change), record=record or write.record)


def _opportunity_id(record: LeadRouted | LeadWithdrawn) -> str:
    return ids.opportunity_id(record.tenant, record.lead_id, record.cycle)
