"""Orders to ingest, below its `/admin`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import httpx
import orjson

from baton.errors import OperatorError
from baton.home import Home, environment


class IngestAdmin:
    """A client with the operators' token. Every method raises OperatorError where ingest does not do it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = f"{url.rstrip('/')}/admin"
        self._client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60)

    @classmethod
    def of(cls, home: Home) -> IngestAdmin:
        names = environment(home)
        return cls(names["INGEST_URL"], names["INGEST_ADMIN_TOKEN"])

    def __enter__(self) -> IngestAdmin:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str, **parameters: str | None) -> Any:
        return self._answer("GET", path, parameters, None)

    def post(self, path: str, body: Any, **parameters: str | None) -> Any:
        return self._answer("POST", path, parameters, body)

    def find(self, path: str, body: Any, **parameters: str | None) -> Any:
        """As `post`; None for 404."""
        return self._answer("POST", path, parameters, body, absent=True)

    def lines(self, path: str, **parameters: str | None) -> Iterator[dict[str, Any]]:
        """What a long order tells while it is carried out."""
        try:
            with self._client.stream("POST", self._url + path, params=_given(parameters), timeout=None) as answer:
                if answer.is_error:
                    answer.read()
                    raise self._refused(answer)
                for line in answer.iter_lines():
                    yield orjson.loads(line)
        except httpx.HTTPError as error:
            raise self._silent(error) from None

    def _answer(
        self, method: str, path: str, parameters: Mapping[str, str | None], body: Any, *, absent: bool = False
    ) -> Any:
        content = None if body is None else orjson.dumps(body)
        try:
            answer = self._client.request(method, self._url + path, params=_given(parameters), content=content)
        except httpx.HTTPError as error:
            raise self._silent(error) from None
        if (
            absent
            and answer.status_code == 404
            and _code(answer).startswith("unknown")
            and _code(answer) != "unknown_tenant"
        ):
            return None
        if answer.is_error:
            raise self._refused(answer)
        return answer.json()

    def _refused(self, answer: httpx.Response) -> OperatorError:
        return OperatorError(f"ingest refuses ({answer.status_code} {_code(answer)}): {_message(answer)}")

    def _silent(self, error: httpx.HTTPError) -> OperatorError:
        return OperatorError(
            f"{self._url} does not answer ({type(error).__name__}): `baton status` shows what is ready"
        )


def _given(parameters: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value is not None}


def _code(answer: httpx.Response) -> str:
    return str(_body(answer).get("code", ""))


def _message(answer: httpx.Response) -> str:
    return str(_body(answer).get("message", answer.text[:200]))


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
