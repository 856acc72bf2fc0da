"""A rebuild of scoring's states, told to people: what it would read and miss, how far it is, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from services.scoring.domain.ledger import DAY
from services.scoring.rebuild import Progress, Report, Standing, Tell
from services.scoring.recorded import HAND_RAISE, Kept, Partly
from services.scoring.survey import Loss, Survey
from shared.kit.clock import iso

LINE_SECONDS = 5.0
UNITS = {"reading": "records", "carrying over": "leads and accounts"}


def words_of(survey: Survey, *, fresh: bool) -> list[str]:
    """What there is to read, what room it takes, and since when the log has everything."""
    topics = ", ".join(f"{count:,} of {topic}" for topic, count in sorted(survey.records.items()) if count)
    lines = [f"{survey.total:,} records are to be read{f': {topics}' if topics else ''}."]
    if survey.oldest is not None:
        lines.append(f"The oldest of them came in at {iso(survey.oldest)}.")
    if survey.began is None:
        lines.append("Nothing has left the log yet: it has all there ever was.")
    elif fresh:
        lines.append(
            f"What came in before {iso(survey.began)} has left the log, and all that was known from it is lost: touches, "
            "attributes, answers, and which identities belong together."
        )
    else:
        lines.append(
            f"What came in before {iso(survey.began)} has left the log; what is remembered of it is carried over."
        )
    lines.append(
        f"The states in force are of {survey.subjects:,} leads and accounts and take about {decimal(survey.bytes)}. The new ones "
        f"take as much beside them until they are in force; Redis has room for {decimal(survey.room)}."
    )
    return lines


def words_of_losses(found: Iterable[Loss]) -> list[str]:
    return [
        f"{loss.tenant}: {_name(loss.kept)} looks back {loss.kept.horizon / DAY:g} days, and only what came in since "
        f"{iso(loss.known_since)} could be counted"
        for loss in found
    ]


def words_of_end(report: Report) -> list[str]:
    speed = report.records / report.seconds if report.seconds else 0
    carried = f", {report.carried:,} of them carried over from the epoch before" if report.carried else ""
    lines = [
        f"Epoch {report.number} is in force: {report.subjects:,} leads and accounts{carried}, from {report.records:,} records in "
        f"{report.seconds:.1f} s ({speed:,.0f} a second).",
        "Each worker now ends once and starts again in it, within seconds, which is meant; then every lead is scored again.",
    ]
    if report.rejected:
        lines.append(
            f"{report.rejected:,} records cannot be read, or are of a tenant without a scoring policy: they do not count."
        )
    for tenant, found in report.partly.items():
        lines += [
            f"{tenant}: {counts_only(one)}. Its policy came while the log was read: rebuild again." for one in found
        ]
    return lines


def words_of_standing(standing: Standing, group: str) -> list[str]:
    """Which states are in force, and what would take a rebuild."""
    since = f" since {iso(standing.begun_at)}" if standing.begun_at else ""
    lines = [f"Epoch {standing.number} of {group} is in force{since}."]
    if standing.under_way:
        lines.append("A rebuild is under way.")
    elif standing.left_over:
        numbers = ", ".join(map(str, standing.left_over))
        lines.append(f"Others still take room in Redis ({numbers}): `baton scoring rebuild --drop-old` frees it.")
    for tenant, found in standing.partly.items():
        lines += [f"{tenant}: {counts_only(one)}" for one in found]
    if standing.partly:
        lines.append("`baton scoring rebuild` counts that, too.")
    return lines


def counts_only(one: Partly) -> str:
    """That something counts only in part, and until when."""
    until = iso(one.complete_at)[:10]
    if one.before is None:
        return f"{_name(one.kept)} counts only what came in since {iso(one.since)}, until {until}"
    and_before = f"what came in before {iso(one.before.since)}, and " if one.before.since else ""
    gap = f"from {iso(one.before.until)} to {iso(one.since)}, while a policy without it was in force"
    return f"{_name(one.kept)} lacks {and_before}what came in {gap}, until {until}"


def _name(kept: Kept) -> str:
    return f"hand-raise {kept.rule_id}" if kept.name.startswith(HAND_RAISE) else f"rule {kept.rule_id}"


@contextmanager
def shown(console: Console) -> Iterator[Tell]:
    """A bar per step in a terminal; elsewhere a line now and then."""
    if not console.is_terminal:
        yield _Lines(lambda line: console.print(line, highlight=False, soft_wrap=True))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console) as bars:
        yield _Bars(bars)


class _Lines:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._step, self._at = "", 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.step == self._step and monotonic() - self._at < LINE_SECONDS:
            return
        self._step, self._at = progress.step, monotonic()
        self._say(_line(progress))


def _line(progress: Progress) -> str:
    if not progress.total:
        return progress.step
    return (
        f"{progress.step}: {progress.done:,} of {progress.total:,} {UNITS[progress.step]}"
        f" after {progress.seconds:.0f} s"
    )


class _Bars:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, tuple[TaskID, float]] = {}

    def __call__(self, progress: Progress) -> None:
        known = self._tasks.get(progress.step)
        if known is None:
            task = self._bars.add_task(progress.step, total=progress.total or None, speed="")
            known = self._tasks[progress.step] = (task, progress.seconds)
        task, began = known
        passed = progress.seconds - began
        speed = f"{progress.done / passed:,.0f} a second" if passed > 1 and progress.total else ""
        self._bars.update(task, completed=progress.done, total=progress.total or None, speed=speed)
