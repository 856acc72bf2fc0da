"""The score ledger: which touches count, kept as marks; points are computed when read.

Per rule key and bucket a ledger keeps the earliest `limit` distinct marks. That is a join (associative, commutative,
idempotent), so neither order, duplication nor replay can change what is read from it. A rule key names all that decides
which marks exist, and carries its limit, horizon and bucket length, so that ledgers join without knowing any policy.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any, NamedTuple

import orjson

DAY = 86_400_000
HALF_LIVES = 7  # after which a touch is worth less than 1 % of its points, and is worth nothing
HORIZONS = (30 * DAY, 90 * DAY, 180 * DAY, 400 * DAY)  # half-lives may change within one without a replay
MOST_MARKS = 2_000  # of one identity
ONCE, CAMPAIGN = 0, -1  # in place of a bucket's length
ALWAYS_WITHIN = 40  # buckets of at most 50 marks each: fewer need no look at the bound

Bucket = int | str  # number of the bucket since the epoch, or the name of a campaign


class Mark(NamedTuple):
    """One touch that a rule matched: when it happened (ms since the epoch, UTC), and which event it was (`event_of`)."""

    at: int
    event: bytes


Marks = tuple[Mark, ...]  # sorted, distinct, no more than the limit of their key
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
    return tuple(sorted({*left, *right})[:limit])


def record(ledger: Ledger, key: str, bucket: Bucket, mark: Mark) -> None:
    """Add a mark to a ledger that the caller owns."""
    buckets = ledger.setdefault(key, {})
    marks = buckets.get(bucket)
    if marks is None:
        buckets[bucket] = (mark,)
    elif mark not in marks:
        limit = key_parts(key).limit
        if len(marks) < limit or mark < marks[-1]:
            buckets[bucket] = joined(limit, marks, (mark,))


def absorb(ledger: Ledger, other: Ledger) -> None:
    """Join `other` into a ledger that the caller owns."""
    for key, theirs in other.items():
        ours = ledger.setdefault(key, {})
        limit = key_parts(key).limit
        for bucket, marks in theirs.items():
            ours[bucket] = joined(limit, ours.get(bucket, ()), marks)


def tidy(ledger: Ledger, known_at: int, before: int = 0) -> int:
    """Drop buckets that count 0 for ever since `known_at` (ms), then those past the bound; how many marks the bound refused.

    before: when the ledger was tidied last, ms; within a day there is nothing to forget that would be worth the look

    Only whole buckets go: a mark that counts 0 still holds its place against later ones of its bucket. What the bound drops is
    decided by a fixed order of the buckets (newest days first, campaigns last), never by the order of arrival.
    """
    if sum(map(len, ledger.values())) <= ALWAYS_WITHIN:
        return 0
    if known_at // DAY != before // DAY:
        _forget(ledger, known_at)
    if sum([len(buckets) * key_parts(key).limit for key, buckets in ledger.items()]) <= MOST_MARKS:
        return 0
    if sum(len(marks) for buckets in ledger.values() for marks in buckets.values()) <= MOST_MARKS:
        return 0
    return _bounded(ledger)


def _forget(ledger: Ledger, known_at: int) -> None:
    for key, buckets in ledger.items():
        parts = key_parts(key)
        if parts.length > 0:
            oldest = (known_at - parts.horizon + parts.zone) // parts.length
            for bucket in [b for b in buckets if isinstance(b, int) and b < oldest]:
                del buckets[bucket]


def _bounded(ledger: Ledger) -> int:
    kept = refused = 0
    for _, key, name in sorted(
        (_rank(key, bucket), key, str(bucket)) for key, slots in ledger.items() for bucket in slots
    ):
        bucket: Bucket = name if key_parts(key).length == CAMPAIGN else int(name)
        count = len(ledger[key][bucket])
        if kept >= MOST_MARKS:
            refused += count
            del ledger[key][bucket]
        else:
            kept += count
    return refused


def _rank(key: str, bucket: Bucket) -> int:
    """`once` first, then days from the newest on, then campaigns."""
    parts = key_parts(key)
    if parts.length == CAMPAIGN:
        return 1
    return -(int(bucket) * parts.length) if parts.length > 0 else -(10**18)
