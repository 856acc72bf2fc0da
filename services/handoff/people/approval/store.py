"""Approval routes in Postgres, with the course that they took and the material of the pack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from services.handoff.people.approval.route import NONE, Approval, Material, Price, Step
from shared.kit import person
from shared.kit.database import Connection
from shared.schemas.person import SealedPerson

_PLAIN = ("state", "currency", "submit_on", "decide_on", "submitted_on", "decided_on", "version")


@dataclass(frozen=True, slots=True)
class Passed:
    """One move of the approval. on: the day that was named;  at: when it was said (ms);  note: sealed"""

    state: str
    on: date
    at: int
    by: str
    note: Any


async def find(connection: Connection, tenant: str, opportunity_id: str) -> Approval:
    row = await connection.fetchrow(
        f"SELECT {', '.join(_PLAIN)}, amount_limit, steps FROM handoff.approvals"
        " WHERE (tenant, opportunity_id) = ($1, $2::uuid)",
        tenant,
        opportunity_id,
    )
    if row is None:
        return NONE
    return Approval(
        **{name: row[name] for name in _PLAIN},
        limit=row["amount_limit"],
        steps=tuple(_step(step) for step in row["steps"]),
    )


async def save(connection: Connection, tenant: str, opportunity_id: str, one: Approval, by: str, now: int) -> None:
    await connection.execute(
        "INSERT INTO handoff.approvals (tenant, opportunity_id, updated_at, updated_by, amount_limit, steps,"
        f" {', '.join(_PLAIN)}) VALUES ($1, $2::uuid, $3, $4, $5, $6::text::jsonb, $7, $8, $9, $10, $11, $12, $13)"
        " ON CONFLICT (tenant, opportunity_id) DO UPDATE SET updated_at = excluded.updated_at,"
        " updated_by = excluded.updated_by, amount_limit = excluded.amount_limit, steps = excluded.steps, "
        + ", ".join(f"{name} = excluded.{name}" for name in _PLAIN),
        tenant,
        opportunity_id,
        now,
        by,
        one.limit,
        orjson.dumps([_stored(step) for step in one.steps]).decode(),
        *(getattr(one, name) for name in _PLAIN),
    )


async def add_passed(
    connection: Connection,
    tenant: str,
    opportunity_id: str,
    one: Approval,
    on: date,
    by: str,
    now: int,
    note: str | None,
) -> None:
    """That it went on to the state in which it is."""
    sealed = person.seal({"free_text": note})
    await connection.execute(
        'INSERT INTO handoff.approval_history (tenant, opportunity_id, version, state, "on", at, by, note)'
        " VALUES ($1, $2::uuid, $3, $4, $5, $6, $7, $8::text::jsonb)",
        tenant,
        opportunity_id,
        one.version,
        one.state,
        on,
        now,
        by,
        orjson.dumps(sealed.model_dump()).decode() if sealed else None,
    )


async def course(connection: Connection, tenant: str, opportunity_id: str) -> list[Passed]:
    rows = await connection.fetch(
        'SELECT state, "on", at, by, note FROM handoff.approval_history WHERE (tenant, opportunity_id) = ($1, $2::uuid)'
        " ORDER BY version",
        tenant,
        opportunity_id,
    )
    return [Passed(**dict(row)) for row in rows]


async def pack(connection: Connection, tenant: str, opportunity_id: str) -> dict[str, Material]:
    """What was said of the material, by item."""
    rows = await connection.fetch(
        "SELECT item, present, link, given_on FROM handoff.pack_items WHERE (tenant, opportunity_id) = ($1, $2::uuid)",
        tenant,
        opportunity_id,
    )
    return {row["item"]: Material(row["present"], row["link"], row["given_on"]) for row in rows}


async def save_material(connection: Connection, tenant: str, opportunity_id: str, item: str, one: Material) -> None:
    await connection.execute(
        "INSERT INTO handoff.pack_items (tenant, opportunity_id, item, present, link, given_on)"
        " VALUES ($1, $2::uuid, $3, $4, $5, $6) ON CONFLICT (tenant, opportunity_id, item)"
        " DO UPDATE SET present = excluded.present, link = excluded.link, given_on = excluded.given_on",
        tenant,
        opportunity_id,
        item,
        one.present,
        one.link,
        one.given_on,
    )


async def price(connection: Connection, tenant: str, opportunity_id: str) -> Price:
    """What the deal says that it costs."""
    row = await connection.fetchrow(
        "SELECT amount, currency FROM handoff.deals WHERE (tenant, opportunity_id) = ($1, $2::uuid)",
        tenant,
        opportunity_id,
    )
    return Price(row["amount"], row["currency"]) if row else Price()


def _stored(step: Step) -> Mapping[str, Any]:
    sealed = person.seal({"title": step.title})
    return {
        "part": step.part,
        "stakeholder_id": step.stakeholder_id,
        "title": sealed.model_dump() if sealed else None,
        "planned": step.planned,
        "done": step.done,
    }


def _step(stored: Mapping[str, Any]) -> Step:
    title = stored["title"]
    return Step(
        stored["part"],
        stored["stakeholder_id"],
        person.reveal(SealedPerson.model_validate(title)).get("title") if title else None,
        date.fromisoformat(stored["planned"]) if stored["planned"] else None,
        date.fromisoformat(stored["done"]) if stored["done"] else None,
    )
