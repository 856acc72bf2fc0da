"""What is remembered of one identity. All of it are joins, so it may be told twice, in any order, by anybody."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Set
from operator import itemgetter
from typing import NamedTuple, Protocol

import msgspec

from services.scoring.domain import ledger
from services.scoring.domain.ledger import Bucket, Days, Ledger, Moments, days_of, event_of, mark_of, moments_of
from shared.schemas.touches import Scalar
from shared.schemas.vocabulary import VOID

LATEST_TOUCHES = 20
MOST_ACCOUNTS = 10  # companies that an identity named last, by account key and mail domain
MOST_DOMAINS = 10  # that it named first: to know when each began
MOST_VERDICTS = 500  # events condemned last, of one identity
MOST_SAID = 50  # answers to one question by one source, of one identity: those learnt last
REAL, TEST = 1, 2  # bits of Memory.seen
UNHEARD = -1
ANSWERED = "answered"  # type of what stands for an answer that a rep was given: no touch, so that no rule counts it
CONFIDENCE = ".confidence"  # and a question before it: how sure the answer is, of the same source and event
DAYS = ""  # in place of a rule key
OUTCOME = "outcome"  # kind of the identity that stands for what sales says of a lead


class TouchLike(Protocol):
    """The part of a touch that is remembered."""

    event_id: str
    identity_kind: str
    source_id: str
    trusted: bool
    type: str
    event: str | None
    at: int
    received_at: int
    path: str | None
    topic: str | None
    campaign: str | None
    automated: bool
    is_test: bool
    attributes: dict[str, Scalar]
    evidence: dict[str, str]
    condemns: tuple[str, ...]


class AnswerLike(TouchLike, Protocol):
    """An answer that a rep was given, or that one is void."""

    answer: str
    said: dict[str, Said]


class Told(NamedTuple):
    """A value, by the event that told it; the latest (at, event_id) stands."""

    at: int
    event_id: str
    value: Scalar
    trusted: bool = False


class Said(NamedTuple):
    """An answer that a rep was given: of those that are not void the latest (at, recorded_at, event) stands.

    at:          when it was learnt, ms;  recorded_at: when it was recorded; UNHEARD while all that was heard is that it is void
    code:        VOID, where earlier programs of handoff told that what had been learnt at that moment is void, not which answer
    confidence:  how sure it is, where that was said
    void:        the event by which it is void; of several the last by name; empty while it holds
    """

    at: int
    recorded_at: int = UNHEARD
    code: str = ""
    confidence: float | None = None
    void: str = ""

    def join(self, other: Said) -> Said:
        """What both tell of one answer."""
        one = max(self, other, key=lambda said: (*said[1:3], said.confidence is not None, said.confidence or 0.0))
        return one._replace(at=max(self.at, other.at), void=max(self.void, other.void))

    def holds(self) -> bool:
        return not self.void and self.code not in ("", VOID)


class Recent(NamedTuple):
    """One of the latest touches."""

    at: int
    event_id: str
    received_at: int
    type: str
    event: str | None = None
    path: str | None = None
    topic: str | None = None
    campaign: str | None = None


class Raised(NamedTuple):
    """The latest touch of one hand-raise type."""

    at: int
    event_id: str
    received_at: int


class Origin(NamedTuple):
    """A touch's source."""

    at: int
    event_id: str
    source_id: str


class Named(NamedTuple):
    """When a company's account was last named, and by which event."""

    at: int
    event_id: str


ByFieldAndSource = dict[str, dict[str, Told]]
Answers = dict[str, dict[str, dict[str, Said]]]  # by question, source, and the event that told the answer
Accounts = dict[str, dict[str, Named]]  # by account key, and the mail domain that was named with it, or ""
_moment = itemgetter(0, 1)  # (at, event_id)


class Memory(msgspec.Struct, array_like=True, dict=True):
    """One identity's memory.

    kind:        kind of identity, empty until known
    received_at: the largest of all touches joined, ms
    seen:        bits: REAL and TEST touches
    attributes, evidence: by name and source, the latest;  person: by field, the latest
    touches:     the latest 20 that a human did, oldest first;  hand_raises: by touch type, the latest
    first, last: where the earliest and the latest touch came from
    condemned:   events that turned out to be a machine's, by the moment of the verdict, ms
    accounts:    companies that it was said to belong to, by account key and by the mail domain that was named with it
    begun:       when each of those mail domains was first named, ms; of too many the earliest
    answers:     all that reps were told, so that what is left stands where one is void; `evidence` has the latest of them, too,
                 as it was kept before and earlier programs read it

    Its dictionary, which is not encoded, holds by key what was read of its marks, until they change, and the days of some keys.
    """

    kind: str = ""
    received_at: int = 0
    seen: int = 0
    marks: Ledger = {}
    touches: list[Recent] = []
    attributes: ByFieldAndSource = {}
    evidence: ByFieldAndSource = {}
    person: dict[str, Told] = {}
    hand_raises: dict[str, Raised] = {}
    first: Origin | None = None
    last: Origin | None = None
    condemned: dict[bytes, int] = {}
    accounts: Accounts = {}
    begun: dict[str, int] = {}
    answers: Answers = {}

    def copy(self) -> Memory:
        """One that may be changed without changing this one."""
        copied = Memory(
            self.kind,
            self.received_at,
            self.seen,
            {key: dict(buckets) for key, buckets in self.marks.items()},
            list(self.touches),
            {name: dict(by) for name, by in self.attributes.items()},
            {name: dict(by) for name, by in self.evidence.items()},
            dict(self.person),
            dict(self.hand_raises),
            self.first,
            self.last,
            dict(self.condemned),
            {account: dict(by) for account, by in self.accounts.items()},
            dict(self.begun),
            {name: {source: dict(said) for source, said in by.items()} for name, by in self.answers.items()},
        )
        copied.__dict__.update(self.__dict__)
        return copied

    def moments(self, key: str) -> Moments:
        """Of the marks of a key that it has."""
        found: Moments | None = self.__dict__.get(key)
        if found is None or found.buckets != len(self.marks[key]):
            found = self.__dict__[key] = moments_of(self.marks[key])
        return found

    def days(self, keys: Set[str], zone: int) -> Days:
        """On which it has marks of any of these keys."""
        found: Days | None = self.__dict__.get(DAYS)
        same = found is not None and (found.keys is keys or found.keys == keys) and found.zone == zone
        if found is None or not same or found.buckets != self._buckets(keys):
            found = self.__dict__[DAYS] = days_of(self.marks, keys, zone)
        return found

    def _buckets(self, keys: Set[str]) -> int:
        return sum([len(buckets) for key, buckets in self.marks.items() if key in keys])

    def remember(
        self, touch: TouchLike, slots: Iterable[tuple[str, Bucket]], person: Mapping[str, str], raises_hand: bool
    ) -> None:
        """Take in one touch. slots: rule keys and buckets that it marks;  raises_hand: its type asks to be contacted."""
        at, event_id = touch.at, touch.event_id
        self.kind = touch.identity_kind
        self.received_at = max(self.received_at, touch.received_at)
        self.seen |= TEST if touch.is_test else REAL
        self.mark(at, event_id, slots)
        for name, value in touch.attributes.items():
            _hear(self.attributes.setdefault(name, {}), touch.source_id, Told(at, event_id, value, touch.trusted))
        if isinstance(account := touch.attributes.get("account"), str):
            named_with = touch.attributes.get("domain") if touch.attributes.get("own_domain") is True else None
            domain = named_with if isinstance(named_with, str) else ""
            name_company(self.accounts, account, domain, Named(at, event_id))
            _bound(self.accounts)
            if domain:
                begin_domain(self.begun, domain, at)
        for condemned in touch.condemns:
            _condemn(self.condemned, event_of(condemned), touch.received_at)
        self._hear_evidence(touch)
        for name, value in person.items():
            _hear(self.person, name, Told(at, event_id, value))
        if touch.automated:  # a scanner's click is no touch of a person's
            return
        if raises_hand:
            _raise(self.hand_raises, touch.type, Raised(at, event_id, touch.received_at))
        origin = Origin(at, event_id, touch.source_id)
        self.first = min(self.first or origin, origin)
        self.last = max(self.last or origin, origin)
        touches = self.touches
        if len(touches) < LATEST_TOUCHES or _moment(touches[0]) <= (at, event_id):
            recent = Recent(
                at, event_id, touch.received_at, touch.type, touch.event, touch.path, touch.topic, touch.campaign
            )
            _insert(touches, recent)

    def mark(self, at: int, event_id: str, slots: Iterable[tuple[str, Bucket]]) -> None:
        mark = b""
        days: Days | None = self.__dict__.pop(DAYS, None)
        if days is not None and days.buckets != self._buckets(days.keys):
            days = None
        for key, bucket in slots:
            mark = mark or mark_of(at, event_of(event_id))
            known: Moments | None = self.__dict__.pop(key, None)
            before = len(self.marks.get(key, ()))
            stands = known is not None and known.buckets == before
            more = ledger.record(self.marks, key, bucket, mark)
            buckets = len(self.marks[key]) - before
            if known is not None and stands and more == 0:
                self.__dict__[key] = known
            elif known is not None and stands and more and known.all[-1] <= at:
                self.__dict__[key] = known.and_last(at, buckets)
            if days is not None and key in days.keys and more != 0:
                days = days.and_last(at, buckets) if more and days.all and days.all[-1] <= at else None
        if days is not None:
            self.__dict__[DAYS] = days

    def hear_outcome(self, at: int, event_id: str, slots: Iterable[tuple[str, Bucket]]) -> None:
        """Take in what sales says of the lead; nothing that the lead did."""
        self.kind = OUTCOME
        self.received_at = max(self.received_at, at)
        self.mark(at, event_id, slots)

    def hear_answer(self, touch: AnswerLike) -> None:
        """Take in what a rep was told of the lead, or that it is void; nothing that the lead did."""
        self.kind = OUTCOME
        self.received_at = max(self.received_at, touch.received_at)
        self._hear_evidence(touch)
        for question, said in touch.said.items():
            hear_said(self.answers, question, touch.source_id, touch.answer, said)

    def _hear_evidence(self, touch: TouchLike) -> None:
        for name, code in touch.evidence.items():
            told = Told(touch.at, touch.event_id, code, touch.trusted)
            _hear(self.evidence.setdefault(name, {}), touch.source_id, told)

    def absorb(self, other: Memory) -> None:
        """Join what another worker remembers of the same identity."""
        self.kind = self.kind or other.kind
        self.received_at = max(self.received_at, other.received_at)
        self.seen |= other.seen
        ledger.absorb(self.marks, other.marks)
        self.__dict__.clear()
        for ours, theirs in ((self.attributes, other.attributes), (self.evidence, other.evidence)):
            for name, by_source in theirs.items():
                for source, told in by_source.items():
                    _hear(ours.setdefault(name, {}), source, told)
        for name, told in other.person.items():
            _hear(self.person, name, told)
        for kind, raised in other.hand_raises.items():
            _raise(self.hand_raises, kind, raised)
        for recent in other.touches:
            _insert(self.touches, recent)
        firsts = [origin for origin in (self.first, other.first) if origin]
        lasts = [origin for origin in (self.last, other.last) if origin]
        self.first, self.last = min(firsts, default=None), max(lasts, default=None)
        for event, at in other.condemned.items():
            _condemn(self.condemned, event, at)
        for account, by_domain in other.accounts.items():
            for domain, named in by_domain.items():
                name_company(self.accounts, account, domain, named)
        _bound(self.accounts)
        for domain, at in other.begun.items():
            begin_domain(self.begun, domain, at)
        for answer in every_answer(other.answers):
            hear_said(self.answers, *answer)

    def tidy(self, before: int = -1) -> int:
        """Forget marks that count 0 for ever, keep to the bounds; how many marks and verdicts those refused.

        before: `received_at` when it was tidied last

        `as_of` of whatever lead this identity belongs to is never before its own `received_at`, so un-merging stays exact.
        """
        refused = ledger.tidy(self.marks, self.received_at, before)
        if len(self.condemned) > MOST_VERDICTS:
            latest = sorted(self.condemned, key=lambda event: (self.condemned[event], event))
            for event in latest[:-MOST_VERDICTS]:
                del self.condemned[event]
                refused += 1
        return refused


def _hear(register: dict[str, Told], name: str, told: Told) -> None:
    known = register.get(name)
    if known is None or _moment(told) > _moment(known):
        register[name] = told


def every_answer(answers: Answers) -> Iterator[tuple[str, str, str, Said]]:
    """Each with its question, source and event."""
    for question, by_source in answers.items():
        for source, by_event in by_source.items():
            for event, said in by_event.items():
                yield question, source, event, said


def hear_said(answers: Answers, question: str, source: str, event: str, said: Said) -> None:
    """Note an answer, into what the caller owns. Of too many those stay that were learnt last, void or not: whether one is among
    them, nothing told later of the others changes."""
    known = answers.setdefault(question, {}).setdefault(source, {})
    known[event] = known[event].join(said) if event in known else said
    if len(known) > MOST_SAID:
        del known[min(known, key=lambda one: (known[one].at, one))]


def _raise(register: dict[str, Raised], kind: str, raised: Raised) -> None:
    known = register.get(kind)
    # An event that was received twice keeps its first receipt.
    if known is None or (*_moment(raised), -raised.received_at) > (*_moment(known), -known.received_at):
        register[kind] = raised


def _insert(touches: list[Recent], recent: Recent) -> None:
    moment = _moment(recent)
    for index in range(len(touches) - 1, -1, -1):
        there = _moment(touches[index])
        if there == moment:
            if recent.received_at < touches[index].received_at:
                touches[index] = recent
            return
        if there < moment:
            break
    insort(touches, recent, key=_moment)
    del touches[:-LATEST_TOUCHES]


def _condemn(register: dict[bytes, int], event: bytes, at: int) -> None:
    register[event] = max(at, register.get(event, at))


def name_company(accounts: Accounts, account: str, domain: str, named: Named) -> None:
    """Note that a company was named, into what the caller owns."""
    by_domain = accounts.setdefault(account, {})
    by_domain[domain] = max(by_domain.get(domain, named), named)


def begin_domain(begun: dict[str, int], domain: str, at: int) -> None:
    """Note that a mail domain was in use, into what the caller owns. Of too many those stay that began first: what is told later
    can make any begin earlier, and none later."""
    begun[domain] = min(at, begun.get(domain, at))
    if len(begun) > MOST_DOMAINS:
        del begun[max(begun, key=lambda one: (begun[one], one))]


def _bound(accounts: Accounts) -> None:
    """Those named last stay."""
    if sum(map(len, accounts.values())) <= MOST_ACCOUNTS:
        return
    pairs = sorted((*named, account, domain) for account, by in accounts.items() for domain, named in by.items())
    for _, _, account, domain in pairs[:-MOST_ACCOUNTS]:
        del accounts[account][domain]
        if not accounts[account]:
            del accounts[account]
