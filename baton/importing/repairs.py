"""What Excel and hands do to a cell, undone where nothing was lost.

Each reader takes a cell as it stands and gives the value that was meant. What cannot be known again is refused, never guessed:
`9.01E+10` was a phone number, and its digits are gone. None of them raises anything but RowRefused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

import phonenumbers

from baton.importing.faults import RowRefused

_WRAPPED = re.compile(r'^="(.*)"$', re.DOTALL)
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad]")
_HALF_KANA = re.compile("[\uff61-\uff9f]+")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20}
_DASHES = re.compile("[\u2010-\u2015\u2212\u30fc\uff0d\uff70\u2500]")
_EXPONENT = re.compile(r"^[+-]?\d(?:[.,]\d*)?E\+?\d{1,3}$", re.IGNORECASE)
_HASHES = re.compile(r"^#{3,}$|^#(?:REF|N/A|VALUE|NAME|DIV/0|NUM|NULL)[!?]?$", re.IGNORECASE)
_POINT_ZERO = re.compile(r"^(\d+)\.0+$")

Reader = Callable[[str, str], str]  # of a cell and the country whose numbers it holds


def unwrap(cell: str) -> str:
    """Without Excel's quoting of text (`="0123"`, `'0123`), and without what cannot be seen."""
    text = _INVISIBLE.sub("", cell).replace("\x00", "").strip()
    if found := _WRAPPED.match(text):
        text = found[1].replace('""', '"').strip()
    return text[1:].strip() if text[:1] == "'" and text[1:2].isdigit() else text


def text(cell: str) -> str:
    """One line: half-width kana and full-width letters and digits as they are usually written, no doubled or outer blanks."""
    narrow = _HALF_KANA.sub(lambda found: unicodedata.normalize("NFKC", found[0]), unwrap(cell)).translate(_WIDE)
    made = " ".join(narrow.split())
    if _HASHES.match(made):
        raise RowRefused(
            "lost_in_excel", f"`{made}` is what Excel shows in place of a value: the value itself is not in the file"
        )
    return made


def free_text(cell: str) -> str:
    """Several lines, as they were written."""
    return "\n".join(line.strip() for line in unwrap(cell).splitlines()).strip()


def email(cell: str) -> str:
    """One address without blanks, `mailto:` or a name around it. Of several the first: the one that people put first."""
    made = text(cell).replace("＠", "@")
    if found := re.search(r"<([^<>@]+@[^<>@]+)>", made):
        made = found[1]
    first = next((part for part in re.split("[;,、]", made) if "@" in part), made)
    if first.count("@") > 1:
        first = next(part for part in first.split() if "@" in part)
    return re.sub(r"\s+|^mailto:|[.]+$", "", first, flags=re.IGNORECASE)


def phone(cell: str, country: str = "JP") -> str:
    """A number with the leading zero that a spreadsheet took: 9012345678 is 090…, 312345678 is 03….

    Only of `JP`, whose numbers all have it, and only where the result is a number that can exist.
    """
    made = _unlost(_DASHES.sub("-", text(cell)), "a phone number")
    if found := _POINT_ZERO.match(made):
        made = found[1]
    digits = made.replace("-", "").replace(" ", "")
    if country == "JP" and digits.isascii() and digits.isdigit() and digits[0] != "0" and len(digits) in (9, 10):
        return f"0{made}" if _exists(f"0{digits}") else made
    return made


def _exists(digits: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits, "JP"))
    except phonenumbers.NumberParseException:
        return False


def postcode(cell: str, country: str = "JP") -> str:
    """In Japan 123-4567, with the zeros that a spreadsheet took: 600001 is 060-0001."""
    made = _unlost(_DASHES.sub("-", text(cell)), "a postcode").removeprefix("〒").strip()
    if found := _POINT_ZERO.match(made):
        made = found[1]
    if country != "JP":
        return made
    head, dash, tail = made.partition("-")
    if dash and len(tail) == 4 and (head + tail).isdigit() and len(head) <= 3:
        return f"{head.zfill(3)}-{tail}"
    if made.isascii() and made.isdigit() and 5 <= len(made) <= 7:
        return f"{made.zfill(7)[:3]}-{made.zfill(7)[3:]}"
    return made


def digits(cell: str) -> str:
    """A number that is an id (法人番号, 名刺ID): its digits, none of them lost."""
    made = _unlost(_DASHES.sub("-", text(cell)), "a number that identifies")
    found = _POINT_ZERO.match(made)
    return found[1] if found else made


def number(cell: str) -> str:
    """An amount: `1,200名` and `約1200` are left to ingest, which reads bands of employees as well."""
    made = text(cell)
    found = _POINT_ZERO.match(made)
    return found[1] if found else made


def _unlost(made: str, what: str) -> str:
    if _EXPONENT.match(made):
        raise RowRefused(
            "lost_in_excel",
            f"`{made}` was {what} before Excel made a figure of it, and its digits are gone: take it from the original",
        )
    return made


READERS: Mapping[str, Reader] = {
    "text": lambda cell, _: text(cell),
    "free_text": lambda cell, _: free_text(cell),
    "email": lambda cell, _: email(cell),
    "phone": phone,
    "postcode": postcode,
    "digits": lambda cell, _: digits(cell),
    "number": lambda cell, _: number(cell),
}
