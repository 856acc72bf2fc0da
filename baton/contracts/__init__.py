"""Contracts as files: JSON Schemas of records and policies, pages of topics and fields, the gate that a change has to pass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from baton.contracts.fields_page import fields_page
from baton.contracts.topics_page import topics_page
from shared.schemas.base import Record
from shared.schemas.handoff import HandoffEvent
from shared.schemas.policies import KINDS, PolicyPublished
from shared.schemas.routing import LeadNurtured, LeadRouted, LeadWithdrawn
from shared.schemas.scores import AccountScored, AccountSignal, EpochBegun, LeadScored, ScoreTransfer
from shared.schemas.touches import IdentityConflict, LinkChanged, QuarantinedRequest, RejectedEvent, Touch

ROOT = Path(__file__).parents[2]
GENERATED = "shared/schemas/generated"
EXAMPLES = "shared/schemas/examples"

RECORDS: Mapping[str, type[Record]] = {
    record.__name__: record
    for record in (
        Touch,
        LinkChanged,
        RejectedEvent,
        IdentityConflict,
        QuarantinedRequest,
        LeadScored,
        ScoreTransfer,
        AccountSignal,
        AccountScored,
        EpochBegun,
        LeadRouted,
        LeadWithdrawn,
        LeadNurtured,
        HandoffEvent,
        PolicyPublished,
    )
}

_MODELS: Mapping[str, type[BaseModel]] = {**RECORDS, **{f"policies/{kind}": model for kind, model in KINDS.items()}}


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every record and kind of policy, as the models say now, by path below `generated`."""
    return {name: model.model_json_schema() for name, model in _MODELS.items()}


def files() -> dict[str, str]:
    """Every generated file: path from the root of the repository -> content."""
    content = {f"{GENERATED}/{name}.json": _json(schema) for name, schema in schemas().items()}
    return content | {"docs/topics.md": topics_page(), "docs/fields.md": fields_page()}


def committed(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """The JSON Schemas as they are committed below `root`."""
    base = root / GENERATED
    return {str(p.relative_to(base).with_suffix("")): json.loads(p.read_text()) for p in sorted(base.rglob("*.json"))}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
