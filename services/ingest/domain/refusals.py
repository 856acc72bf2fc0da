"""The one way an event or a body is refused."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """An event, or a whole body, that is not taken. `code` is stable and from a closed set; `message` carries nothing personal.

    status: what a call answers that consists of nothing else
    retry_after: seconds after which it would be taken: it is shed, not rejected, and so not kept
    """

    def __init__(self, code: str, message: str, status: int = 400, *, retry_after: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.retry_after = code, message, status, retry_after
