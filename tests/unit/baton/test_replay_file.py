"""A file to replay is read and checked as a whole, and is the same events each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from baton.errors import OperatorError
from baton.replay.file import read

GOOD = '{"type": "track", "userId": "u", "event": "Demo Requested"}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "touches.jsonl"


def test_the_same_file_is_the_same_events_and_equal_lines_are_two(file: Path) -> None:
    file.write_text(f"{GOOD}\n\n{GOOD}\n")
    first, second = (message["messageId"] for message in read(file))
    assert first != second
    assert [message["messageId"] for message in read(file)] == [first, second]


def test_a_message_keeps_the_id_that_it_has(file: Path) -> None:
    file.write_text(GOOD.replace("{", '{"messageId": "m-1", ', 1))
    assert [message["messageId"] for message in read(file)] == ["m-1"]


def test_sent_again_on_purpose_a_line_without_an_id_is_a_new_event(file: Path) -> None:
    file.write_text(GOOD)
    assert "messageId" not in read(file, again=True)[0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"type": "track"', "this is not JSON"),
        ("[]", "this is not an object"),
        ('{"userId": "u"}', "`type` is None; a message is one of identify, track"),
        ('{"type": "purchase", "userId": "u"}', "`type` is 'purchase'"),
        ('{"type": ["track"], "userId": "u"}', "`type` is"),
        ('{"type": "track", "userId": "u", "event": "E", "timestamp": "yesterday"}', "no ISO 8601 time"),
        ('{"type": "track", "event": "E"}', "the Segment client refuses this message"),
        ('{"type": "track", "userId": "u", "event": "E", "timestamp": 5}', "the Segment client refuses this message"),
    ],
)
def test_a_bad_line_is_told_with_its_place_and_what_to_do(file: Path, line: str, words: str) -> None:
    file.write_text(f"{GOOD}\n\n{line}\n{GOOD}\n")
    with pytest.raises(OperatorError) as refused:
        read(file)
    told = str(refused.value)
    assert told.startswith(f"{file}:3: ")
    assert words in told
    assert told.endswith("nothing was sent: mend the line, or take it out")
