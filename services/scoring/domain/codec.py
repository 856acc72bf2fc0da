"""States and memories as bytes: a version, then MessagePack in arrays. A version that is not known is refused, never guessed."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TypeVar

import msgspec

from services.scoring.domain.memory import Memory
from services.scoring.domain.state import LeadState

VERSION = b"\x01"
T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode
_states = msgspec.msgpack.Decoder(LeadState)
_memories = msgspec.msgpack.Decoder(Memory)


class UnreadableError(ValueError):
    """Bytes that no version of this program wrote, or a later one."""


def encode_state(state: LeadState) -> bytes:
    return VERSION + _encode(state)


def decode_state(raw: bytes) -> LeadState:
    """Raises UnreadableError."""
    return _decode(_states, raw)


def encode_memory(memory: Memory) -> str:
    """Base64, as a transfer carries it."""
    return b64encode(VERSION + _encode(memory)).decode()


def decode_memory(text: str) -> Memory:
    """Raises UnreadableError."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError as error:
        raise UnreadableError("not base64") from error
    return _decode(_memories, raw)


def _decode(decoder: msgspec.msgpack.Decoder[T], raw: bytes) -> T:
    if raw[:1] != VERSION:
        raise UnreadableError(f"version {raw[:1].hex() or 'none'} is not known here, only {VERSION.hex()} is")
    try:
        return decoder.decode(memoryview(raw)[1:])
    except msgspec.MsgspecError as error:
        raise UnreadableError(str(error)) from error
