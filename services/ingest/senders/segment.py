"""The Segment tracking API, as Segment's and RudderStack's SDKs speak it. Its Content-Type is never looked at: SDKs say form or
text and send JSON."""

from __future__ import annotations

from typing import Any

from services.ingest.domain.envelope import CALLS, open_body
from services.ingest.domain.parse import parse
from services.ingest.request import Request
from services.ingest.senders.tracker import Opened, Route, Tracker


def read(request: Request) -> Opened:
    parsed = parse(request.body)
    call = request.path.rpartition("/")[2]
    if call == "import":
        call = "batch"
    return Opened(open_body(call, parsed.tree), _key(parsed.tree), parsed.suspect, single=call != "batch")


def _key(tree: Any) -> str | None:
    key = tree.get("writeKey") if isinstance(tree, dict) else None
    return key if isinstance(key, str) else None


SEGMENT = Tracker(
    name="segment",
    routes=(
        *(Route(f"/v1/{call}") for call in CALLS),
        Route("/v1/batch", batch=True),
        Route("/v1/import", batch=True),
    ),
    read=read,
)
