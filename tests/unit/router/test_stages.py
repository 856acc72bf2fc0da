"""Which stage a lead is in, by the lifecycle that people have agreed on, in both forms of the waterfall."""

from __future__ import annotations

import pytest

from services.router.domain.decision import Inputs, decide
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause
from services.router.domain.stages import Stages
from shared.schemas.policies import LifecyclePolicy
from shared.schemas.vocabulary import STAGES

LONG = [name for name in STAGES if name != "mql"]


@pytest.fixture
def stages(lifecycle):
    return lambda *names, **more: Stages.of(LifecyclePolicy.model_validate(lifecycle(*names, **more)))


@pytest.mark.parametrize(
    ("known", "short", "waterfall"),
    [
        ({"verdict": None, "leg": None}, "inquiry", "inquiry"),
        ({"verdict": "inside_sales_check", "leg": "is"}, "aql", "aql"),
        ({"verdict": "mql", "leg": "fs"}, "mql", "aql"),
        ({"verdict": "mql", "leg": "is", "accepted": True}, "tal", "tal"),
        ({"verdict": "mql", "leg": "fs", "passed_on": True}, "tql", "tql"),
        ({"verdict": "mql", "leg": "fs", "passed_on": True, "accepted": True}, "sal", "sal"),
        ({"verdict": "mql", "leg": "am", "accepted": True}, "sal", "sal"),
        ({"verdict": "mql", "leg": "fs", "accepted": True, "opportunity": "ringi"}, "sql", "sql"),
        ({"verdict": "mql", "leg": "fs", "accepted": True, "opportunity": "won"}, "won", "won"),
    ],
)
def test_a_lead_is_in_the_last_stage_whose_entry_holds(stages, known, short, waterfall):
    known = {"passed_on": False} | known
    assert stages().stage(**known) == Stages.of(None).stage(**known) == short
    assert stages(*LONG, form="waterfall").stage(**known) == waterfall


def test_a_stage_of_ones_own_has_an_entry_of_its_own(lifecycle):
    body = lifecycle("inquiry", "mql", "sal")
    own = {
        "id": "partner-led",
        "label": {"en": "p"},
        "definition": {"en": "p"},
        "entry": {"lead.leg": {"eq": "partner"}},
    }
    stages = Stages.of(LifecyclePolicy.model_validate(body | {"stages": [*body["stages"], own]}))
    assert stages.stage(verdict="mql", leg="partner", passed_on=False, accepted=True) == "partner-led"
    assert stages.stage(verdict="mql", leg="fs", passed_on=False, accepted=True) == "sal"


@pytest.mark.parametrize(
    ("form", "passed_on", "returned", "leg"),
    [
        ("short", False, False, "fs"),
        ("waterfall", False, False, "is"),
        ("waterfall", True, False, "fs"),
        ("waterfall", True, True, "is"),
    ],
)
def test_in_the_long_form_inside_sales_looks_first_at_every_lead(
    playbook_with, lifecycle, scored, form, passed_on, returned, leg
):
    playbook = playbook_with(lifecycle=lifecycle(form=form))
    pools = {pool: PoolState(pool).follow(playbook.weights(pool), 1) for pool in playbook.pools}
    known = {"scored": scored("A1", answers=[("N1", "stated", 1)]), "passed_on": passed_on, "returned_to_is": returned}
    inputs = Inputs("t", "lead-1", 1, 1, Cause("scored", "v", 1), 2_000, pools=pools, **known)
    assert decide(inputs, playbook).outcome.leg == leg
