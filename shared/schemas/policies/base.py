"""What every policy has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from shared.schemas import conditions
from shared.schemas.base import Millis, Record

RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Strict(BaseModel):
    """Part of a policy: what it does not know it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Label(Strict):
    """The same in English and Japanese; either may stand for the other."""

    en: str | None = None
    ja: str | None = None

    def texts(self) -> dict[str, str]:
        return {language: text for language, text in (("en", self.en), ("ja", self.ja)) if text}


class Policy(Strict):
    """A policy of one tenant; `kind` names its model."""

    kind: str


class PolicyPublished(Record):
    """A version of a policy, as `baton policy apply` stored it. Keyed by tenant and kind: the latest is kept for ever.

    sequence: counts all policy versions of the tenant;  hash: SHA-256 of the canonical JSON of `body`
    """

    topic_field: ClassVar[str] = "kind"
    record: Literal["policy"] = "policy"
    kind: str
    sequence: int = Field(ge=1)
    hash: str
    body: dict[str, Any]
    activated_at: Millis


@dataclass(frozen=True, slots=True, eq=False)  # hashed as itself: catalogues are dicts
class Over:
    """Marks the type of a condition with the fields that it may name, for whoever lists them."""

    catalogue: Mapping[str, type]


def condition_of(catalogue: Mapping[str, type]) -> Any:
    """A pydantic type for a condition over the fields of `catalogue`; kept as written, parsed by `conditions.parse`.

    Errors are of type `condition`, with `wrong`, `valid` and `at` (path inside the condition) in their context.
    """

    def check(raw: Any) -> Any:
        try:
            conditions.parse(raw, catalogue)
        except conditions.ConditionError as error:
            raise PydanticCustomError(
                "condition",
                "{message}",
                {"message": str(error), "at": list(error.path), "wrong": error.wrong, "valid": list(error.valid)},
            ) from None
        return raw

    return Annotated[dict[str, Any], BeforeValidator(check), Over(catalogue)]
