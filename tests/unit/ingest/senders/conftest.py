"""Tracking calls as clients make them, with nothing behind ingest but lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from services.ingest.answers import Answer
from services.ingest.api import Tracking
from services.ingest.domain.touch import Draft, complete
from services.ingest.intake import Intake
from services.ingest.request import Request
from services.ingest.sources import Sources
from shared.kit.clock import FakeClock
from shared.kit.kafka import Outgoing
from shared.schemas.ids import identity_id, tenant_secret
from shared.schemas.policies import SourcesPolicy
from shared.schemas.touches import RejectedEvent, Touch

MASTER = b"a master secret of 32 bytes or more"
NOW = 1_790_000_000_000  # 2026-09-21
LEAD = "11111111-1111-5111-8111-111111111111"
POLICY = {"sources": [{"id": "web", "write_keys": ["key"]}, {"id": "shop", "write_keys": ["shop-key", "id:secret"]}]}


@dataclass
class Wire:
    """Ingest without servers. `touches` are in the order in which they were accepted."""

    tracking: Tracking
    touches: list[Touch] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    rejected: list[RejectedEvent] = field(default_factory=list)

    async def call(
        self,
        path: str,
        body: Any = b"",
        *,
        method: str = "POST",
        query: str = "",
        headers: dict[str, str] | None = None,
        too_large: bool = False,
    ) -> Answer:
        """`body`: bytes as they are, else as JSON."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        named = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        doors = self.tracking.doors()
        prefix = next((known for known in doors if known.endswith("/") and path.startswith(known)), "")
        door = doors.get(path) or doors[prefix]
        return await door.endpoint(Request(method, path, query.encode(), named, raw, too_large))

    def identities(self, index: int = -1) -> dict[str, str]:
        """kind -> identity id of all that a touch names."""
        known = self.drafts[index].identities
        found = {identity.kind: identity.id for identity in known.strong}
        return found | ({"anonymous": known.anonymous.id} if known.anonymous else {})

    @staticmethod
    def named(**values: str) -> dict[str, str]:
        """What `identities` gives for these."""
        secret = tenant_secret(MASTER, "hinode")
        return {kind: identity_id(secret, "hinode", kind, value) for kind, value in values.items()}


@pytest.fixture
def wire() -> Wire:
    sources = Sources(MASTER, {})
    sources.load("hinode", SourcesPolicy.model_validate(POLICY))

    async def handle(drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        accepted = []
        for draft in drafts:
            new = draft.event_id not in [known.event_id for known in made.drafts]
            accepted.append(new)
            if new:
                made.drafts.append(draft)
                made.touches.append(Touch.model_validate_json(complete(LEAD, draft.body)))
        made.rejected += [RejectedEvent.model_validate_json(record.value) for record in others]
        return accepted

    tracking = Tracking(
        sources, Intake(handle), FakeClock(NOW), batch_bytes=4_194_304, body_bytes=1_048_576, complete=lambda: True
    )
    made = Wire(tracking)
    return made
