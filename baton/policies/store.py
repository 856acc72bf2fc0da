"""The only writer of policies: stores versions for ever, and publishes them in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from baton.policies.diffs import differences
from baton.policies.orphans import orphans
from baton.policies.problems import Problem, suggest
from baton.policies.published import published
from baton.policies.reading import PolicySet, body_hash, check_secrets, read_all
from baton.policies.replays import replays
from shared.kit.clock import Clock, SystemClock, iso
from shared.kit.database import Connection, Pool, open_pool, tenant_transaction
from shared.kit.kafka import KafkaPublisher, Outgoing, Publisher
from shared.schemas.policies import KINDS, PolicyPublished
from shared.schemas.topics import POLICIES


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one policy: the version now in force, whether it is new, and whether it was published just now.

    notes:   what its coming into force does not do by itself
    changes: of a preview, what differs from the version in force
    """

    tenant: str
    kind: str
    sequence: int
    hash: str
    stored: bool
    published: bool
    notes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What `apply` did: one entry per tenant and kind, and what should be looked at of write keys and secrets."""

    applied: tuple[Applied, ...]
    warnings: tuple[Problem, ...] = ()

    def changed(self) -> tuple[Applied, ...]:
        return tuple(entry for entry in self.applied if entry.stored)


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored version; `published` is whether its acknowledgement is known."""

    record: PolicyPublished
    published: bool


class NoVersionError(LookupError):
    """A policy has no such version; its words name those that there are."""


async def apply(
    path: Path,
    database_url: str,
    bootstrap: str,
    *,
    republish: bool = False,
    clock: Clock | None = None,
    environment: Mapping[str, str] | None = None,
    doubtful: Collection[str] = (),
) -> Report:
    """Bring the policies at `path` (of one tenant, or of all below it) into force.

    Kinds that did not change are neither stored nor published again, unless `republish` asks for the latter. What an earlier run
    stored and could not publish is published now. Raises PolicyErrors, having stored nothing, when anything is wrong with any of
    them; KafkaError, having stored everything, when it is not known to be published: apply again.

    environment: what write keys and secrets refer to, which have to be there; None: they are elsewhere
    doubtful: names of it that ingest may not have, which is told
    """
    sets = read_all(path)
    noted = await _looked_at(sets, bootstrap, environment, doubtful)
    pool = await open_pool(database_url, "baton_app", application="baton-policy", size=2)
    publisher = KafkaPublisher(bootstrap)
    try:
        await publisher.start()
        policies = Versions(pool, publisher, clock or SystemClock())
        applied = [entry for each in sets for entry in await policies.apply(each, republish=republish)]
    finally:
        await publisher.stop()
        await pool.close()
    return Report(tuple(applied), tuple(noted))


async def preview(
    path: Path,
    database_url: str,
    bootstrap: str,
    *,
    environment: Mapping[str, str] | None = None,
    doubtful: Collection[str] = (),
) -> Report:
    """What `apply` would store of the policies at `path`; nothing is. Raises PolicyErrors where `apply` would."""
    sets = read_all(path)
    noted = await _looked_at(sets, bootstrap, environment, doubtful)
    pool = await open_pool(database_url, "baton_app", application="baton-policy", size=1)
    try:
        applied = [entry for each in sets for entry in await _preview(pool, each)]
    finally:
        await pool.close()
    return Report(tuple(applied), tuple(noted))


async def _looked_at(
    sets: Sequence[PolicySet], bootstrap: str, environment: Mapping[str, str] | None, doubtful: Collection[str]
) -> list[Problem]:
    """What should be looked at of write keys and secrets; nothing where they are elsewhere. Raises PolicyErrors."""
    if environment is None:
        return []
    sources, teams = await published(bootstrap)
    return check_secrets(sets, sources, environment, doubtful, teams)


async def show(tenant: str, kind: str, version: int | None = None, *, database_url: str) -> Stored:
    """A stored version of a policy: the latest, or the one of sequence `version`.

    Raises NoVersionError where it has no such version, and LookupError where there is no such policy.
    """
    of_kind = await _versions(tenant, kind, database_url)
    found = [stored for stored in of_kind if version in (None, stored.record.sequence)]
    if not found:
        raise NoVersionError(
            f"policy `{kind}` of tenant `{tenant}` has no version {version}; it has {_numbers(of_kind)}"
        )
    return found[-1]


async def in_force(tenant: str, kind: str, at: int, *, database_url: str) -> Stored:
    """The version that was in force at a moment (ms): of those that had been applied by then the latest.

    Raises NoVersionError that says since when there is one, where there was none yet, and LookupError where there is none.
    """
    of_kind = await _versions(tenant, kind, database_url)
    found = [stored for stored in of_kind if stored.record.activated_at <= at]
    if not found:
        first = of_kind[0].record
        raise NoVersionError(
            f"tenant `{tenant}` had no policy `{kind}` yet: its first, version {first.sequence}, was applied at"
            f" {iso(first.activated_at)}; it has {_numbers(of_kind)}"
        )
    return found[-1]


def _numbers(versions: Sequence[Stored]) -> str:
    return ", ".join(str(stored.record.sequence) for stored in versions)


async def _versions(tenant: str, kind: str, database_url: str) -> list[Stored]:
    """All versions, the oldest first; one or more. Raises LookupError where there is none."""
    pool = await open_pool(database_url, "baton_app", application="baton-policy", size=1)
    try:
        async with tenant_transaction(pool, tenant) as connection:
            rows = await connection.fetch("SELECT * FROM policy.versions WHERE tenant = $1 ORDER BY sequence", tenant)
    finally:
        await pool.close()
    if not rows:
        raise LookupError(f"tenant `{tenant}` has no policies; `baton policy apply` brings them into force")
    of_kind = [row for row in rows if row["kind"] == kind]
    if not of_kind:
        raise LookupError(f"tenant `{tenant}` has no policy `{kind}`.{suggest(kind, KINDS)}")
    return [Stored(_record(row), row["published"]) for row in of_kind]


class Versions:
    """Policy versions in Postgres, and the topic that follows them."""

    def __init__(self, pool: Pool, publisher: Publisher, clock: Clock) -> None:
        self._pool, self._publisher, self._clock = pool, publisher, clock

    async def apply(self, policies: PolicySet, *, republish: bool = False) -> list[Applied]:
        """Store what changed, in one transaction; then publish what is not known to be published."""
        stored, notes = await self.store(policies)
        published = await self.publish(policies.tenant, republish=republish)
        async with tenant_transaction(self._pool, policies.tenant) as connection:
            latest = await _latest(connection, policies.tenant)
        return [
            Applied(
                policies.tenant,
                kind,
                row["sequence"],
                row["hash"],
                kind in stored,
                row["sequence"] in published,
                notes.get(kind, ()),
            )
            for kind in policies.bodies
            for row in [latest[kind]]
        ]

    async def store(self, policies: PolicySet) -> tuple[set[str], dict[str, tuple[str, ...]]]:
        """The kinds that differed from what was stored, and got a new version; and what is to be noted of these."""
        tenant = policies.tenant
        async with tenant_transaction(self._pool, tenant) as connection:
            await _lock(connection, tenant)
            latest = await _latest(connection, tenant)
            hashes, changed, highest = _compare(policies, latest)
            await connection.executemany(
                "INSERT INTO policy.versions (tenant, sequence, kind, hash, body, activated_at)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                [
                    (tenant, highest + number, kind, hashes[kind], policies.bodies[kind], self._clock.now())
                    for number, kind in enumerate(changed, 1)
                ],
            )
            notes = await _notes(connection, policies, latest, changed)
        return set(changed), notes

    async def publish(self, tenant: str, *, republish: bool = False) -> set[int]:
        """Publish what is not known to be published, in order; with `republish` the version in force of every kind as well.

        Under the tenant's lock from reading to acknowledgement, so that of two runs none can publish an older version last.
        """
        async with tenant_transaction(self._pool, tenant) as connection:
            await _lock(connection, tenant)
            rows = await connection.fetch(
                "SELECT * FROM policy.versions v WHERE tenant = $1 AND (NOT published OR $2 AND sequence ="
                " (SELECT max(sequence) FROM policy.versions WHERE tenant = v.tenant AND kind = v.kind)) ORDER BY sequence",
                tenant,
                republish,
            )
            records = [_record(row) for row in rows]
            await self._publisher.publish(
                [Outgoing(POLICIES.name, record.key(), record.model_dump_json().encode()) for record in records]
            )
            sequences = [record.sequence for record in records]
            await connection.execute(
                "UPDATE policy.versions SET published = true WHERE tenant = $1 AND sequence = ANY($2::integer[])",
                tenant,
                sequences,
            )
        return set(sequences)


async def _preview(pool: Pool, policies: PolicySet) -> list[Applied]:
    async with tenant_transaction(pool, policies.tenant) as connection:
        latest = await _latest(connection, policies.tenant)
        hashes, changed, highest = _compare(policies, latest)
        notes = await _notes(connection, policies, latest, changed)
    coming = {kind: highest + number for number, kind in enumerate(changed, 1)}
    return [
        Applied(
            policies.tenant,
            kind,
            coming[kind] if kind in coming else latest[kind]["sequence"],
            digest,
            kind in coming,
            False,
            notes.get(kind, ()),
            tuple(differences(latest[kind]["body"] if kind in latest else None, policies.bodies[kind]))
            if kind in coming
            else (),
        )
        for kind, digest in hashes.items()
    ]


def _compare(policies: PolicySet, latest: Mapping[str, Any]) -> tuple[dict[str, str], list[str], int]:
    """The hashes of the policies by kind, the kinds that differ from the latest versions, and the highest sequence so far."""
    hashes = {kind: body_hash(body) for kind, body in policies.bodies.items()}
    changed = [k for k, digest in hashes.items() if k not in latest or latest[k]["hash"] != digest]
    return hashes, changed, max((row["sequence"] for row in latest.values()), default=0)


async def _notes(
    connection: Connection, policies: PolicySet, latest: Mapping[str, Any], changed: Collection[str]
) -> dict[str, tuple[str, ...]]:
    before = {kind: latest[kind]["body"] for kind in changed if kind in latest}
    notes = {}
    if "scoring" in changed:
        earlier = await _earlier_scoring(connection, policies.tenant, latest)
        notes["scoring"] = tuple(replays(before.get("scoring"), policies.bodies["scoring"], earlier))
    if "pipeline" in before:
        standing = await _open_deals(connection, policies.tenant)
        notes["pipeline"] = tuple(orphans(before["pipeline"], policies.bodies["pipeline"], standing))
    return notes


async def _earlier_scoring(connection: Connection, tenant: str, latest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The bodies before the latest one, as far back as matters."""
    last = latest["scoring"]["sequence"] if "scoring" in latest else 0
    rows = await connection.fetch(
        "SELECT body FROM policy.versions WHERE tenant = $1 AND kind = 'scoring' AND sequence < $2"
        " ORDER BY sequence DESC LIMIT 50",
        tenant,
        last,
    )
    return [row["body"] for row in rows]


async def _open_deals(connection: Connection, tenant: str) -> dict[tuple[str, str], int]:
    """How many there are, by type and stage."""
    rows = await connection.fetch(
        "SELECT type, deal_stage, count(*) AS deals FROM handoff.opportunities"
        " WHERE tenant = $1 AND stage IN ('offered', 'accepted') AND deal_stage IS NOT NULL GROUP BY type, deal_stage",
        tenant,
    )
    return {(row["type"], row["deal_stage"]): row["deals"] for row in rows}


async def _lock(connection: Connection, tenant: str) -> None:
    """One run at a time per tenant, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('policy.versions'), hashtext($1))", tenant)


async def _latest(connection: Connection, tenant: str) -> dict[str, asyncpg.Record]:
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        "SELECT DISTINCT ON (kind) * FROM policy.versions WHERE tenant = $1 ORDER BY kind, sequence DESC", tenant
    )
    return {row["kind"]: row for row in rows}


def _record(row: asyncpg.Record) -> PolicyPublished:
    fields: dict[str, Any] = {
        name: row[name] for name in ("tenant", "sequence", "kind", "hash", "body", "activated_at")
    }
    return PolicyPublished(**fields)
