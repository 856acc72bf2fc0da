"""zstd by contexts that are used again: the same bytes as anybody else's zstd, in aiokafka's own batches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import cramjam
import pytest
import zstandard
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

import shared.kit.kafka  # noqa: F401 - whoever speaks to Kafka uses it
from shared.kit import zstd

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


@pytest.mark.parametrize("data", DATA, ids=len)
def test_what_is_cut_short_or_no_frame_is_refused(data):
    for frame in (zstd.encode(data), of_unknown_length(data)):
        for broken in (frame[:-1], frame[:5], b"", frame + frame, b"no frame"):
            with pytest.raises(zstandard.ZstdError):
                zstd.decode(broken)


def test_aiokafka_compresses_and_reads_batches_by_it(monkeypatch):
    lengths = []
    monkeypatch.setattr(zstd, "encode", lambda payload: lengths.append(len(payload)) or zstandard.compress(payload))
    zstd.use_contexts_again()
    built = batch([b"value" * 100] * 3)
    monkeypatch.undo()
    zstd.use_contexts_again()
    assert [record.value for record in DefaultRecordBatch(built)] == [b"value" * 100] * 3
    assert lengths[0] > 1_500 > len(built)


def test_threads_do_not_disturb_one_another():
    def both_ways(number: int) -> bool:
        data = str(number).encode() * 1_000
        return all(zstd.decode(zstd.encode(data)) == data for _ in repeat(None, 200))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(both_ways, range(8)))


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
