"""What callers send: typed, bounded, and without what Postgres cannot store."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from fastapi import HTTPException
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit.asked import Asked

LARGEST_BODY = 64 * 1024  # bytes
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FIRST_DAY, LAST_DAY = EARLIEST.date(), date(2100, 12, 31)  # clocks, and what is told, hold these


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not hold half of a surrogate pair") from None
    return text


def _recent(at: datetime) -> datetime:
    if at < EARLIEST:
        raise ValueError("lies before the year 2000")
    return at


Text = Annotated[str, AfterValidator(_storable)]
Moment = Annotated[AwareDatetime, AfterValidator(_recent)]
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY, description=f"{FIRST_DAY} to {LAST_DAY}")]
ShortText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
Note = Annotated[Text, Field(max_length=4000, description="free text; kept as personal data")]
RepId = Annotated[
    ShortText,
    Field(description="the rep in whose name it is done; if absent, the token's own rep, else whoever was asked last"),
]


class Accept(Asked):
    rep_id: RepId | None = None


class Decline(Asked):
    reason: Annotated[ShortText, Field(description="one of the `decline_reasons` of the tenant's routing policy")]
    note: Note | None = None
    rep_id: RepId | None = None
    until: AwareDatetime | date | None = Field(
        default=None,
        description="when the lead wants to be called again; a day begins at midnight of the rep's zone. Only with a reason by"
        " which the lead is on hold, recycled or nurtured",
        examples=["2027-04-01"],
    )


class Qualify(Asked):
    """What field sales is to know; the qualification policy (`handover`) says what of it has to be said."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "first_meeting": "2026-12-01T14:00:00+09:00",
                    "participants": ["山田部長", "鈴木様"],
                    "memo": "帳票入力の手間が課題。来期の予算化を検討中。",
                }
            ]
        }
    )

    rep_id: RepId | None = None
    first_meeting: Moment | None = Field(default=None, description="when the first meeting is (初回商談日時)")
    participants: list[ShortText] = Field(
        default=[], max_length=50, description="of the customer's; kept as personal data"
    )
    memo: Note | None = None


class Pause(Asked):
    reason: Annotated[ShortText, Field(description="one of the `pauses` of the tenant's SLA policy")]
    until: AwareDatetime | None = Field(
        default=None, description="when the clocks go on by themselves; as late as policy lets, if absent or later"
    )
    rep_id: RepId | None = None


class Resume(Asked):
    rep_id: RepId | None = None


class LogActivity(Asked):
    type: Annotated[ShortText, Field(description="what was done, such as `call_connected`")]
    at: Moment | None = Field(default=None, description="when it was done; now, if absent")
    id: Annotated[ShortText, Field(description="the caller's own id: sent again, nothing is logged twice")] | None = (
        None
    )
    note: Note | None = None
    rep_id: RepId | None = None
    duration: int | None = Field(default=None, ge=0, le=86_400 * 31, description="seconds")
    direction: Literal["in", "out"] | None = Field(default=None, description="`in`: they came to us")
    outcome: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9_]{0,59}$", description="a code of yours", examples=["wants_a_quote"]
    )
    participants: list[ShortText] = Field(default=[], max_length=50, description="ids of stakeholders")


class BodyLimit:
    """Refuses a body beyond `most` bytes with 413, without reading more of it."""

    def __init__(self, app: ASGIApp, most: int = LARGEST_BODY) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise HTTPException(413, f"a body here has at most {self._most} bytes")
            return message

        await self._app(scope, counted if scope["type"] == "http" else receive, send)
