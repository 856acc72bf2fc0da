"""Which account a lead belongs to, as far as one event tells."""

from __future__ import annotations

from typing import Any

from services.ingest.domain.envelope import Event
from shared.normalise import email
from shared.normalise.text import clean

MOST_GROUP_ID = 200  # characters
_NOBODY = frozenset(
    {"null", "undefined", "none", "nil", "nan", "true", "false", "0", "-1", "unknown", "n/a", "anonymous"}
)


def account(
    corporate_number: str | None, group_id: str | None, domain: str | None, free_mail: frozenset[str] = frozenset()
) -> str | None:
    """The key of an account by the strongest of what is told; None where nothing tells it.

    `corporate:<13 digits>` (法人番号: the legal entity), else `group:<the sender's own id>`, else the domain of the mail address
    (hinode.co.jp; city.sapporo.lg.jp), never that of free mail or of an access provider, which thousands of firms share.

    One event knows less than another. Whoever keeps a lead's facts takes the strongest key of all sources, in this order, not
    the latest; `lead.domain` and `lead.corporate_number` travel beside it.
    """
    if corporate_number:
        return f"corporate:{corporate_number}"
    if group_id:
        return f"group:{group_id}"
    return domain if domain and email.is_own(domain, free_mail) else None


def group_of(event: Event) -> str | None:
    """The account's id by the sender's own count: of a group call, or of the context of another (`groupId`).

    To be asked of trusted sources only: with a key that stands in every page, anybody could enter any account.
    """
    value: Any = event.sent.get("groupId") if event.call == "group" else event.context.get("groupId")
    if value is None or isinstance(value, float):  # whole numbers above 64 bits were read as floats
        return None
    read = clean(value, MOST_GROUP_ID)
    return read if read and "@" not in read and read.casefold() not in _NOBODY else None
