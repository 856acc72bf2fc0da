"""A sender under a policy, and events as it sends them; a source of signed webhooks, and what becomes of its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from services.ingest.domain.envelope import open_body
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import Sender, complete
from services.ingest.reading import Read, read_body
from services.ingest.request import Request
from services.ingest.senders import WEBHOOKS
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Registered, Sources
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


@dataclass(frozen=True)
class Hook:
    """`/hooks/hook` of a tenant. Calls are POST with a body and headers as text or bytes."""

    known: Registered
    webhook: Webhook
    now: int

    def request(self, body: Any = b"", headers: Mapping[str, str | bytes] | None = None, **more: Any) -> Request:
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        pairs = [(name.lower().encode(), _bytes(value)) for name, value in (headers or {}).items()]
        return Request(more.get("method", "POST"), more.get("path", "/hooks/hook"), more.get("query", b""), pairs, sent)

    def refused(self, request: Request, now: int | None = None) -> str | None:
        """Why a call is not verified; None where it is."""
        try:
            self.webhook.verify(request, self.known.keys, self.now if now is None else now)
        except Refused as refused:
            return refused.code if refused.status == 401 else f"{refused.code} with status {refused.status}"
        return None

    def read(self, request: Request) -> Read:
        opened = self.webhook.read(request, self.known.keys)
        return read_body(opened.envelope, self.known.sender, self.now, suspect=opened.suspect)

    def touches(self, body: Any, headers: Mapping[str, str | bytes] | None = None) -> list[Touch]:
        """What a body becomes; fails where an event of it is refused."""
        found = self.read(self.request(body, headers))
        assert not found.refused, found.refused
        return [Touch.model_validate_json(complete(LEAD, draft.body)) for draft in found.drafts]

    def touch(self, body: Any, headers: Mapping[str, str | bytes] | None = None) -> Touch:
        [one] = self.touches(body, headers)
        return one

    def refusals(self, body: Any, headers: Mapping[str, str | bytes] | None = None) -> list[str]:
        """Codes of the events of a body that are refused."""
        return [refused.code for refused in self.read(self.request(body, headers)).refused.values()]

    def kinds(self, body: Any, headers: Mapping[str, str | bytes] | None = None) -> list[set[str]]:
        """Per event by which kinds of identifiers it names somebody."""
        drafts = self.read(self.request(body, headers)).drafts
        return [
            {known.kind for known in draft.identities.strong} | ({"anonymous"} if draft.identities.anonymous else set())
            for draft in drafts
        ]


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


@pytest.fixture
def hook(now: int) -> Callable[..., Hook]:
    """A source of a kind with secrets: texts, or (text, not_after)."""

    def make(kind: str, *secrets: str | tuple[str, str], policy: dict[str, Any] | None = None, **source: Any) -> Hook:
        environment: dict[str, str] = {}
        told = []
        for index, secret in enumerate(secrets):
            value, end = secret if isinstance(secret, tuple) else (secret, None)
            environment[f"SECRET_{index}"] = value
            told.append({"id": f"s{index}", "value": f"env:SECRET_{index}", "not_after": end})
        sources = Sources(b"a master secret of 32 bytes or more", environment)
        policy = {"sources": [{"id": "hook", "kind": kind, "secrets": told} | source]} | (policy or {})
        sources.load("hinode", SourcesPolicy.model_validate(policy))
        known = sources.named("hook")
        assert known
        return Hook(known, WEBHOOKS[kind], now)

    return make
