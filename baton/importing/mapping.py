"""mapping.yaml: which column of a file is which field of a touch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from shared.schemas.policies.base import RuleId, Strict

Scalar = str | int | float | bool
RANKS = ("contact", "follow_up", "information")  # the first is the warmest
RANK_WORDS = {"要連絡": "contact", "要フォロー": "follow_up", "情報収集": "information"} | {
    rank: rank for rank in RANKS
}


def _as_columns(raw: Any) -> Any:
    """`氏名` and `[携帯, TEL]` for `{columns: [氏名]}`; `column` for one of them."""
    if isinstance(raw, str):
        return {"columns": [raw]}
    if isinstance(raw, list):
        return {"columns": raw}
    if isinstance(raw, dict) and isinstance(raw.get("column"), str) and "columns" not in raw:
        return {"columns": [raw["column"]], **{name: value for name, value in raw.items() if name != "column"}}
    return raw


def _as_constant(raw: Any) -> Any:
    return {"constant": raw} if isinstance(raw, str) else _as_columns(raw)


class Columns(Strict):
    """A value of a row.

    columns:  where it stands; of several the first that is there and not empty, or with `join` all of them, so joined
    constant: what it is where the columns say nothing (or where there are none)
    values:   what a cell says -> what it means, compared without case, width and blanks; others are taken as they stand
    otherwise: what any other cell means
    """

    columns: tuple[str, ...] = ()
    constant: Scalar | None = None
    join: str | None = None
    values: dict[str, Scalar] = Field(default_factory=dict)
    otherwise: Scalar | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Columns:
        if not self.columns and self.constant is None:
            raise PydanticCustomError("columns", "say which `column` it stands in, or its `constant`")
        return self

    def meanings(self) -> tuple[Scalar, ...]:
        """What the mapping itself names as values."""
        named = (self.constant, *self.values.values(), self.otherwise)
        return tuple(value for value in named if value is not None)


Column = Annotated[Columns, BeforeValidator(_as_columns)]
ConstantOrColumn = Annotated[Columns, BeforeValidator(_as_constant)]


class Fields(Strict):
    """Who a row is about. phone: any number; mobile: one that only this person answers, taken before `phone`.

    kind: competitor, student, supplier, partner, customer, press, academic, group, job_seeker
    """

    email: Column | None = None
    phone: Column | None = None
    mobile: Column | None = None
    name: Column | None = None
    first_name: Column | None = None
    last_name: Column | None = None
    company: Column | None = None
    corporate_number: Column | None = None
    title: Column | None = None
    department: Column | None = None
    employees: Column | None = None
    industry: Column | None = None
    country: Column | None = None
    region: Column | None = None
    postcode: Column | None = None
    address: Column | None = None
    website: Column | None = None
    kind: Column | None = None


class TimeColumn(Columns):
    """format: for `strptime` ("%d/%m/%Y"), where dates are written as no reader could guess."""

    format: str | None = None


class Staff(Columns):
    """Who exchanged the card, as ids of reps. A cell may name several, the first of whom exchanged it.

    names:   what the file calls a rep -> the rep's id; ids, names and addresses of teams.yaml are known without
    unknown: what becomes of a row that names somebody else: refused, or sent without
    """

    names: dict[str, str] = Field(default_factory=dict)
    unknown: Literal["refuse", "leave_out"] = "refuse"


class External(Columns):
    """The id of a person in another system: `system: kintone` and 4711 are kintone:4711."""

    system: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class File(Strict):
    """How the file is written, where detection shall not decide. header_row: as a spreadsheet counts, from 1."""

    encoding: str | None = None
    delimiter: str | None = None
    header_row: int = Field(default=1, ge=1, le=1000)


class Mapping(Strict):
    """What a file's rows mean.

    campaign: what they are credited to: an id of `campaigns` in the sources policy, for all rows or by column
    purpose:  names the file's content where there is no campaign. The same person under the same campaign (else purpose) and
              event is one touch, however often a file says so
    event:    the touch type, for all rows or by column
    event_when: field -> value -> touch type: what a row is instead. `rank: {contact: contact_requested}` makes 要連絡 a hand-raise
    channel:  lead source; by default that of the campaign's kind
    time, zone: when it happened; by default on the campaign's first day
    answers, consents: property -> column, as `evidence` and `consent` of the sources policy name them
    constants: property -> value, for all rows
    memo:     what was said, as it was written down
    country:  of numbers and postcodes of rows that name none
    ignore:   columns that are left out on purpose
    """

    campaign: Annotated[Columns | None, BeforeValidator(_as_constant)] = None
    purpose: RuleId | None = None
    event: ConstantOrColumn
    event_when: dict[str, dict[str, str]] = Field(default_factory=dict)
    channel: str | None = None
    file: File = File()
    time: Annotated[TimeColumn | None, BeforeValidator(_as_columns)] = None
    zone: str = "Asia/Tokyo"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "JP"
    fields: Fields
    staff: Annotated[Staff | None, BeforeValidator(_as_columns)] = None
    rank: Column | None = None
    answers: dict[str, Column] = Field(default_factory=dict)
    consents: dict[str, Column] = Field(default_factory=dict)
    constants: dict[str, Scalar] = Field(default_factory=dict)
    topic: ConstantOrColumn | None = None
    memo: Column | None = None
    external: Annotated[External | None, BeforeValidator(_as_columns)] = None
    is_test: bool = False
    ignore: tuple[str, ...] = ()

    @field_validator("zone")
    @classmethod
    def _zone_is_there(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise PydanticCustomError("zone", "there is no such time zone (`Asia/Tokyo` is one)") from None
        return zone

    @model_validator(mode="after")
    def _is_about_something(self) -> Mapping:
        if self.campaign is None and self.purpose is None:
            raise PydanticCustomError("purpose", "say which `campaign` the rows belong to, or name their `purpose`")
        return self

    def named_columns(self) -> Iterator[tuple[tuple[str | int, ...], Columns]]:
        """Everything that names columns, with its place in the file."""
        for name in ("campaign", "event", "time", "staff", "rank", "topic", "memo", "external"):
            if (found := getattr(self, name)) is not None:
                yield (name,), found
        for name in Fields.model_fields:
            if (found := getattr(self.fields, name)) is not None:
                yield ("fields", name), found
        for group in ("answers", "consents"):
            for name, found in getattr(self, group).items():
                yield (group, name), found
