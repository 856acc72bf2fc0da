"""Keys by which accounts are found: what a lead tells of its company and what is known of an account, in one spelling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from shared.kit.person import reveal
from shared.normalise import phone as phones
from shared.normalise.company import company_match_key, legal_form, split_site
from shared.normalise.email import FREE_MAIL, is_own
from shared.normalise.place import area, prefecture
from shared.schemas.scores import LeadScored

if TYPE_CHECKING:
    from services.router.domain.account import Account

Key = tuple[str, str]  # kind: id, domain, number, name, phone, block (a place, and a name's head or tail); value

BLOCK = 2  # characters that two names share at their head or at their tail to be compared at all
SHORTEST_NAME = 2

_NO_NAME_TEXT = """
本社 本店 会社 個人 個人事業主 個人事業 自営業 自営 フリーランス フリー なし 無し 無 学生 学校 テスト てすと 無職 未定 その他
不明 未記入 社名 会社名 貴社 弊社 当社 同上 大学 病院 営業部 総務部 日本 株式会社 有限会社 合同会社
test testcompany none na null private personal freelance freelancer selfemployed individual student company mycompany unknown other
no nil home retired sample demo example asdf xxx abc aaa
"""
_TO_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_LONG = str.maketrans("", "", "ー")


@lru_cache(maxsize=16_384)
def name_key(name: str) -> str:
    """A name as it is compared: without legal form, marks, blanks, old forms of characters; hiragana as katakana."""
    return company_match_key(name).translate(_TO_KATAKANA)


_NO_NAME = frozenset(name_key(word) for word in _NO_NAME_TEXT.split())


def says_nothing(key: str) -> bool:
    """Whether a name is nobody's: too short, a stopgap such as `個人`, or a prefecture alone."""
    return len(key.translate(_LONG)) < SHORTEST_NAME or key in _NO_NAME or key.isdigit() or prefecture(key) is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a lead tells of its company, normalised; personal, and so never kept.

    account_id: the sender's own id of it, where a trusted sender gave one
    domain:     of its mail, where that is the company's own;  no_domain: it has a free-mail or provider's address
    firm, site: the name without, and the name of, the branch or plant that was named with it
    phone:      E.164, a firm's; never a mobile's
    """

    account_id: str | None = None
    domain: str | None = None
    no_domain: bool = False
    corporate_number: str | None = None
    company: str | None = field(default=None, repr=False)
    firm: str | None = field(default=None, repr=False)
    site: str | None = None
    country: str | None = None
    area: str | None = None
    phone: str | None = field(default=None, repr=False)

    @staticmethod
    def of(score: LeadScored) -> Asked:
        number = reveal(score.person).get("phone")
        return asked(score.attributes, number)


def asked(told: Any, number: str | None = None) -> Asked:
    """What the attributes of a lead (`lead.*`, without the prefix), and its number, tell of its company."""

    def text(name: str) -> str | None:
        value = told.get(name)
        return value if isinstance(value, str) and value else None

    domain, company, where = text("domain"), text("company"), area(text("region"))
    own = domain is not None and told.get("own_domain") is not False and is_own(domain)
    firm, site = split_site(company) if company else (None, None)
    if company and says_nothing(name_key(company)):
        company = firm = None
    if firm and says_nothing(name_key(firm)):
        firm = None
    account = text("account") or ""
    country = text("country")
    return Asked(
        account_id=account.removeprefix("group:") if account.startswith("group:") else None,
        domain=domain if own else None,
        no_domain=domain is not None and not own,
        corporate_number=text("corporate_number"),
        company=company,
        firm=firm,
        site=site,
        country=country.upper() if country else _country(told, where, domain, company, number),
        area=where,
        phone=number if number and not phones.is_mobile(number) else None,
    )


def _country(told: Any, where: str | None, domain: str | None, company: str | None, number: str | None) -> str | None:
    """JP where something says so; the language of a browser only where no number speaks against it, free mail never."""
    japanese = (
        (where or "").startswith("JP-")
        or told.get("corporate_number") is not None
        or (domain is not None and domain.endswith(".jp") and domain not in FREE_MAIL)
        or (
            company is not None
            and (legal_form(company) is not None or any("\u3040" <= char <= "\u30ff" for char in company))
        )
        or (number.startswith("+81") if number else told.get("language") == "ja")
    )
    return "JP" if japanese else None


def exact_keys(lead: Asked) -> Iterator[Key]:
    """Keys of all steps but the fuzzy one."""
    if lead.account_id:
        yield "id", lead.account_id
    if lead.domain:
        yield "domain", lead.domain
    if lead.corporate_number:
        yield "number", lead.corporate_number
    for name in dict.fromkeys((lead.company, lead.firm)):
        if name:
            yield "name", name_key(name)
    if lead.phone:
        yield "phone", lead.phone


def block_keys(lead: Asked) -> Iterator[Key]:
    """Keys of the accounts that the fuzzy step compares; none where the prefecture or state is not known."""
    if lead.area and (name := lead.firm or lead.company):
        yield from _blocks(lead.area, name_key(name))


def _blocks(area: str, key: str) -> Iterator[Key]:
    if len(key) > BLOCK:
        yield "block", f"{area}:{key[:BLOCK]}"
        yield "block", f"{area}:…{key[-BLOCK:]}"


def names_of(account: Account, parent: Account | None = None) -> Iterator[tuple[str, str]]:
    """Every name an account can be found by, and which it is: present, former, kana, other. A site is found by its firm's names."""
    told = [("present", account.name), *(("other", name) for name in account.names)]
    told += [("former", name) for name in account.former_names]
    if account.kana:
        told.append(("kana", account.kana))
    for which, name in told:
        if account.level == "site" and parent is not None and name_key(parent.name) not in name_key(name):
            name = f"{parent.name} {name}"
        yield which, name
        firm, site = split_site(name)
        if site:
            yield which, firm


def label_of(account: Account) -> str | None:
    """The site that an account is: `大阪支店`, whether its name has the firm's in front of it or not."""
    if account.level != "site":
        return None
    return name_key(split_site(account.name)[1] or account.name)


def keys_of(account: Account, parent: Account | None = None) -> frozenset[Key]:
    """All keys of an account; what is nobody's own (free mail, `本社`) is none."""
    keys = {("id", account.account_id)}
    keys |= {("domain", domain) for domain in account.domains if is_own(domain)}
    if account.corporate_number:
        keys.add(("number", account.corporate_number))
    if account.phone and not phones.is_mobile(account.phone):
        keys.add(("phone", account.phone))
    for _, name in names_of(account, parent):
        if not says_nothing(key := name_key(name)):
            keys.add(("name", key))
            if account.area:
                keys |= set(_blocks(account.area, key))
    return frozenset(keys)
