"""Tokens are made, shown once, listed without themselves, and taken back: as the API sees it."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from starlette.requests import Request

from baton import policies, tokens
from baton.policies.store import Versions
from shared.kit.auth import Tokens
from shared.kit.clock import SystemClock
from shared.kit.database import open_pool
from shared.kit.kafka import FakePublisher
from shared.kit.problems import Problem

pytestmark = pytest.mark.servers


@pytest.fixture
async def pool(database_url):
    pool = await open_pool(database_url, "baton_app", application="test")
    yield pool
    await pool.close()


@pytest.fixture
def tenant():
    return f"t-{uuid4().hex[:8]}"


async def asked(pool, token, method="GET"):
    """The caller as a service that has not seen the token before finds it."""
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return await Tokens(pool).caller(Request({"type": "http", "method": method, "headers": headers}))


async def test_a_token_opens_the_data_of_its_tenant_for_who_it_names_until_it_is_taken_back(pool, database_url, tenant):
    token = await tokens.create(database_url, tenant, "sato", ["rep", "manager", "rep"])
    caller = await asked(pool, token)
    assert (caller.tenant, caller.name, caller.roles) == (tenant, "sato", ("manager", "rep"))
    [one] = await tokens.issued(database_url, tenant)
    assert (one.name, one.roles) == ("sato", ("manager", "rep"))
    assert token not in repr(one)
    assert await tokens.revoke(database_url, "another", "sato") == 0
    assert await tokens.revoke(database_url, tenant, one.number) == 1
    with pytest.raises(Problem) as refused:
        await asked(pool, token)
    assert refused.value.code == "unknown_token"


async def test_all_tokens_of_a_name_are_taken_back_together(pool, database_url, tenant):
    for name in ("sato", "sato", "crm"):
        await tokens.create(database_url, tenant, name, ["api"])
    assert await tokens.revoke(database_url, tenant, "sato") == 2
    assert [one.name for one in await tokens.issued(database_url, tenant)] == ["crm"]


async def test_a_viewer_may_ask_and_do_nothing_else(pool, database_url, tenant):
    token = await tokens.create(database_url, tenant, "board", ["viewer"])
    assert (await asked(pool, token, "GET")).name == "board"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(Problem) as refused:
            await asked(pool, token, method)
        assert (refused.value.status, refused.value.code) == (403, "read_only")
    both = await tokens.create(database_url, tenant, "boss", ["viewer", "manager"])
    assert (await asked(pool, both, "POST")).roles == ("manager", "viewer")


async def test_before_a_token_is_made_its_tenant_and_its_rep_are_looked_for(pool, database_url, tenant, tmp_path):
    with pytest.raises(LookupError, match="has no policies"):
        await tokens.around(database_url, tenant, "suzuki")
    folder = Path(shutil.copytree(Path(__file__).parents[2] / "policies" / "hinode", tmp_path / tenant))
    await Versions(pool, FakePublisher(), SystemClock()).apply(policies.read(folder))
    with pytest.raises(LookupError, match=rf"tenant `{tenant}0` has no policies.* Did you mean `{tenant}`\?$"):
        await tokens.around(database_url, f"{tenant}0", "suzuki")
    found = await tokens.around(database_url, tenant, "suzuki")
    assert tokens.remarks(found, tenant, "suzuki", ["rep"]) == []
    await tokens.create(database_url, tenant, "suzuki", ["rep"])
    found = await tokens.around(database_url, tenant, "suzuki")
    [again] = tokens.remarks(found, tenant, "suzuki", ["rep"])
    assert again.startswith("`suzuki` has a token already")


def test_a_rep_whom_no_policy_names_is_told_with_the_nearest_and_a_program_is_none():
    found = tokens.Around(frozenset({"suzuki", "kato"}), 0)
    [told] = tokens.remarks(found, "hinode", "suzuky", ["rep"])
    assert told.endswith("sees no leads until one does. Did you mean `suzuki`?")
    assert tokens.remarks(found, "hinode", "crm", ["api"]) == []
