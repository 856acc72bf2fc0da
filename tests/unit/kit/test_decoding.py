"""A record is read as its contract says, or rejected with the place and without its content."""

from __future__ import annotations

import orjson
import pytest
from pydantic import BaseModel

from shared.kit.dead_letters import Reject
from shared.kit.decoding import PLACES, read_json, read_record


class Lead(BaseModel):
    lead_id: str
    attributes: dict[str, str | list[str]] = {}
    numbers: tuple[int, ...] = ()


def read(value: bytes) -> Lead:
    return read_record(Lead, read_json(value))


def test_a_record_is_read_back_as_it_was_written() -> None:
    lead = Lead(lead_id="l1", attributes={"company": "日の出工業"}, numbers=(1, 2))
    assert read(lead.model_dump_json().encode()) == lead


def test_a_stray_nul_is_replaced_wherever_it_stands() -> None:
    lead = read(orjson.dumps({"lead_id": "a\0b", "attributes": {"na\0me": ["x\0", "y"]}, "numbers": [1]}))
    assert lead == Lead(lead_id="a\ufffdb", attributes={"na\ufffdme": ["x\ufffd", "y"]}, numbers=(1,))


@pytest.mark.parametrize("value", [b"", b"{", b"\x00", b'"\\ud800"', b'{"a": "\\u0000"', b"\xff"])
def test_what_is_not_json_is_rejected_with_the_position(value: bytes) -> None:
    with pytest.raises(Reject, match="not JSON at position") as reject:
        read(value)
    assert reject.value.code == "unreadable"


@pytest.mark.parametrize("value", [b"[1]", b"null", b'"text"', b"{}", b'{"lead_id": 7}'])
def test_what_is_another_record_is_rejected(value: bytes) -> None:
    with pytest.raises(Reject, match="not a Lead") as reject:
        read(value)
    assert reject.value.code == "unreadable"


def test_what_is_nested_too_deep_is_rejected() -> None:
    with pytest.raises(Reject) as reject:
        read(b'{"lead_id": "l1", "more": ' + b'{"a": ' * 900 + b'"\\u0000"' + b"}" * 901)
    assert reject.value.code == "unreadable"


def test_a_reject_says_where_never_what_and_not_without_end() -> None:
    with pytest.raises(Reject) as reject:
        read(orjson.dumps({"lead_id": "l1", "attributes": {"mail": 1}, "numbers": ["kato@example.com"] * 50}))
    assert "attributes.mail" in reject.value.detail
    assert "kato" not in reject.value.detail
    assert reject.value.detail.count(",") == PLACES - 1
