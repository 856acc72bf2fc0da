"""What scoring is measured with is what ingest would have written."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from bench.touches import KINDS, Touches, history, people
from shared.schemas.touches import Touch
from shared.schemas.vocabulary import TOUCH_TYPES

SECRET = b"a master secret of thirty-two bytes"
NOW = 1_790_000_000_000


def test_every_touch_fulfils_the_contract() -> None:
    for record in history(Touches(people(SECRET, 50)), 500, until=NOW):
        touch = Touch.model_validate_json(record.value or b"")
        assert record.key == touch.key()
        assert touch.received_at <= NOW


def test_touches_are_of_types_that_the_vocabulary_knows() -> None:
    assert set(KINDS) <= set(TOUCH_TYPES)


def test_the_same_touches_come_every_time() -> None:
    runs = [list(islice(history(Touches(people(SECRET, 20)), 100, until=NOW), 100)) for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_few_people_are_busy_and_most_are_not() -> None:
    touches = Touches(people(SECRET, 100))
    counted = Counter(touches.next(NOW)[0].number for _ in range(10_000))
    assert counted[0] > 5 * counted[9] > 0
