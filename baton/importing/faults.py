"""What keeps one row from being sent; its neighbours go on without it."""

from __future__ import annotations


class RowRefused(Exception):  # noqa: N818 - the word ingest uses as well
    """code: for machines, from a small set;  reason: for whoever corrects the row, without a full stop"""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason
