"""A labelled set for matching: invented companies (tests/data/matching_companies.csv), and leads as people write them.

Each lead says which account is right, or that none is; what made it is named, so that a miss can be looked up. What a machine
cannot know is among them, too: a typing error in an ideograph, a name without any place.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.router.domain.account import Account
from services.router.domain.matching.keys import Key, keys_of
from services.router.domain.matching.ladder import Found
from shared.normalise import phone, place
from shared.normalise.corporate_number import check_digit

FILE = Path(__file__).parent / "data" / "matching_companies.csv"
SWAPS = dict(
    [
        *zip("髙﨑邊齋藥鐵會廣龍學", "高崎辺斎薬鉄会広竜学", strict=True),
        *zip("高崎辺斎薬鉄会広竜学国沢瀬", "髙﨑邉齊藥鐵會廣龍學國澤瀨", strict=True),
    ]
)
FREE, ISP = ("gmail.com", "yahoo.co.jp", "outlook.jp"), ("ocn.ne.jp", "plala.or.jp", "so-net.ne.jp", "nifty.com")


@dataclass(frozen=True, slots=True)
class Labelled:
    """told: attributes of a lead;  right: the account;  also: another answer that is as right (an entity for its site)"""

    made_by: str
    told: dict[str, Any]
    right: str | None
    phone: str | None = None
    also: str | None = None


@dataclass(frozen=True, slots=True)
class Company:
    account: Account
    english: str | None
    prefecture: str


def companies() -> list[Company]:
    found = []
    with FILE.open(encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            japanese, entity = row["country"] == "JP", row["level"] == "legal_entity"
            twelve = f"{number:04d}{number * 7919 % 10**8:08d}"
            account = Account(
                row["id"],
                row["name"],
                kind=row["kind"],  # type: ignore[arg-type]
                level=row["level"],  # type: ignore[arg-type]
                parent=row["parent"] or None,
                root=row["parent"],
                entity=row["parent"] if row["level"] == "site" else row["id"],
                domains=tuple(row["domains"].split()),
                corporate_number=f"{check_digit(twelve)}{twelve}" if japanese and entity else None,
                names=(row["english"],) if row["english"] else (),
                former_names=(row["former"],) if row["former"] else (),
                kana=row["kana"] or None,
                country=row["country"],
                area=place.area(row["prefecture"]),
                phone=phone.number(row["phone"], row["country"]),
            )
            found.append(Company(account, row["english"] or None, row["prefecture"]))
    return found


def book(accounts: list[Account]) -> Found:
    """All accounts under all their keys, as the store would find them."""
    by_id = {account.account_id: account for account in accounts}
    keys: dict[Key, list[str]] = {}
    for account in accounts:
        for key in keys_of(account, by_id.get(account.parent or "")):
            keys.setdefault(key, []).append(account.account_id)
    return Found(keys, by_id)


def leads() -> list[Labelled]:
    known = companies()
    entities = [one for one in known if one.account.level != "site"]
    made = [lead for one in entities for lead in _of(one)]
    made += [lead for one in entities for lead in _like(one)]
    made += [*_of_sites(known), *_of_nobody(), *_by_hand()]
    return made


def _mail(domain: str, own: bool = True) -> dict[str, Any]:
    return {"domain": domain, "own_domain": own}


def _of(one: Company) -> Iterator[Labelled]:
    """Leads of a company, as its people write them."""
    account, chance = one.account, random.Random(one.account.account_id)
    right, japanese = account.account_id, account.country == "JP"
    here = {"region": one.prefecture} if japanese else {"region": one.prefecture, "country": account.country}
    free = _mail(chance.choice(FREE), own=False)
    name = account.name
    yield Labelled("domain", _mail(account.domains[0]), right)
    yield Labelled("domain and a nickname", _mail(account.domains[0]) | {"company": name[:4]}, right)
    for other in account.domains[1:]:
        yield Labelled("alias domain", _mail(other), right)
    if account.corporate_number:
        told = {"corporate_number": account.corporate_number, "company": name[:3], **free}
        yield Labelled("corporate number", told, right)
    for former in account.former_names:
        yield Labelled("renamed", {"company": former, **here, **free}, right)
    if japanese:
        yield from _of_japanese(one, chance, here)
    else:
        yield Labelled("no form", {"company": _bare(name), **here, **free}, right)
        yield Labelled("upper case", {"company": name.upper(), **here}, right)
        yield Labelled("office", {"company": f"{name}, {one.prefecture} Office", **here, **free}, right)
        yield Labelled("a letter left out", {"company": _without(name, chance, ascii_=True), **here, **free}, right)
        yield Labelled("country alone", {"company": name, "country": account.country, **free}, right)
        yield Labelled("phone", {"company": name.split()[0], **free}, right, account.phone)


def _of_japanese(one: Company, chance: random.Random, here: dict[str, Any]) -> Iterator[Labelled]:
    account, right, name = one.account, one.account.account_id, one.account.name
    isp, free = _mail(chance.choice(ISP), own=False), _mail(chance.choice(FREE), own=False)
    yield Labelled("as it is", {"company": name, **here}, right)
    yield Labelled("isp mail and short form", {"company": _short(name), **here, **isp}, right)
    if "株式会社" in name:
        yield Labelled("前株 and 後株", {"company": _turned(name), **here, **free}, right)
    yield Labelled("without its form", {"company": _unformed(name), **here, **free}, right)
    yield Labelled("blanks", {"company": _spaced(name), **here, **free}, right)
    yield Labelled("half width", {"company": _half(name), "region": _unsuffixed(one.prefecture)}, right)
    if (old := _old_forms(name)) != name:
        yield Labelled("旧字体", {"company": old, **here, **isp}, right)
    yield Labelled("branch", {"company": f"{name} 仙台営業所", "region": "宮城県", **free}, right)
    yield Labelled("branch without a blank", {"company": f"{_short(name)}仙台支店", "region": "宮城県", **isp}, right)
    yield Labelled("department", {"company": f"{name} 営業部 御中", **here}, right)
    if account.kana:
        yield Labelled("kana", {"company": account.kana, **here, **free}, right)
    if one.english:
        yield Labelled("english", {"company": f"{one.english} Co., Ltd.", **here, **free}, right)
    yield Labelled("a sign left out", {"company": _without(name, chance), **here, **free}, right)
    yield Labelled("phone", {"company": _unformed(name), **free}, right, account.phone)
    yield Labelled("phone and no name", {**isp, "country": "JP"}, right, account.phone)
    yield Labelled("no place", {"company": name, **free}, right)


def _like(one: Company) -> Iterator[Labelled]:
    """Leads of other companies that look like this one: none of them may be matched."""
    account, japanese = one.account, one.account.country == "JP"
    own = _mail(f"{account.account_id}-other.example")
    if japanese:
        name = account.name
        elsewhere = {"region": "沖縄県"}
        yield Labelled("same name elsewhere", {"company": name, **elsewhere, **own}, None)
        yield Labelled(
            "same name elsewhere, free mail", {"company": name, **elsewhere, **_mail(FREE[0], own=False)}, None
        )
        here = {"region": one.prefecture}
        yield Labelled("holding", {"company": f"{_unformed(name)}ホールディングス株式会社", **here, **own}, None)
        yield Labelled("subsidiary", {"company": f"株式会社{_unformed(name)}エンジニアリング", **here}, None)
        yield Labelled("in front", {"company": f"新{_unformed(name)}株式会社", **here}, None)
        if name.startswith("株式会社") and account.account_id not in ("j11",):
            yield Labelled("another form", {"company": f"有限会社{_unformed(name)}", **here}, None)
        yield Labelled("ideograph", {"company": _other_ideograph(name), **here, **_mail(ISP[1], own=False)}, None)
    else:
        bare = _bare(account.name)
        yield Labelled("other country", {"company": account.name, "country": "ZA", **own}, None)
        yield Labelled(
            "own domain", {"company": bare, "country": account.country, "region": one.prefecture, **own}, None
        )
        yield Labelled(
            "longer", {"company": f"{bare} Holdings", "country": account.country, "region": one.prefecture}, None
        )
        yield Labelled(
            "first word", {"company": bare.split()[0], "country": account.country, "region": one.prefecture}, None
        )


def _of_sites(known: list[Company]) -> Iterator[Labelled]:
    by_id = {one.account.account_id: one.account for one in known}
    for one in known:
        site = one.account
        if site.level == "site":
            firm = by_id[site.parent or ""]
            right, also = site.account_id, firm.account_id
            yield Labelled("site and domain", _mail(firm.domains[0]) | {"company": f"{firm.name}{site.name}"}, right)
            yield Labelled("site's phone", {"company": firm.name}, right, site.phone, also)
            told = {"company": f"{firm.name} {site.name}", "region": one.prefecture, **_mail(FREE[1], own=False)}
            yield Labelled("site by name", told, right)


def _of_nobody() -> Iterator[Labelled]:
    for number, domain in enumerate((*FREE, *ISP)):
        yield Labelled("mail of a provider alone", _mail(domain, own=False) | {"region": "東京都"}, None)
        yield Labelled("provider taken for its own", _mail(domain) | {"country": "JP"}, None)
        stopgap = ("個人", "フリーランス", "なし", "学生", "株式会社", "test", "N/A")[number % 7]
        yield Labelled("stopgap", _mail(domain, own=False) | {"company": stopgap, "region": "東京都"}, None)
    for number in range(40):
        trade = ("商店", "工務店", "物流", "印刷")[number % 4]
        name = f"株式会社{'甲乙丙丁戊己庚辛壬癸'[number % 10]}{'川山谷原野'[number % 5]}{trade}"
        told = {"company": name, "region": "東京都", **_mail(f"unknown-{number}.example.jp")}
        yield Labelled("unknown company", told, None)
    for number in range(20):
        told = {
            "company": f"Unknown Trading {number} Ltd",
            "country": "GB",
            **_mail(f"unknown-trading-{number}.example"),
        }
        yield Labelled("unknown company abroad", told, None)


def _by_hand() -> list[Labelled]:
    free = _mail("gmail.com", own=False)
    return [
        Labelled("two of one name", {"company": "株式会社さくら", **free}, None),
        Labelled("two of one name, one place", {"company": "さくら(株)", "region": "大阪", **free}, "j09"),
        Labelled("two of one name, kana", {"company": "サクラ株式会社", "region": "Tokyo", **free}, "j08"),
        Labelled("two forms", {"company": "㈲ミナト", "region": "神奈川県", **free}, "j10"),
        Labelled("two forms", {"company": "㈱ミナト", "region": "神奈川県", **free}, "j11"),
        Labelled("two forms, none said", {"company": "ミナト", "region": "神奈川県", **free}, None),
        Labelled("number against domain", _mail("hokuto-hd.example.jp") | {"company": "株式会社北斗"}, "j22"),
        Labelled(
            "like another", {"company": "Brightwav Analytics", "country": "US", "region": "California", **free}, "g11"
        ),
        Labelled(
            "between two", {"company": "Brightwa Analytics", "country": "US", "region": "California", **free}, None
        ),
        Labelled(
            "same label", {"company": "Kestrel Dynamics", **_mail("kestrel-dynamics.co.uk"), "country": "GB"}, "g16"
        ),
        # Nobody can know these: another firm of the same name in the same city, without an address of its own.
        Labelled("a twin", {"company": "株式会社エヌケイテクノサービス", "region": "三重県", **free}, None),
        Labelled("a twin", {"company": "Kestrel Dynamics", "region": "Bristol", "country": "GB", **free}, None),
        Labelled("shared phone", {"company": "フジミ物流株式会社", **free}, None, "+81355500129"),
        Labelled("LLP of two", {"company": "Gradient Partners", "country": "GB", **free}, "g08"),
    ]


def _bare(name: str) -> str:
    return name.rsplit(" ", 2 if name.endswith(("Pty Ltd", "Pvt. Ltd.")) else 1)[0]


def _unsuffixed(prefecture: str) -> str:
    return prefecture if prefecture == "北海道" else prefecture[:-1]


def _unformed(name: str) -> str:
    for form in ("株式会社", "有限会社", "合同会社", "医療法人", "学校法人"):
        name = name.replace(form, "")
    return name


def _short(name: str) -> str:
    return name.replace("株式会社", "㈱").replace("有限会社", "(有)").replace("合同会社", "(同)")


def _turned(name: str) -> str:
    bare = _unformed(name)
    return f"{bare}株式会社" if name.startswith("株式会社") else f"株式会社{bare}"


def _spaced(name: str) -> str:
    return " ".join((name[:4], name[4:])).replace("・", " ")


def _half(name: str) -> str:
    """Katakana in half width, as Windows forms of old had it."""
    import jaconv

    return str(jaconv.z2h(name))


def _old_forms(name: str) -> str:
    return "".join(SWAPS.get(char, char) for char in name)


def _without(name: str, chance: random.Random, *, ascii_: bool = False) -> str:
    """One letter of its middle left out."""
    bare = _bare(name) if ascii_ else _unformed(name)
    places = [at for at in range(1, len(bare) - 1) if bare[at].isalpha()]
    at = chance.choice(places) if places else len(bare) - 1
    return name.replace(bare, bare[:at] + bare[at + 1 :])


def _other_ideograph(name: str) -> str:
    """Another firm: the last ideograph of its name is another one, else its last sign."""
    bare = _unformed(name)
    at = next((n for n in range(len(bare) - 1, -1, -1) if "一" <= bare[n] <= "鿿"), len(bare) - 1)
    return name.replace(bare, bare[:at] + ("丸" if bare[at] != "丸" else "角") + bare[at + 1 :])
