"""What the leads of one account last told it: a register per lead, and what is read of all of them, kept ready. Times in ms."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from math import log2
from typing import TypeVar

import msgspec

from shared.schemas.scores import Version

MOST_PEOPLE = 2_000  # of one account, those who spoke last; what the others said is refused, and counted
MOST_MOMENTS = 35  # one a day: as many days as tell a surge from the usual where a person is active for seven

T = TypeVar("T", int, tuple[float, str])

_encode = msgspec.msgpack.Encoder().encode


class Person(msgspec.Struct, array_like=True, gc=False):
    """What a lead last told its account.

    gone:       belongs here no more
    engagement: milli-points, at `as_of`
    active:     when it last did something of its own, one moment of each day, latest first
    """

    version: Version
    gone: bool = False
    engagement: int = 0
    fit: str = "D"
    role: str | None = None
    department: str | None = None
    active: tuple[int, ...] = ()

    @property
    def as_of(self) -> int:
        return self.version.as_of


@dataclass(slots=True)
class Crowd:
    """The people who are here, sorted by what is asked of them, so that one signal moves a few entries, whatever their number.

    as_of:   the latest that anybody knows of, those who are gone included
    latest:  when each was last active;  moments: when anybody was, day by day;  roles, departments: of those who have one, by it
    deep:    by standing: log2 of the engagement, counted in half-lives, which orders people alike at every moment
    """

    half_life: int
    as_of: int = 0
    here: int = 0
    latest: list[int] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    roles: dict[str, list[int]] = field(default_factory=dict)
    departments: dict[str, list[int]] = field(default_factory=dict)
    deep: list[tuple[float, str]] = field(default_factory=list)

    @classmethod
    def of(cls, people: Mapping[str, Person], half_life: int) -> Crowd:
        here = [(lead, person) for lead, person in people.items() if not person.gone]
        crowd = cls(half_life, max((person.as_of for person in people.values()), default=0), len(here))
        for lead, person in here:
            if person.active:
                crowd.latest.append(person.active[0])
                crowd.moments += person.active
                for named, places in ((person.role, crowd.roles), (person.department, crowd.departments)):
                    if named:
                        places.setdefault(named, []).append(person.active[0])
            if person.engagement > 0:
                crowd.deep.append((crowd._standing(person), lead))
        for moments in (crowd.latest, crowd.moments, *crowd.roles.values(), *crowd.departments.values()):
            moments.sort()
        crowd.deep.sort()
        return crowd

    def copy(self) -> Crowd:
        return Crowd(
            self.half_life,
            self.as_of,
            self.here,
            self.latest.copy(),
            self.moments.copy(),
            {role: moments.copy() for role, moments in self.roles.items()},
            {department: moments.copy() for department, moments in self.departments.items()},
            self.deep.copy(),
        )

    def replace(self, lead: str, before: Person | None, after: Person | None) -> None:
        """`as_of` is for the caller to see to where it may have become less."""
        old, new = _present(before), _present(after)
        self.here += (new is not None) - (old is not None)
        was, now = set(old.active if old else ()), set(new.active if new else ())
        for at in was - now:
            _remove(self.moments, at)
        for at in now - was:
            insort(self.moments, at)
        for person, change in ((old, _remove), (new, insort)):
            if person is None:
                continue
            if person.active:
                last = person.active[0]
                change(self.latest, last)
                for named, places in ((person.role, self.roles), (person.department, self.departments)):
                    if named:
                        change(places.setdefault(named, []), last)
                        if not places[named]:
                            del places[named]
            if person.engagement > 0:
                change(self.deep, (self._standing(person), lead))
        if after:
            self.as_of = max(self.as_of, after.as_of)

    def _standing(self, person: Person) -> float:
        return log2(person.engagement) + person.as_of / self.half_life


class People(dict[str, Person]):
    """Registers by lead. Never changed once made: `join` makes another."""

    __slots__ = ("_crowd",)
    _crowd: Crowd | None

    def __init__(self, registers: Mapping[str, Person] | None = None) -> None:
        super().__init__(registers or {})
        self._crowd = None

    def crowd(self, half_life: int) -> Crowd:
        if self._crowd is None or self._crowd.half_life != half_life:
            self._crowd = Crowd.of(self, half_life)
        return self._crowd

    def as_of(self) -> int:
        return self._crowd.as_of if self._crowd else max((person.as_of for person in self.values()), default=0)

    def join(self, told: Mapping[str, Person]) -> tuple[People, int]:
        """These registers and those, and how many the bound kept out.

        Of too many leads those stay who spoke last, by version. A lead's version only ever rises, so whoever is among the last in
        the end was never put out since it said so: the order in which they speak does not matter.
        """
        changed = {
            lead: best for lead, one in told.items() if (best := joined(self.get(lead), one)) is not self.get(lead)
        }
        people = People({**self, **changed})
        excess = len(people) - MOST_PEOPLE
        out = nsmallest(excess, people, key=lambda lead: (people[lead].version, lead)) if excess > 0 else []
        for lead in out:
            del people[lead]
        # Many changes at once: sorting anew is less work than moving each.
        if self._crowd and len(changed) + len(out) <= 10 + len(people) // 10:
            people._crowd = self._moved(people, {**changed, **dict.fromkeys(out)})
        return people, len(out)

    def _moved(self, people: People, changed: Mapping[str, Person | None]) -> Crowd:
        assert self._crowd
        crowd = self._crowd.copy()
        less = False
        for lead in changed:
            before, after = self.get(lead), people.get(lead)
            crowd.replace(lead, before, after)
            less |= before is not None and before.as_of >= self._crowd.as_of
        if less:
            crowd.as_of = max((person.as_of for person in people.values()), default=0)
        return crowd


def joined(known: Person | None, told: Person) -> Person:
    """The register of one lead: the highest version stands, and of two that claim the same one always the same."""
    if known is None or told.version > known.version:
        return told
    if told.version == known.version and told != known and _encode(told) > _encode(known):
        return told
    return known


def _present(person: Person | None) -> Person | None:
    return None if person is None or person.gone else person


def _remove(entries: list[T], entry: T) -> None:
    del entries[bisect_left(entries, entry)]
