"""A polled batch, read: what it says of each lead, how far it goes, and what of it can never succeed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.scoring.domain.codec import UnreadableError, decode_memory
from services.scoring.domain.memory import Memory
from services.scoring.domain.people import Person, joined
from services.scoring.subjects import account_key, lead_key
from services.scoring.wire import AccountSignal, Input, ScoreTransfer, Touch, decode
from shared.kit.dead_letters import Reject, Rejected
from shared.kit.kafka import Message


class RawRecord(Protocol):
    """A record as aiokafka gives it."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Slice:
    """Records of one partition of one topic, in order and without a gap; one or more."""

    topic: str
    partition: int
    records: Sequence[RawRecord]

    def first(self) -> int:
        return self.records[0].offset

    def end(self) -> int:
        """The offset after the last record."""
        return self.records[-1].offset + 1

    def has_gap(self) -> bool:
        return self.end() - self.first() != len(self.records)


@dataclass(slots=True)
class Told:
    """What a batch says of one lead, in the order in which it was said."""

    tenant: str
    lead: str
    inputs: list[tuple[Input, Memory | None]] = field(default_factory=list)


@dataclass(slots=True)
class ToldAccount:
    """What a batch says of one account: of each of its leads the latest."""

    tenant: str
    account: str
    people: dict[str, Person] = field(default_factory=dict)


@dataclass(slots=True)
class Share:
    """A batch's part of one partition: its slices by topic, and what they say by subject (`subjects.py`)."""

    slices: dict[str, Slice] = field(default_factory=dict)
    leads: dict[str, Told] = field(default_factory=dict)
    accounts: dict[str, ToldAccount] = field(default_factory=dict)

    def subjects(self) -> list[str]:
        return [*self.leads, *self.accounts]


@dataclass(slots=True)
class Batch:
    """without_policy: tenants whose touches were rejected because they have no scoring policy."""

    shares: dict[int, Share] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    without_policy: set[str] = field(default_factory=set)


def read(polled: Iterable[Slice], has_policy: Callable[[str], bool]) -> Batch:
    """Decode everything; nothing vanishes: each record is in a share, among the rejected, or says nothing to scoring (a slice
    counts it all the same)."""
    batch = Batch()
    for part in polled:
        share = batch.shares.setdefault(part.partition, Share())
        share.slices[part.topic] = part
        for record in part.records:
            try:
                told = decode(part.topic, record.value)
                if told is None:
                    continue
                if (
                    "/" in told.tenant or "/" in told.lead_id
                ):  # would be the state of another subject, or of another tenant
                    raise Reject("undecodable", "neither a tenant nor a lead's id has a slash in it")
                if isinstance(told, Touch | AccountSignal) and not has_policy(told.tenant):
                    batch.without_policy.add(told.tenant)
                    raise Reject("no_policy", "the tenant has no scoring policy: apply one, then replay this record")
                memory = _memory(told) if isinstance(told, ScoreTransfer) else None
            except Reject as reject:
                batch.rejected.append(Rejected(_message(part, record), reject.code, reject.detail))
                continue
            if isinstance(told, AccountSignal):
                _signal(share, told)
                continue
            key = lead_key(told.tenant, told.lead_id)
            lead = share.leads.get(key)
            if lead is None:
                lead = share.leads[key] = Told(told.tenant, told.lead_id)
            lead.inputs.append((told, memory))
    return batch


def _signal(share: Share, signal: AccountSignal) -> None:
    key = account_key(signal.tenant, signal.account)
    account = share.accounts.setdefault(key, ToldAccount(signal.tenant, signal.account))
    account.people[signal.lead_id] = joined(account.people.get(signal.lead_id), signal.person())


def _memory(transfer: ScoreTransfer) -> Memory:
    try:
        return decode_memory(transfer.memory)
    except UnreadableError as error:
        raise Reject("undecodable", f"memory: {error}") from error


def _message(part: Slice, record: Any) -> Message:
    return Message(
        part.topic,
        part.partition,
        record.offset,
        record.key,
        record.value,
        record.timestamp or 0,
        tuple(record.headers or ()),
    )
