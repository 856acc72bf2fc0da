"""The frame of a service: an HTTP app with probes and metrics, background tasks that must not die, a graceful stop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp

from shared.kit import metrics
from shared.kit.connections import http_server

log = structlog.get_logger(__name__)

# After which a service that has not stopped in order is ended hard: sooner than Kubernetes would, which says nothing.
STOPPING_SECONDS = 35.0

Check = Callable[[], bool | Awaitable[bool]]


class StartAgain(Exception):  # noqa: N818 (nothing is wrong)
    """Raised by a task, it ends the service in order and with 1, so that its supervisor starts it anew: nothing has failed."""


class Probes:
    """`/livez` (the process can do its work, or has to restart), `/readyz` (it may get work now), `/metrics`; `/` names them."""

    def __init__(self) -> None:
        self.live: dict[str, Check] = {}
        self.ready: dict[str, Check] = {}

    def install(self, app: FastAPI) -> None:
        paths = [("/docs", "the API")] if app.docs_url else []
        paths += [
            ("/readyz", "whether it may get work now"),
            ("/livez", "whether it does its work"),
            ("/metrics", "figures"),
        ]
        text = "\n".join(
            [app.title, *([app.description] if app.description else []), *(f"{p:<9} {w}" for p, w in paths)]
        )

        async def front() -> Response:
            return Response(text + "\n", media_type="text/plain")

        app.add_api_route("/", front, include_in_schema=False)
        app.add_api_route("/livez", self._livez, include_in_schema=False)
        app.add_api_route("/readyz", self._readyz, include_in_schema=False)
        app.add_api_route("/metrics", self._metrics, include_in_schema=False)

    async def _livez(self) -> Response:
        return await _answer(self.live)

    async def _readyz(self) -> Response:
        response = await _answer(self.ready)
        metrics.READY.set(response.status_code == 200)
        return response

    async def _metrics(self) -> Response:
        await self._readyz()  # where nobody else asks, a scrape must not find `baton_ready` out of date
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _answer(checks: Mapping[str, Check]) -> Response:
    results = {name: await _holds(check) for name, check in checks.items()}
    good = all(results.values())
    lines = [f"{'ok' if holds else 'not yet'} {name}" for name, holds in results.items()] or ["ok"]
    return Response("\n".join(lines) + "\n", status_code=200 if good else 503, media_type="text/plain")


async def _holds(check: Check) -> bool:
    try:
        result = check()
        if isinstance(result, bool):
            return result
        async with asyncio.timeout(2):
            return await result
    except Exception as error:  # a check that fails is an answer, not a crash
        log.warning("probe_failed", error=repr(error))
        return False


async def serve(
    app: ASGIApp, *, host: str, port: int, tasks: Mapping[str, Coroutine[Any, Any, None]], closing: AsyncExitStack
) -> int:
    """Serve `app` and run `tasks` until SIGTERM or SIGINT; the exit status. A task that ends or raises stops the service with 1:
    its supervisor starts it anew. Requests under way are finished first, then tasks are cancelled, then `closing` is unwound.

    What is not over by then is ended hard after STOPPING_SECONDS, with 1: a client that cannot be closed while its server is away
    must not keep the service from being started anew. Nothing is lost by it that a crash would not lose.
    """
    server = http_server(app, host=host, port=port)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    http = asyncio.create_task(server.serve(), name="http")
    workers = {asyncio.create_task(work, name=name) for name, work in tasks.items()}
    waiter = asyncio.create_task(stopping.wait(), name="stopping")
    done, _ = await asyncio.wait({http, waiter, *workers}, return_when=asyncio.FIRST_COMPLETED)
    too_long = end_hard(STOPPING_SECONDS, 1)
    status = 0
    try:
        for task in done - {waiter}:
            status = 1
            error = task.exception() if not task.cancelled() else None
            if isinstance(error, StartAgain):
                log.info("starts_again", why=str(error))
                continue
            log.error("task_ended", task=task.get_name(), error=repr(error), exc_info=error)
        server.should_exit = True
        await asyncio.wait({http}, timeout=12)
        await cancel(workers)
        waiter.cancel()
        await closing.aclose()
    finally:
        too_long.cancel()
    log.info("stopped", status=status)
    return status


def end_hard(seconds: float, status: int) -> threading.Timer:
    """End the process with `status` after so many seconds, unless the timer is cancelled, and say what was waited for."""
    timer = threading.Timer(seconds, _end, [asyncio.get_running_loop(), seconds, status])
    timer.daemon = True
    timer.start()
    return timer


def _end(loop: asyncio.AbstractEventLoop, seconds: float, status: int) -> None:
    """From a thread of its own: the loop may be what does not go on."""
    waiting = sorted(f"{task.get_name()}: {_where(task)}" for task in asyncio.all_tasks(loop))
    log.error("not_stopped_in_order", seconds=seconds, waiting=waiting)
    os._exit(status)


def _where(task: asyncio.Task[Any]) -> str:
    """Which coroutine waits for which."""
    names: list[str] = []
    waits: Any = task.get_coro()
    while hasattr(waits, "cr_await"):
        names.append(waits.__qualname__)
        waits = waits.cr_await
    return " > ".join(names)


async def cancel(tasks: Collection[asyncio.Task[Any]], *, again_seconds: float = 10) -> None:
    """Cancel `tasks`, and again after a while: until Python 3.12 a cancellation can get lost in a library's `wait_for`.

    again_seconds: long enough for a task to end in order, which a second cancellation would disturb
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=again_seconds)
