"""The OpenAPI document: what FastAPI knows of its own routes, and every door of the guard beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.ingest import forms, hooks
from services.ingest.examples import GIF, JSON, OF_FORMS, OF_WEBHOOKS, TAKEN, TEXT, Example, Examples, examples_of
from services.ingest.senders import TRACKERS, WEBHOOKS
from services.ingest.senders.tracker import Route, Tracker

Node = dict[str, Any]
_HTML = "text/html"
_MULTIPART = "multipart/form-data"
_ABOUT = """Takes events in the words of the systems that send them. Who sends is in a **write key** (tracking protocols), in a
**signature** (webhooks), or in the address and the site (forms); all of them are `sources` in the tenant's policy.

A call is answered 200 when its events are safe; what cannot be taken is refused with `code` and `message`, and kept for
operators where it is known whose it is. 429 and 503 say in `Retry-After` when to send again. How to set up each sender stands in
`docs/senders/`."""
_SCHEMES: Node = {
    "writeKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Write-Key", "description": "wins over all others"},
    "writeKeyBasic": {"type": "http", "scheme": "basic", "description": "the write key as user name; no password"},
    "writeKeyBearer": {"type": "http", "scheme": "bearer"},
    "writeKeyQuery": {"type": "apiKey", "in": "query", "name": "writeKey"},
}
_KEYS: list[Node] = [{name: []} for name in _SCHEMES] + [{}]  # or in the body, where the protocol puts it
_SCHEMAS: Node = {
    "Error": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"description": "stable, of a closed set", "type": ["string", "integer"]},
            "message": {"type": "string"},
        },
    },
    "Taken": {
        "type": "object",
        "required": ["success", "accepted", "duplicate", "rejected"],
        "properties": {
            "success": {"const": True},
            **{name: {"type": "integer", "minimum": 0} for name in ("accepted", "duplicate", "rejected")},
            "results": {"type": "array", "items": {"$ref": "#/components/schemas/EventResult"}},
        },
    },
    "EventResult": {
        "description": "what became of an event that was not accepted",
        "type": "object",
        "required": ["index", "status"],
        "properties": {
            "index": {"type": "integer", "description": "in the order of the body"},
            "status": {"enum": ["duplicate", "rejected"]},
            "code": {"type": "string"},
            "message": {"type": "string"},
            "event_id": {"type": "string"},
        },
    },
}
_WHY: Mapping[int, str] = {
    400: "It cannot be read, or its one event cannot be taken",
    401: "The write key is not known, or the signature does not hold",
    403: "The site is not among the origins of the source, or nobody is admitted",
    404: "There is no such source",
    405: "Not by this method",
    409: "It contradicts what is known",
    413: "The body is too large",
    415: "The Content-Encoding is not gzip or deflate",
    422: "The request is not what it should be",
    429: "The source calls more often than its policy lets it",
    431: "Too many headers",
    503: "Nothing is kept: send it again later",
}
_BY_SNOWPLOW = (400, 401, 403, 429, 503)  # on any other its trackers send again for ever
_BY_TRACKERS = (400, 401, 403, 413, 415, 429, 431, 503)
_BY_HOOKS = (400, 401, 403, 404, 405, 413, 415, 422, 431, 503)
_BY_FORMS = (400, 403, 404, 413, 415, 429, 431, 503)
_BY_ADMIN = (400, 401, 403, 404, 409, 413, 422, 503)


def describe(app: FastAPI) -> None:
    """Serve the whole document where FastAPI serves that of its own routes."""
    made: Node = {}

    def openapi() -> Node:
        if not made:
            made.update(document(app))
        return made

    app.openapi = openapi  # type: ignore[method-assign]


def document(app: FastAPI) -> Node:
    whole = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    for path in whole["paths"].values():
        for operation in path.values():  # all of them are the operators'
            operation["responses"] |= _errors(_BY_ADMIN)
    paths: Node = {}
    for tracker in TRACKERS:
        for route in tracker.routes:
            for path, examples in _documented(route):
                paths[path] = {m.lower(): _call(tracker, route, m, path, examples) for m in route.methods}
    for path in ("{source_id}", "{tenant}/{source_id}"):
        paths[f"{forms.PREFIX}{path}"] = _form(path)
        paths[f"{hooks.PREFIX}{path}"] = _hook(path)
    for path, what in (("/livez", "whether it does its work"), ("/readyz", "whether it may get work")):
        paths[path] = _probe(what, (200, 503))
    paths["/metrics"] = _probe("figures for Prometheus", (200,))
    components = whole.setdefault("components", {})
    components.setdefault("schemas", {}).update(_SCHEMAS)
    components.setdefault("securitySchemes", {}).update(_SCHEMES)
    return whole | {"paths": paths | whole["paths"]}


def _documented(route: Route) -> Iterable[tuple[str, Examples]]:
    """The paths of a route: one, or where it is a prefix one per depth of its examples."""
    examples = examples_of(route.path)
    nested = {name: example for name, example in examples.items() if example.path}
    if not nested:
        return [(route.path, examples)]
    by_path: dict[str, dict[str, Example]] = {}
    for name, example in nested.items():
        parents, _, _ = f"{route.path}{example.path}".rpartition("/")
        by_path.setdefault(parents + "/{type}", {})[name] = example
    return list(by_path.items())


def _call(tracker: Tracker, route: Route, method: str, path: str, examples: Examples) -> Node:
    gets = method == "GET"
    shown = {name: example for name, example in examples.items() if (example.body is None) == gets} or examples
    statuses = _BY_SNOWPLOW if tracker.name == "snowplow" else _BY_TRACKERS
    pictures = any(example.answers == GIF for example in shown.values())
    operation: Node = {
        "tags": [tracker.name],
        "summary": f"{tracker.name}: {route.path}",
        "description": f"`docs/senders/{tracker.name}.md`",
        "operationId": re.sub(r"\W+", "_", f"{tracker.name}_{method.lower()}{path}"),
        "security": _KEYS,
        "parameters": _parameters(path, shown),
        "responses": _answers(shown) | _errors(statuses, *([GIF] if pictures else ())),
    }
    if not gets:
        operation["requestBody"] = _body(shown)
    return operation


def _form(path: str) -> Node:
    bodies = _body(OF_FORMS)
    bodies["content"][_MULTIPART] = {
        "schema": {"type": "object"},
        "examples": {"with files, which are not taken": {"value": OF_FORMS["a form"].body, "x-status": 200}},
    }
    pages = {_HTML: {"schema": {"type": "string"}}}
    taken = _answers(OF_FORMS)
    taken["200"]["content"] |= pages
    operation = {
        "tags": ["forms"],
        "summary": "A submission of an HTML form",
        "description": "`docs/senders/form.md`. Browsers (`Accept: text/html`) are answered with a page.",
        "operationId": f"form_{len(path)}",
        "security": [{}],
        "parameters": _parameters(path, {}),
        "requestBody": bodies,
        "responses": taken
        | {
            "303": {
                "description": "On to `_redirect`, where the policy lets it",
                "headers": {"Location": {"schema": {}}},
            }
        }
        | _errors(_BY_FORMS, _HTML),
    }
    return {"post": operation}


def _hook(path: str) -> Node:
    kinds = ", ".join(f"`{kind}`" for kind in WEBHOOKS)
    answers = {
        "description": "Taken, or greeted",
        "content": {media: {"schema": {}} for media in (JSON, TEXT, "text/xml")},
    }
    common: Node = {"tags": ["webhooks"], "security": [{}], "parameters": _parameters(path, {})}
    return {
        "post": common
        | {
            "summary": "A signed webhook",
            "description": f"By the `kind` of the source: {kinds}. How each is set up and verified: `docs/senders/<kind>.md`.",
            "operationId": f"webhook_{len(path)}",
            "requestBody": _body(OF_WEBHOOKS),
            "responses": {"200": answers} | _errors(_BY_HOOKS, "text/xml"),
        },
        "get": common
        | {
            "summary": "The probe or challenge of a sender",
            "operationId": f"webhook_probe_{len(path)}",
            "responses": {"200": answers} | _errors(_BY_HOOKS, "text/xml"),
        },
    }


def _probe(what: str, statuses: tuple[int, ...]) -> Node:
    answers = {
        str(status): {"description": what, "content": {TEXT: {"schema": {"type": "string"}}}} for status in statuses
    }
    return {"get": {"tags": ["operations"], "summary": what, "responses": answers}}


def _parameters(path: str, examples: Examples) -> list[Node]:
    """Of the path, then of query and headers as the examples have them."""
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    for parameter in found:
        if parameter["name"] == "type":
            parameter["examples"] = {
                name: {"value": (example.path or "").rpartition("/")[2]} for name, example in examples.items()
            }
    for place in ("query", "headers"):
        names = dict.fromkeys(name for example in examples.values() for name in getattr(example, place))
        for name in names:
            values = {
                title: {"value": getattr(example, place)[name]}
                for title, example in examples.items()
                if name in getattr(example, place)
            }
            where = "query" if place == "query" else "header"
            found.append({"name": name, "in": where, "schema": {"type": "string"}, "examples": values})
    return found


def _body(examples: Examples) -> Node:
    content: Node = {}
    for name, example in examples.items():
        kind = "array" if isinstance(example.body, list) else "object"
        media = content.setdefault(example.media, {"schema": {"type": kind}, "examples": {}})
        if media["schema"]["type"] != kind:
            media["schema"] = {"type": ["object", "array"]}
        media["examples"][name] = {"value": example.body, "x-status": example.status}
    return {"required": True, "content": content or {JSON: {"schema": {}}}}


def _answers(examples: Examples) -> Node:
    """What a call that succeeds is answered."""
    content: Node = {}
    for name, example in examples.items():
        if example.status == 200:
            schema: Node = {"$ref": "#/components/schemas/Taken"} if _is_taken(example.answer) else {}
            media = content.setdefault(example.answers, {"schema": schema, "examples": {}})
            if example.answer is not None:
                media["examples"][name] = {"value": example.answer}
    return {"200": {"description": "Its events are safe", "content": content}} if content else {}


def _is_taken(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.keys() >= TAKEN.keys()


def _errors(statuses: Iterable[int], *also: str) -> Node:
    """also: media types besides JSON"""
    error = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    content = error | {media: {"schema": {}} for media in also}
    later = {"headers": {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}}
    return {
        str(status): {"description": _WHY[status], "content": content} | (later if status in (429, 503) else {})
        for status in statuses
    }
