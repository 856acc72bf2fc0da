"""Every error of the app as JSON with `code` and `message`."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.ingest.answers import Answer, failure, refusal
from services.ingest.domain.refusals import Refused

log = structlog.get_logger(__name__)


def install_errors(app: FastAPI) -> None:
    """Make `app` answer so."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        return _response(failure(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}"))

    @app.exception_handler(Refused)
    async def _refused(request: Request, refused: Refused) -> Response:
        return _response(refusal(refused))

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        words = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return _response(failure(422, "invalid_request", words))

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> Response:
        log.exception("unhandled", path=request.url.path, exc_info=error)
        return _response(failure(500, "internal_error", "this is a fault of ours; the log of the service says more"))


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")
