"""What a pipeline policy takes away that deals may still use: told when it comes into force, with how many stand there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from shared.schemas.policies.pipeline import CONFIRMED, Pipeline, PipelinePolicy

Standing = Mapping[tuple[str, str], int]  # open deals by type and stage


def orphans(before: Mapping[str, Any] | None, after: Mapping[str, Any], standing: Standing) -> list[str]:
    """One sentence for each type, stage, confirmation, item and loss reason of `before` that `after` does not have. Both are bodies
    of pipeline policies; none of a tenant's first one, or where that before cannot be read any more."""
    try:
        old = PipelinePolicy.model_validate(before)
    except ValidationError:
        return []
    new = PipelinePolicy.model_validate(after)
    return [*_stages(old, new, standing), *_asked(old, new)]


def _stages(old: PipelinePolicy, new: PipelinePolicy, standing: Standing) -> Iterator[str]:
    for pipeline in old.types:
        kept = new.of(pipeline.type)
        if kept is None:
            n = sum(count for (kind, _), count in standing.items() if kind == pipeline.type)
            yield (
                f"deals of the type `{pipeline.type}` are gone: {_open(n)} of it, which can only be lost until they are given"
                " another type"
            )
            continue
        for stage in pipeline.stages:
            if kept.find(stage.id) is None:
                n = standing.get((pipeline.type, stage.id), 0)
                yield (
                    f"stage `{stage.id}` of `{pipeline.type}` is gone: {_open(n)} in it, which count in no stage until they are"
                    " moved to another"
                )


def _asked(old: PipelinePolicy, new: PipelinePolicy) -> Iterator[str]:
    for confirmed in sorted(_confirmed(old) - _confirmed(new)):
        yield f"no stage asks for `confirmed.{confirmed}` any more: where it was said it stays, and cannot be said or unsaid"
    for item in sorted({one.id for one in old.handover} - {one.id for one in new.handover}):
        yield f"`handover` has no `{item}` any more: what deals say of it stays, and cannot be changed"
    for code in sorted({one.code for one in old.loss_reasons} - {one.code for one in new.loss_reasons}):
        yield f"no deal is lost for `{code}` any more: those that were keep it"


def _confirmed(policy: PipelinePolicy) -> set[str]:
    return {
        found[1]
        for pipeline in policy.types
        for field in _fields(pipeline)
        if (found := CONFIRMED.fullmatch(field)) is not None
    }


def _fields(pipeline: Pipeline) -> Iterator[str]:
    for stage in pipeline.stages:
        yield from (one.field for one in (*stage.entry, *stage.exit))


def _open(count: int) -> str:
    return f"{count} open deal{' is' if count == 1 else 's are'}"
