"""States and memories as bytes: a version, then MessagePack in arrays. A version that is not known is refused, never guessed.

A new version keeps the reader of each older one: fields may be added at the end of an array without ado (older bytes read as their
defaults); whatever changes otherwise is decoded as it was and made new, as version 1 is. States are written in the newest version
whenever they are written, and all of a tenant's are when its scoring policy changes.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TypeVar

import msgspec

from services.scoring.domain.ledger import Bucket, Mark, event_of
from services.scoring.domain.memory import Memory
from services.scoring.domain.people import People, Person
from services.scoring.domain.state import LeadState, Register

FIRST, VERSION = b"\x01", b"\x02"
T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode
_states = msgspec.msgpack.Decoder(LeadState)
_memories = msgspec.msgpack.Decoder(Memory)
_people = msgspec.msgpack.Decoder(dict[str, Person])


class FirstMemory(Memory, array_like=True, gc=False):
    """Version 1: a mark named its event by its text."""

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
    return _decode(_states, _newest(raw))


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
    return _decode(_memories, _newest(raw))


def encode_people(people: People) -> bytes:
    return VERSION + _encode(people)


def decode_people(raw: bytes) -> People:
    """Raises UnreadableError."""
    return People(_decode(_people, _newest(raw)))


def _renewed(first: FirstMemory) -> Memory:
    memory = Memory(*(getattr(first, field) for field in Memory.__struct_fields__))
    memory.marks = {
        key: {
            bucket: tuple(sorted(Mark(at, event_of(event)) for at, event in marks)) for bucket, marks in slots.items()
        }
        for key, slots in first.marks.items()
    }
    return memory


def _newest(raw: bytes) -> bytes:
    if raw[:1] != VERSION:
        known = f"{FIRST.hex()} and {VERSION.hex()} are"
        raise UnreadableError(f"version {raw[:1].hex() or 'none'} is not known here, only {known}")
    return raw


def _decode(decoder: msgspec.msgpack.Decoder[T], raw: bytes) -> T:
    try:
        return decoder.decode(memoryview(raw)[1:])
    except msgspec.MsgspecError as error:
        raise UnreadableError(str(error)) from error
