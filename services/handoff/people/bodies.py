"""What is sent and shown of people."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.handoff.bodies import Day, Note, ShortText
from services.handoff.people.risks import Risk
from services.handoff.people.stakeholder import ROLES, Prepared, Role, Stakeholder, Stance
from services.handoff.people.words import NEMAWASHI_WORDS, RISKS, ROLE_WORDS, STANCE_WORDS
from shared.kit.asked import Asked
from shared.kit.clock import iso
from shared.schemas.vocabulary import Word

PERSONAL = ("name", "title", "department", "email", "phone", "note")
LEVELS = {"low": 1, "medium": 2, "high": 3}
PersonId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$",
        description="yours, such as the CRM's id of the contact; nothing personal, such as an address",
        examples=["003R00000X1"],
    ),
]
Influence = Literal[1, 2, 3] | Literal["low", "medium", "high"]


class NemawashiBody(Asked):
    """How far somebody was prepared (根回し)."""

    state: Prepared = "untouched"
    on: Day | None = None
    by: ShortText | None = Field(default=None, description="who of ours spoke to them")


class PersonFields(Asked):
    """What is known of a person, as far as it is said."""

    title: ShortText | None = None
    department: ShortText | None = None
    email: ShortText | None = None
    phone: ShortText | None = None
    note: Note | None = None
    roles: list[Role] = Field(default=[], max_length=len(ROLES), description="the parts in the buying centre")
    stance: Stance = "unknown"
    influence: Influence | None = Field(default=None, description="1 or `low` … 3 or `high`")
    reports_to: ShortText | None = Field(default=None, description="another stakeholder, by id")
    met_on: Day | None = Field(default=None, description="when one of ours met them last")
    nemawashi: NemawashiBody = NemawashiBody()


class PutPerson(PersonFields):
    """A person: what is left out is not known."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "山田 一郎",
                    "title": "情報システム部 部長",
                    "department": "情報システム部",
                    "roles": ["decision_maker"],
                    "stance": "support",
                    "influence": "high",
                    "nemawashi": {"state": "explained", "on": "2026-11-18", "by": "sato"},
                }
            ]
        },
    )
    name: ShortText


class PostPerson(PutPerson):
    """A person, with an id of ours where none is given."""

    id: PersonId | None = None


class PatchPerson(PersonFields):
    """What changes of a person: what is left out stays, and null is not known."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"stance": "concern"}]})
    name: ShortText | None = None


class Moved(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"successor": "suzuki-it"}]})

    successor: ShortText | None = Field(default=None, description="who has the post now: another stakeholder, by id")
    left: bool = Field(default=False, description="the company, not only the post")


class Verified(Asked):
    model_config = ConfigDict(json_schema_extra={"examples": [{"gone": True}]})

    gone: bool = Field(description="whether they have moved indeed")


class Named(BaseModel):
    code: str
    label: dict[str, str] = Field(examples=[{"en": "Decision maker", "ja": "決裁者"}])


class NemawashiView(Named):
    on: date | None
    by: str | None


class PersonView(BaseModel):
    """A person of the customer's in this deal."""

    id: str
    version: int = Field(description="the ETag: send it as If-Match to change only what you have seen")
    name: str | None
    title: str | None
    department: str | None
    department_id: str | None = Field(description="as Baton reads it (vocabulary, section 2)")
    email: str | None
    phone: str | None
    note: str | None
    roles: list[Named]
    stance: Named
    influence: int | None
    reports_to: str | None
    met_on: date | None
    nemawashi: NemawashiView
    moved_at: str | None
    left: bool
    successor: str | None
    verified_at: str | None


class RiskView(BaseModel):
    code: str = Field(examples=["no_decision_maker"])
    text: dict[str, str] = Field(examples=[{"en": "Nobody who decides is known", "ja": "決裁者が未特定です"}])
    about: list[str] = Field(description="stakeholders whom it concerns")


class PeopleView(BaseModel):
    """All people of a deal, and what is missing among them."""

    items: list[PersonView]
    risks: list[RiskView]


def with_fields(known: Stakeholder, given: dict[str, Any]) -> Stakeholder:
    """`known`, with the fields that are given, and of 根回し those that are given of it."""
    person = {**known.person}
    for name in PERSONAL:
        if name in given:
            person["free_text" if name == "note" else name] = given[name]
    fields: dict[str, Any] = {name: given[name] for name in ("stance", "reports_to", "met_on") if name in given}
    if "roles" in given:
        fields["roles"] = tuple(sorted(set(given["roles"] or ()), key=ROLES.index))
    if "influence" in given:
        fields["influence"] = LEVELS.get(given["influence"], given["influence"])
    if "nemawashi" in given:
        fields["nemawashi"] = replace(known.nemawashi, **given["nemawashi"])
    kept = {name: value for name, value in person.items() if value}
    return replace(known, person=kept, **{**fields, "stance": fields.get("stance", known.stance) or "unknown"})


def person_view(one: Stakeholder) -> PersonView:
    return PersonView(
        id=one.stakeholder_id,
        version=one.version,
        **{name: one.person.get("free_text" if name == "note" else name) for name in PERSONAL},
        department_id=one.department(),
        roles=[_named(role, ROLE_WORDS[role]) for role in one.roles],
        stance=_named(one.stance, STANCE_WORDS[one.stance]),
        influence=one.influence,
        reports_to=one.reports_to,
        met_on=one.met_on,
        nemawashi=NemawashiView(
            **_named(one.nemawashi.state, NEMAWASHI_WORDS[one.nemawashi.state]).model_dump(),
            on=one.nemawashi.on,
            by=one.nemawashi.by,
        ),
        moved_at=iso(one.moved_at) if one.moved_at is not None else None,
        left=one.left,
        successor=one.successor,
        verified_at=iso(one.verified_at) if one.verified_at is not None else None,
    )


def risk_view(risk: Risk) -> RiskView:
    return RiskView(code=risk.code, text=RISKS[risk.code]._asdict(), about=list(risk.about))


def _named(code: str, word: Word) -> Named:
    return Named(code=code, label=word._asdict())
