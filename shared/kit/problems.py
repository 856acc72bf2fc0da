"""Errors of the APIs as problem+json (RFC 9457), with a stable `code`."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from shared.kit import faults

log = structlog.get_logger(__name__)
RETRY_AFTER = "2"  # seconds


class Problem(Exception):  # noqa: N818 - it is an answer, not an error
    """An answer that is not a success. `code` is stable; `detail` says what happened and what to do."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail, self.more = status, code, detail, more


class ProblemBody(BaseModel):
    """Every answer that is not a success (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str


def described(**meanings: str) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: `_404="…"` and so on."""
    content = {"application/problem+json": {"schema": ProblemBody.model_json_schema()}}
    return {int(status[1:]): {"description": text, "content": content} for status, text in meanings.items()}


def answer(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    body = {
        "type": f"urn:baton:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
    }
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": RETRY_AFTER}}.get(status)
    return JSONResponse(body | more, status_code=status, media_type="application/problem+json", headers=headers)


def install(app: FastAPI) -> None:
    """Answer every error of `app` as problem+json."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, problem: Problem) -> JSONResponse:
        return answer(problem.status, problem.code, problem.detail, **problem.more)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        return answer(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}")

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        problems = faults.told(error.errors(), request.scope.get("route"))
        words = "; ".join(f"{item['at']}: {item['message']}" for item in problems)
        unknown = next((item for item in problems if "valid" in item), {})
        hint = {name: unknown[name] for name in ("valid", "suggestion") if name in unknown}
        return answer(422, "invalid_request", words, problems=problems, **hint)

    @app.exception_handler(TimeoutError)
    async def _late(request: Request, error: TimeoutError) -> JSONResponse:
        log.error("timed_out", path=request.url.path, error=repr(error))
        return answer(
            503, "busy", "the database did not answer in time: send it again later, with the same Idempotency-Key"
        )

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        log.exception("unhandled", path=request.url.path, exc_info=error)
        return answer(500, "internal_error", "this is a fault of ours; the log of the service says more")
