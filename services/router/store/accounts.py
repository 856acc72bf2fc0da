"""Accounts: found by the keys of a batch's leads, read with their families, and what is going on at each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import asyncpg

from services.router.domain.account import Account, Breadth, Deal, Known, Party, Place, Registration
from services.router.domain.facts import IDLE
from services.router.domain.flow import Desk, Task
from services.router.domain.matching.keys import Asked, Key, asked, block_keys
from services.router.domain.matching.ladder import Found, match, wanted_keys
from services.router.domain.matching.result import Matched
from services.router.store import breadth as breadth_rows
from shared.kit.database import Connection
from shared.schemas.handoff import HandoffEvent

MOST_PER_KEY = 100  # accounts that one key leads to: more of one name prove nothing
MOST_OF_A_FAMILY = 2_000
MOST_PEOPLE = 100  # of a company that are counted: more say no more of its breadth
ENDED = ("won", "lost")  # stages in which a holder's opportunity is open no more
COLUMNS = tuple(field.name for field in fields(Account))
_LISTS = ("domains", "names", "former_names")
SELECT = f"SELECT {', '.join(f'a.{name}' for name in COLUMNS)} FROM router.accounts a"


def account_of(row: asyncpg.Record) -> Account:
    values: dict[str, Any] = {name: row[name] for name in COLUMNS}
    return Account(**values | {name: tuple(values[name]) for name in _LISTS})


async def find(connection: Connection, tenant: str, keys: Collection[Key], most: int = MOST_PER_KEY) -> Found:
    """The accounts under `keys`, with their families; two reads, one where nothing is found."""
    if not keys:
        return Found()
    rows = await connection.fetch(
        "SELECT n.kind, n.value, k.account_id FROM unnest($2::text[], $3::text[]) AS n(kind, value), LATERAL"
        " (SELECT account_id FROM router.account_keys k WHERE k.tenant = $1 AND k.kind = n.kind AND k.value = n.value"
        "  ORDER BY account_id LIMIT $4) k",
        tenant,
        [kind for kind, _ in keys],
        [value for _, value in keys],
        most,
    )
    if not rows:
        return Found()
    by_key: dict[Key, list[str]] = {}
    for row in rows:
        by_key.setdefault((row["kind"], row["value"]), []).append(row["account_id"])
    ids = sorted({row["account_id"] for row in rows})
    known = await connection.fetch(
        f"{SELECT} WHERE a.tenant = $1 AND (a.account_id = ANY($2::text[]) OR a.account_id IN"
        " (SELECT m.account_id FROM router.accounts w, LATERAL (SELECT account_id FROM router.accounts"
        "   WHERE tenant = $1 AND root = w.root ORDER BY level, account_id LIMIT $3) m"
        "  WHERE w.tenant = $1 AND w.account_id = ANY($2::text[])))",
        tenant,
        ids,
        MOST_OF_A_FAMILY,
    )
    return Found(by_key, {row["account_id"]: account_of(row) for row in known})


async def match_all(
    connection: Connection, tenant: str, leads: Mapping[str, Asked]
) -> tuple[dict[str, Matched], dict[str, Account]]:
    """The match of every lead (by its id), and the accounts that were looked at: four reads, however many leads."""
    found = await find(connection, tenant, wanted_keys(leads.values()))
    matched = {lead_id: match(lead, found) for lead_id, lead in leads.items()}
    accounts = dict(found.accounts)
    rest = [lead_id for lead_id, result in matched.items() if result.account_id is None]
    blocks = list(dict.fromkeys(key for lead_id in rest for key in block_keys(leads[lead_id])))
    alike = await find(connection, tenant, blocks)
    if alike.by_key:
        accounts |= alike.accounts
        both = Found({**found.by_key, **alike.by_key}, accounts)
        matched |= {lead_id: match(leads[lead_id], both) for lead_id in rest}
    return matched, accounts


async def look(connection: Connection, tenant: str, tasks: Sequence[Task]) -> Desk:
    """A desk that knows the accounts of the tasks' leads, and who holds which other leads there.

    Their families are locked until the transaction ends, in the order of their ids: two leads of one company, decided on at
    the same time, would go to two reps otherwise. Comes after the locks of leads, and before those of pools.
    """
    leads = {task.lead.lead_id: task.asked for task in tasks if task.asked is not None}
    matched, accounts = await match_all(connection, tenant, leads)
    parties = {
        lead_id: Party.of(accounts[result.account_id].inheriting(accounts))
        for lead_id, result in matched.items()
        if result.account_id is not None
    }
    await _write_matches(connection, tenant, matched)
    people, breadth = await _people(connection, tenant, tasks), await _breadth(connection, tenant, tasks)
    if not parties:
        alone = {
            lead_id: Known(result, people=people.get(lead_id), breadth=breadth.get(lead_id))
            for lead_id, result in matched.items()
        }
        return Desk(accounts=alone)
    roots = sorted({party.root for party in parties.values()})
    await connection.execute(
        "SELECT FROM router.accounts WHERE tenant = $1 AND account_id = ANY($2::text[]) ORDER BY account_id"
        " FOR NO KEY UPDATE",
        tenant,
        roots,
    )
    registrations = await _registrations(connection, tenant, roots)
    known = {
        lead_id: Known(
            result,
            party := parties.get(lead_id),
            registrations=tuple(one for one in registrations if party and one.place.root == party.root),
            people=people.get(lead_id),
            breadth=breadth.get(lead_id),
        )
        for lead_id, result in matched.items()
    }
    return Desk(accounts=known, deals=await _deals(connection, tenant, roots))


def _companies(tasks: Sequence[Task]) -> dict[str, str]:
    """The key of each lead's company, of those that name one."""
    return {task.lead.lead_id: task.scored.account for task in tasks if task.scored and task.scored.account is not None}


async def _breadth(connection: Connection, tenant: str, tasks: Sequence[Task]) -> dict[str, Breadth]:
    company = _companies(tasks)
    known = await breadth_rows.read(connection, tenant, set(company.values())) if company else {}
    return {lead_id: known[account] for lead_id, account in company.items() if account in known}


async def _people(connection: Connection, tenant: str, tasks: Sequence[Task]) -> dict[str, int]:
    """Of each lead that names a company: how many of that company did something of late by their latest scores, it included."""
    company = _companies(tasks)
    if not company:
        return {}
    rows = await connection.fetch(
        "SELECT c.account, l.lead_id FROM unnest($2::text[]) AS c(account), LATERAL (SELECT lead_id FROM router.leads"
        "  WHERE tenant = $1 AND account = c.account AND lead_id <> ALL($3::text[]) AND merged_into IS NULL"
        "  AND right(grade, 1) < $4 AND score->>'internal' IS DISTINCT FROM 'true'"
        "  AND score->>'is_test' IS DISTINCT FROM 'true'"
        "  AND score->'attributes'->>'kind' IS DISTINCT FROM 'partner' LIMIT $5) l",
        tenant,
        sorted(set(company.values())),
        sorted(task.lead.lead_id for task in tasks),
        IDLE,
        MOST_PEOPLE,
    )
    active = {(row["account"], row["lead_id"]) for row in rows}
    active |= {
        (task.scored.account, task.lead.lead_id)
        for task in tasks
        if task.scored and task.scored.active and task.scored.account and not task.lead.merged_into
    }
    return {
        lead_id: sum(account == its and other != lead_id for account, other in active) + 1
        for lead_id, its in company.items()
    }


async def _write_matches(connection: Connection, tenant: str, matched: Mapping[str, Matched]) -> None:
    """Keep whose each lead is; a lead of nobody's is forgotten."""
    none = [lead_id for lead_id, result in matched.items() if result.account_id is None]
    if none:
        await connection.execute(
            "DELETE FROM router.account_leads WHERE tenant = $1 AND lead_id = ANY($2::text[])", tenant, none
        )
    found = [(lead_id, result) for lead_id, result in matched.items() if result.account_id is not None]
    if found:
        await connection.execute(
            "INSERT INTO router.account_leads (tenant, lead_id, account_id, code)"
            " SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[]) ON CONFLICT (tenant, lead_id)"
            " DO UPDATE SET account_id = excluded.account_id, code = excluded.code",
            tenant,
            [lead_id for lead_id, _ in found],
            [result.account_id for _, result in found],
            [result.code for _, result in found],
        )


async def _deals(connection: Connection, tenant: str, roots: Sequence[str]) -> dict[str, Deal]:
    """Leads of these families that reps hold, and whose opportunity has not ended."""
    rows = await connection.fetch(
        "SELECT l.lead_id, l.owner_rep, l.leg, l.accepted, a.account_id, a.entity, a.root FROM router.accounts a"
        " JOIN router.account_leads m ON m.tenant = a.tenant AND m.account_id = a.account_id"
        " JOIN router.leads l ON l.tenant = m.tenant AND l.lead_id = m.lead_id"
        " LEFT JOIN router.ended_deals e ON e.tenant = l.tenant AND e.lead_id = l.lead_id AND e.cycle = l.cycle"
        " WHERE a.tenant = $1 AND a.root = ANY($2::text[]) AND l.owner_rep IS NOT NULL AND l.merged_into IS NULL"
        " AND e.lead_id IS NULL",
        tenant,
        roots,
    )
    return {
        row["lead_id"]: Deal(
            row["lead_id"],
            Place(row["account_id"], row["entity"], row["root"]),
            row["owner_rep"],
            row["leg"],
            row["accepted"],
        )
        for row in rows
    }


async def _registrations(connection: Connection, tenant: str, roots: Sequence[str]) -> list[Registration]:
    rows = await connection.fetch(
        "SELECT r.registration_id, r.protected_until, a.account_id, a.entity, a.root, p.account_id AS partner,"
        " p.name AS partner_name, p.owner AS partner_owner FROM router.accounts a"
        " JOIN router.deal_registrations r ON r.tenant = a.tenant AND r.account_id = a.account_id"
        " JOIN router.accounts p ON p.tenant = r.tenant AND p.account_id = r.partner"
        " WHERE a.tenant = $1 AND a.root = ANY($2::text[]) ORDER BY r.registration_id",
        tenant,
        roots,
    )
    return [
        Registration(
            row["registration_id"],
            Place(row["account_id"], row["entity"], row["root"]),
            row["partner"],
            row["partner_name"],
            row["partner_owner"],
            row["protected_until"],
        )
        for row in rows
    ]


def _latest(events: Collection[HandoffEvent]) -> list[HandoffEvent]:
    """The latest stage that was said of each lead."""
    newest: dict[str, HandoffEvent] = {}
    for event in events:
        if event.kind == "stage-changed" and event.stage is not None:
            known = newest.get(event.lead_id)
            if known is None or event.at >= known.at:
                newest[event.lead_id] = event
    return list(newest.values())


def bought(events: Collection[HandoffEvent]) -> list[str]:
    """The leads whose opportunity was won."""
    return [event.lead_id for event in _latest(events) if event.stage == "won"]


async def note_customers(connection: Connection, tenant: str, leads: Collection[str]) -> None:
    """Who has bought is a customer, and so is the legal entity that they are of. In a transaction of its own: accounts are locked
    in the order of their ids, as `look` does, which would lock others after these otherwise."""
    rows = await connection.fetch(
        "SELECT account_id FROM router.accounts WHERE tenant = $1 AND account_id IN"
        " (SELECT a.entity FROM router.account_leads m JOIN router.accounts a"
        "   ON a.tenant = m.tenant AND a.account_id = m.account_id"
        "  WHERE m.tenant = $1 AND m.lead_id = ANY($2::text[])) ORDER BY account_id FOR NO KEY UPDATE",
        tenant,
        list(leads),
    )
    await connection.execute(
        "UPDATE router.accounts SET is_customer = true WHERE tenant = $1 AND account_id = ANY($2::text[])",
        tenant,
        [row["account_id"] for row in rows],
    )


async def note_stages(connection: Connection, tenant: str, events: Collection[HandoffEvent]) -> None:
    """Keep which opportunities have ended, and forget it of those that were opened again. The latest that was said stands."""
    newest = _latest(events)
    ended = [event for event in newest if event.stage in ENDED]
    opened = [event for event in newest if event.stage not in ENDED]
    if ended:
        await connection.execute(
            "INSERT INTO router.ended_deals AS d (tenant, lead_id, cycle, stage, at)"
            " SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[])"
            " ON CONFLICT (tenant, lead_id) DO UPDATE SET cycle = excluded.cycle, stage = excluded.stage,"
            " at = excluded.at WHERE d.at <= excluded.at",
            tenant,
            [event.lead_id for event in ended],
            [event.cycle for event in ended],
            [event.stage for event in ended],
            [event.at for event in ended],
        )
    if opened:
        await connection.execute(
            "DELETE FROM router.ended_deals d USING unnest($2::text[], $3::bigint[]) AS n(lead_id, at)"
            " WHERE d.tenant = $1 AND d.lead_id = n.lead_id AND d.at < n.at",
            tenant,
            [event.lead_id for event in opened],
            [event.at for event in opened],
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """An account as it is shown: with its family around it, its registrations, and the leads that are its."""

    account: Account
    inherited: Account
    children: tuple[Account, ...]
    registrations: tuple[Registration, ...]
    leads: int


async def page(
    connection: Connection,
    tenant: str,
    limit: int,
    after: str | None,
    kind: str | None = None,
    owner: str | None = None,
) -> list[Account]:
    """Accounts by id, those after `after`."""
    rows = await connection.fetch(
        f"{SELECT} WHERE a.tenant = $1 AND a.account_id > $3 AND ($4::text IS NULL OR a.kind = $4)"
        " AND ($5::text IS NULL OR a.owner = $5) ORDER BY a.account_id LIMIT $2",
        tenant,
        limit,
        after or "",
        kind,
        owner,
    )
    return [account_of(row) for row in rows]


async def read(connection: Connection, tenant: str, account_id: str) -> Shown | None:
    """One account; None where there is none of this id."""
    rows = await connection.fetch(
        f"{SELECT} WHERE a.tenant = $1 AND a.root ="
        " (SELECT root FROM router.accounts WHERE tenant = $1 AND account_id = $2) ORDER BY a.account_id",
        tenant,
        account_id,
    )
    family = {row["account_id"]: account_of(row) for row in rows}
    account = family.get(account_id)
    if account is None:
        return None
    registrations = await _registrations(connection, tenant, [account.root])
    leads = await connection.fetchval(
        "SELECT count(*) FROM router.account_leads WHERE tenant = $1 AND account_id = $2", tenant, account_id
    )
    return Shown(
        account,
        account.inheriting(family),
        tuple(one for one in family.values() if one.parent == account_id),
        tuple(one for one in registrations if one.place.account_id == account_id),
        leads,
    )


async def read_all(connection: Connection, tenant: str) -> dict[str, Account]:
    """Every account of the tenant, for an import to compare with."""
    rows = await connection.fetch(f"{SELECT} WHERE a.tenant = $1", tenant)
    return {row["account_id"]: account_of(row) for row in rows}


async def write(
    connection: Connection,
    tenant: str,
    accounts: Sequence[Account],
    keys: Mapping[str, Collection[Key]],
    now: int,
) -> None:
    """Write accounts, new or changed, in the order of their ids; `keys` (by account) replace those that they had."""
    named, places = ", ".join(COLUMNS), ", ".join(f"${n}" for n in range(3, 3 + len(COLUMNS)))
    await connection.executemany(
        f"INSERT INTO router.accounts (tenant, updated_at, {named}) VALUES ($1, $2, {places})"
        " ON CONFLICT (tenant, account_id) DO UPDATE SET updated_at = excluded.updated_at, "
        + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS),
        [
            (tenant, now, *(_sent(getattr(account, name)) for name in COLUMNS))
            for account in sorted(accounts, key=lambda one: one.account_id)
        ],
    )
    owned = [(account, kind, value) for account, own in sorted(keys.items()) for kind, value in sorted(own)]
    await connection.execute(
        "DELETE FROM router.account_keys WHERE tenant = $1 AND account_id = ANY($2::text[])", tenant, sorted(keys)
    )
    await connection.execute(
        "INSERT INTO router.account_keys (tenant, account_id, kind, value)"
        " SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])",
        tenant,
        [account for account, _, _ in owned],
        [kind for _, kind, _ in owned],
        [value for _, _, value in owned],
    )


def _sent(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


async def read_registrations(connection: Connection, tenant: str) -> dict[str, tuple[str, str, int]]:
    """Every registration: id -> partner, account, protected until (ms)."""
    rows = await connection.fetch(
        "SELECT registration_id, partner, account_id, protected_until FROM router.deal_registrations WHERE tenant = $1",
        tenant,
    )
    return {row["registration_id"]: (row["partner"], row["account_id"], row["protected_until"]) for row in rows}


async def write_registrations(
    connection: Connection, tenant: str, registrations: Mapping[str, tuple[str, str, int]], now: int
) -> None:
    await connection.executemany(
        "INSERT INTO router.deal_registrations (tenant, registration_id, partner, account_id, protected_until, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, registration_id) DO UPDATE SET partner = excluded.partner,"
        " account_id = excluded.account_id, protected_until = excluded.protected_until, updated_at = excluded.updated_at",
        [(tenant, one, *values, now) for one, values in sorted(registrations.items())],
    )


AT_A_TIME = 500


async def revisit(connection: Connection, tenant: str, after: str | None) -> tuple[str | None, int]:
    """Look at the next leads again, those after `after`, because accounts are others now: the last of them (None where there are
    no more), and how many of them wait and will be decided on anew.

    A lead is matched when it is decided on. Who holds one since before its account was known would not count as there, so those
    are matched here; those that wait parked or below the gate are left to the sweep. Locked as the handler locks them.
    """
    rows = await connection.fetch(
        "SELECT lead_id, owner_rep, score->'attributes' AS told, score #>> '{person,fields,phone}' AS phone"
        " FROM router.leads WHERE tenant = $1 AND lead_id > $2 AND score IS NOT NULL"
        " AND (owner_rep IS NOT NULL OR waiting_reason LIKE 'parked:%' OR waiting_reason = 'below_gate')"
        " ORDER BY lead_id LIMIT $3 FOR UPDATE",
        tenant,
        after or "",
        AT_A_TIME,
    )
    if not rows:
        return None, 0
    held = {row["lead_id"]: asked(row["told"] or {}, row["phone"]) for row in rows if row["owner_rep"]}
    matched, _ = await match_all(connection, tenant, held)
    await _write_matches(connection, tenant, matched)
    waiting = [row["lead_id"] for row in rows if not row["owner_rep"]]
    await connection.execute(
        "UPDATE router.leads SET decided_under = 0 WHERE tenant = $1 AND lead_id = ANY($2::text[])", tenant, waiting
    )
    return rows[-1]["lead_id"], len(waiting)
