"""Lists cost what their caller may see, not what the tenant has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from services.router.sight import Sight
from services.router.store import listing
from services.router.store.leads import RETRY_AFTER
from services.router.store.listing import Filter
from shared.kit.database import tenant_transaction

pytestmark = pytest.mark.servers
LEADS, OF_EACH = 5_000, 10
AT = 1_700_000_000_000  # ms, about when leads of other tests are; each lead is changed a second after the one before
READ = (
    "SELECT (seq_tup_read + idx_tup_fetch)::integer FROM pg_stat_xact_user_tables"
    " WHERE schemaname = 'router' AND relname = 'leads'"
)
Ask = Callable[..., Awaitable[tuple[list[str], int]]]


@pytest.fixture
async def ask(world, database_url) -> AsyncIterator[Ask]:
    """ask(sight, **filter): ids of the first page of a large tenant, and how many leads the database looked at for them."""
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "INSERT INTO router.leads (tenant, lead_id, version, score, owner_rep, pool_id, waiting_reason, updated_at)"
        " SELECT $1, 'l' || lpad(n::text, 5, '0'), '[1, 1, 1, 1]', '{}', CASE n % 3 WHEN 0 THEN 'rep' || n / $3::integer END,"
        " CASE n % 3 WHEN 2 THEN NULL ELSE 'pool' || n / $3::integer END,"
        " CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN 'parked:claim' ELSE 'below_gate' END, $4::bigint + n * 1000"
        " FROM generate_series(0, $2::integer - 1) AS n",
        world.tenant,
        LEADS,
        3 * OF_EACH,
        AT,
    )
    await owner.execute("ANALYZE router.leads")

    async def asked(sight: Sight, **wanted) -> tuple[list[str], int]:
        async with tenant_transaction(world.pool, world.tenant) as connection:
            before = await connection.fetchval(READ)
            page = await listing.page(connection, world.tenant, sight, Filter(**wanted), 51, None)
            return [stored.lead.lead_id for stored in page], await connection.fetchval(READ) - before

    yield asked
    await owner.close()


def ids(remainder: int, *, group: int) -> list[str]:
    """Leads of a group whose number leaves the remainder by three: 0 owned by its rep, 1 in its pool's queue."""
    return [f"l{3 * OF_EACH * group + 3 * n + remainder:05}" for n in range(OF_EACH)]


@pytest.mark.parametrize(
    ("sight", "seen"),
    [
        (Sight(reps=("rep100",)), ids(0, group=100)),
        (Sight(reps=("rep100",), claims=("pool90",)), ids(1, group=90) + ids(0, group=100)),
        (Sight(reps=("rep100",), pools=("pool90",)), ids(1, group=90) + ids(0, group=100)),
    ],
    ids=["a rep", "a rep of a pool to claim from", "a manager of a team"],
)
async def test_a_list_reads_no_more_leads_than_its_caller_sees(ask, sight, seen):
    found, read = await ask(sight)
    assert found == seen
    assert read <= 2 * len(seen), "an arm of the sight without an index reads all leads of the tenant"


async def test_what_changed_lately_is_found_without_reading_what_did_not(ask):
    found, read = await ask(Sight(everything=True), changed_since=AT + (LEADS - 20) * 1000)
    assert found == [f"l{n:05}" for n in range(LEADS - 20, LEADS)]
    assert read <= 40


async def test_who_sees_nothing_is_shown_nothing(ask):
    assert (await ask(Sight()))[0] == []


async def test_a_lead_that_was_tried_in_vain_has_not_changed(world, team):
    await world.apply(team(field=("sato",), capacity=0))
    await world.router().handle([world.score("l1")])
    before = await world.lead("l1")
    world.clock.advance(milliseconds=RETRY_AFTER + 1)
    await world.sweep().sweep()
    tried = await world.lead("l1")
    assert tried["tried_at"] > before["tried_at"]
    assert tried["updated_at"] == before["updated_at"], "who asks what changed would be told of it again and again"
    await world.apply(team(field=("sato",)))
    await world.sweep().sweep()
    freed = await world.lead("l1")
    assert (freed["owner_rep"], freed["updated_at"]) == ("sato", world.clock.now())
    world.clock.advance(seconds=1)
    await world.router().handle([world.score("l1")])
    assert (await world.lead("l1"))["updated_at"] == world.clock.now(), "a newer score is news"
