"""The Segment tracking API, as Segment's and RudderStack's SDKs speak it. Its Content-Type is never looked at: SDKs say form or
text and send JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.answers import Answer, Outcome, refusal, success
from services.ingest.domain.envelope import CALLS, open_body
from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders.bodies import json_of, packed_json
from services.ingest.senders.pixel import picture
from services.ingest.senders.tracker import Opened, Route, Tracker

_MOST_NESTING = 8
_SHORT = {call[0]: call for call in CALLS} | {"b": "batch", "import": "batch"}  # as analytics.js calls them
_PIXELS = ("/pixel/v1/", "/v1/pixel/")  # RudderStack's, Segment's


def read(request: Request) -> Opened:
    call = request.path.rpartition("/")[2]
    call = _SHORT.get(call, call)
    if call == "merge":
        raise Refused("not_supported", "merge is not supported: link two ids with alias (previousId, userId)")
    if _is_pixel(request):
        return _read_pixel(call, request.parameters())
    parsed = json_of(request.body)
    return Opened(open_body(call, parsed.tree), _key(parsed.tree), parsed.suspect, single=call != "batch")


def _read_pixel(call: str, parameters: Mapping[str, str]) -> Opened:
    """An event in the query: whole, as JSON in `data` (maybe base64), or field by field, `context.page.url` being nested."""
    event: dict[str, Any] = {}
    if packed := parameters.get("data"):
        found = packed_json(packed).tree
        if not isinstance(found, dict):
            raise Refused("wrong_type", "`data` must be a JSON object")
        event = found
    for name, value in parameters.items():
        if name not in ("data", "writeKey"):
            _set(event, name.split(".", _MOST_NESTING), _value(value))
    return Opened(open_body(call, event), _key(event), suspect=True, single=True)


def _value(text: str) -> Any:
    return packed_json(text).tree if text.startswith("{") else text


def _set(event: dict[str, Any], names: list[str], value: Any) -> None:
    for name in names[:-1]:
        inner = event.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        event = inner
    event.setdefault(names[-1], value)


def _key(tree: Any) -> str | None:
    key = tree.get("writeKey") if isinstance(tree, dict) else None
    return key if isinstance(key, str) else None


def _is_pixel(request: Request) -> bool:
    return request.path.startswith(_PIXELS)


def _answer(request: Request, outcome: Outcome) -> Answer:
    return picture() if _is_pixel(request) else success(outcome)


def _failure(request: Request, refused: Refused) -> Answer:
    answer = refusal(refused)
    return picture(answer.status, answer.headers) if _is_pixel(request) else answer


SEGMENT = Tracker(
    name="segment",
    routes=(
        *(Route(f"/v1/{call}") for call in (*CALLS, *(call[0] for call in CALLS), "merge")),
        *(Route(path, batch=True) for path in ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")),
        *(Route(f"{pixel}{call}", ("GET",)) for pixel in _PIXELS for call in ("identify", "track", "page")),
    ),
    read=read,
    answer=_answer,
    failure=_failure,
)
