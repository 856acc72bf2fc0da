"""A CSV of accounts or of registered deals, row by row; what cannot be read is refused with its reason."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from baton.errors import OperatorError
from baton.importing import dates, repairs
from baton.importing.faults import RowRefused
from baton.importing.plan import Refused
from baton.importing.table import OURS, Row, Table, fold_header
from baton.policies.problems import suggest
from services.router.domain.matching.keys import name_key, says_nothing
from shared.normalise import email, phone, place
from shared.normalise.company import company_name
from shared.normalise.corporate_number import corporate_number
from shared.schemas.accounts import KIND_WORDS, KINDS, LEVELS

Values = dict[str, Any]  # field of an account -> value; a column that the file lacks is absent
ACCOUNT_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")
_REP = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")
_MANY = re.compile(r"[;;\n|]+")
_DOMAINS = re.compile(r"[\s,、;;|]+")
_YES = frozenset({"yes", "true", "1", "y", "○", "◯", "はい", "既存", "有"})
_NO = frozenset({"no", "false", "0", "n", "×", "いいえ", "新規", "無", ""})
_LEVEL_WORDS = {"グループ": "group", "法人": "legal_entity", "会社": "legal_entity", "拠点": "site", "事業所": "site"}
_KIND_WORDS = {word.casefold(): kind for kind, words in KIND_WORDS.items() for word in words} | {
    "顧客": "end_customer",
    "パートナー": "partner",
    "販売店": "partner",
    "競合他社": "competitor",
    "大学": "academic",
}

# Field of an account -> how columns of it may be called, folded.
ACCOUNT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "account_id": ("id", "account_id", "accountid", "取引先id", "顧客id", "取引先コード"),
    "name": ("name", "account", "company", "会社名", "社名", "取引先名", "企業名"),
    "kind": ("kind", "種別", "取引先種別"),
    "level": ("level", "階層", "レベル"),
    "parent": ("parent", "parent_id", "親取引先", "親id", "親取引先id"),
    "domains": ("domains", "domain", "ドメイン"),
    "corporate_number": ("corporate_number", "法人番号"),
    "names": ("names", "other_names", "別名", "英語社名"),
    "former_names": ("former_names", "旧社名", "旧商号"),
    "kana": ("kana", "カナ", "フリガナ", "会社名カナ"),
    "country": ("country", "国"),
    "area": ("prefecture", "state", "都道府県"),
    "postcode": ("postcode", "zip", "郵便番号"),
    "phone": ("phone", "tel", "電話番号", "代表電話", "電話"),
    "tier": ("tier", "ティア", "ランク"),
    "owner": ("owner", "担当", "担当者", "営業担当"),
    "region": ("region", "地域", "エリア"),
    "fiscal_month": ("fiscal_month", "決算月"),
    "is_customer": ("is_customer", "customer", "既存顧客", "取引有無"),
    "account_manager": ("account_manager", "顧客担当"),
}
DEAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "registration_id": ("id", "registration_id", "登録番号", "案件番号"),
    "partner": ("partner", "partner_id", "代理店", "代理店id"),
    "account_id": ("account", "account_id", "取引先", "取引先id"),
    "protected_until": ("protected_until", "保護期限", "有効期限"),
}


@dataclass(frozen=True, slots=True)
class Read:
    """rows: what each row says, by its number;  unused: columns that mean nothing here;  absent: fields that no column gives"""

    table: Table
    rows: Mapping[int, Values]
    refused: tuple[Refused, ...]
    unused: tuple[str, ...]
    absent: frozenset[str]

    def row(self, number: int) -> Row:
        return next(row for row in self.table.rows if row.number == number)


def accounts(table: Table) -> Read:
    """What the file says of accounts. Raises OperatorError for a file without the columns that every account needs."""
    return _read(table, ACCOUNT_COLUMNS, ("account_id", "name"), _account)


def deals(table: Table, zone: ZoneInfo) -> Read:
    """What the file says of registered deals. A date protects to its end in `zone`. Raises OperatorError."""
    return _read(table, DEAL_COLUMNS, tuple(DEAL_COLUMNS), lambda cells: _deal(cells, zone))


def _read(
    table: Table,
    known: Mapping[str, tuple[str, ...]],
    needed: Iterable[str],
    read: Callable[[Mapping[str, str]], Values],
) -> Read:
    columns, unused = _columns(table, known)
    missing = [field for field in needed if field not in columns]
    if missing:
        wanted = ", ".join(f"`{known[field][0]}`" for field in missing)
        raise OperatorError(f"{table.path} has no column {wanted}; it has {', '.join(table.columns)}")
    rows: dict[int, Values] = {}
    refused: list[Refused] = []
    first: dict[str, int] = {}
    key = next(iter(known))
    for row in table.rows:
        cells = {field: repairs.text(row.cells[at]).strip() for field, at in columns.items()}
        try:
            if row.surplus:
                raise RowRefused("too_many_cells", f"{row.surplus} cells stand beyond the last column")
            values = read(cells)
            if (before := first.setdefault(values[key], row.number)) != row.number:
                raise RowRefused("twice", f"`{values[key]}` stands in row {before} already")
            rows[row.number] = values
        except RowRefused as fault:
            refused.append(Refused(row, fault.code, fault.reason))
    return Read(table, rows, tuple(refused), unused, frozenset(known) - columns.keys())


def _columns(table: Table, known: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, int], tuple[str, ...]]:
    fields = {fold_header(name): field for field, names in known.items() for name in names}
    found: dict[str, int] = {}
    unused = []
    for place_, column in enumerate(table.columns):
        field = fields.get(fold_header(column))
        if field is not None and field not in found:
            found[field] = place_
        elif not column.startswith(OURS):
            unused.append(column)
    return found, tuple(unused)


def _account(cells: Mapping[str, str]) -> Values:
    values: Values = {}
    for field, cell in cells.items():
        values[field] = _READERS[field](cell)
    country = values.get("country")
    if cells.get("phone"):
        values["phone"] = phone.number(cells["phone"], country)
        if values["phone"] is None:
            raise RowRefused("unreadable_phone", f"`{cells['phone'][:40]}` is no phone number")
        if phone.is_mobile(values["phone"]):
            raise RowRefused("mobile_phone", "a mobile number is a person's, not a company's")
    return values


def _id(cell: str) -> str:
    if not ACCOUNT_ID.match(cell):
        raise RowRefused("bad_id", f"`{cell[:70]}` is no id: letters, digits and . _ : - , 64 at most")
    return cell


def _id_or_none(cell: str) -> str | None:
    return _id(cell) if cell else None


def _name(cell: str) -> str:
    name = company_name(cell)
    if not name or (says_nothing(name_key(name)) and not name.endswith(("支店", "支社", "本社", "工場", "営業所"))):
        raise RowRefused("no_name", f"`{cell[:70]}` names no company")
    return name


def _names(cell: str) -> tuple[str, ...]:
    found = (company_name(part) for part in _MANY.split(cell))
    return tuple(dict.fromkeys(name for name in found if name))


def _one_of(what: str, valid: tuple[str, ...], words: Mapping[str, str]) -> Callable[[str], str | None]:
    def read(cell: str) -> str | None:
        if not cell:
            return None
        found = words.get(cell.casefold(), cell.casefold())
        if found not in valid:
            raise RowRefused(f"unknown_{what}", f"there is no {what} `{cell[:40]}`.{suggest(cell, valid)}")
        return found

    return read


def _domains(cell: str) -> tuple[str, ...]:
    found = []
    for part in _DOMAINS.split(unicodedata.normalize("NFKC", cell).casefold()):
        host = (
            part.removeprefix("https://")
            .removeprefix("http://")
            .partition("/")[0]
            .rpartition("@")[2]
            .removeprefix("www.")
        )
        if not host:
            continue
        if "." not in host:
            raise RowRefused("bad_domain", f"`{part[:70]}` is no domain")
        domain = email.domain(f"x@{host}")
        if not email.is_own(domain):
            raise RowRefused("shared_domain", f"`{domain}` is a free-mail or access provider's: thousands share it")
        found.append(domain)
    return tuple(dict.fromkeys(found))


def _number(cell: str) -> str | None:
    if not cell:
        return None
    number = corporate_number(cell)
    if number is None:
        raise RowRefused("bad_corporate_number", f"`{cell[:40]}` is no 法人番号: 13 digits whose check digit is right")
    return number


def _country(cell: str) -> str | None:
    if not cell:
        return None
    country = place.country(cell)
    if country is None:
        raise RowRefused("unknown_country", f"`{cell[:40]}` is no country: write it as JP, US, DE …")
    return country


def _month(cell: str) -> int:
    if not cell:
        return 3
    found = re.fullmatch(r"(1[0-2]|[1-9])月?", unicodedata.normalize("NFKC", cell))
    if found is None:
        raise RowRefused("bad_fiscal_month", f"`{cell[:20]}` is no month: 1 to 12, in which the fiscal year ends")
    return int(found[1])


def _yes(cell: str) -> bool:
    folded = unicodedata.normalize("NFKC", cell).casefold()
    if folded not in _YES and folded not in _NO:
        raise RowRefused("bad_yes_no", f"`{cell[:20]}` is neither yes nor no")
    return folded in _YES


def _rep(cell: str) -> str | None:
    if cell and not _REP.match(cell):
        raise RowRefused("bad_rep", f"`{cell[:70]}` is no id of a rep: as in the teams policy")
    return cell or None


def _text(cell: str) -> str | None:
    return unicodedata.normalize("NFKC", cell)[:200] or None


_READERS: Mapping[str, Callable[[str], Any]] = {
    "account_id": _id,
    "name": _name,
    "kind": _one_of("kind", KINDS, _KIND_WORDS),
    "level": _one_of("level", LEVELS, _LEVEL_WORDS),
    "parent": _id_or_none,
    "domains": _domains,
    "corporate_number": _number,
    "names": _names,
    "former_names": _names,
    "kana": _text,
    "country": _country,
    "area": place.area,
    "postcode": _text,
    "phone": lambda cell: None,  # after the country
    "tier": _text,
    "owner": _rep,
    "region": _text,
    "fiscal_month": _month,
    "is_customer": _yes,
    "account_manager": _rep,
}


def _deal(cells: Mapping[str, str], zone: ZoneInfo) -> Values:
    until = dates.moment(cells["protected_until"], zone)
    if until is None:
        raise RowRefused("no_date", "protected_until is empty")
    if not re.search(r"\d[:時]", cells["protected_until"]):
        until = dates.end_of_day(until, zone)
    return {
        "registration_id": _id(cells["registration_id"]),
        "partner": _id(cells["partner"]),
        "account_id": _id(cells["account_id"]),
        "protected_until": until,
    }
