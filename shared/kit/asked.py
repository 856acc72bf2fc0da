"""What callers send: nothing that nobody reads. A slip in a name is told, rather than passed over as if it had not been said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, ConfigDict

from shared.kit.near import nearest
from shared.kit.problems import Problem


class Asked(BaseModel):
    """A body of a request: fields that it does not have are refused."""

    model_config = ConfigDict(extra="forbid")


def only_known_parameters(app: FastAPI) -> None:
    """Routes of the API that are included from now on refuse query parameters that they do not have."""
    app.router.dependencies.append(Depends(_known_query))


async def _known_query(request: Request) -> None:
    """Raises Problem 422."""
    route = request.scope.get("route")
    dependant = getattr(route, "dependant", None)
    if not request.query_params or dependant is None or not getattr(route, "include_in_schema", False):
        return
    valid = sorted(set(_names(dependant)))
    for name in request.query_params:
        if name not in valid:
            near = nearest(name[:200], valid)
            hint = f" Did you mean `{near}`?" if near else ""
            fault: dict[str, Any] = {"at": f"query.{name[:100]}", "message": f"There is no such parameter.{hint}"}
            told = {"valid": valid, "suggestion": near}
            raise Problem(422, "invalid_request", f"{fault['at']}: {fault['message']}", problems=[fault | told], **told)


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for below in dependant.dependencies:
        yield from _names(below)
