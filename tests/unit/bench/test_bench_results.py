from __future__ import annotations

from datetime import datetime
from pathlib import Path

import orjson
import pytest

from bench.harness import percentile, row, write


def test_percentile_is_linear_between_neighbours() -> None:
    assert percentile([40.0, 10.0, 30.0, 20.0], 0.5) == 25.0
    assert percentile([10.0, 20.0], 0.99) == pytest.approx(19.9)


def test_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 0.99) == 7.0


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_a_row_holds_its_ratio_to_the_baseline() -> None:
    assert row("decisions", 300, "events/s", 400).ratio == 0.75


def test_results_are_kept_with_machine_and_date(tmp_path: Path) -> None:
    path = write("scoring", [row("produce → lead-scored, p50", 12.3456, "ms", 4)], tmp_path / "results")
    assert path.name == "scoring.json"
    kept = orjson.loads(path.read_bytes())
    assert kept["rows"] == [
        {"row": "produce → lead-scored, p50", "value": 12.346, "unit": "ms", "baseline": 4, "ratio": 3.086}
    ]
    assert kept["machine"].keys() == {"processors", "memory_gib", "system", "python"}
    assert datetime.fromisoformat(kept["date"]).utcoffset() is not None
