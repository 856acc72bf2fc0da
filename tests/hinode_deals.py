"""Hinode's pipeline, and all that its stages ask of a deal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from baton.policies.documents import load
from shared.schemas.policies import PipelinePolicy

_document, _ = load(Path(__file__).parents[1] / "policies/hinode/pipeline.yaml", "pipeline.yaml")
assert _document is not None
PIPELINE = PipelinePolicy.model_validate(_document.content)
CONFIRMED = {
    one.field.removeprefix("confirmed."): True
    for stage in PIPELINE.types[0].stages
    for one in stage.exit
    if one.field.startswith("confirmed.")
}
SAID: dict[str, Any] = {
    "amount": 1_200_000,
    "expected_close": "2024-03-31",
    "first_meeting": "2023-11-20",
    "problem": "山田様: 在庫の棚卸に毎月120時間",
    "impact": "月40万円",
    "decision_process": "部長起案、役員決裁",
    "success_criteria": "棚卸を半減",
    "confirmed": CONFIRMED,
}
