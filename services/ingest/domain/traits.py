"""What an event tells about a person and a company, whatever the sender calls it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from services.ingest.domain import accounts
from services.ingest.domain.channels import TAGS
from services.ingest.domain.envelope import Event
from shared.normalise import company, departments, email, names, phone, place, titles
from shared.normalise.corporate_number import corporate_number
from shared.normalise.text import clean, unnamed

Scalar = str | int | float | bool
Told = dict[str, Any]  # field -> value as sent
Facts = dict[str, Scalar | None]

MOST_FREE_TEXT = 2_000
MOST_KEY = 64  # more than any spelling of a field has; longer ones are not even remembered
KINDS = frozenset(
    {"competitor", "student", "supplier", "partner", "customer", "press", "academic", "group", "job_seeker"}
)

_SPELLINGS = {
    "email": "email mail emailaddress workemail businessemail メール メールアドレス eメール",
    "phone": "phone phonenumber tel telephone mobile mobilephone 電話 電話番号 携帯電話 tel番号",
    "name": "name fullname 氏名 お名前 名前",
    "first_name": "firstname givenname 名",
    "last_name": "lastname surname familyname 姓",
    "title": "title jobtitle position role 役職 肩書",
    "department": "department dept division 部署 部署名 所属 所属部署",
    "company": "company companyname organization organisation organizationname accountname 会社 会社名 企業名 貴社名 法人名 団体名",
    "employees": "employees employeecount numberofemployees numemployees companysize 従業員数 社員数 従業員規模",
    "industry": "industry companyindustry 業種 業界",
    "country": "country countrycode 国",
    "region": "region state prefecture 都道府県 地域",
    "address": "address",
    "kind": "kind leadkind accountkind",
    "postcode": "postcode postalcode zip zipcode 郵便番号",
    "product": "product productname productinterest interestedproduct 製品 製品名 商品 興味のある製品",
    "landing_page": "landingpage landingpageid",
    "origin": "origin leadorigin",
    "free_text": "message comment comments inquiry freetext お問い合わせ内容 問い合わせ内容 ご質問 ご要望 備考",
    "is_test": "istest",
    "automated": "automated",
    "campaign": "campaign campaignname utmcampaign",
    "topic": "topic",
    "corporate_number": "corporatenumber houjinbangou hojinbango houjinbango 法人番号",
    "exchanged_by": "exchangedby cardexchangedby 名刺交換者",
    "rep": "repid salesrepid 担当者id 営業担当者id",
    "rank": "rank leadrank cardrank ランク 展示会ランク 対応ランク",
    **{name: name.replace("_", "") for name in TAGS},
}
# What was noted at a fair, in its words: letters would be taken for grades and forecasts.
_RANKS = {
    **dict.fromkeys(("要連絡", "contact"), "contact"),
    **dict.fromkeys(("要フォロー", "follow_up", "follow-up", "follow up"), "follow_up"),
    **dict.fromkeys(("情報収集", "information"), "information"),
}
OF_A_PERSON = frozenset({"name", "first_name", "last_name", "title", "department"})
_REP = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")  # an id: names of people do not travel outside of `person`
_FIELDS = {spelling: field for field, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_OF_A_COMPANY = {"name": "company", "companyname": "company", "size": "employees", "industry": "industry"}
# On a page or in a product event these mean the page or the product, unless the event is a form with an address in it.
_AMBIGUOUS = frozenset({"title", "name", "kind", "company", "region", "country", "phone"})


@lru_cache(maxsize=8192)
def _field(key: str) -> str | None:
    return _FIELDS.get(key.lower().replace("_", "").replace("-", "").replace(" ", ""))


@lru_cache(maxsize=1024)
def _company_field(key: str) -> str | None:
    folded = key.lower().replace("_", "").replace("-", "").replace(" ", "")
    return _OF_A_COMPANY.get(folded) or _FIELDS.get(folded)


def told_by(event: Event) -> Told:
    """The fields that an event tells: traits first, then context.traits, then what a track event's form fields say."""
    told: Told = {}
    if event.call == "group":
        _gather(told, event.traits, _company_field)
    elif event.traits:
        _gather(told, event.traits, _field)
    mirrored = event.context.get("traits")
    if isinstance(mirrored, dict) and mirrored is not event.traits:
        _gather(told, mirrored, _field)
    if event.properties:
        _gather_form(told, event)
    nested = told.get("company")
    if isinstance(nested, dict):
        del told["company"]
        _gather(told, nested, _company_field)
    where = told.get("address")
    if isinstance(where, dict):
        _gather(told, {key: where[key] for key in ("country", "state", "region", "prefecture") if key in where}, _field)
    return told


def _gather(told: Told, said: Mapping[str, Any], field_of: Any) -> None:
    for key, value in said.items():
        field = field_of(key) if len(key) <= MOST_KEY else None
        if field and field not in told and value is not None and value != "":
            told[field] = value


def _gather_form(told: Told, event: Event) -> None:
    said: Told = {}
    _gather(said, event.properties, _field)
    form = event.call == "track" and "email" in said
    for field, value in said.items():
        if field not in told and (form or field not in _AMBIGUOUS):
            told[field] = value


def attributes(
    event: Event, told: Told, address: str | None, free_mail: frozenset[str], *, trusted: bool = False
) -> dict[str, Scalar]:
    """Normalised facts about the lead, named as in the catalogue without `lead.`; nothing personal."""
    facts: Facts = {}
    if told:
        for field, value in told.items():
            if read := _READERS.get(field):
                read(facts, value)
    domain = None
    if address:
        facts["domain"] = domain = email.domain(address)
        facts["own_domain"] = email.is_own(domain, free_mail)
    if facts or trusted:
        number = facts.get("corporate_number")
        group = accounts.group_of(event) if trusted else None
        facts["account"] = accounts.account(number if isinstance(number, str) else None, group, domain, free_mail)
    if locale := event.context.get("locale"):
        facts["language"] = place.language(locale)
    return {field: value for field, value in facts.items() if value is not None}


def mobile(told: Told) -> str | None:
    """The mobile number that one person alone has, with their family name: `+819012345678/山田`; None where either is missing.

    The same number under another family name is somebody else's: the next holder of a phone that stays with the post.
    """
    number = phone.number(told.get("phone"), place.country(told.get("country")))
    if number is None or not phone.is_mobile(number):
        return None
    family = names.family_name(told.get("last_name"), told.get("name"))
    return f"{number}/{family}" if family else None


def yes(value: Any) -> bool:
    """Whether a flag is set: as a truth value, or as forms and trackers write one."""
    return value is True or (isinstance(value, str) and value.strip().lower() in ("true", "1", "yes"))


def _of_title(facts: Facts, value: Any) -> None:
    if not (title := clean(value)):
        return
    level, confidence = titles.rank(title)
    facts["level"], facts["level_confidence"] = level, confidence
    if level == "student":
        facts.setdefault("kind", "student")
    department = departments.department(title)  # senders who join both in one field: `情報システム部 部長`
    if department != departments.OTHER:
        facts.setdefault("department", department)


def _of_department(facts: Facts, value: Any) -> None:
    if department := clean(value):
        facts["department"] = departments.department(department)


def _of_employees(facts: Facts, value: Any) -> None:
    if people := company.employees(value):
        facts["employees"], facts["size_band"] = people, company.size_band(people)


def _of_kind(facts: Facts, value: Any) -> None:
    kind = clean(value)
    if kind and kind.casefold() in KINDS:
        facts["kind"] = kind.casefold()


def _of_rank(facts: Facts, value: Any) -> None:
    facts["rank"] = _RANKS.get((clean(value, 20) or "").lower())


def rep(value: Any) -> str | None:
    """The id of a rep of ours; None for what is none."""
    named = clean(value, MOST_KEY)
    return named if named and _REP.match(named) else None


def _of_exchange(facts: Facts, value: Any) -> None:
    facts["exchanged_by"] = rep(value)


def _reader(name: str, read: Callable[[Any], Scalar | None]) -> Callable[[Facts, Any], None]:
    def into(facts: Facts, value: Any) -> None:
        facts[name] = read(value)

    return into


def _postcode(value: Any) -> str | None:
    """Letters, digits and `-` alone, in one width: `100-0001`, `SW1A1AA`."""
    text = re.sub(r"[^0-9A-Z-]", "", (clean(value, 20) or "").upper().replace("−", "-").replace("ー", "-"))
    return text if any(sign.isdigit() for sign in text) else None


_READERS: Mapping[str, Callable[[Facts, Any], None]] = {
    "title": _of_title,
    "department": _of_department,
    "employees": _of_employees,
    "kind": _of_kind,
    "company": _reader("company", lambda value: unnamed(company.company_name(value))),
    "industry": _reader("industry", lambda value: unnamed(company.industry(value))),
    "country": _reader("country", place.country),
    "region": _reader("region", lambda value: unnamed(clean(value))),
    "landing_page": _reader("landing_page", lambda value: unnamed(clean(value))),
    "origin": _reader("origin", lambda value: unnamed(clean(value))),
    "corporate_number": _reader("corporate_number", corporate_number),
    "exchanged_by": _of_exchange,
    "rank": _of_rank,
    "postcode": _reader("postcode", lambda value: _postcode(value)),
    "product": _reader("product", lambda value: unnamed(clean(value, 100))),
}


def personal(told: Told, address: str | None) -> dict[str, str | None]:
    """What is personal in what was told, for `shared.kit.person.seal`. An IP address and a user agent are not kept at all."""
    if not told and not address:
        return {}
    person: dict[str, str | None] = {"email": address}
    for field, value in told.items():
        if read := _PERSONAL.get(field):
            person[field] = read(value)
    if "phone" in told:
        person["phone"] = phone.number(told["phone"], place.country(told.get("country")))
    return person


def _free_text(value: Any) -> str | None:
    return value.strip()[:MOST_FREE_TEXT] or None if isinstance(value, str) else None


_PERSONAL: Mapping[str, Callable[[Any], str | None]] = {
    "name": names.person_name,
    "first_name": names.person_name,
    "last_name": names.person_name,
    "title": clean,
    "department": clean,
    "free_text": _free_text,
}
