"""One row of a file as a card: what it tells of one person, and of what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import TypeVar
from zoneinfo import ZoneInfo

from baton.importing.faults import RowRefused
from baton.importing.identity import fold, identify
from baton.importing.mapping import RANK_WORDS, RANKS, Fields, Mapping, Scalar
from baton.importing.rules import Rules
from baton.importing.table import Row, Table
from baton.importing.values import Values
from baton.policies.problems import suggest
from shared.normalise.email import address
from shared.schemas.policies.sources import Campaign
from shared.schemas.vocabulary import TOUCH_TYPES

T = TypeVar("T")
_READS: Map[str, str] = {
    "email": "email",
    "phone": "phone",
    "mobile": "phone",
    "postcode": "postcode",
    "corporate_number": "digits",
    "employees": "number",
}
_SEVERAL = str.maketrans(dict.fromkeys(",、;/", "\n"))  # what parts names in one cell; a blank stands inside names
_CHANNELS: Map[str, str] = {
    "trade_fair": "trade_fair",
    "seminar": "own_seminar",
    "webinar": "webinar",
    "email": "email_nurture",
    "partner": "partner",
}


@dataclass(frozen=True, slots=True)
class Card:
    """rows:  of the file; the first of them told first
    credit: campaign or purpose;  event: what happened;  becomes: the touch type it is sent as
    who:   see `identify`;  staff: ids of reps, the first of whom exchanged the card
    at:    ms; None where nothing says when
    """

    rows: tuple[int, ...]
    credit: str
    campaign: str | None
    event: str
    becomes: str
    who: tuple[str, ...] = field(repr=False)
    fields: Map[str, str] = field(repr=False)
    properties: Map[str, Scalar]
    staff: tuple[str, ...] = ()
    rank: str | None = None
    memo: str | None = field(default=None, repr=False)
    external: str | None = None
    channel: str | None = None
    at: int | None = None


class Cards:
    """Makes cards of the rows of one table. `values.repaired` and `left_out` (names of nobody) fill while it does."""

    def __init__(self, mapping: Mapping, table: Table, rules: Rules) -> None:
        self._mapping, self.values = mapping, Values(table)
        self._zone = ZoneInfo(mapping.zone)
        self._campaigns = rules.campaigns()
        self._reps = {
            **rules.reps(),
            **{fold(n): rep for n, rep in (mapping.staff.names if mapping.staff else {}).items()},
        }
        self._fields = {name: column for name in Fields.model_fields if (column := getattr(mapping.fields, name))}
        self.left_out: Counter[str] = Counter()

    def read(self, row: Row) -> Card:
        """The card in `row`. Raises RowRefused with everything that keeps it from being one."""
        mapping, faults = self._mapping, _Faults()
        if row.surplus:
            faults.add("too_many_cells", f"{row.surplus} more cells than columns: is a quote missing?")
        fields = self._told(row, faults)
        campaign = faults.of("campaign", lambda: self._campaign(row))
        event = faults.of("event", lambda: self._event(row)) or ""
        rank = faults.of("rank", lambda: self._rank(row))
        staff = faults.of("staff", lambda: self._staff(row)) or ()
        at = faults.of("time", lambda: self._moment(row, self._campaigns.get(campaign or "")))
        properties = self._properties(row, faults)
        memo = faults.of("memo", lambda: self._text(row, mapping.memo, "free_text"))
        number = faults.of("external", lambda: self._text(row, mapping.external, "digits"))
        external = f"{mapping.external.system}:{number}" if mapping.external and number else None
        who = faults.of("", lambda: identify(fields, external)) if not faults.about("email") else None
        if faults or who is None:
            raise faults.all()
        return Card(
            (row.number,),
            campaign or mapping.purpose or "",
            campaign,
            event,
            self._becomes(event, {**fields, **properties, "rank": rank or ""}),
            who,
            fields,
            properties,
            staff,
            rank,
            memo,
            external,
            mapping.channel or self._channel(campaign),
            at,
        )

    def _told(self, row: Row, faults: _Faults) -> dict[str, str]:
        """What the row tells of the person."""
        country = faults.of("country", lambda: self._text(row, self._fields.get("country"))) or ""
        of_numbers = country.upper() if len(country) == 2 else self._mapping.country
        told: dict[str, str] = {}
        for name, column in self._fields.items():
            kind = _READS.get(name, "text")
            if found := faults.of(name, lambda c=column, k=kind: self._text(row, c, k, of_numbers)):  # type: ignore[misc]
                told[name] = found
        if (mail := told.get("email")) and address(mail) is None:
            faults.add("bad_email", f"email: `{mail[:80]}` is no address")
        return told

    def _text(self, row: Row, column: object, kind: str = "text", country: str = "JP") -> str | None:
        found = self.values.value(row, column, kind, country)  # type: ignore[arg-type]
        return None if found in (None, "") else str(found)

    def _properties(self, row: Row, faults: _Faults) -> dict[str, Scalar]:
        mapping = self._mapping
        made: dict[str, Scalar] = dict(mapping.constants)
        named = {**mapping.answers, **mapping.consents} | ({"topic": mapping.topic} if mapping.topic else {})
        for name, column in named.items():
            found = faults.of(name, lambda c=column: self.values.value(row, c, "text"))  # type: ignore[misc]
            if found not in (None, ""):
                made[name] = found
        return made

    def _campaign(self, row: Row) -> str | None:
        found = self._text(row, self._mapping.campaign)
        if found is None and self._mapping.purpose is None:
            raise RowRefused("no_campaign", "the row names none, and the mapping has no `purpose`")
        if found is not None and found not in self._campaigns:
            raise RowRefused("unknown_campaign", f"the policy has no `{found}`.{suggest(found, self._campaigns)}")
        return found

    def _event(self, row: Row) -> str:
        found = self._text(row, self._mapping.event)
        if found is None:
            raise RowRefused("no_event", "the row does not say what happened, and the mapping gives no `constant`")
        if found not in TOUCH_TYPES:
            raise RowRefused("unknown_event", f"`{found}` is no touch type: add it to `event: {{values: …}}`")
        return found

    def _rank(self, row: Row) -> str | None:
        found = self._text(row, self._mapping.rank)
        rank = RANK_WORDS.get(found or "", found)
        if rank is not None and rank not in RANKS:
            raise RowRefused(
                "unknown_rank", f"`{found}` is no rank: `rank: {{values: …}}` can say which of {', '.join(RANKS)}"
            )
        return rank

    def _staff(self, row: Row) -> tuple[str, ...]:
        spec, reps = self._mapping.staff, list[str]()
        for part in (self._text(row, spec, "free_text") or "").translate(_SEVERAL).split("\n"):
            name = " ".join(part.split())
            rep = self._reps.get(fold(name))
            if not name or rep in reps:
                continue
            if rep is not None:
                reps.append(rep)
            elif spec and spec.unknown == "leave_out":
                self.left_out[name] += 1
            else:
                raise RowRefused(
                    "unknown_staff", f"`{name}` is nobody of the team: `staff: {{names: …}}` can say who it is"
                )
        return tuple(reps)

    def _moment(self, row: Row, campaign: Campaign | None) -> int | None:
        at = self.values.moment(row, self._mapping.time, self._zone)
        if at is None and campaign and campaign.starts:
            return round(datetime.combine(campaign.starts, time(), self._zone).timestamp() * 1000)
        return at

    def _becomes(self, event: str, facts: Map[str, Scalar]) -> str:
        for name, meanings in self._mapping.event_when.items():
            said = fold(str(facts.get(name, "")))
            for value, touch_type in meanings.items():
                if said and said == fold(value):
                    return touch_type
        return event

    def _channel(self, campaign: str | None) -> str | None:
        found = self._campaigns.get(campaign or "")
        return _CHANNELS.get(found.kind) if found else None


class _Faults:
    """Everything that is wrong with a row, so that it is corrected in one go."""

    def __init__(self) -> None:
        self._found: list[tuple[str, RowRefused]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, code: str, reason: str, about: str = "") -> None:
        self._found.append((about, RowRefused(code, reason)))

    def of(self, what: str, read: Callable[[], T]) -> T | None:
        """What `read` gives; None, and noted, where it refuses."""
        try:
            return read()
        except RowRefused as fault:
            reason = fault.reason.rstrip(".")
            self.add(fault.code, f"{what}: {reason}" if what else reason, what)
            return None

    def about(self, what: str) -> bool:
        return any(about == what for about, _ in self._found)

    def all(self) -> RowRefused:
        return RowRefused(self._found[0][1].code, "; ".join(fault.reason for _, fault in self._found))
