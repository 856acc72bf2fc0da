"""What a pipeline policy takes away from open deals is told, and nothing else."""

from __future__ import annotations

import pytest

from baton.policies.orphans import orphans
from tests.hinode_deals import PIPELINE

BODY = PIPELINE.model_dump(mode="json")
NEW = PIPELINE.types[0]
STANDING = {("new", NEW.stages[2].id): 3, ("new", NEW.stages[3].id): 1, ("renewal", "quote"): 2}


def told(**fields):
    return orphans(BODY, PIPELINE.model_copy(update=fields).model_dump(mode="json"), STANDING)


def without(place):
    left = tuple(stage for n, stage in enumerate(NEW.stages) if n != place)
    return {"types": (NEW.model_copy(update={"stages": left, "sql": None}), *PIPELINE.types[1:])}


def test_what_is_new_or_the_same_is_not_told():
    assert orphans(None, BODY, STANDING) == []
    assert orphans(BODY, BODY, STANDING) == []
    assert orphans({"kind": "pipeline", "of_long_ago": True}, BODY, STANDING) == []
    before = PIPELINE.model_copy(update=without(2)).model_dump(mode="json")
    assert orphans(before, BODY, STANDING) == []


@pytest.mark.parametrize(("place", "count"), [(2, "3 open deals are"), (3, "1 open deal is"), (1, "0 open deals are")])
def test_a_stage_that_is_gone_is_told_with_how_many_deals_stand_in_it(place, count):
    stage = NEW.stages[place].id
    found = told(**without(place))
    assert (
        f"stage `{stage}` of `new` is gone: {count} in it, which count in no stage until they are moved to another"
        in found
    )


def test_a_type_that_is_gone_is_told_once_with_its_deals():
    renewal = NEW.model_copy(update={"type": "renewal"})
    before = PIPELINE.model_copy(update={"types": (NEW, renewal)}).model_dump(mode="json")
    after = PIPELINE.model_copy(update={"types": (NEW,)}).model_dump(mode="json")
    assert orphans(before, after, STANDING) == [
        "deals of the type `renewal` are gone: 2 open deals are of it, which can only be lost until they are given another type"
    ]


def test_what_can_no_longer_be_said_is_told_by_its_name():
    stages = tuple(stage.model_copy(update={"exit": (), "entry": ()}) for stage in NEW.stages)
    found = told(
        types=(NEW.model_copy(update={"stages": stages}), *PIPELINE.types[1:]),
        handover=PIPELINE.handover[1:],
        loss_reasons=PIPELINE.loss_reasons[1:],
    )
    here, elsewhere = (
        {one.field for pipeline in pipelines for stage in pipeline.stages for one in (*stage.entry, *stage.exit)}
        for pipelines in (PIPELINE.types[:1], PIPELINE.types[1:])
    )
    gone = {field for field in here - elsewhere if field.startswith("confirmed.")}
    assert {one.split("`")[1] for one in found if one.startswith("no stage asks for `confirmed.")} == gone
    assert gone
    assert any(one.startswith(f"`handover` has no `{PIPELINE.handover[0].id}`") for one in found)
    assert f"no deal is lost for `{PIPELINE.loss_reasons[0].code}` any more: those that were keep it" in found
