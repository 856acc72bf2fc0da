"""The book of policies keeps the latest good version per tenant and kind, whatever comes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.schemas.policies import KINDS, PolicyPublished, SlaPolicy, TeamsPolicy
from shared.schemas.policies.book import PolicyBook

SLA = {"kind": "sla", "default": {"id": "score", "accept": 60, "first_touch": 120}}


def published(sequence: int, body: dict[str, Any] = SLA, tenant: str = "northstar", kind: str = "sla") -> bytes:
    record = PolicyPublished(
        tenant=tenant, kind=kind, sequence=sequence, hash=f"h{sequence}", body=body, activated_at=sequence
    )
    return record.model_dump_json().encode()


@pytest.fixture
def book() -> PolicyBook:
    return PolicyBook(dict(KINDS))


def test_the_latest_version_is_in_force_in_whatever_order_they_come(book: PolicyBook) -> None:
    assert book.apply(published(3)) is not None
    assert book.apply(published(2)) is None
    assert book.apply(published(3)) is None
    found = book.find("northstar", SlaPolicy)
    assert found is not None
    assert found[1].sequence == 3
    assert book.sequence() == 3


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"not json",
        b"{}",
        published(9, {"kind": "sla"}),
        published(9, {**SLA, "unknown": 1}),
        published(9, {"kind": "routing"}),
    ],
)
def test_a_version_that_cannot_be_read_changes_nothing(book: PolicyBook, value: bytes) -> None:
    book.apply(published(1))
    with pytest.raises(ValueError, match="unreadable policy"):
        book.apply(value)
    found = book.find("northstar", SlaPolicy)
    assert found is not None
    assert found[1].sequence == 1


def test_a_kind_that_this_service_does_not_follow_is_ignored(book: PolicyBook) -> None:
    assert PolicyBook({"teams": TeamsPolicy}).apply(published(1)) is None
    assert book.apply(published(1, kind="of_a_later_version")) is None


def test_tenants_never_meet(book: PolicyBook) -> None:
    book.apply(published(1, tenant="hinode"))
    assert book.find("northstar", SlaPolicy) is None
    assert book.find("hinode", TeamsPolicy) is None
    assert book.tenants() == ["hinode"]


def test_a_field_that_a_later_writer_adds_to_the_record_is_ignored(book: PolicyBook) -> None:
    later = orjson.loads(published(1)) | {"signed_by": "somebody"}
    assert book.apply(orjson.dumps(later)) is not None
