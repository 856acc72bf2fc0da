"""What is bounded is as exact as the rest: bounds so small that every history reaches them, and what only ever becomes less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain import ledger, memory, score
from services.scoring.domain.codec import decode_memory, decode_state, encode_memory, encode_state
from services.scoring.domain.memory import Memory
from services.scoring.domain.state import LeadState
from shared.schemas.topics import TOUCHPOINTS
from tests.properties.test_scoring_exactness import (
    LEADS,
    RULES,
    SAME_KEYS,
    TENANT,
    Ingest,
    Scoring,
    Way,
    hard,
    known,
    links,
    names,
    outcomes,
    rngs,
    touch_bodies,
    what_counts,
)

COMPANIES = [{"account": f"company-{n % 3}", "domain": f"domain-{n}", "own_domain": True} for n in range(5)]
COMPANIES += [{"account": "group:7"}, {"account": "group:7", "domain": "domain-0", "own_domain": True}]
bodies = st.builds(
    lambda body, company: body | {"attributes": body.get("attributes", {}) | company},
    touch_bodies,
    st.sampled_from([{}, *COMPANIES]),
)
touches = st.tuples(st.just("touch"), names, bodies)
histories = st.lists(st.one_of(touches, touches, touches, touches, links, outcomes), min_size=5, max_size=40)


@contextmanager
def small_bounds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (memory, score):
            patch.setattr(module, "LATEST_TOUCHES", 2)
        for name in ("MOST_ACCOUNTS", "MOST_DOMAINS", "MOST_VERDICTS"):
            patch.setattr(memory, name, 2)
        for name, most in (("MOST_MARKS", 3), ("MOST_CAMPAIGN_MARKS", 2)):
            patch.setattr(ledger, name, most)
        yield


@given(histories, rngs)
def test_what_a_bound_keeps_depends_on_no_order_duplicate_crash_prune_or_merge(history: list[Any], rng: Random) -> None:
    ingest = Ingest().take(history)
    with small_bounds():
        straight = Scoring().run(ingest.published, Way())
        crooked = Scoring().run(ingest.published, hard(rng, SAME_KEYS))
    for lead in LEADS.values():
        if lead in straight.states:
            assert crooked.digest(lead) == straight.digest(lead)
    for lead in known(ingest):
        assert what_counts(crooked.scores[lead]) == what_counts(straight.scores[lead])


@given(st.lists(bodies, min_size=1, max_size=40), st.lists(st.integers(0, 3), min_size=40, max_size=40), rngs)
def test_what_workers_remember_apart_is_what_one_remembers_of_all(
    told: list[Any], places: list[int], rng: Random
) -> None:
    """Of one identity, as transfers join it: in any order, some of it twice, each part kept to the bounds by itself."""
    published = Ingest().take([("touch", "ann", body) for body in told]).published
    records: list[Any] = [wire.decode(TOUCHPOINTS.name, orjson.dumps(record)) for record in published]
    with small_bounds():
        whole = remembered(records)
        parts = [remembered([one for one, at in zip(records, places, strict=False) if at in (n, 0)]) for n in range(4)]
        rng.shuffle(parts)
        joined = Memory()
        for part in parts:
            joined.absorb(decode_memory(encode_memory(part)))
            if rng.random() < 0.5:
                joined.tidy(joined.received_at if rng.random() < 0.5 else -1)
        joined.tidy()
        whole.tidy()
        assert joined == whole


def remembered(records: list[Any]) -> Memory:
    state = join(Told(TENANT, LEADS["ann"], [(one, None) for one in records]), LeadState(), RULES).finish()
    assert decode_state(encode_state(state)) == state
    return state.memories.get("ann", Memory()).copy()
