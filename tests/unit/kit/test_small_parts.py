"""The small parts of the plumbing: clock, person, settings, problems, probes."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError

from shared.kit import problems
from shared.kit.clock import FakeClock, SystemClock, iso
from shared.kit.person import reveal, seal
from shared.kit.problems import Problem
from shared.kit.service import Probes, cancel
from shared.kit.settings import ServiceSettings, explain_missing
from shared.schemas.person import PERSON_FIELDS


def test_a_fake_clock_stands_until_it_is_moved() -> None:
    clock = FakeClock(0)
    clock.advance(milliseconds=1, seconds=2, days=1)
    assert (clock.now(), clock.now()) == (86_402_001, 86_402_001)
    assert SystemClock().now() > 1_700_000_000_000


@given(st.integers(0, 4_102_444_800_000))
def test_a_time_in_an_answer_keeps_its_milliseconds(millis: int) -> None:
    text = iso(millis)
    assert text.endswith("Z")
    assert int(text[-4:-1]) == millis % 1000


@given(st.dictionaries(st.sampled_from(PERSON_FIELDS), st.one_of(st.none(), st.text())))
def test_a_person_comes_out_of_the_seal_as_it_went_in_without_what_is_empty(fields: dict[str, str | None]) -> None:
    sealed = seal(fields)
    assert reveal(sealed) == {name: value for name, value in fields.items() if value}
    assert (sealed is None) == (not any(fields.values()))


def test_a_person_never_shows_in_a_repr() -> None:
    assert "aiko" not in repr(seal({"email": "aiko@kasumi.example"}))


def test_what_no_contract_names_is_not_sealed() -> None:
    with pytest.raises(KeyError, match="shoe_size"):
        seal({"shoe_size": "26"})


def test_a_missing_setting_is_explained_by_its_name_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("IDENTITY_SECRET", "too short")
    with pytest.raises(ValidationError) as caught:
        ServiceSettings()
    told = explain_missing("router", caught.value)
    assert told.startswith("router cannot start: settings KAFKA_BOOTSTRAP_SERVERS (field required), IDENTITY_SECRET (")
    assert "too short" not in told.replace("should have at least", "")


def test_a_secret_never_shows_in_the_repr_of_the_settings() -> None:
    settings = ServiceSettings(kafka_bootstrap_servers="k:9092", identity_secret=SecretStr("x" * 32))
    assert "x" * 32 not in repr(settings)
    assert settings.master_secret() == b"x" * 32


class Body(BaseModel):
    number: int


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)

    @app.post("/body")
    async def body(_given: Body) -> str:
        return "ok"

    @app.get("/refuse")
    async def refuse() -> str:
        raise Problem(409, "taken", "somebody has it", holder="sato")

    @app.get("/login")
    async def login() -> str:
        raise Problem(401, "no_token", "send one")

    @app.get("/bug")
    async def bug() -> str:
        raise ZeroDivisionError("secret detail")

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_a_problem_is_told_with_its_code_and_what_belongs_to_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/refuse")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:baton:problem:taken",
        "title": "taken",
        "status": 409,
        "code": "taken",
        "detail": "somebody has it",
        "holder": "sato",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/refuse", 405, "method_not_allowed"),
        ("POST", "/body", 422, "invalid_request"),
        ("GET", "/login", 401, "no_token"),
        ("GET", "/bug", 500, "internal_error"),
    ],
)
async def test_every_error_is_a_problem_with_a_stable_code(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path, json={"number": "many"} if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert "secret detail" not in answer.text


@pytest.fixture
def probes() -> Probes:
    return Probes()


@pytest.fixture
def prober(probes: Probes) -> httpx.AsyncClient:
    app = FastAPI()
    probes.install(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


async def test_a_service_without_checks_is_alive_and_ready(prober: httpx.AsyncClient) -> None:
    assert (await prober.get("/livez")).status_code == 200
    assert (await prober.get("/readyz")).status_code == 200


@pytest.mark.parametrize("docs", ["/docs", None])
async def test_the_front_page_names_the_paths_that_there_are(probes: Probes, docs: str | None) -> None:
    app = FastAPI(title="Baton x", description="Does x.", docs_url=docs)
    probes.install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        answer = await client.get("/")
        assert answer.headers["content-type"].startswith("text/plain")
        title, description, *paths = answer.text.splitlines()
        assert (title, description) == ("Baton x", "Does x.")
        named = [line.split()[0] for line in paths]
        assert named == [*([docs] if docs else []), "/readyz", "/livez", "/metrics"]
        assert [(await client.get(path)).status_code for path in named] == [200] * len(named)


async def test_one_check_that_does_not_hold_is_named_and_makes_it_not_ready(
    probes: Probes, prober: httpx.AsyncClient
) -> None:
    async def database() -> bool:
        raise ConnectionError("refused")

    async def kafka() -> bool:
        return True

    probes.ready |= {"policies": lambda: False, "database": database, "kafka": kafka}
    answer = await prober.get("/readyz")
    assert answer.status_code == 503
    assert answer.text.splitlines() == ["not yet policies", "not yet database", "ok kafka"]
    assert (await prober.get("/livez")).status_code == 200
    assert "baton_ready 0.0" in (await prober.get("/metrics")).text
    probes.ready = {}
    await prober.get("/readyz")
    assert "baton_ready 1.0" in (await prober.get("/metrics")).text


async def test_a_task_that_loses_one_cancellation_is_cancelled_again():
    lost = []

    async def stubborn():
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append("one")

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await cancel([task], again_seconds=0.01)
    assert task.cancelled()
    assert lost == ["one"]
