"""The page about the lifecycle shows a policy that is right, and every field there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from services.handoff.domain.opportunity import Stage as Told
from shared.schemas.policies import LifecyclePolicy, Stage
from shared.schemas.policies import lifecycle as m

PAGE = (Path(__file__).parents[3] / "docs" / "lifecycle.md").read_text()
SHOWN = YAML(typ="safe").load(PAGE.split("```yaml\n")[1].split("```")[0])


def test_the_policy_of_the_page_is_one():
    assert LifecyclePolicy.model_validate(SHOWN).form == "short"


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {str(name) for name in value} | {name for inner in value.values() for name in _names(inner)}
    return {name for inner in value for name in _names(inner)} if isinstance(value, list) else set()


@pytest.mark.parametrize("model", [LifecyclePolicy, Stage, m.Again, m.Promise], ids=lambda model: model.__name__)
def test_the_page_shows_every_field(model):
    assert set(model.model_fields) <= _names(SHOWN)


def test_the_page_says_which_stages_handoff_tells_of_and_so_which_do_nothing_yet():
    said = re.search(r"it tells of (.+?), and nothing else", PAGE, re.DOTALL)
    assert said, (
        "once handoff has a pipeline this test goes, and so does `not yet` in docs/accounts.md and the changelog"
    )
    assert re.findall(r"`(\w+)`", said[1]) == list(get_args(Told))
    assert not {"won", "lost", *m.IN_PIPELINE} & set(get_args(Told))
