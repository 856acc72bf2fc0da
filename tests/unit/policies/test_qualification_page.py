"""The page about qualification shows a policy that is right, and every field there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from shared.schemas.policies import QualificationPolicy
from shared.schemas.policies import frameworks as f
from shared.schemas.policies import qualification as q

PAGE = (Path(__file__).parents[3] / "docs" / "qualification.md").read_text()
BLOCK = PAGE.split("```yaml\n")[1].split("```")[0]
MODELS = (
    *(
        q.Gate,
        q.Segment,
        q.Exclusion,
        q.Requirement,
        q.OnePerson,
        q.Hold,
        q.Explore,
        q.Nurture,
        q.Scenario,
        q.Signature,
    ),
    *(f.Framework, f.Criterion, f.Confidence, f.Fiscal, QualificationPolicy),
)


def test_the_policy_of_the_page_is_one():
    policy = QualificationPolicy.model_validate(YAML(typ="safe").load(BLOCK))
    assert list(policy.asked.resolved) == ["need", "timeline", "authority", "budget", "team"]
    assert policy.signed_by_both


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {str(name) for name in value} | {name for inner in value.values() for name in _names(inner)}
    return {name for inner in value for name in _names(inner)} if isinstance(value, list) else set()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_page_shows_every_field(model):
    shown = _names(YAML(typ="safe").load(BLOCK)) | {"bant"}  # the short form is told in words
    assert set(model.model_fields) <= shown
