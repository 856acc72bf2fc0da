"""Share against what was received, for any period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from services.router.domain.assignment import BY_PERSON

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Given:
    """Leads that a pool gave to one rep by one way: how many, and of these how many did not count, were accepted, declined, ran
    out."""

    rep_id: str
    way: str
    given: int
    given_back: int = 0
    accepted: int = 0
    declined: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class Tallies:
    """What a pool gave in a period, and each rep's share of it: their parts of every lead that they could have had."""

    given: tuple[Given, ...]
    shares: Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Line:
    """A rep in the report.

    share, received: of leads that were shared and counted;  ways: those by the way that decided
    sticky:          leads that stuck to them, and chosen: that a person gave them or that they took: shared with nobody, and so
                     apart;  the other numbers are of all
    """

    rep_id: str
    share: Fraction
    received: int
    ways: Mapping[str, int]
    sticky: int
    chosen: int
    given_back: int
    accepted: int
    declined: int
    expired: int

    @property
    def due(self) -> Fraction:
        """Leads that they are short of by their share; below 0, had too many of."""
        return self.share - self.received


def lines(tallies: Tallies) -> list[Line]:
    """One per rep who was given something, or had a share of something. Their `due` sum to 0."""
    reps = sorted({one.rep_id for one in tallies.given} | set(tallies.shares))
    return [
        _line(rep, [one for one in tallies.given if one.rep_id == rep], tallies.shares.get(rep, ZERO)) for rep in reps
    ]


def _line(rep_id: str, given: list[Given], share: Fraction) -> Line:
    counted = [(one.way, one.given - one.given_back) for one in given]
    ways = {way: leads for way, leads in counted if way not in ("sticky", *BY_PERSON)}
    return Line(
        rep_id,
        share,
        sum(ways.values()),
        ways,
        sum(leads for way, leads in counted if way == "sticky"),
        sum(leads for way, leads in counted if way in BY_PERSON),
        sum(one.given_back for one in given),
        sum(one.accepted for one in given),
        sum(one.declined for one in given),
        sum(one.expired for one in given),
    )
