"""Logs."""

from __future__ import annotations

import logging

import pytest

from shared.kit.logs import Unrepeated


def line(name: str, text: str, at: float, *values: object) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, "a.py", 1, text, values, None)
    record.created = at
    return record


def test_what_a_library_repeats_is_written_once_in_ten_seconds():
    unrepeated = Unrepeated()
    moments = [1000.0, 1000.1, 1009.9, 1010.1, 1011]
    kept = [at for at in moments if unrepeated.filter(line("aiokafka.conn", "no broker at %s", at, at))]
    assert kept == [1000.0, 1010.1]


@pytest.mark.parametrize("another", [("aiokafka.conn", "something else"), ("aiokafka.client", "no broker")])
def test_another_line_is_written(another):
    unrepeated = Unrepeated()
    assert unrepeated.filter(line("aiokafka.conn", "no broker", 1000))
    assert unrepeated.filter(line(*another, 1000))


def test_lines_of_our_own_are_all_written():
    unrepeated = Unrepeated()
    assert all(unrepeated.filter(line("services.ingest.app", "unavailable", 1000)) for _ in range(3))
