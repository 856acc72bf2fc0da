"""zstd of Kafka's records by contexts that are used again. aiokafka makes one for each batch, 17 µs each way: most of what it costs
to send or to read a batch of few records."""

from __future__ import annotations

import sys
import threading
from typing import Any

import zstandard
from aiokafka.record.default_records import DefaultRecordBatch

LEVEL = 1  # of so few bytes it makes as few as level 3 does


class _Contexts(threading.local):
    """No two threads may use one at a time."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def encode(payload: Any, level: int | None = None) -> bytes:
    """One frame. level: as aiokafka's own takes it, which nobody sets"""
    return _contexts.compressor.compress(payload)


def decode(payload: Any) -> bytes:
    """Of a frame, or of several, whether or not they say how long they are. Raises zstandard.ZstdError for what is none, or not the
    whole of it."""
    content = b""
    while True:
        frame = _contexts.decompressor.decompressobj()
        content += frame.decompress(payload)
        if not frame.eof:
            raise zstandard.ZstdError("records that are compressed are cut short")
        if not (payload := frame.unused_data):
            return content


def use_contexts_again() -> None:
    """For all batches that aiokafka sends and reads in this process."""
    records: Any = sys.modules[DefaultRecordBatch.__module__]  # compiled, or where it could not be, in Python
    records.zstd_encode, records.zstd_decode = encode, decode
