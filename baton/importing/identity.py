"""By what one person is told from another, so that the same card from two colleagues is one."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from baton.importing.faults import RowRefused
from shared.normalise.email import address


def identify(fields: Mapping[str, str], external: str | None) -> tuple[str, ...]:
    """("email", address), else ("external", id), else ("card", name, company, phone), each spelled one way.

    Raises RowRefused `no_identity` where too little is said.
    """
    if (mail := address(fields.get("email"))) is not None:
        return ("email", mail)
    if external:
        return ("external", external)
    name = fold(fields.get("name") or fields.get("last_name", "") + fields.get("first_name", ""))
    phone = "".join(filter(str.isdigit, fields.get("mobile") or fields.get("phone", "")))
    company = fold_company(fields.get("company", ""))
    if not name or not (phone or company):
        raise RowRefused(
            "no_identity", "it names nobody: give an e-mail address, or a name with a company or a phone number"
        )
    return ("card", name, company, phone)


def fold(name: str) -> str:
    """Names are compared without width, case and blanks: `佐藤　美咲` is `佐藤美咲`."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def fold_company(name: str) -> str:
    """㈱ and (株) are 株式会社."""
    return fold(name).replace("(株)", "株式会社").replace("(有)", "有限会社")
