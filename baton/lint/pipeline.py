"""The pipeline: stages that deals can come to, chances that rise, and stages that the lifecycle hears of."""

from __future__ import annotations

from collections.abc import Iterator

from baton.policies.findings import Check, Finding, Policies
from services.router.domain.facts import Facts
from shared.schemas import conditions
from shared.schemas.catalogue import LIFECYCLE_FIELDS
from shared.schemas.policies.pipeline import ONLY_AT_THE_END, Pipeline

_ORDER = {None: 0, "C": 1, "B": 2, "A": 3}


def _pipelines(policies: Policies) -> Iterator[tuple[int, Pipeline]]:
    yield from enumerate(policies.pipeline.types if policies.pipeline else ())


def _reached(policies: Policies) -> Iterator[Finding]:
    """What is said when a deal is won is asked of no stage before that: nothing would come past it."""
    for index, pipeline in _pipelines(policies):
        last = len(pipeline.stages) - 1
        for number, stage in enumerate(pipeline.stages):
            asked = [("entry", n, one.field) for n, one in enumerate(stage.entry)]
            asked += [("exit", n, one.field) for n, one in enumerate(stage.exit) if number < last]
            for side, n, field in asked:
                if field == ONLY_AT_THE_END:
                    beyond = stage.id if side == "entry" else pipeline.stages[number + 1].id
                    en = f"no deal comes to `{beyond}`: `{field}` is said when it is won, and only the `exit` of the last stage "
                    en += "can ask for it"
                    ja = f"`{beyond}`に進める商談はありません: `{field}`は受注時に入力するため、最後の段階の`exit`にだけ書けます"
                    place = ("types", index, "stages", number, side, n)
                    yield Finding("pipeline", place, en, "stage-unreachable", ja)


def _rising(policies: Policies) -> Iterator[Finding]:
    """From stage to stage a deal becomes more likely to be won."""
    for index, pipeline in _pipelines(policies):
        for number, (before, stage) in enumerate(zip(pipeline.stages, pipeline.stages[1:], strict=False), start=1):
            pairs: tuple[tuple[str, object, object, bool], ...] = (
                (
                    "probability",
                    stage.probability,
                    before.probability,
                    stage.probability < before.probability,
                ),
                ("yomi", stage.yomi or "none", before.yomi or "none", _ORDER[stage.yomi] < _ORDER[before.yomi]),
            )
            for name, now, was, fell in pairs:
                if fell:
                    en = f"stage `{stage.id}` has the `{name}` {now}, and `{before.id}` before it {was}: chances rise from stage "
                    en += "to stage"
                    ja = f"段階`{stage.id}`の`{name}`({now})が、前の`{before.id}`({was})より下がっています"
                    yield Finding("pipeline", ("types", index, "stages", number, name), en, "chances-fall", ja)


def _heard(policies: Policies) -> Iterator[Finding]:
    """Where the lifecycle has a stage for leads with an open deal, every deal that is an SQL makes its lead one of it."""
    entries = [
        conditions.parse(stage.entered_when, LIFECYCLE_FIELDS)
        for stage in policies.lifecycle.stages
        if stage.id not in ("won", "lost") and "opportunity.stage" in str(stage.entered_when)
    ]
    for index, pipeline in _pipelines(policies):
        for number, stage in enumerate(pipeline.stages):
            facts: Facts = {"opportunity.stage": stage.id, "offer.accepted": True, "lead.leg": "fs"}
            if entries and number >= pipeline.sql_index and not any(entry.holds(facts) for entry in entries):
                if pipeline.sql is None and pipeline.type != "new":
                    continue  # nobody has said which of its stages is an SQL, and the customer is one already
                en = f"deals in `{stage.id}` are an SQL, and no stage of lifecycle.yaml is entered by it: their leads stay what "
                en += "they were"
                ja = f"`{stage.id}`は商談(SQL)ですが、lifecycle.yamlのどの段階の条件にもないため、リードの段階が変わりません"
                yield Finding("pipeline", ("types", index, "stages", number, "id"), en, "sql-unheard", ja)


PIPELINE_CHECKS: tuple[Check, ...] = (_reached, _rising, _heard)
