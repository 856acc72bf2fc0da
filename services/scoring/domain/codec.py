"""States and memories as bytes: a version, then MessagePack in arrays. A version that is not known is refused, never guessed.

A new version keeps the reader of each older one: fields may be added at the end of an array without ado (older bytes read as their
defaults); whatever changes otherwise is decoded as it was and made new, as version 1 is. States are written in the newest version
whenever they are written, and all of a tenant's are when its scoring policy changes.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from services.scoring.domain import ledger
from services.scoring.domain.ledger import Bucket, event_of, marked
from services.scoring.domain.memory import Memory
from services.scoring.domain.people import People, Person
from services.scoring.domain.state import OUTCOMES, LeadState, Register

FIRST, VERSION = b"\x01", b"\x02"
T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode
_states = msgspec.msgpack.Decoder(LeadState)
_memories = msgspec.msgpack.Decoder(Memory)
_people = msgspec.msgpack.Decoder(dict[str, Person])


class FirstMemory(Memory, array_like=True, gc=False):
    """Version 1: a mark was its moment and the text of its event."""

    marks: dict[str, dict[Bucket, tuple[tuple[int, str], ...]]] = {}  # type: ignore[assignment] # noqa: RUF012 - copied by msgspec


class FirstState(msgspec.Struct, array_like=True, gc=False):
    memories: dict[str, FirstMemory] = {}
    registers: dict[str, Register] = {}


_first_states = msgspec.msgpack.Decoder(FirstState)
_first_memories = msgspec.msgpack.Decoder(FirstMemory)


class UnreadableError(ValueError):
    """Bytes that no version of this program wrote, or a later one."""


def encode_state(state: LeadState) -> bytes:
    return VERSION + _encode(state)


def decode_state(raw: bytes) -> LeadState:
    """Raises UnreadableError."""
    if raw[:1] == FIRST:
        first = _decode(_first_states, raw)
        return LeadState({identity: _renewed(memory) for identity, memory in first.memories.items()}, first.registers)
    state = _decode(_states, _newest(raw))
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
    if raw[:1] == FIRST:
        return _renewed(_decode(_first_memories, raw))
    return _check(_decode(_memories, _newest(raw)))


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
    """Raises UnreadableError."""
    return People(_decode(_people, _newest(raw)))


def _in_order(value: Any) -> Any:
    """The same, with mappings as sorted pairs."""
    if isinstance(value, dict):
        return sorted((key, _in_order(held)) for key, held in value.items())
    return [_in_order(one) for one in value] if isinstance(value, list | tuple) else value


def _renewed(first: FirstMemory) -> Memory:
    memory = Memory(*(getattr(first, field) for field in Memory.__struct_fields__))
    memory.marks = {
        key: {
            bucket: marked((at, event_of(event)) for at, event in marks if at >= 0) for bucket, marks in slots.items()
        }
        for key, slots in first.marks.items()
    }
    return _check(memory)


def _check(memory: Memory) -> Memory:
    """Raises UnreadableError for a ledger that no rules can have made."""
    try:
        ledger.check(memory.marks)
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    return memory


def _newest(raw: bytes) -> bytes:
    if raw[:1] != VERSION:
        known = f"{FIRST.hex()} and {VERSION.hex()} are"
        raise UnreadableError(f"version {raw[:1].hex() or 'none'} is not known here, only {known}")
    return raw


def _decode(decoder: msgspec.msgpack.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(memoryview(raw)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableError(str(error)) from error
