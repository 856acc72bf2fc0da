"""Where a key goes must never depend on who computes it."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.partitioner import by_murmur2


@given(st.binary(max_size=80), st.integers(1, 48))
def test_a_key_has_the_partition_that_every_kafka_client_gives_it(key, count):
    assert by_murmur2(key, range(count), []) == DefaultPartitioner()(key, list(range(count)), [])
