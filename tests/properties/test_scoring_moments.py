"""What a memory keeps of when its marks happened is what its marks say, however it came by them."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from services.scoring.domain.ledger import DAY, bucket_of, days_of, key_parts, moments_of, read, rule_key
from services.scoring.domain.memory import Memory

ZONE = 9 * 3_600_000
KEYS = [
    rule_key({"a": 1}, limit, per, horizon * DAY, ZONE)
    for limit, per, horizon in ((2, "1d", 30), (3, "7d", 90), (1, "once", 30), (2, "campaign", 400))
]
SOME = frozenset(KEYS[:3])
MARK = st.tuples(st.integers(0, 40 * DAY), st.integers(0, 30), st.sampled_from(KEYS), st.sampled_from(["x", "y"]))
STEP = st.one_of(MARK, st.just("read"), st.just("tidy"), st.just("copy"), st.lists(MARK, max_size=4))


@example([(0, 1, KEYS[0], "x"), "read", "tidy", "tidy", (40 * DAY, 2, KEYS[0], "x")])  # one bucket goes, another comes
@example([(2**63 - 1, 1, KEYS[0], "x"), "read", (DAY, 2, KEYS[0], "x"), "read", (2**63 - 2, 3, KEYS[0], "x")])
@given(st.lists(STEP, max_size=40))
def test_what_is_kept_of_moments_is_what_the_marks_say(steps: list[object]) -> None:
    memory = Memory()
    for step in steps:
        if step == "read":
            for key in memory.marks:
                memory.moments(key)
            memory.days(SOME, ZONE)
        elif step == "tidy":
            before, memory.received_at = memory.received_at, memory.received_at + 20 * DAY
            memory.tidy(before)
        elif step == "copy":
            memory, left = memory.copy(), memory
            _mark(left, (DAY, 31, KEYS[1], "x"))
        elif isinstance(step, list):
            other = Memory()
            for mark in step:
                _mark(other, mark)
            memory.absorb(other)
        else:
            _mark(memory, step)
    for key, buckets in memory.marks.items():
        assert memory.moments(key) == moments_of(buckets)
    for keys, zone in ((SOME, ZONE), (SOME, 0), (frozenset(KEYS), 0)):
        days = memory.days(keys, zone)
        assert days == days_of(memory.marks, keys, zone)
        by_day: dict[int, int] = {}
        for key, buckets in memory.marks.items():
            for at in [at for marks in buckets.values() for at, _ in read(marks) if key in keys]:
                day = (at + zone) // DAY
                by_day[day] = max(at, by_day.get(day, at))
        assert list(days.all) == [by_day[day] for day in sorted(by_day)]


def _mark(memory: Memory, mark: object) -> None:
    at, number, key, campaign = mark  # type: ignore[misc]
    memory.mark(at, f"event-{number}", [(key, bucket_of(key_parts(key), at, campaign))])
