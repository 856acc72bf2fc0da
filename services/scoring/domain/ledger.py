"""The score ledger: which touches count, kept as marks; points are computed when read.

Per rule key and bucket a ledger keeps the earliest `limit` distinct marks. That is a join (associative, commutative,
idempotent), so neither order, duplication nor replay can change what is read from it. A rule key names all that decides
which marks exist, and carries its limit, horizon and bucket length, so that ledgers join without knowing any policy.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import lru_cache
from hashlib import blake2b, sha256
from struct import Struct
from typing import Any, NamedTuple

import orjson

DAY = 86_400_000
HALF_LIVES = 7  # after which a touch is worth less than 1 % of its points, and is worth nothing
HORIZONS = (30 * DAY, 90 * DAY, 180 * DAY, 400 * DAY)  # half-lives may change within one without a replay
MOST_MARKS = 2_000  # of one identity, of days and `once`
MOST_CAMPAIGN_MARKS = 500  # of one identity, beside those
ONCE, CAMPAIGN = 0, -1  # in place of a bucket's length

Bucket = int | str  # number of the bucket since the epoch, or the name of a campaign

# A mark is one touch that a rule matched: when it happened (ms since the epoch, UTC, never before it), and which event it was
# (`event_of`). In bytes, so that marks sort as (at, event) do, and a thousand of them are as cheap to hold as one.
_MARK, _MOMENT = Struct(">Q16s"), Struct(">Q16x")
MARK = _MARK.size  # bytes
Marks = bytes  # one after the other: sorted, distinct, no more than the limit of their key
Ledger = dict[str, dict[Bucket, Marks]]  # by rule key and bucket


class KeyParts(NamedTuple):
    """What a rule key says of its marks. limit: marks per bucket; horizon, length, zone: ms."""

    limit: int
    horizon: int
    length: int
    zone: int


def event_of(event_id: str) -> bytes:
    """An event id in 16 bytes: a UUID's own, which sort as its text does; of any other text a hash."""
    if len(event_id) == 36:
        try:
            return bytes.fromhex(event_id.replace("-", ""))
        except ValueError:
            pass
    return blake2b(event_id.encode(), digest_size=16).digest()


def mark_of(at: int, event: bytes) -> Marks:
    """One mark."""
    return _MARK.pack(at, event)


def marked(marks: Iterable[tuple[int, bytes]]) -> Marks:
    """Marks of these moments and events."""
    return b"".join(sorted({_MARK.pack(at, event) for at, event in marks}))


def read(marks: Marks) -> Iterator[tuple[int, bytes]]:
    """The moments and events of marks, the earliest first. Raises struct.error for what are no marks."""
    return _MARK.iter_unpack(marks)


def moments(marks: Marks) -> Iterator[tuple[int]]:
    """The moments alone."""
    return _MOMENT.iter_unpack(marks)


class Moments(NamedTuple):
    """When the marks of one key happened, sorted: as whole numbers in floats, of which what fades is made twice as fast.

    buckets: how many there were: whoever forgets marks forgets whole ones
    """

    all: array[float]
    buckets: int

    def and_last(self, at: int, more: int) -> Moments:
        """With one mark more, none of the others later, in so many more buckets."""
        every = self.all[:]
        every.append(at)
        return Moments(every, self.buckets + more)


def moments_of(buckets: Mapping[Bucket, Marks]) -> Moments:
    return Moments(array("d", _sorted([buckets])), len(buckets))


class Days(NamedTuple):
    """The last moment of each day of a zone on which there is a mark of one of these keys, sorted, ms.

    zone: offset from UTC, ms;  buckets: how many the keys had, all together
    """

    all: array[int]
    keys: Set[str]
    zone: int
    buckets: int

    def and_last(self, at: int, more: int) -> Days:
        """With one mark more, none of the others later, in so many more buckets."""
        days = self.all[:]
        if days and (days[-1] + self.zone) // DAY == (at + self.zone) // DAY:
            days[-1] = at
        else:
            days.append(at)
        return self._replace(all=days, buckets=self.buckets + more)


def days_of(ledger: Ledger, keys: Set[str], zone: int) -> Days:
    held = [buckets for key, buckets in ledger.items() if key in keys]
    last = {(at + zone) // DAY: at for at in _sorted(held)}
    return Days(array("q", last.values()), keys, zone, sum(map(len, held)))


def _sorted(held: Iterable[Mapping[Bucket, Marks]]) -> list[int]:
    return sorted([at for buckets in held for (at,) in moments(b"".join(buckets.values()))])


def count(marks: Marks) -> int:
    return len(marks) // MARK


def horizon_of(half_life: int, window: int | None = None) -> int:
    """How long a touch counts, ms: seven half-lives or the window, and never longer than the topics are kept."""
    return min(HALF_LIVES * half_life, window or HORIZONS[-1], HORIZONS[-1])


def rule_key(when: Any, limit: int, per: str, horizon: int, zone: int) -> str:
    """The name of the marks of all rules that match, limit, bucket and (up to the next of HORIZONS) forget alike.

    when: the condition as written;  per: `Nd`, `once`, `campaign` or `cycle`;  horizon, zone (offset from UTC): ms
    """
    horizon = next(h for h in HORIZONS if h >= horizon)
    length = int(per[:-1]) * DAY if per.endswith("d") else ONCE if per == "once" else CAMPAIGN
    digest = sha256(orjson.dumps(when, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    return f"{digest}.{limit}.{horizon}.{length}.{zone if length > 0 else 0}"


@lru_cache(maxsize=65_536)
def key_parts(key: str) -> KeyParts:
    """Raises ValueError for what is no rule key."""
    limit, horizon, length, zone = map(int, key.split(".")[1:])
    if limit < 1 or length < CAMPAIGN:
        raise ValueError("a limit below 1, or a length that stands for nothing")
    return KeyParts(limit, horizon, length, zone)


def bucket_of(parts: KeyParts, at: int, campaign: str) -> Bucket:
    """The bucket of a touch; days begin at midnight of the tenant's fixed offset."""
    if parts.length > 0:
        return (at + parts.zone) // parts.length
    return 0 if parts.length == ONCE else campaign


def joined(limit: int, left: Marks, right: Marks) -> Marks:
    """The earliest `limit` marks of both."""
    if left == right:
        return left
    return b"".join(sorted({*_each(left), *_each(right)})[:limit])


def record(ledger: Ledger, key: str, bucket: Bucket, mark: Marks) -> int | None:
    """Add one mark to a ledger that the caller owns; how many there are more, or None where it took the place of another."""
    buckets = ledger.setdefault(key, {})
    marks = after = buckets.get(bucket, b"")
    if mark <= marks[-MARK:]:
        after = joined(key_parts(key).limit, marks, mark)
    elif count(marks) < key_parts(key).limit:
        after = marks + mark
    if after == marks:
        return 0
    buckets[bucket] = after
    return 1 if len(after) > len(marks) else None


def absorb(ledger: Ledger, other: Ledger) -> None:
    """Join `other` into a ledger that the caller owns."""
    for key, theirs in other.items():
        ours = ledger.setdefault(key, {})
        limit = key_parts(key).limit
        for bucket, marks in theirs.items():
            ours[bucket] = joined(limit, ours.get(bucket, b""), marks)


def tidy(ledger: Ledger, known_at: int, before: int = -1) -> int:
    """Drop buckets that count 0 for ever since `known_at` (ms), then those past the bounds; how many marks the bounds refused.

    before: when the ledger was tidied last, ms; within a day there is nothing to forget that would be worth the look

    Only whole buckets go: a mark that counts 0 still holds its place against later ones of its bucket; `once` and campaigns hold
    theirs for ever. When this is done, and how often, changes nothing that is read: a bound keeps the first so many of a fixed
    order in which no bucket ever comes to stand before another, and what is forgotten is always the end of that order.
    """
    if known_at // DAY != before // DAY:
        _forget(ledger, known_at)
    if sum([len(buckets) * key_parts(key).limit for key, buckets in ledger.items()]) <= MOST_CAMPAIGN_MARKS:
        return 0  # without a look at each bucket
    return _bound(ledger, MOST_MARKS, campaigns=False) + _bound(ledger, MOST_CAMPAIGN_MARKS, campaigns=True)


def check(ledger: Ledger) -> None:
    """Raises ValueError for what no ledger can be."""
    for key, buckets in ledger.items():
        named = str if key_parts(key).length == CAMPAIGN else int
        for bucket, marks in buckets.items():
            if bucket.__class__ is not named or not marks or len(marks) % MARK:
                raise ValueError("a bucket of another kind than its key says, or marks cut short")


def _each(marks: Marks) -> list[Marks]:
    size = MARK
    return [marks[start : start + size] for start in range(0, len(marks), size)]


def _forget(ledger: Ledger, known_at: int) -> None:
    for key in list(ledger):
        parts, buckets = key_parts(key), ledger[key]
        if parts.length > 0:
            oldest = (known_at - parts.horizon + parts.zone) // parts.length
            for bucket in [b for b in buckets if isinstance(b, int) and b < oldest]:
                del buckets[bucket]
        if not buckets:
            del ledger[key]


def _bound(ledger: Ledger, most: int, *, campaigns: bool) -> int:
    keys = [key for key in ledger if (key_parts(key).length == CAMPAIGN) is campaigns]
    if sum([sum(map(len, ledger[key].values())) for key in keys]) <= most * MARK:
        return 0
    kept = refused = 0
    slots = [(key, bucket) for key in keys for bucket in ledger[key]]
    for key, bucket in sorted(slots, key=_rank):
        marks = count(ledger[key][bucket])
        if kept >= most:
            refused += marks
            del ledger[key][bucket]
        else:
            kept += marks
    for key in keys:
        if not ledger[key]:
            del ledger[key]
    return refused


def _rank(slot: tuple[str, Bucket]) -> tuple[int, str, Bucket]:
    """`once` first, then days, those first that count longest; campaigns by their names."""
    key, bucket = slot
    parts = key_parts(key)
    if parts.length > 0 and isinstance(bucket, int):
        return -((bucket + 1) * parts.length - parts.zone + parts.horizon), key, bucket
    return -(10**18), key, bucket
