"""Examples are what consumers may rely on: they are valid, complete, keyed, and of nobody who exists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from baton.contracts import EXAMPLES, RECORDS, ROOT
from shared.schemas.handoff import HandoffKind
from shared.schemas.person import PERSON_FIELDS
from shared.schemas.topics import TOPICS

PATHS = sorted((ROOT / EXAMPLES).glob("*/*.json"))


def example_id(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", PATHS, ids=example_id)
def test_an_example_survives_being_read_and_written(path: Path) -> None:
    record = RECORDS[path.parent.name].model_validate_json(path.read_bytes())
    assert json.loads(record.model_dump_json(exclude_none=True)) == json.loads(path.read_text())


@pytest.mark.parametrize("path", PATHS, ids=example_id)
def test_a_reader_of_an_older_version_ignores_what_it_does_not_know(path: Path) -> None:
    model = RECORDS[path.parent.name]
    raw = json.loads(path.read_text())
    assert model.model_validate(raw | {"of_a_later_version": 1}) == model.model_validate(raw)


@pytest.mark.parametrize("path", PATHS, ids=example_id)
def test_the_key_starts_with_the_tenant(path: Path) -> None:
    record = RECORDS[path.parent.name].model_validate_json(path.read_bytes())
    tenant, _, subject = record.key().decode().partition("/")
    assert tenant == record.tenant
    assert subject == getattr(record, record.topic_field)


@pytest.mark.parametrize("topic", [topic for topic in TOPICS.values() if topic.holds], ids=lambda topic: topic.name)
def test_every_record_of_a_topic_has_an_example(topic: Any) -> None:
    exemplified = {path.parent.name for path in PATHS}
    assert set(topic.holds) <= exemplified


def test_every_kind_of_handoff_event_has_an_example() -> None:
    kinds = {json.loads(path.read_text())["kind"] for path in PATHS if path.parent.name == "HandoffEvent"}
    assert kinds == set(get_args(HandoffKind))


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_the_examples_of_a_record_show_every_field(name: str) -> None:
    shown = {field for path in PATHS if path.parent.name == name for field in json.loads(path.read_text())}
    assert shown == set(RECORDS[name].model_fields)


@pytest.mark.parametrize("path", PATHS, ids=example_id)
def test_personal_data_is_in_the_person_and_of_nobody_who_exists(path: Path) -> None:
    raw = json.loads(path.read_text())
    person = (raw.pop("person", None) or {}).get("fields", {})
    assert set(person) <= set(PERSON_FIELDS)
    texts = list(person.values()) + list(_texts(raw))
    addresses = [text for text in texts if "@" in text]
    assert all(address.endswith(".example") for address in addresses)
    assert not [text for text in _texts(raw) if "@" in text]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
