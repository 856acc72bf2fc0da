"""What callers send: a name that nobody reads is refused, with the one that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.handoff.app import http_app as handoff_app
from services.handoff.policies import Policies as HandoffPolicies
from services.router.app import http_app as router_app
from services.router.policies import Policies as RouterPolicies
from shared.kit.clock import FakeClock
from shared.kit.near import nearest
from shared.kit.service import Probes

NOBODY: Any = None  # no server is asked
ONE = "/v1/opportunities/0d8e68a4-7a95-5bde-b902-714a70fa7a16"
MAPS = {"facts", "answers", "policies", "confirmed", "handover", "items"}  # of names that policies and customers choose


def _apps() -> dict[str, FastAPI]:
    return {
        "handoff": handoff_app(NOBODY, HandoffPolicies(wait_seconds=0), FakeClock(), Probes(), b"m" * 32),
        "router": router_app(NOBODY, NOBODY, RouterPolicies(), FakeClock(), Probes(), b"m" * 32),
    }


APPS = _apps()


def _open(schema: Any, models: dict[str, Any], place: str, seen: frozenset[str]) -> Iterator[str]:
    """The places of a body at which anything may stand."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name not in seen:
            yield from _open(models[name], models, place, seen | {name})
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield place
    for word in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(word, ()):
            yield from _open(one, models, place, seen)
    if isinstance(schema.get("items"), dict):
        yield from _open(schema["items"], models, place, seen)
    for name, one in schema.get("properties", {}).items():
        yield from _open(one, models, f"{place}.{name}", seen)


@pytest.mark.parametrize("service", APPS)
def test_no_body_of_a_request_takes_a_field_that_nobody_reads(service: str) -> None:
    description, bodies = APPS[service].openapi(), 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            for medium in operation.get("requestBody", {}).get("content", {}).values():
                found = set(_open(medium["schema"], description["components"]["schemas"], "", frozenset()))
                assert {one for one in found if one.rpartition(".")[2] not in MAPS} == set(), (method, path)
                bodies += 1
    assert bodies >= {"handoff": 25, "router": 5}[service]


async def told(service: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The answer, which is a refusal. Nobody is asked for the token: what is wrong is told before."""
    transport = httpx.ASGITransport(app=APPS[service])
    async with httpx.AsyncClient(transport=transport, base_url="http://baton") as client:
        got = await client.request(method, path, json=body)
    assert got.status_code == 422, got.text
    answer: dict[str, Any] = got.json()
    assert answer["code"] == "invalid_request"
    assert "function-" not in got.text
    assert "Extra inputs" not in got.text
    return answer


@pytest.mark.parametrize(
    ("service", "method", "path", "body", "at", "meant"),
    [
        ("router", "PUT", "/v1/reps/ito/availability", {"away_unitl": "2026-11-24T13:00:00+09:00"}, "away_unitl", "away_until"),
        ("router", "PUT", "/v1/reps/ito/availability", {"until": "2020-01-01T00:00:00Z"}, "until", "away_until"),
        ("router", "PUT", "/v1/reps/ito/availability", {"available": True}, "available", None),
        ("router", "POST", "/v1/reps/ito/offboard", {"dryrun": True}, "dryrun", "dry_run"),
        ("handoff", "POST", f"{ONE}/qualify", {"first_meting": "2027-01-01T10:00:00Z"}, "first_meting", "first_meeting"),
        ("handoff", "POST", f"{ONE}/calls", {"result": "no_answer", "nextat": "x"}, "nextat", "next_at"),
        ("handoff", "POST", f"{ONE}/accept", {"rep": "nobody"}, "rep", "rep_id"),
        ("handoff", "POST", f"{ONE}/answers", {"question": "B1", "value": "x", "source": "form", "att": 1}, "att", "at"),
        ("handoff", "PATCH", f"{ONE}/deal", {"amonut": 1}, "amonut", "amount"),
        ("handoff", "PATCH", f"{ONE}/deal", {"team": [{"rep_id": "sato", "role": "x", "rol": 1}]}, "team.0.rol", "role"),
        ("handoff", "POST", f"{ONE}/calls", {"result": "no_anser"}, "result", "no_answer"),
        ("handoff", "POST", f"{ONE}/calls", {"result": "nix"}, "result", None),
        ("handoff", "POST", f"{ONE}/stakeholders", {"name": "x", "roles": ["champ"]}, "roles.0", "champion"),
        ("handoff", "PATCH", "/v1/endpoints/a", {"event_types": ["offer.acepted"]}, "event_types.0", "offer.accepted"),
        ("handoff", "PUT", "/v1/external/crm/1", {"deal": {"amonut": 1}}, "deal.amonut", "amount"),
        ("handoff", "PATCH", f"{ONE}/stakeholders/a", {"influence": "hihg"}, "influence", "high"),
    ],
)  # fmt: skip
async def test_a_slip_is_told_with_its_place_what_is_valid_and_what_was_meant(
    service: str, method: str, path: str, body: Any, at: str, meant: str | None
) -> None:
    answer = await told(service, method, path, body)
    fault = next(one for one in answer["problems"] if one["at"] == f"body.{at}")
    assert (fault["suggestion"], answer["suggestion"]) == (meant, meant)
    assert fault["valid"] == answer["valid"]
    assert meant is None or (meant in fault["valid"] and f"`{meant}`" in answer["detail"])


@pytest.mark.parametrize(
    ("service", "path", "at", "meant"),
    [
        ("handoff", "/v1/opportunities?stgae=offered", "query.stgae", "stage"),
        ("handoff", "/v1/opportunities?stage=ofered", "query.stage", "offered"),
        ("handoff", f"{ONE}/timeline?kind=decison", "query.kind.0", "decision"),
        ("router", "/v1/leads?ownr=sato", "query.ownr", None),
        ("router", "/v1/pools?zzz=1", "query.zzz", None),
    ],
)
async def test_a_slip_in_a_parameter_is_told_too(service: str, path: str, at: str, meant: str | None) -> None:
    answer = await told(service, "GET", path)
    assert [one["at"] for one in answer["problems"]] == [at]
    assert meant in (None, answer["suggestion"])
    assert answer["valid"] is not None


async def test_what_may_be_a_moment_or_a_day_is_told_once_and_without_the_names_of_validators() -> None:
    answer = await told("handoff", "POST", f"{ONE}/tasks", {"title": "x", "due": "9999-12-31x"})
    assert [one["at"] for one in answer["problems"]] == ["body.due"]


async def test_a_name_of_half_a_surrogate_pair_is_refused_as_any_other() -> None:
    transport = httpx.ASGITransport(app=APPS["handoff"])
    async with httpx.AsyncClient(transport=transport, base_url="http://baton") as client:
        headers = {"content-type": "application/json"}
        got = await client.post(f"{ONE}/accept", content=b'{"\\ud800": 1}', headers=headers)
    assert (got.status_code, got.json()["code"]) == (422, "invalid_request")


async def test_pages_that_are_no_api_take_whatever_is_added_to_their_address() -> None:
    transport = httpx.ASGITransport(app=APPS["handoff"])
    async with httpx.AsyncClient(transport=transport, base_url="http://baton") as client:
        assert (await client.get("/livez?utm=mail")).status_code == 200
        assert (await client.get("/o/nothing?utm=mail")).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "valid", "meant"),
    [
        ("lazy", ("at_capacity", "info_only", "not_now", "junk"), None),
        ("capacity", ("at_capacity", "info_only"), "at_capacity"),
        ("Not-Now", ("not_now", "junk"), "not_now"),
        ("jnuk", ("not_now", "junk"), "junk"),
        ("x", ("not_now", "junk"), None),
        ("", ("not_now",), None),
        ("junk", (), None),
    ],
)
def test_only_what_is_near_is_suggested(wrong: str, valid: tuple[str, ...], meant: str | None) -> None:
    assert nearest(wrong, valid) == meant
