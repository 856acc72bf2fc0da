"""Who can take leads, and in which pools."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.catalogue import ROUTING_FIELDS
from shared.schemas.policies.base import Label, Policy, RuleId, Strict, condition_of
from shared.schemas.policies.calendars import Calendar, Period, Zone
from shared.schemas.policies.sla import Seconds
from shared.schemas.policies.sources import SecretReference

Cap = Annotated[int, Field(ge=0, le=10_000)]
Level = Annotated[int, Field(ge=1, le=5)]
Word = Annotated[str, Field(min_length=1, max_length=64)]


class Channel(Strict):
    """A way to tell people: a chat or mail service, by its Apprise URL.

    url:      where the URL is kept, because it holds a secret; `{to}` in it stands for who is told
    personal: may show the person's and the company's name; without it a notification names neither
    room:     is read by several people: it gets no links, since whoever has one answers for the rep
    """

    id: RuleId
    label: Label = Label()
    url: SecretReference
    personal: bool = False
    room: bool = False


class Address(Strict):
    """Where a rep is told on a channel. to: what `{to}` in its URL stands for; the rep's `email` where it is left out"""

    channel: RuleId
    to: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Rep(Strict):
    """A person who takes leads.

    capacity: open leads at a time;  per_day, per_week: leads that they are given at most between two midnights of their zone, and
              from Monday to Sunday; one that did not count, and was given back, is none
    languages, skills, level: what a pool may ask for or prefer;  active: takes new leads at all
    calendar: when they are at work, at any time where none is named;  absences: when not, whatever else holds
    on_call:  when they are at work although the calendar is closed
    notify:   where they are told of offers, reminders and what is late, on all of these channels;  tell_in: in which language; the
              first of `languages` that is Japanese or English, where it is left out, else that of their zone
    """

    id: RuleId
    name: str
    email: str | None = None
    zone: Zone = "Asia/Tokyo"
    manager: RuleId | None = None
    capacity: Cap = 50
    per_day: Cap | None = None
    per_week: Cap | None = None
    languages: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    level: Level = Field(default=1, description="1 a beginner … 5 who takes anything")
    active: bool = True
    calendar: RuleId | None = None
    absences: tuple[Period, ...] = ()
    on_call: tuple[Period, ...] = ()
    notify: tuple[Address, ...] = Field(default=(), max_length=5)
    tell_in: Literal["ja", "en"] | None = None

    @model_validator(mode="after")
    def _one_address_a_channel(self) -> Rep:
        channels = [address.channel for address in self.notify]
        if len(channels) != len(set(channels)):
            raise PydanticCustomError("notify", "`notify` names a channel twice")
        return self


class Member(Strict):
    """A rep in a pool; a weight of 2 gets twice the leads of a weight of 1."""

    rep: RuleId
    weight: Annotated[int, Field(ge=1, le=100)] = 1


class Requirement(Strict):
    """All `skills` that a member must have to get a lead for which `when` holds; any lead, where that is left out."""

    when: condition_of(ROUTING_FIELDS) = Field(default_factory=dict)  # type: ignore[valid-type]
    skills: tuple[Word, ...] = Field(min_length=1)


class Preference(Strict):
    """Points for a member who has all that it names: `skills`, at least this `level`, the lead's `language`; for leads for which
    `when` holds."""

    when: condition_of(ROUTING_FIELDS) = Field(default_factory=dict)  # type: ignore[valid-type]
    skills: tuple[Word, ...] = ()
    level: Level | None = None
    language: bool = False
    points: Annotated[int, Field(ge=1, le=1000)] = 1


Strategy = Literal["fair", "sticky", "least_loaded", "best_fit"]
Mode = Literal["offer", "assign", "dispatch", "claim"]


class Queue(Strict):
    """How long a lead may wait to be given out or taken, and what becomes of it then.

    within:  seconds, counted while the pool's `manager` is at work, where one with hours is named; by the clock otherwise
    overdue: `fair`: offered to who is next by the pool's strategy;  `manager`: to the pool's manager, or theirs
    """

    within: Seconds = 3600
    overdue: Literal["fair", "manager"] = "fair"


class Pool(Strict):
    """Reps who share leads.

    mode:     `offer` is to be accepted or declined, `assign` is accepted by the first touch;  in `dispatch` a manager gives each
              lead to a member, and in `claim` a member takes it, out of a queue
    queue:    of the last two: how long a lead may wait there
    strategy: who of the eligible is next. `fair`: by weighted share, to within one lead;  `sticky`: who had the lead in an earlier
              cycle, or else holds another one of its company, before the fair turn, and apart from it;  `least_loaded`: fewest
              open leads for their weight;  `best_fit`: most points by `prefers`. Of equals by the last two the fair turn decides
    requires: skills that are a must;  prefers: what gives points
    manager:  a rep who gets what the whole pool has had and given back; the manager of who had it last, where none is named
    """

    id: RuleId
    label: Label = Label()
    manager: RuleId | None = None
    mode: Mode = "offer"
    queue: Queue = Queue()
    members: tuple[Member, ...] = Field(min_length=1)
    match_language: bool = Field(
        default=False, description="only members who speak the lead's language, where it is known"
    )
    strategy: Strategy = "fair"
    requires: tuple[Requirement, ...] = ()
    prefers: tuple[Preference, ...] = ()


class TeamsPolicy(Policy):
    kind: Literal["teams"] = "teams"
    calendars: tuple[Calendar, ...] = ()
    channels: tuple[Channel, ...] = Field(default=(), max_length=50)
    reps: tuple[Rep, ...]
    pools: tuple[Pool, ...]
