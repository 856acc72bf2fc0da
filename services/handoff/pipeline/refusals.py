"""What is refused of deals, as answers."""

from __future__ import annotations

from collections.abc import Collection

from services.handoff.desk import UnknownOpportunityError
from services.handoff.entry import not_found
from services.handoff.pipeline.desk import StaleError
from services.handoff.pipeline.steps import RefusedError
from services.handoff.policies import Policies
from shared.kit.near import nearest
from shared.kit.problems import Problem

_WRONG = frozenset(
    {"unknown_stage", "unknown_type", "unknown_item", "unknown_reason", "unknown_rep", "bad_amount", "reason_required"}
    | {"in_the_future", "not_in_the_future", "in_the_past"}
)  # 422: the request is wrong; what else is refused does not fit how things stand: 409


def must_be_reps(policies: Policies, tenant: str, people: Collection[str]) -> None:
    """Raises Problem 422 for who is none."""
    valid = sorted(policies.rep_names(tenant))
    for rep_id in people:
        if rep_id not in valid:
            near = nearest(rep_id, valid)
            raise Problem(422, "unknown_rep", f"the teams policy has no rep `{rep_id}`.", suggestion=near)


class refusals:  # noqa: N801 - reads as a clause: with _refusals(…)
    """Turns what the desk refuses into answers."""

    def __init__(self, opportunity_id: str, wrong: str | None = None) -> None:
        self._id, self._wrong = opportunity_id, wrong

    def __enter__(self) -> None: ...

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case UnknownOpportunityError():
                raise not_found(self._id) from None
            case StaleError():
                version = error.deal.version
                detail = f"the deal is version {version} by now: read it, and say it of that one"
                raise Problem(412, "stale", detail, version=version) from None
            case RefusedError():
                told, detail = dict(error.told), error.detail
                wrong = told.pop("wrong", self._wrong)
                if wrong and "valid" in told and (near := nearest(wrong, told["valid"])):
                    told["suggestion"], detail = near, f"{detail}. Did you mean `{near}`?"
                raise Problem(422 if error.code in _WRONG else 409, error.code, detail, **told) from None
