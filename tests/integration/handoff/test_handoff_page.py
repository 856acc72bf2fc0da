"""docs/api.md, word by word: every request on it is sent, and answered as it shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from baton.policies.documents import load
from services.handoff.app import http_app
from shared.kit.kafka import Message
from shared.kit.person import seal
from shared.kit.service import Probes
from shared.schemas.policies import PolicyPublished
from tests.integration.handoff import walking

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "api.md"
BEGIN = datetime(2026, 11, 24, 1, tzinfo=UTC)  # a Tuesday, ten in the morning in Tokyo
KINDS = ("sla", "routing", "teams", "pipeline", "qualification")
HANDS_OVER = {"handover": ["first_meeting", "participants", "memo"]}  # as the page says


@pytest.fixture
async def hinode(world: Any) -> Any:
    """The world with the policies of Hinode, on the day on which the page happens."""
    world.clock.advance(milliseconds=round(BEGIN.timestamp() * 1000) - world.clock.now())
    for number, kind in enumerate(KINDS, start=50):
        document, problems = load(ROOT / "policies" / "hinode" / f"{kind}.yaml", kind)
        assert document is not None, problems
        body = document.content | (HANDS_OVER if kind == "qualification" else {})
        record = PolicyPublished(
            tenant=world.tenant, kind=kind, sequence=number, hash="h", body=body, activated_at=world.clock.now()
        )
        await world.policies.apply(Message("policies", 0, number, record.key(), record.model_dump_json().encode()))
    return world


class Meanwhile:
    """What happens between the requests: the page names it in a comment."""

    def __init__(self, world: Any) -> None:
        self._world, self._assignments = world, 0

    async def happens(self, text: str) -> None:
        what, _, rest = text.partition(": ")
        await {"routed": self.routed, "later": self.later}[what](*rest.split())

    async def routed(self, rep: str, leg: str) -> None:
        """The router offers the lead to a rep."""
        self._assignments += 1
        person = seal({"name": "田辺 舞", "email": "tanabe@aozora-kikai.example", "title": "情報システム課 課長"})
        told = self._world.routed(
            assignment=self._assignments, rep=rep, leg=leg, person=person, attributes={"company": "青空機械"}
        )
        await self._world.handler().handle([told])

    async def later(self, days: str) -> None:
        self._world.clock.advance(days=float(days))


@pytest.fixture
async def api(hinode: Any) -> Any:
    public = "https://baton.hinode.example"
    app = http_app(hinode.app, hinode.policies, hinode.clock, Probes(), b"m" * 32, public_url=public)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://handoff") as client:
        yield client


async def test_every_request_on_the_page_of_the_api_is_answered_as_it_shows(hinode: Any, api: Any, owner: Any) -> None:
    meanwhile, names = Meanwhile(hinode), {"TENANT": hinode.tenant, "HANDOFF_URL": "http://handoff"}
    names |= {name: uuid4().hex for name in ("TOKEN", "KATO", "SUZUKI")}
    sent = compared = 0
    got: httpx.Response | None = None
    for step in walking.steps(PAGE.read_text()):
        try:
            if step.kind == "meanwhile":
                await meanwhile.happens(step.text)
            elif step.kind == "sql":
                await owner.execute(walking.filled(step.text, names))
            elif walking.is_answer(step):
                assert got is not None, "an answer without a request"
                names = walking.compared(walking.answer(step), got, names)
                got, compared = None, compared + 1
            else:
                asked = walking.request(step, names)
                headers = {"content-type": "application/json"} | asked.headers
                got = await api.request(asked.method, asked.path, headers=headers, content=asked.body.encode())
                sent += 1
                assert got.status_code < 500, got.text
        except walking.PageError as error:
            pytest.fail(f"docs/api.md, line {step.line}: {error}")
    assert sent == compared > 25, "every request on the page has its answer"


@pytest.mark.parametrize(
    ("shown", "got", "same"),
    [
        ('{"a": 1, …}', {"a": 1, "b": 2}, True),
        ('{"a": 1}', {"a": 1, "b": 2}, False),
        ('{"a": …, "b": 2}', {"a": {"c": []}, "b": 2}, True),
        ('{"b": 2, …}', {"a": 1}, False),
        ('[{"a": 1}, …]', [{"a": 1}, {"a": 2}], True),
        ('[…, {"a": 2}, …]', [{"a": 1}, {"a": 2}], True),
        ('[…, {"a": 3}]', [{"a": 1}, {"a": 2}], False),
        ('[{"a": 1}]', [{"a": 1}, {"a": 2}], False),
        ('{"a": "/o/…"}', {"a": "/o/x\ny"}, True),
        ('{"a": "/o/…"}', {"a": "/p/x"}, False),
        ('{"a": "$X", "b": "$X"}', {"a": "1", "b": "1"}, True),
        ('{"a": "$X", "b": "$X"}', {"a": "1", "b": "2"}, False),
        ('{"a": true}', {"a": 1}, False),
        ('{"a": "a { … \\" }"}', {"a": 'a { any " }'}, True),
    ],
)
def test_what_is_shown_of_an_answer_has_to_be_so_and_what_is_not_shown_may_be_anything(
    shown: str, got: Any, same: bool
) -> None:
    assert (walking.alike(walking.loads(shown), orjson.loads(orjson.dumps(got)), {}) is not None) is same


@pytest.mark.parametrize(
    ("page", "why"),
    [
        ("```python\nprint()\n```", "nothing executes"),
        ("```http\nGET /v1/$UNKNOWN\n```", "nobody has said"),
        ("```sh\nrm -r x\n```", "nothing executes rm"),
    ],
)
def test_what_nothing_would_execute_is_refused(page: str, why: str) -> None:
    read: Callable[[walking.Step], Any] = lambda step: walking.request(step, {})  # noqa: E731
    with pytest.raises(walking.PageError, match=why):
        [read(step) for step in walking.steps(page)]
