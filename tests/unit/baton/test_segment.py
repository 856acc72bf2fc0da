"""Messages of the tracking API as calls of the real client, and the answers that come back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from baton.errors import OperatorError
from baton.segment import Sender, _call


class _Ingest(BaseHTTPRequestHandler):
    """Answers like ingest: every event is accepted but those whose id ends in `-dup` or `-bad`."""

    def do_POST(self) -> None:
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["batch"]
        kinds = {"dup": "duplicate", "bad": "rejected"}
        ends = [(index, event["messageId"].rpartition("-")[2]) for index, event in enumerate(batch)]
        results = [{"index": i, "status": kinds[end], "code": "no_identity"} for i, end in ends if end in kinds]
        body = json.dumps({"success": True, "results": results}).encode()
        self.send_response(401 if "wrong" in self.headers["User-Agent"] else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ingest) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_became_of_each_event_is_known_from_the_answers(url: str) -> None:
    sender = Sender(url, "key")
    for end in ("new", "dup", "bad"):
        sender.send({"type": "track", "userId": "u", "event": "E", "messageId": f"m-{end}"})
    sender.close()
    assert {status: sender.tally.count(status) for status in ("accepted", "duplicate", "rejected")} == {
        "accepted": 1,
        "duplicate": 1,
        "rejected": 1,
    }
    assert sender.tally.message_ids("accepted", "duplicate") == {"m-new", "m-dup"}
    assert sender.tally.answers["m-bad"][0].code == "no_identity"


def test_two_senders_do_not_read_each_others_answers(url: str) -> None:
    one, other = Sender(url, "one"), Sender(url, "other")
    one.send({"type": "identify", "userId": "u", "messageId": "m-1"})
    one.close()
    other.close()
    assert (one.tally.answered(), other.tally.answered()) == (1, 0)


def test_every_kind_of_message_is_a_call_of_the_client() -> None:
    stamp = "2026-01-02T03:04:05+00:00"
    call, arguments = _call({"type": "page", "anonymousId": "a", "name": "Home", "timestamp": stamp, "messageId": "m"})
    assert call == "page"
    assert arguments == {
        "anonymous_id": "a",
        "name": "Home",
        "timestamp": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "message_id": "m",
    }


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"type": "purchase"}, "a message is one of identify, track"),
        ({}, "`type` is None"),
        ({"type": "track", "userId": "u", "event": "E", "timestamp": "yesterday"}, "no ISO 8601 time"),
    ],
)
def test_what_is_no_message_is_told(message: dict[str, Any], words: str) -> None:
    with pytest.raises(OperatorError, match=words):
        _call(message)


def test_what_the_client_refuses_is_told_in_a_sentence(url: str) -> None:
    sender = Sender(url, "key")
    with pytest.raises(OperatorError, match="the Segment client refuses this message"):
        sender.send({"type": "track", "event": "E"})
    sender.close()
