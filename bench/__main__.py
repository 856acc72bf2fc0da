"""`python -m bench [NAME …]`: run the benchmarks and keep their results."""

from __future__ import annotations

import importlib
import logging
import sys
import time

from rich.console import Console
from rich.table import Table

from bench.harness import ROOT, write

NAMES = ("ingest", "webhook", "scoring", "rescore", "pipeline", "router", "clocks")
ALONE = ("fire", "arrivals")  # only where asked for: they take minutes, and one needs a data set


def main(names: list[str]) -> int:
    unknown = set(names) - {*NAMES, *ALONE}
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join((*NAMES, *ALONE))}", file=sys.stderr)
        return 2
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it reports what it retries; what fails, raises
    console = Console()
    for name in names or NAMES:
        started = time.monotonic()
        console.print(f"[bold]{name}[/bold]")
        rows = importlib.import_module(f"bench.{name}").measure()
        table = Table("row", "value", "unit", "baseline", "ratio")
        for item in rows:
            table.add_row(item.row, f"{item.value:,.1f}", item.unit, f"{item.baseline:,.1f}", f"{item.ratio:.2f}")
        console.print(table)
        kept = write(name, rows).relative_to(ROOT)
        console.print(f"kept in {kept}, {time.monotonic() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
