"""The OpenAPI document is the truth: it forgets no door, its examples are answered as it says, and whatever else is sent is too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode

from services.ingest.examples import FORM
from services.ingest.senders import TRACKERS, WEBHOOKS

pytestmark = pytest.mark.servers

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
TOKEN = "an-admin-token"
UNCODED = (
    "image/gif",
    "text/html",
    "text/xml",
    "text/plain",
)  # errors that are not for programs, or speak the sender's XML
CHOSEN = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")


def source_of(tenant: str, kind: str) -> str:
    """No other tenant has one of that id."""
    return f"{tenant}-{kind.replace('_', '-')}"


@pytest.fixture
async def ingest(start: Any, tenant: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """With a source of every kind, named after tenant and kind."""
    monkeypatch.setenv("TEST_SECRET", "whsec_" + "c2VjcmV0" * 4)
    proof = {"secrets": [{"id": "a", "value": "env:TEST_SECRET"}]}
    hooks = [{"id": source_of(tenant, kind), "kind": kind} | proof for kind in WEBHOOKS]
    for hook in hooks:
        if hook["kind"] == "hmac":
            hook["signature"] = {"header": "x-signature"}
    web = {"id": "web", "write_keys": [f"{tenant}-web"]}
    sources = [web, {"id": source_of(tenant, "form"), "kind": "form"}, *hooks]
    return await start({"sources": sources}, ingest_admin_token=TOKEN)


@pytest.fixture
async def document(ingest: Any) -> dict[str, Any]:
    answer = await ingest.http.get(f"{ingest.url}/openapi.json")
    return answer.json()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def examples(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each example of an operation as arguments of a request, and the status it is said to get."""
    parameters = operation.get("parameters", [])
    bodies = {
        name: (media, example)
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
        for name, example in content.get("examples", {}).items()
    }
    names = {name for parameter in parameters for name in parameter.get("examples", {})} | bodies.keys()
    for name in sorted(names):
        media, body = bodies.get(name, (None, {}))
        given = {place: {} for place in ("query", "header", "path")}
        for parameter in parameters:
            if name in parameter.get("examples", {}):
                given[parameter["in"]][parameter["name"]] = parameter["examples"][name]["value"]
        yield name, {"media": media, "body": body.get("value"), "status": body.get("x-status", 200), **given}


async def test_no_door_is_forgotten(ingest: Any, document: dict[str, Any]) -> None:
    documented = set(document["paths"])
    for path in ingest.service.app._doors:
        if path.endswith("/"):
            assert path in documented or any(known.startswith(path) for known in documented), path
        else:
            assert path in documented, path
    for kind in WEBHOOKS:
        assert f"`{kind}`" in document["paths"]["/hooks/{source_id}"]["post"]["description"], kind
    described = {tag for _, _, operation in operations(document) for tag in operation.get("tags", [])}
    assert described >= {tracker.name for tracker in TRACKERS} | {"forms", "webhooks", "admin"}


async def test_every_call_is_shown_by_an_example(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if "admin" in operation["tags"] or (method == "get" and operation["tags"] in (["operations"], ["webhooks"])):
            continue
        assert list(examples(operation)), f"{method} {path} has no example"


async def test_operation_ids_are_unique_and_references_lead_somewhere(document: dict[str, Any]) -> None:
    named = [operation["operationId"] for _, _, operation in operations(document) if "operationId" in operation]
    assert len(named) == len(set(named))
    text = orjson.dumps(document).decode()
    for reference in {part.partition('"')[0] for part in text.split('"$ref":"#/')[1:]}:
        node = document
        for step in reference.split("/"):
            node = node[step]


async def test_examples_are_answered_as_the_document_says(ingest: Any, tenant: str, document: dict[str, Any]) -> None:
    tried = 0
    for path, method, operation in operations(document):
        for name, example in examples(operation):
            for kind in WEBHOOKS if "/hooks/" in path else ["form"]:
                filled = path.format_map({"source_id": source_of(tenant, kind), "tenant": tenant, **example["path"]})
                answer = await _send(ingest, method, filled, example)
                assert answer.status_code == example["status"], f"{method} {filled}, {name}: {answer.text}"
                documented = operation["responses"][str(answer.status_code)]
                media = answer.headers["content-type"].partition(";")[0]
                assert media in documented["content"], f"{method} {filled}, {name}: {media}"
                shown = documented["content"][media].get("examples", {}).get(name)
                if shown and isinstance(shown["value"], dict):
                    assert answer.json().keys() >= shown["value"].keys(), f"{method} {filled}, {name}: {answer.text}"
                tried += 1
    assert tried > 60


async def _send(ingest: Any, method: str, path: str, example: dict[str, Any]) -> httpx.Response:
    headers = {"X-Write-Key": ingest.key} | example["header"]
    content = None
    body = _unrepeated(example["body"])
    if example["media"] == FORM:
        content = urlencode(body).encode()
    elif example["media"] == "multipart/form-data":
        return await ingest.http.request(method, ingest.url + path, data=body, files={"cv": b"x"}, headers=headers)
    elif example["media"]:
        content = orjson.dumps(body)
    if example["media"]:
        headers["Content-Type"] = example["media"]
    return await ingest.http.request(
        method, ingest.url + path, params=example["query"], content=content, headers=headers
    )


def _unrepeated(body: Any) -> Any:
    """With ids of its own: examples share theirs, and the second would be a duplicate."""
    text = orjson.dumps(body).decode()
    for name in ("messageId", "insert_id", "$insert_id", "eid"):
        text = text.replace(f'"{name}":"', f'"{name}":"{uuid4().hex[:8]}-')
    return orjson.loads(text)


def fuzz(url: str, key: str, tenant: str, document: dict[str, Any], mode: GenerationMode) -> int:
    """Send what schemathesis makes up for every operation; the number of calls."""
    calls = 0
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        known = {
            "source_id": source_of(tenant, "form" if "/forms/" in operation.path else "typeform"),
            "tenant": tenant,
        }
        path = {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}
        headers = {"Authorization": f"Bearer {TOKEN}"} if "/admin" in operation.path else {"X-Write-Key": key}
        calls += attempt(operation.as_strategy(mode, path_parameters=path or None), url, headers)
    return calls


def attempt(cases: Any, url: str, headers: dict[str, str]) -> int:
    checks = [CHECKS.get_one(name) for name in CHOSEN]
    calls = 0

    @settings(max_examples=8, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def call(case: Any) -> None:
        nonlocal calls
        calls += 1
        answer = case.call(base_url=url, headers=headers, timeout=60)
        what = f"{case.method} {case.formatted_path}: {answer.status_code} {answer.content[:300]!r}"
        assert answer.status_code < 500 or answer.status_code == 503, what
        media = answer.headers["content-type"][0].partition(";")[0]
        if answer.status_code >= 400 and media not in UNCODED:
            assert {"code", "message"} <= answer.json().keys(), what
        case.validate_response(answer, checks=checks)

    with suppress(Unsatisfiable):  # where nothing can be sent there is nothing to send wrongly
        call()
    return calls


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_whatever_is_sent_the_answer_is_one_that_is_documented(
    ingest: Any, tenant: str, document: dict[str, Any], mode: GenerationMode
) -> None:
    assert await asyncio.to_thread(fuzz, ingest.url, ingest.key, tenant, document, mode) > 200


async def test_people_can_read_it_too(ingest: Any) -> None:
    answer = await ingest.http.get(f"{ingest.url}/docs")
    assert answer.status_code == 200
    assert "/openapi.json" in answer.text
