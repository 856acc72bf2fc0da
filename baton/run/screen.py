"""What the terminal shows: steps while starting, then a table that stays up to date; plain lines where it is no terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from threading import Lock

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from baton.run.numbers import OUTCOMES, Numbers, Reading

RECENT = 12  # lines of what happened lately, below the table
PLAIN_EVERY_SECONDS = 10.0
ROWS = (
    ("leads scored", "scored"),
    ("routed to a rep", "routed"),
    ("parked, with a reason", "parked"),
    ("nurtured (below the gate)", "nurtured"),
    ("given back or closed by a rep", "closed"),
    ("opportunities open", "opportunities"),
    ("  of these accepted", "accepted"),
    ("SLA clocks running", "running"),
    ("SLA clocks breached", "breached"),
)


class Screen:
    """One terminal. `say` may be called from any thread."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._recent: deque[Text] = deque(maxlen=RECENT)
        self._live: Live | None = None
        self._lock = Lock()
        self._started = time.monotonic()
        self._told, self._plain = 0.0, ""
        self._begun = False

    def step(self, line: str) -> None:
        """One step of the start is under way; once the table stands, it is something that happened."""
        if self._begun:
            self.say(line)
            return
        with self._lock:
            self.console.print(Text(f"{time.monotonic() - self._started:6.1f} s  {line}"), soft_wrap=True)

    def say(self, line: str) -> None:
        """Something happened."""
        text = Text(
            f"{datetime.now().astimezone():%H:%M:%S}  {line}", overflow="ellipsis", no_wrap=self._live is not None
        )
        with self._lock:
            if self._live:
                self._recent.append(text)
            else:
                self.console.print(text, soft_wrap=True)

    def begin(self) -> None:
        """From now on the table."""
        self._begun = True
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=False)
            self._live.start()

    def show(self, numbers: Numbers) -> None:
        with self._lock:
            if self._live:
                shown = table(numbers)
                room = self.console.height - len(self.console.render_lines(shown))
                self._live.update(Group(shown, *(list(self._recent)[-room:] if room > 0 else ())), refresh=True)
                return
        if not numbers.tenants:  # nothing was read yet: noughts would be made up
            return
        line = sentence(numbers)
        if line != self._plain and time.monotonic() - self._told >= PLAIN_EVERY_SECONDS:
            self._told, self._plain = time.monotonic(), line
            self.say(line)

    def end(self) -> None:
        """The table stays as it is; what follows is printed below."""
        with self._lock:
            if self._live:
                self._live.stop()
                self._live = None
        self._begun = False


def table(numbers: Numbers) -> RenderableType:
    """The table, one column per tenant that has leads."""
    shown = {tenant: reading for tenant, reading in numbers.tenants.items() if reading.scored or tenant != "olist"}
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("")
    for tenant in shown:
        grid.add_column(tenant, justify="right", min_width=9)
    for label, name in ROWS:
        grid.add_row(label, *(str(getattr(reading, name)) for reading in shown.values()))
    grid.add_row("next clock due in", *(_due(reading) for reading in shown.values()))
    notes = (
        [Text(f"these numbers wait for the database or ingest ({numbers.problem})", "yellow")]
        if numbers.problem
        else []
    )
    return Group("", Text(_touches(numbers.events), "bold"), grid, *notes, "")


def sentence(numbers: Numbers) -> str:
    """The same in one line, over all tenants."""
    readings = numbers.tenants.values()
    parts = [f"{sum(getattr(r, name) for r in readings)} {label.strip()}" for label, name in ROWS]
    return f"{_touches(numbers.events)}; " + ", ".join(parts)


def _touches(events: Mapping[str, int]) -> str:
    told = ", ".join(f"{events.get(outcome, 0)} {outcome}" for outcome in OUTCOMES)
    return f"touches in since this start: {told}"


def _due(reading: Reading) -> str:
    if reading.next_due is None:
        return "–"
    seconds = max(0, round(reading.next_due / 1000 - time.time()))
    return (
        f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        if seconds >= 3600
        else f"{seconds // 60}:{seconds % 60:02d}"
    )
