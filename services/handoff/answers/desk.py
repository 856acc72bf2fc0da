"""Recording answers: each is one transaction under the lock of the opportunity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from services.handoff import metrics, store
from services.handoff.answers import store as rows
from services.handoff.answers.answer import Recorded, recording, told
from services.handoff.desk import UnknownOpportunityError
from services.handoff.domain.opportunity import Change
from services.handoff.people import store as people
from services.handoff.store import Write
from shared.kit.clock import Clock
from shared.kit.database import Pool, tenant_transaction
from shared.kit.person import seal


class UnknownStakeholderError(Exception):
    """The opportunity has no such stakeholder; `known` are those that it has."""

    def __init__(self, wrong: str, known: list[str]) -> None:
        super().__init__(wrong)
        self.wrong, self.known = wrong, known


class StakeholderMovedError(Exception):
    """Who is said to have given the answer has moved."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Answers of a lead, and the notes of those of this opportunity, sealed. fiscal_month: in which the fiscal year of its account
    ends, where it has one"""

    answers: list[Recorded]
    notes: dict[str, Any]
    fiscal_month: int | None = None


class AnswersDesk:
    """What reps learn."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def record(
        self, tenant: str, opportunity_id: str, answer: Recorded, at: int | None, note: str | None
    ) -> None:
        """Keep an answer, and tell of it. Recording what is known and holds changes nothing.

        at: when the caller says that it was learnt
        Raises UnknownOpportunityError, UnknownStakeholderError, StakeholderMovedError, and AnswerIdTakenError where it was another.
        """
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity = (await store.lock(connection, tenant, [opportunity_id])).get(opportunity_id)
            if opportunity is None:
                raise UnknownOpportunityError
            now = self._clock.now()
            found = recording(answer, await rows.of_opportunity(connection, opportunity), at, now)
            if found.known:
                return
            if answer.told_by is not None:
                present = {one.stakeholder_id: one for one in await people.of_opportunity(connection, opportunity)}
                if answer.told_by not in present:
                    raise UnknownStakeholderError(answer.told_by, sorted(present))
                if present[answer.told_by].moved_at is not None:
                    raise StakeholderMovedError
            if found.gives_way is not None:
                await rows.rename(connection, opportunity, found.gives_way)
            event = told(opportunity, found.answer, found.gives_way)
            kept = replace(found.answer, event_id=event.event_id)
            await rows.add(connection, opportunity, kept, seal({"free_text": note}))
            change = Change(opportunity, (event,))
            await store.save(connection, tenant, [Write(opportunity, change)], now)
        metrics.count(change.events)

    async def kept(self, tenant: str, opportunity_id: str, lead_id: str) -> Kept:
        async with tenant_transaction(self._pool, tenant) as connection:
            return Kept(
                await rows.of_lead(connection, tenant, lead_id),
                await rows.notes(connection, tenant, opportunity_id),
                await rows.fiscal_month(connection, tenant, lead_id),
            )
