"""States and memories as bytes: a version, then MessagePack in arrays. A version that is not known is refused, never guessed.

A new version keeps the reader of each older one: fields may be added at the end of an array without ado (older bytes read as their
defaults); whatever changes otherwise is decoded as it was and made new, as versions 1 and 2 are. States are written in the newest
version whenever they are written, and all of a tenant's are when its scoring policy changes.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import msgspec

from services.scoring.domain import ledger
from services.scoring.domain.ledger import Bucket, Marks, event_of, marked
from services.scoring.domain.memory import Memory, Named, begin_domain
from services.scoring.domain.people import People, Person
from services.scoring.domain.state import OUTCOMES, LeadState, Register

KNOWN = FIRST, SECOND, VERSION = b"\x01", b"\x02", b"\x03"
T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode


class OlderNamed(NamedTuple):
    """first: when the company was first named with this mail domain, as far as was remembered, ms"""

    at: int
    event_id: str
    first: int


class OlderMemory(Memory, array_like=True):
    """In version 1 a mark was its moment and the text of its event; in 1 and 2 it stood with a company when it was first named."""

    marks: dict[str, dict[Bucket, bytes | tuple[tuple[int, str], ...]]] = {}  # type: ignore[assignment] # noqa: RUF012 - copied by msgspec
    accounts: dict[str, dict[str, OlderNamed]] = {}  # type: ignore[assignment] # noqa: RUF012


class OlderState(msgspec.Struct, array_like=True, gc=False):
    memories: dict[str, OlderMemory] = {}
    registers: dict[str, Register] = {}


_states, _older_states = msgspec.msgpack.Decoder(LeadState), msgspec.msgpack.Decoder(OlderState)
_memories, _older_memories = msgspec.msgpack.Decoder(Memory), msgspec.msgpack.Decoder(OlderMemory)
_people = msgspec.msgpack.Decoder(dict[str, Person])


class UnreadableError(ValueError):
    """Bytes that no version of this program wrote, or a later one."""


def encode_state(state: LeadState) -> bytes:
    return VERSION + _encode(state)


def decode_state(raw: bytes) -> LeadState:
    """Raises UnreadableError."""
    if _version(raw) != VERSION:
        older = _decode(_older_states, raw)
        return LeadState({identity: _renewed(memory) for identity, memory in older.memories.items()}, older.registers)
    state = _decode(_states, raw)
    for memory in state.memories.values():
        _check(memory)
    return state


def encode_memory(memory: Memory) -> str:
    """Base64, as a transfer carries it."""
    return b64encode(VERSION + _encode(memory)).decode()


def decode_memory(text: str) -> Memory:
    """Raises UnreadableError."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError as error:
        raise UnreadableError("not base64") from error
    if _version(raw) != VERSION:
        return _renewed(_decode(_older_memories, raw))
    return _check(_decode(_memories, raw))


def digest(state: LeadState, lead: str) -> str:
    """The same for two states of a lead that say the same of all that it owns, however they came to be, and whatever one of them
    has not yet forgotten: from both the same is read, under any rules, at any moment.

    What a state holds of identities that are another lead's is left out: how much of it passed through depends on the way.
    """
    owned = {}
    for identity in state.owned(lead):
        memory = state.memories.get(identity, Memory()).copy()
        memory.tidy()
        register = None if identity.startswith(OUTCOMES) else state.registers.get(identity)
        owned[identity] = msgspec.structs.astuple(memory), register
    return blake2b(_encode(_in_order(owned)), digest_size=16).hexdigest()


def encode_people(people: People) -> bytes:
    return VERSION + _encode(people)


def decode_people(raw: bytes) -> People:
    """The same in all versions. Raises UnreadableError."""
    _version(raw)
    return People(_decode(_people, raw))


def _in_order(value: Any) -> Any:
    """The same, with mappings as sorted pairs."""
    if isinstance(value, dict):
        return sorted((key, _in_order(held)) for key, held in value.items())
    return [_in_order(one) for one in value] if isinstance(value, list | tuple) else value


def _renewed(older: OlderMemory) -> Memory:
    memory = Memory(*(getattr(older, field) for field in Memory.__struct_fields__))
    memory.marks = {
        key: {bucket: _marks(marks) for bucket, marks in buckets.items()} for key, buckets in older.marks.items()
    }
    memory.accounts = {}
    for account, by_domain in older.accounts.items():
        memory.accounts[account] = {domain: Named(named.at, named.event_id) for domain, named in by_domain.items()}
        for domain, named in by_domain.items():
            if domain:
                begin_domain(memory.begun, domain, named.first)
    return _check(memory)


def _marks(older: bytes | tuple[tuple[int, str], ...]) -> Marks:
    if isinstance(older, bytes):
        return older
    return marked((at, event_of(event)) for at, event in older if at >= 0)


def _check(memory: Memory) -> Memory:
    """Raises UnreadableError for a ledger that no rules can have made."""
    try:
        ledger.check(memory.marks)
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    return memory


def _version(raw: bytes) -> bytes:
    if raw[:1] not in KNOWN:
        known = " and ".join(version.hex() for version in KNOWN)
        raise UnreadableError(f"version {raw[:1].hex() or 'none'} is not known here, only {known} are")
    return raw[:1]


def _decode(decoder: msgspec.msgpack.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(memoryview(raw)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableError(str(error)) from error
