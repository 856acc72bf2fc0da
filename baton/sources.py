"""Sources as a table or a list: who sends, how much, and what is wrong with it. Pure: from the answer of ingest to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

SILENT = timedelta(days=1)
MANY_REJECTED = 0.05  # of a source's events this week
SKEWED_SECONDS = 3600.0
EXPIRES_SOON = timedelta(days=7)
Source = Mapping[str, Any]


def table(sources: Sequence[Source], now: datetime) -> Table:
    """One line per source; what should be looked at in red."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("tenant", "source", "kind"):
        found.add_column(name, no_wrap=True)
    for name in ("last", "per min", "accepted", "again", "rejected", "unverified", "clock", "complete"):
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("look at", overflow="fold")
    for source in sources:
        week = source["week"]
        share = source["completeness"]["share"]
        skew = source["clock"]["largest_skew_seconds"]
        found.add_row(
            source["tenant"],
            source["source_id"],
            f"{source['kind']}{'' if source['trusted'] else ' (untrusted)'}",
            _ago(source["last_call_at"], now),
            f"{source['per_minute']:.1f}",
            f"{week['accepted']:,}",
            f"{week['duplicate']:,}",
            _many(week["rejected"]),
            _many(week["unverified"]),
            "" if skew is None else f"±{_span(skew)}",
            "" if share is None else f"{share:.0%}",
            Text("; ".join(concerns(source, now)), "red"),
        )
    return found


def listing(sources: Sequence[Source], now: datetime) -> Text:
    """The same for a narrow screen: a line or three per source, without what is nought."""
    lines: list[Text] = []
    for source in sources:
        week, share = source["week"], source["completeness"]["share"]
        rejected, unverified = (sum(week[name].values()) for name in ("rejected", "unverified"))
        last = source["last_call_at"]
        head = Text(f"{source['tenant']}/{source['source_id']}", "bold")
        head.append(f"  {source['kind']}{'' if source['trusted'] else ' (untrusted)'}", "not bold")
        if last is not None:
            rate = f", {source['per_minute']:.1f} a minute" if source["per_minute"] >= 0.05 else ""
            head.append(f", {_ago(last, now)}{rate}", "not bold")
        lines.append(head)
        counts = {"accepted": week["accepted"], "again": week["duplicate"], "rejected": rejected}
        told = [f"{count:,} {name}" for name, count in {**counts, "unverified": unverified}.items() if count]
        if told:
            lines.append(Text(f"    {', '.join(told)}{'' if share is None else f'; {share:.0%} complete'}"))
        lines += [Text(f"    {words}", "red") for words in concerns(source, now)]
    return Text("\n").join(lines)


def concerns(source: Source, now: datetime) -> list[str]:
    """What is wrong with a source, in words."""
    week, told = source["week"], [f"nothing stands at {reference}" for reference in source["missing"]]
    last = source["last_call_at"]
    if last is None:
        told.append("never called")
    elif now - _time(last) > SILENT:
        told.append(f"silent for {_ago(last, now).removesuffix(' ago')}")
    rejected = sum(week["rejected"].values())
    if rejected > MANY_REJECTED * (rejected + week["accepted"] + week["duplicate"]):
        told.append(f"rejected: {_by(week['rejected'])}")
    if source["today"]["unverified"]:
        told.append(f"signatures fail: {_by(source['today']['unverified'])}")
    skew = source["clock"]["largest_skew_seconds"]
    if skew is not None and skew > SKEWED_SECONDS:
        told.append(f"its clock is {_span(skew)} off")
    told += [words for secret in source["secrets"] if (words := _of_secret(secret, now))]
    return told


def _of_secret(secret: Mapping[str, Any], now: datetime) -> str | None:
    if secret["not_after"] is None:
        return None
    left = _time(secret["not_after"]) - now
    used = secret["last_verified_at"]
    if left <= timedelta(0):
        return f"secret {secret['id']} is past its time"
    if left < EXPIRES_SOON and used is not None and now - _time(used) < SILENT:
        return f"secret {secret['id']} is still used and ends in {_span(left.total_seconds())}"
    return None


def _many(by_code: Mapping[str, int]) -> str:
    total = sum(by_code.values())
    return f"{total:,}" if total else ""


def _by(by_code: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in by_code.items())


def _ago(at: str | None, now: datetime) -> str:
    return "never" if at is None else f"{_span(max(0.0, (now - _time(at)).total_seconds()))} ago"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
