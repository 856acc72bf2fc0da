"""A secret past its time answers no challenge and proves no call, at the door itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.ingest.hooks import Hooks
from services.ingest.intake import Intake
from services.ingest.quarantine import Seals
from services.ingest.request import Request
from services.ingest.sources import Sources
from shared.kit.clock import FakeClock
from shared.schemas.policies import SourcesPolicy

MASTER = b"a master secret of 32 bytes or more"
CHALLENGES = {
    "meta_leads": b"hub.mode=subscribe&hub.verify_token=old&hub.challenge=1",
    "linkedin_leads": b"challengeCode=1",
}


@pytest.mark.parametrize("kind", CHALLENGES)
@pytest.mark.parametrize(("ahead", "status"), [(1, 200), (0, 401), (-1, 401)])
async def test_a_challenge_is_answered_until_the_secret_ends(kind, now, ahead, status):
    ends = datetime.fromtimestamp(now / 1000 + ahead, UTC).isoformat()
    uses = ("sign", "verify_token")
    secrets = [{"id": use.replace("_", "-"), "value": "env:OLD", "use": use, "not_after": ends} for use in uses]
    sources = Sources(MASTER, {"OLD": "old"})
    policy = {"sources": [{"id": "hook", "kind": kind, "secrets": secrets}]}
    sources.load("hinode", SourcesPolicy.model_validate(policy))

    async def handle(drafts, others):
        return [True] * len(drafts)

    hooks = Hooks(sources, Intake(handle), FakeClock(now), Seals(MASTER), body_bytes=1_000_000, complete=lambda: True)
    answer = await hooks.answer(Request("GET", "/hooks/hook", CHALLENGES[kind], [], b""))
    assert answer.status == status
    if status == 401:
        assert (await hooks.answer(Request("POST", "/hooks/hook", b"", [], b"{}"))).status == 401
