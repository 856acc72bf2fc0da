"""What changed of opportunities, in one statement per table, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.handoff.domain.clocks import Clock
from services.handoff.domain.opportunity import Change, Offer, Opportunity
from services.handoff.domain.terms import Terms
from services.handoff.feed import log as feed
from services.handoff.outbound import messages, queue
from services.handoff.pipeline import store as deals
from services.handoff.pipeline.deal import ENDED_BY
from services.handoff.store import aftermath
from services.handoff.telling import queue as notifications
from shared.kit import outbox
from shared.kit.database import Connection
from shared.kit.kafka import Outgoing
from shared.schemas.handoff import HandoffEvent
from shared.schemas.person import SealedPerson
from shared.schemas.routing import LeadRouted
from shared.schemas.topics import HANDOFF_EVENTS

SCHEMA = "handoff"


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be stored of one opportunity.

    before: as it was loaded, None where there was none;  record: what the router said last, where it said something
    note:   of the decline, sealed
    """

    before: Opportunity | None
    change: Change
    record: LeadRouted | None = None
    note: SealedPerson | None = None


async def save(connection: Connection, tenant: str, writes: Sequence[Write], now: int) -> None:
    """Store what changed, and what is to be told of it. Raises asyncpg.UniqueViolationError when somebody else created one of
    the opportunities since they were looked for; then the transaction is to be made anew."""
    await _insert_opportunities(connection, tenant, [w for w in writes if w.before is None], now)
    await _update_opportunities(connection, tenant, [w for w in writes if w.before is not None], now)
    await _save_offers(connection, tenant, writes)
    await _save_clocks(connection, tenant, writes)
    await _end_deals(connection, tenant, writes, now)
    events = [event for write in writes for event in write.change.events]
    await _add_history(connection, tenant, [event for event in events if event.kind == "stage-changed"])
    await aftermath.keep_steps(connection, tenant, events)
    events += await aftermath.cancel_tasks(connection, tenant, [(w.before, w.change.opportunity) for w in writes], now)
    await outbox.enqueue(connection, SCHEMA, tenant, [_outgoing(event) for event in events])
    told = [messages.of_event(event) for event in events]
    await queue.put(connection, tenant, told, now)
    await feed.append(connection, tenant, told, now)
    await notifications.put(connection, tenant, [(write.before, write.change) for write in writes], now)


def _outgoing(event: HandoffEvent) -> Outgoing:
    return Outgoing(HANDOFF_EVENTS.name, event.key(), event.model_dump_json(exclude_none=True).encode())


_DETAILS = (
    "lead_class",
    "pool_id",
    "leg",
    "is_test",
    "person",
    "attributes",
    "score",
    "evidence",
    "touches",
    "reasons",
)
_DETAIL_TYPES = ("text", "text", "text", "boolean", "text", "text", "text", "text", "text", "text")
_JSON = frozenset(_DETAILS[4:])


def _details(record: LeadRouted) -> tuple[Any, ...]:
    """What the router said of the lead, in the order of `_DETAILS`; JSON as text."""
    fields = record.model_dump(mode="json", include=set(_DETAILS))
    return tuple(_json(fields[name]) if name in _JSON else fields[name] for name in _DETAILS)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def _insert_opportunities(connection: Connection, tenant: str, writes: Sequence[Write], now: int) -> None:
    rows = [
        (o.opportunity_id, o.lead_id, o.cycle, o.stage, o.assignment, o.withdrawn, *_details(write.record))
        for write in sorted(writes, key=lambda w: w.change.opportunity.opportunity_id)
        if (o := write.change.opportunity) and write.record
    ]
    if not rows:
        return
    names = ("opportunity_id", "lead_id", "cycle", "stage", "assignment", "withdrawn", *_DETAILS)
    types = ("uuid", "text", "integer", "text", "bigint", "text", *_DETAIL_TYPES)
    given = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, start=3))
    values = ", ".join(f"{name}::jsonb" if name in _JSON else name for name in names)
    await connection.execute(
        f"INSERT INTO handoff.opportunities (tenant, created_at, updated_at, {', '.join(names)})"
        f" SELECT $1, $2, $2, {values} FROM unnest({given}) AS new({', '.join(names)})",
        tenant,
        now,
        *_columns(rows),
    )


async def _update_opportunities(connection: Connection, tenant: str, writes: Sequence[Write], now: int) -> None:
    """Where the stage or the assignment changed; what the router said of the lead only where it said it."""
    rows = [
        (o.opportunity_id, o.stage, o.assignment, o.withdrawn, *(_details(write.record) if write.record else _NOTHING))
        for write in writes
        if (o := write.change.opportunity) and (_head(o) != _head(write.before) or write.record)
    ]
    if not rows:
        return
    names = ("opportunity_id", "stage", "assignment", "withdrawn", *_DETAILS)
    types = ("uuid", "text", "bigint", "text", *_DETAIL_TYPES)
    given = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, start=3))
    details = ", ".join(
        f"{name} = coalesce(new.{name}{'::jsonb' if name in _JSON else ''}, o.{name})" for name in _DETAILS
    )
    await connection.execute(
        "UPDATE handoff.opportunities o SET stage = new.stage, assignment = new.assignment, withdrawn = new.withdrawn,"
        f" updated_at = $2, {details} FROM unnest({given}) AS new({', '.join(names)})"
        " WHERE o.tenant = $1 AND o.opportunity_id = new.opportunity_id",
        tenant,
        now,
        *_columns(rows),
    )


_NOTHING = (None,) * len(_DETAILS)


def _head(opportunity: Opportunity | None) -> tuple[Any, ...]:
    return (opportunity.stage, opportunity.assignment, opportunity.withdrawn) if opportunity else ()


async def _save_offers(connection: Connection, tenant: str, writes: Sequence[Write]) -> None:
    """The offers that are new or changed, older ones first: one ends before the next is opened, as `one_holder` demands."""
    rows = [
        (
            write.change.opportunity.opportunity_id,
            *(getattr(offer, name) for name in Offer.__slots__),
            _note(write, offer),
        )
        for write in writes
        for offer in write.change.opportunity.offers
        if offer not in (write.before.offers if write.before else ())
    ]
    if not rows:
        return
    names = ("opportunity_id", *Offer.__slots__, "note")
    types = (
        "uuid", "bigint", "text", "text", "text", "text", "text", "bigint", "text", "bigint", "bigint", "text", "text", "text",
    )  # fmt: skip
    given = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, start=2))
    values = ", ".join("note::jsonb" if name == "note" else name for name in names)
    await connection.execute(
        f"INSERT INTO handoff.offers (tenant, {', '.join(names)})"
        f" SELECT $1, {values} FROM unnest({given}) AS new({', '.join(names)})"
        " ON CONFLICT (tenant, opportunity_id, assignment) DO UPDATE SET state = excluded.state,"
        " accepted_at = excluded.accepted_at, ended_at = excluded.ended_at, reason = excluded.reason,"
        " effect = excluded.effect, note = excluded.note",
        tenant,
        *_columns(rows),
    )


def _note(write: Write, offer: Offer) -> str | None:
    return _json(write.note.model_dump()) if write.note and offer.state == "declined" else None


async def _save_clocks(connection: Connection, tenant: str, writes: Sequence[Write]) -> None:
    changed = [
        (write.change.opportunity.opportunity_id, clock)
        for write in writes
        for clock in write.change.opportunity.clocks
        if clock not in (write.before.clocks if write.before else ())
    ]
    if not changed:
        return
    await _save_terms(connection, tenant, {clock.terms for _, clock in changed if clock.terms})
    rows = [
        (
            opportunity_id,
            *(getattr(clock, name) for name in _CLOCK),
            clock.terms.basis() if clock.terms else "",
            _array(share for share, _ in clock.reminders),
            _array(at for _, at in clock.reminders),
        )
        for opportunity_id, clock in changed
    ]
    names = ("opportunity_id", *_CLOCK, "basis", "remind_shares", "remind_at")
    given = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_CLOCK_TYPES, start=2))
    # Arrays of arrays would have to be of one length: each travels as text.
    values = ", ".join(f"{name}::bigint[]" if name.startswith("remind_") else name for name in names)
    await connection.execute(
        f"INSERT INTO handoff.clocks (tenant, {', '.join(names)})"
        f" SELECT $1, {values} FROM unnest({given}) AS new({', '.join(names)})"
        " ON CONFLICT (tenant, opportunity_id, assignment, kind) DO UPDATE SET state = excluded.state,"
        " ended_at = excluded.ended_at, due_at = excluded.due_at, elapsed = excluded.elapsed,"
        " counted_to = excluded.counted_to, reminded = excluded.reminded, paused = excluded.paused, basis = excluded.basis,"
        " remind_shares = excluded.remind_shares, remind_at = excluded.remind_at, done_at = excluded.done_at,"
        " rep_id = excluded.rep_id, started_at = excluded.started_at, due_on = excluded.due_on,"
        " manager_at = excluded.manager_at, done_by = excluded.done_by"
        " WHERE clocks.state = 'running' OR clocks.remind_shares[1] > 100 OR clocks.assignment = 0"
        " OR (clocks.done_at IS NULL AND excluded.done_at IS NOT NULL)",
        tenant,
        *_columns(rows),
    )


# Without what is stored otherwise: terms by their basis, reminders as two arrays.
_CLOCK = tuple(name for name in Clock.__slots__ if name not in ("terms", "reminders"))
_CLOCK_TYPES = (
    "uuid", "bigint", "text", "bigint", "bigint", "text", "bigint", "text", "text", "bigint", "bigint", "bigint", "smallint",
    "bigint", "bigint", "date", "bigint", "text", "text", "text", "text",
)  # fmt: skip


def _array(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


async def _save_terms(connection: Connection, tenant: str, used: Iterable[Terms]) -> None:
    """By their basis, which is made of them: what is there is the same. In the order of it, so that nobody waits in a circle."""
    by_basis = {terms.basis(): terms.text() for terms in used}
    if by_basis:
        await connection.execute(
            "INSERT INTO handoff.terms (tenant, basis, terms) SELECT $1, n.basis, n.terms::jsonb"
            " FROM unnest($2::text[], $3::text[]) AS n(basis, terms)"
            " WHERE NOT EXISTS (SELECT FROM handoff.terms t WHERE (t.tenant, t.basis) = ($1, n.basis))"
            " ORDER BY n.basis ON CONFLICT DO NOTHING",
            tenant,
            sorted(by_basis),
            [by_basis[basis] for basis in sorted(by_basis)],
        )


async def _end_deals(connection: Connection, tenant: str, writes: Sequence[Write], now: int) -> None:
    """Of opportunities that were given back for good or merged; those that are won or lost say so themselves."""
    closed = [
        (write.change.opportunity, next((event.until for event in write.change.events if event.until), None))
        for write in writes
        if write.change.opportunity.deal and write.change.opportunity.stage in ENDED_BY
        if write.before and write.before.is_open()
    ]
    if closed:
        await deals.follow(connection, tenant, closed, now)


async def _add_history(connection: Connection, tenant: str, changes: Sequence[HandoffEvent]) -> None:
    rows = [(e.opportunity_id, e.event_id, e.stage, e.at, e.assignment, e.reason) for e in changes]
    if not rows:
        return
    await connection.execute(
        "INSERT INTO handoff.stage_history (tenant, opportunity_id, event_id, stage, at, assignment, reason)"
        " SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])",
        tenant,
        *_columns(rows),
    )
