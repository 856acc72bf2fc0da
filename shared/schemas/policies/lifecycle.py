"""The stages of a lead: a definition that marketing and sales share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.schemas.policies.base import Label, Policy, RuleId, Strict


class Stage(Strict):
    """One stage (vocabulary, section 6): definition 定義, the lead's action アクション, who is responsible 担当者."""

    id: RuleId
    label: Label
    definition: Label
    action: Label = Label()
    owner: Literal["marketing", "is", "fs", "am", "none"] = "none"


class LifecyclePolicy(Policy):
    kind: Literal["lifecycle"] = "lifecycle"
    stages: tuple[Stage, ...] = Field(min_length=1)
