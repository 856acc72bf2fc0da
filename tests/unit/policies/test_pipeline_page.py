"""The page about opportunities shows a policy that is right, and every field there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from shared.schemas.policies import PipelinePolicy
from shared.schemas.policies import pipeline as m

PAGE = (Path(__file__).parents[3] / "docs" / "opportunities.md").read_text()
SHOWN = YAML(typ="safe").load(PAGE.split("```yaml\n")[1].split("```")[0])


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {str(name) for name in value} | {name for inner in value.values() for name in _names(inner)}
    return {name for inner in value for name in _names(inner)} if isinstance(value, list) else set()


def test_the_policy_of_the_page_is_one():
    assert PipelinePolicy.model_validate(SHOWN).currency == "JPY"


@pytest.mark.parametrize(
    "model",
    [PipelinePolicy, m.Pipeline, m.DealStage, m.Criterion, m.LossReason, m.Item],
    ids=lambda model: model.__name__,
)
def test_the_page_shows_every_field(model):
    assert set(model.model_fields) <= _names(SHOWN)
