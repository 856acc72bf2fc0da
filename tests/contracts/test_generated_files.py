"""What is generated from the contracts is committed, current, and the whole of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from baton.contracts import EXAMPLES, GENERATED, RECORDS, ROOT, committed, files, schemas
from baton.contracts.__main__ import contract_changes, drifted, main
from shared.schemas.topics import TOPICS


def test_the_committed_files_are_what_the_models_say() -> None:
    assert drifted() == [], "run `python -m baton.contracts` and commit what it writes"


def test_no_contract_differs_from_its_committed_schema_in_a_way_that_breaks_somebody() -> None:
    breaking = [str(change) for change in contract_changes(committed(), schemas()) if change.breaking]
    assert not breaking, "\n".join(breaking)


def test_a_file_that_was_edited_or_left_over_is_drift(tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert drifted(tmp_path) == []
    (tmp_path / GENERATED / "Touch.json").write_text("{}\n")
    (tmp_path / GENERATED / "Forgotten.json").write_text("{}\n")
    (tmp_path / "docs/topics.md").unlink()
    assert set(drifted(tmp_path)) == {f"{GENERATED}/Touch.json", f"{GENERATED}/Forgotten.json", "docs/topics.md"}


def test_the_generator_writes_what_drifted_and_refuses_what_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / GENERATED, tmp_path / GENERATED)
    assert main(["--check"], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert (tmp_path / "docs/topics.md").is_file()
    assert main(["--check"], tmp_path) == 0
    touch = tmp_path / GENERATED / "Touch.json"
    spoilt = touch.read_text().replace('"event_id"', '"event_number"')
    touch.write_text(spoilt)
    assert main([], tmp_path) == 1
    assert "Touch.event_number: the field was removed. Rollout, consumers first" in capsys.readouterr().out
    assert touch.read_text() == spoilt
    assert main(["--accept-breaking"], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert main(["--chek"], tmp_path) == 2


def test_every_record_of_the_registry_is_a_contract_and_every_contract_is_on_a_topic() -> None:
    assert {name for topic in TOPICS.values() for name in topic.holds} == set(RECORDS)


def test_every_example_is_of_a_contract() -> None:
    assert {path.name for path in (ROOT / EXAMPLES).iterdir()} == set(RECORDS)
