"""zstd by contexts that are used again: the same bytes as anybody else's zstd, in aiokafka's own batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from threading import Barrier
from typing import Any

import cramjam
import pytest
import zstandard
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

import shared.kit.kafka  # noqa: F401 - whoever speaks to Kafka uses it
from shared.kit import zstd

SKIPPABLE = bytes.fromhex("502a4d18 03000000") + b"any"  # a frame that says nothing of the content
DATA = [b"", b"x", b"abc" * 10_000, bytes(range(256)) * 1_000]


def of_unknown_length(data: bytes) -> bytes:
    compressor: Any = cramjam.zstd.Compressor()  # as Java's does, too
    compressor.compress(data)
    return bytes(compressor.finish())


@pytest.mark.parametrize("data", DATA, ids=len)
def test_others_read_what_we_compress_and_we_read_what_others_do(data):
    assert bytes(cramjam.zstd.decompress(zstd.encode(data))) == data
    for frame in (zstd.encode(data), bytes(cramjam.zstd.compress(data, level=3)), of_unknown_length(data)):
        assert zstd.decode(frame) == data
        assert zstd.decode(SKIPPABLE + frame + frame) == data + data


@pytest.mark.parametrize("data", DATA, ids=len)
def test_what_is_cut_short_or_no_frame_is_refused(data):
    for frame in (zstd.encode(data), of_unknown_length(data)):
        for broken in (frame[:-1], frame[:5], b"", frame + frame[:-1], b"no frame"):
            with pytest.raises(zstandard.ZstdError):
                zstd.decode(broken)


def test_aiokafka_compresses_and_reads_batches_by_it(monkeypatch):
    passed = []
    for name in ("encode", "decode"):
        real = getattr(zstd, name)
        monkeypatch.setattr(zstd, name, lambda payload, name=name, real=real: passed.append(name) or real(payload))
    zstd.use_contexts_again()
    built = batch([b"value" * 100] * 3)
    assert [record.value for record in DefaultRecordBatch(built)] == [b"value" * 100] * 3
    monkeypatch.undo()
    zstd.use_contexts_again()
    assert passed == ["encode", "decode"]
    assert len(built) < 1_500


def test_threads_do_not_disturb_one_another():
    together = Barrier(8)

    def both_ways(number: int) -> tuple[object, object]:
        data = str(number).encode() * 1_000
        together.wait(10)
        assert all(zstd.decode(zstd.encode(data)) == data for _ in repeat(None, 200))
        return zstd._contexts.compressor, zstd._contexts.decompressor

    with ThreadPoolExecutor(8) as threads:
        contexts = list(threads.map(both_ways, range(8)))
    assert len({id(one) for pair in contexts for one in pair}) == 16, "no two threads have one"


def batch(values: list[bytes]) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=DefaultRecordBatch.CODEC_ZSTD,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=0,
        batch_size=100_000,
    )
    for offset, value in enumerate(values):
        builder.append(offset, timestamp=None, key=b"key", value=value, headers=[])
    return bytes(builder.build())
