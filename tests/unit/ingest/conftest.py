"""A sender under a policy, and events as it sends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from services.ingest.domain.envelope import open_body
from services.ingest.domain.parse import parse
from services.ingest.domain.touch import Sender, complete
from services.ingest.reading import Read, read_body
from services.ingest.sources import Sources
from shared.schemas.policies import SourcesPolicy
from shared.schemas.touches import Touch

NOW = 1_790_000_000_000  # 2026-09-21
LEAD = "11111111-1111-5111-8111-111111111111"

Policy = dict[str, Any]


@pytest.fixture
def now() -> int:
    return NOW


@pytest.fixture
def sender() -> Callable[..., Sender]:
    """The one source of a tenant under a policy."""

    def make(policy: Policy | None = None, *, tenant: str = "hinode", trusted: bool = False) -> Sender:
        source = {"id": "web", "write_keys": ["key"], "trusted": trusted}
        sources = Sources(b"a master secret of 32 bytes or more", {})
        sources.load(tenant, SourcesPolicy.model_validate({"sources": [source]} | (policy or {})))
        found = sources.find("key")
        assert found
        return found.sender

    return make


@pytest.fixture
def read(sender: Callable[..., Sender]) -> Callable[..., Read]:
    """What a body of `POST /v1/<call>` holds."""

    def make(call: str, body: Any, policy: Policy | None = None, *, received_at: int = NOW) -> Read:
        parsed = parse(body if isinstance(body, bytes) else orjson.dumps(body))
        return read_body(open_body(call, parsed.tree), sender(policy), received_at, suspect=parsed.suspect)

    return make


@pytest.fixture
def touch(read: Callable[..., Read]) -> Callable[..., Touch]:
    """The touch of a single event; fails where it is refused."""

    def make(call: str, body: dict[str, Any], policy: Policy | None = None, **options: Any) -> Touch:
        found = read(call, {"userId": "u-1", "messageId": "m-1"} | body, policy, **options)
        assert not found.refused, found.refused
        wire = complete(LEAD, found.drafts[0].body)
        made = Touch.model_validate_json(wire)
        # The wire is written by hand, for speed: it has to be what the contract would write, no field more, no type other.
        defaults = {"schema_version"}
        assert orjson.loads(wire) == {
            name: value
            for name, value in made.model_dump(mode="json", exclude_none=True).items()
            if (value or name in orjson.loads(wire)) and name not in defaults
        }
        return made

    return make


@pytest.fixture
def refusal(read: Callable[..., Read]) -> Callable[..., str]:
    """The code under which a single event is refused."""

    def code(call: str, body: dict[str, Any], **options: Any) -> str:
        found = read(call, body, **options)
        assert not found.drafts, "it was not refused"
        return found.refused[0].code

    return code
