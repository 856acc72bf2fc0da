"""Changing who is who in a deal: each is one transaction under the lock of the opportunity."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from services.handoff import metrics, store
from services.handoff.activities import tasks
from services.handoff.activities.tasks import Task
from services.handoff.answers import store as answer_rows
from services.handoff.answers.answer import of_the_post, void
from services.handoff.desk import UnknownOpportunityError
from services.handoff.domain import events
from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.people import changes, history
from services.handoff.people import store as rows
from services.handoff.people.approval import store as approval_rows
from services.handoff.people.approval.route import hindrances
from services.handoff.people.changes import Of
from services.handoff.people.risks import Risk, gaps
from services.handoff.people.stakeholder import MOST, Stakeholder, circle
from services.handoff.pipeline.store import Recorded
from services.handoff.policies import Policies
from services.handoff.store import Write
from shared.kit.clock import Clock
from shared.kit.database import Connection, Pool, tenant_transaction
from shared.schemas import ids
from shared.schemas.handoff import HandoffEvent, HandoffKind

VERIFY_WITHIN = timedelta(days=7)  # after a move was heard of: by the end of that day it is to be verified


class UnknownPersonError(Exception):
    """`wrong` is no stakeholder of the deal; `known` are those that are. where: the field that names it"""

    def __init__(self, where: str, wrong: str, known: Sequence[str]) -> None:
        super().__init__(wrong)
        self.where, self.wrong, self.known = where, wrong, list(known)


class CircleError(Exception):
    """`way` leads up from somebody back to themselves."""

    def __init__(self, way: list[str]) -> None:
        super().__init__(" → ".join(way))
        self.way = way


class ChangedMeanwhileError(Exception):
    """The caller had seen another version; `version` is the one there is, None where there is none."""

    def __init__(self, version: int | None) -> None:
        super().__init__(str(version))
        self.version = version


class TooManyError(Exception):
    """The deal has as many stakeholders as it may have."""


class NotMovedError(Exception):
    """There is nothing to verify: nobody said that this person has moved."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the caller has seen. version: of the stakeholder;  absent: that there is none"""

    version: int | None = None
    absent: bool = False

    def check(self, known: Stakeholder | None) -> None:
        """Raises ChangedMeanwhileError."""
        if self.absent and known is not None:
            raise ChangedMeanwhileError(known.version)
        if self.version is not None and (known is None or known.version != self.version):
            raise ChangedMeanwhileError(known.version if known else None)


ANYTHING = Expected()
Edit = Callable[[Stakeholder | None], Stakeholder]


@dataclass(slots=True)
class _Room:
    """One opportunity, locked, with its people; and what is to be told of it when all is done."""

    connection: Connection
    opportunity: Opportunity
    people: dict[str, Stakeholder]
    by: str
    now: int
    events: list[HandoffEvent] = field(default_factory=list)

    def known(self, stakeholder_id: str, where: str = "stakeholder") -> Stakeholder:
        if stakeholder_id not in self.people:
            raise UnknownPersonError(where, stakeholder_id, sorted(self.people))
        return self.people[stakeholder_id]

    async def save(self, one: Stakeholder, said: str) -> None:
        """The next version of one. said: entered, changed, moved, verified"""
        known = self.people.get(one.stakeholder_id)
        before = (
            known.version
            if known
            else await rows.removed_version(self.connection, self.opportunity, one.stakeholder_id)
        )
        saved = replace(one, version=before + 1)
        self.people[one.stakeholder_id] = saved
        await rows.save(self.connection, self.opportunity, saved, self.by, self.now)
        await self._record(known, saved, saved.stakeholder_id, saved.version)
        self.tell("stakeholder-changed", saved.stakeholder_id, saved.version, reason=said)

    async def remove(self, known: Stakeholder) -> None:
        """Nothing of the person is kept, in the history neither."""
        await rows.remove(self.connection, self.opportunity, known, self.by, self.now)
        await self._record(known, None, known.stakeholder_id, known.version + 1)
        await changes.forget(self.connection, self._of(known.stakeholder_id))
        await self.end_task(known.stakeholder_id, "cancelled")
        self.tell("stakeholder-changed", known.stakeholder_id, known.version + 1, reason="removed")
        del self.people[known.stakeholder_id]

    async def _record(
        self, before: Stakeholder | None, after: Stakeholder | None, stakeholder_id: str, version: int
    ) -> None:
        told = history.of_person(before), history.of_person(after)
        await changes.record(self.connection, self._of(stakeholder_id), *told, version, self.by, self.now)

    async def to_verify(self, moved: Stakeholder, zone: Callable[[str], ZoneInfo]) -> None:
        """Whoever has the lead is to make sure of it (在籍確認). zone: of a rep"""
        offer = self.opportunity.current()
        if offer is None:
            return
        there = zone(offer.rep_id)
        day = datetime.fromtimestamp(self.now / 1000, there).date() + VERIFY_WITHIN
        made = Task(
            ids.derived_id("task", *self._key(), moved.stakeholder_id, str(moved.version)),
            self.opportunity.opportunity_id,
            "todo",
            None,
            tasks.end_of(day, there),
            day.isoformat(),
            offer.rep_id,
            self.by,
            stakeholder_id=moved.stakeholder_id,
        )
        await tasks.add(self.connection, self.opportunity.tenant, made, self.now)
        self.events.append(store.of_task(self.opportunity, "task-created", asdict(made), self.now))

    async def end_task(self, stakeholder_id: str, state: Literal["done", "cancelled"]) -> None:
        kind: HandoffKind = "task-done" if state == "done" else "task-cancelled"
        ended = await tasks.end_verifying(self.connection, *self._key(), stakeholder_id, state, self.by, self.now)
        self.events += [store.of_task(self.opportunity, kind, dict(row), self.now) for row in ended]

    def _key(self) -> tuple[str, str]:
        return self.opportunity.tenant, self.opportunity.opportunity_id

    def _of(self, stakeholder_id: str) -> Of:
        return Of(*self._key(), "stakeholder", stakeholder_id)

    def tell(self, kind: Any, subject: str, version: int, **more: Any) -> None:
        last = self.opportunity.offers[-1].assignment
        distinct = (subject, str(version))
        self.events.append(events.event(self.opportunity, kind, self.now, last, *distinct, subject=subject, **more))


class PeopleDesk:
    """What reps know of the people. Every method raises UnknownOpportunityError; `by` is whose token said so."""

    def __init__(self, pool: Pool, clock: Clock, policies: Policies) -> None:
        self._pool, self._clock, self._policies = pool, clock, policies

    def today(self, tenant: str, rep_id: str) -> date:
        """By the clock of this rep."""
        return datetime.fromtimestamp(self._clock.now() / 1000, ZoneInfo(self._policies.zone(tenant, rep_id))).date()

    async def put(
        self, tenant: str, opportunity_id: str, stakeholder_id: str, edit: Edit, expected: Expected, by: str
    ) -> Stakeholder:
        """Enter somebody, or change them; what is as it was stays as it is.

        edit: makes of who is known the one who is to be; None: nobody is, and KeyError says that somebody has to be
        Raises ChangedMeanwhileError, UnknownPersonError, CircleError, TooManyError.
        """
        async with self._room(tenant, opportunity_id, by) as room:
            known = room.people.get(stakeholder_id)
            expected.check(known)
            try:
                wanted = edit(known)
            except KeyError:
                raise UnknownPersonError("stakeholder", stakeholder_id, sorted(room.people)) from None
            if known == wanted:
                return known
            if known is None and len(room.people) >= MOST:
                raise TooManyError
            if wanted.reports_to is not None:
                room.known(wanted.reports_to, "reports_to")
                if way := circle(stakeholder_id, wanted.reports_to, room.people.values()):
                    raise CircleError(way)
            await room.save(wanted, "changed" if known else "entered")
            return room.people[stakeholder_id]

    async def remove(self, tenant: str, opportunity_id: str, stakeholder_id: str, expected: Expected, by: str) -> None:
        """Forget a person; who reported to them reports to nobody known. Removing again changes nothing."""
        async with self._room(tenant, opportunity_id, by) as room:
            known = room.people.get(stakeholder_id)
            expected.check(known)
            if known is None:
                return
            await room.remove(known)
            for one in list(room.people.values()):
                changed = replace(
                    one,
                    reports_to=None if one.reports_to == stakeholder_id else one.reports_to,
                    successor=None if one.successor == stakeholder_id else one.successor,
                )
                if changed != one:
                    await room.save(changed, "changed")

    async def moved(
        self, tenant: str, opportunity_id: str, stakeholder_id: str, successor: str | None, *, left: bool, by: str
    ) -> None:
        """Somebody has moved (異動), or left: what they told of their post holds no more, and it is to be verified. Saying so again
        may name the successor, and changes nothing else."""
        async with self._room(tenant, opportunity_id, by) as room:
            known = room.known(stakeholder_id)
            if successor is not None:
                room.known(successor, "successor")
                if successor == stakeholder_id:
                    raise CircleError([stakeholder_id, stakeholder_id])
            moved = replace(
                known,
                moved_at=known.moved_at if known.moved_at is not None else room.now,
                left=known.left or left,
                successor=successor or known.successor,
            )
            if moved == known:
                return
            await room.save(moved, "moved")
            if known.moved_at is None:
                saved = room.people[stakeholder_id]
                room.tell("stakeholder-moved", stakeholder_id, saved.version)
                await room.to_verify(saved, lambda rep_id: ZoneInfo(self._policies.zone(tenant, rep_id)))
                await self._void(room, stakeholder_id)

    async def _void(self, room: _Room, stakeholder_id: str) -> None:
        answers = await answer_rows.of_opportunity(room.connection, room.opportunity)
        voided = [void(room.opportunity, one, "moved", room.now) for one in of_the_post(answers, stakeholder_id)]
        await answer_rows.save_voided(room.connection, room.opportunity, [one for one, _ in voided])
        room.events += [event for _, event in voided]

    async def verified(self, tenant: str, opportunity_id: str, stakeholder_id: str, *, gone: bool, by: str) -> None:
        """It was made sure whether somebody has moved. Where they have not, they are there again; what was void stays so, and is
        to be asked anew. Raises NotMovedError."""
        async with self._room(tenant, opportunity_id, by) as room:
            known = room.known(stakeholder_id)
            if known.moved_at is None:
                raise NotMovedError
            if gone and known.verified_at is not None:
                return
            sure = replace(known, verified_at=room.now)
            if not gone:
                sure = replace(known, moved_at=None, left=False, successor=None, verified_at=None)
            await room.save(sure, "verified")
            await room.end_task(stakeholder_id, "done")

    async def people(self, tenant: str, opportunity_id: str, rep_id: str) -> tuple[list[Stakeholder], list[Risk]]:
        """Everybody, and what is missing or speaks against the deal, as of today where the rep is who has it."""
        async with tenant_transaction(self._pool, tenant) as connection:
            people = await rows.find(connection, tenant, opportunity_id)
            contact = await rows.last_contact(connection, tenant, opportunity_id)
            approval = await approval_rows.find(connection, tenant, opportunity_id)
            pack = await approval_rows.pack(connection, tenant, opportunity_id)
            price = await approval_rows.price(connection, tenant, opportunity_id)
        today = self.today(tenant, rep_id)
        return people, gaps(people, contact, self._clock.now()) + hindrances(approval, pack, people, price, today)

    async def history(self, of: Of, after: int, versions: int) -> list[Recorded]:
        """What became other with so many versions after one; of who is forgotten without anything personal. Raises
        UnknownPersonError for who never was there."""
        async with tenant_transaction(self._pool, of.tenant) as connection:
            found = await changes.find(connection, of, after, versions)
            if not found and of.about == "stakeholder":
                people = await rows.find(connection, of.tenant, of.opportunity_id)
                known = sorted(one.stakeholder_id for one in people)
                if of.subject not in known and not await changes.find(connection, of, versions=1):
                    raise UnknownPersonError("stakeholder", of.subject, known)
            return found

    @asynccontextmanager
    async def _room(self, tenant: str, opportunity_id: str, by: str) -> AsyncIterator[_Room]:
        async with tenant_transaction(self._pool, tenant) as connection:
            opportunity = (await store.lock(connection, tenant, [opportunity_id])).get(opportunity_id)
            if opportunity is None:
                raise UnknownOpportunityError
            known = {one.stakeholder_id: one for one in await rows.of_opportunity(connection, opportunity)}
            room = _Room(connection, opportunity, known, by, self._clock.now())
            yield room
            if room.events:
                change = Change(opportunity, tuple(room.events))
                await store.save(connection, tenant, [Write(opportunity, change)], room.now)
        metrics.count(room.events)
