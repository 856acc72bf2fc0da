"""What operators are shown: sources, touches as they come, refused events."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from rich.console import Console

from baton import masks, refusals, tail
from baton.errors import OperatorError
from baton.sources import concerns, listing, table

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "tenant": "hinode",
    "source_id": "crm",
    "kind": "hubspot",
    "trusted": True,
    "last_call_at": "2026-11-21T11:59:00.000Z",
    "per_minute": 1.5,
    "today": {"accepted": 10, "duplicate": 0, "rejected": {}, "unverified": {}},
    "week": {"accepted": 100, "duplicate": 2, "rejected": {"bad_time": 1}, "unverified": {"bad_signature": 3}},
    "clock": {"shifted": 0, "largest_skew_seconds": None},
    "completeness": {"looked_at": 4, "complete": 1, "share": 0.25, "missing": {"need": 3}},
    "secrets": [],
    "missing": [],
}


def test_a_good_source_gives_no_concern() -> None:
    assert concerns(GOOD, NOW) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"last_call_at": None}, "never called"),
        ({"missing": ["env:HOOK_SECRET"]}, "nothing stands at env:HOOK_SECRET"),
        ({"last_call_at": "2026-11-18T12:00:00.000Z"}, "silent for 3 d"),
        (
            {"week": GOOD["week"] | {"rejected": {"bad_time": 30, "nul_character": 2}}},
            "rejected: bad_time 30, nul_character 2",
        ),
        ({"today": GOOD["today"] | {"unverified": {"bad_signature": 3}}}, "signatures fail: bad_signature 3"),
        ({"clock": {"shifted": 9, "largest_skew_seconds": 86_400.0 * 2}}, "its clock is 2 d off"),
        (
            {"secrets": [{"id": "old", "not_after": "2026-11-20T00:00:00Z", "last_verified_at": None}]},
            "secret old is past its time",
        ),
        (
            {
                "secrets": [
                    {"id": "old", "not_after": "2026-11-23T12:00:00Z", "last_verified_at": "2026-11-21T11:00:00Z"}
                ]
            },
            "secret old is still used and ends in 2 d",
        ),
    ],
)
def test_what_is_wrong_with_a_source_is_told(change: dict[str, Any], told: str) -> None:
    assert concerns(GOOD | change, NOW) == [told]


def test_sources_are_a_table() -> None:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table([GOOD, GOOD | {"trusted": False, "last_call_at": None}], NOW))
    text = console.export_text()
    assert "1 min ago" in text
    assert "25%" in text
    assert "hubspot (untrusted)" in text
    assert "never called" in text


def test_on_a_narrow_screen_sources_are_a_list_without_what_is_nought() -> None:
    said = listing(
        [GOOD, GOOD | {"source_id": "files", "last_call_at": None, "week": GOOD["today"] | {"accepted": 0}}], NOW
    )
    assert said.plain.splitlines() == [
        "hinode/crm  hubspot, 1 min ago, 1.5 a minute",
        "    100 accepted, 2 again, 1 rejected, 3 unverified; 25% complete",
        "hinode/files  hubspot",
        "    never called",
    ]


def test_addresses_are_masked_unless_asked_for() -> None:
    fields = {"email": "taro@hinode.example", "name": "山田 太郎"}
    assert masks.person(fields, reveal=False) == "t***@hinode.example"
    assert masks.person(fields, reveal=True) == "山田 太郎 <taro@hinode.example>"
    assert masks.person({}, reveal=True) == ""


TOUCH: dict[str, Any] = {
    "record": "touch",
    "type": "demo_requested",
    "event": "Demo \x1b[2J",
    "lead_id": "01234567-89ab",
    "identity_kind": "user",
    "received_at": 1_795_219_200_000,
    "channel": "web_form",
    "person": {"scheme": "plain", "fields": {"email": "taro@hinode.example"}},
}


def test_a_touch_is_a_line_that_moves_no_cursor() -> None:
    text = tail.line(TOUCH, reveal=False).plain
    assert "t***@hinode.example" in text
    assert "web_form" in text
    assert "\x1b" not in text
    assert "user of 01234567" in tail.line(TOUCH | {"person": None}, reveal=False).plain


def test_a_refused_event_is_red() -> None:
    record = {
        "record": "rejected",
        "code": "bad_time",
        "message": "m",
        "index": 3,
        "received_at": 0,
        "protocol": "segment",
    }
    line = tail.line(record, reveal=False)
    assert "REJECTED bad_time: m (segment at 3)" in line.plain
    assert line.style == "red"


def test_json_tells_nothing_personal_unless_asked() -> None:
    assert orjson.loads(tail.as_json(TOUCH, reveal=False))["person"] == {"email": "t***@hinode.example"}
    assert "raw" not in orjson.loads(tail.as_json({"record": "rejected", "raw": "x"}, reveal=False))
    assert orjson.loads(tail.as_json(TOUCH, reveal=True)) == TOUCH


@pytest.mark.parametrize(
    ("changes", "removals", "wanted"),
    [
        (["event=Demo Requested"], [], {"event": "Demo Requested", "items": [1, {"a": 2}]}),
        (["properties.n=3"], [], {"items": [1, {"a": 2}], "properties": {"n": 3}}),
        (["items.1.a=[]", "items.0=true"], [], {"items": [True, {"a": []}]}),
        ([], ["items.1"], {"items": [1]}),
        (["event=a=b"], ["items"], {"event": "a=b"}),
    ],
)
def test_an_event_is_mended_by_paths(changes: list[str], removals: list[str], wanted: Any) -> None:
    assert orjson.loads(refusals.mended(b'{"items": [1, {"a": 2}]}', changes, removals)) == wanted


@pytest.mark.parametrize(
    ("raw", "changes", "told"),
    [
        (b"{}", ["nothing"], "is no path=value"),
        (b'{"items": [1]}', ["items.1=2"], "the list has 1 items"),
        (b'{"a": 1}', ["a.b=2"], "nothing at `a.b`"),
        (b"no", ["a=1"], "is no JSON: use --edit or --body"),
        (b"x" * refusals.CUT, ["a=1"], "was cut after 64 KiB"),
    ],
)
def test_what_cannot_be_mended_is_told(raw: bytes, changes: list[str], told: str) -> None:
    with pytest.raises(OperatorError, match=told):
        refusals.mended(raw, changes)


def test_of_a_refused_event_the_shape_alone_is_shown() -> None:
    raw = orjson.dumps(
        {"type": "track", "event": "for taro@x.example", "userId": "u", "traits": {"name": "太郎", "ok": True}}
    )
    shown = orjson.loads(refusals.body(raw, reveal=False))
    assert shown == {
        "type": "track",
        "event": "for [hidden]",
        "userId": "[hidden]",
        "traits": {"name": "[hidden]", "ok": True},
    }
    assert "太郎" in refusals.body(raw, reveal=True)
    assert refusals.body(b"\xff", reveal=False) == "(1 bytes that are no JSON; --reveal shows them)"


class _Unread(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_reader_who_has_read_enough_ends_a_tail_without_ending_the_process() -> None:
    with pytest.raises(BrokenPipeError):  # and no SystemExit
        tail.Lines(file=_Unread()).print("a line")
