"""`baton up`: start everything in order, stay until Ctrl-C, stop everything in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import structlog
from aiokafka.errors import KafkaError
from alembic.util.exc import CommandError
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from baton import home as homes
from baton import tokens
from baton.demo.inbox import Inbox
from baton.demo.play import Demo
from baton.errors import OperatorError
from baton.home import Home
from baton.migrations import upgrade
from baton.run import links, ports
from baton.run.numbers import Reader
from baton.run.rules import apply_the_good
from baton.run.screen import Screen
from baton.run.services import ORDER, Services
from baton.stack import Addresses, Stack, StackError, running
from shared.kit.kafka import ensure_topics

POLICIES = Path(__file__).parent.parent.parent / "policies"
POLL_SECONDS = 0.25
T = TypeVar("T")


class Runner:
    """One Baton in the foreground. Belongs to the main thread: its servers and services die with it."""

    def __init__(self, home: Home, environ: Mapping[str, str] = os.environ, console: Console | None = None) -> None:
        self._home, self._environ = home, dict(environ)
        self._screen = Screen(console or Console())
        self._stack = Stack(home.path, say=lambda line: self._screen.step(line), environ=self._environ)
        self._services: Services | None = None
        self._reader: Reader | None = None
        self._inbox: Inbox | None = None
        self._stopping = threading.Event()
        self._ready = self._wrote = False

    def run(self, *, demo: bool) -> None:
        """Until SIGINT, SIGTERM or SIGHUP. Raises OperatorError or StackError when it cannot start; nothing is left then."""
        if not running(self._home.path):  # else that is the better reason to refuse
            ports.check_pins(self._environ)
        _hush()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            self._start()
            self._stay(demo)
        except KeyboardInterrupt:
            self._screen.step("Stopping before everything was ready")
        finally:
            self._stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """While starting, give up where we are; later, stop in order; while stopping, never mind."""
        already = self._stopping.is_set()
        self._stopping.set()
        if not already and not self._ready:
            raise KeyboardInterrupt

    def _start(self) -> None:
        step = self._screen.step
        step(f"Starting Kafka, Postgres and Redis in {self._home.path}")
        addresses = self._stack.start()
        keys = homes.keys(self._home)
        self._inbox = Inbox(self._home.inbox, self._screen.say)
        reached = self._inbox.environment(self._environ)
        step("Migrating the database")
        _attempt("the database's migration", lambda: upgrade(addresses.database))
        step("Creating the topics")
        made = _attempt("creating the topics", lambda: asyncio.run(ensure_topics(addresses.kafka)))
        step(f"Applying the policies in {POLICIES.name}/" + (f" ({len(made)} topics are new)" if made else ""))
        _attempt("applying the policies", lambda: asyncio.run(self._rules(addresses, {**keys, **reached})))
        step("Starting ingest, scoring, router and handoff")
        servers = _servers(addresses)
        own = {"INGEST_SPOOL_DIR": str(self._home.spool), "INGEST_SECRETS_FILE": str(self._home.secrets)}
        own["HANDOFF_SECRETS_FILE"] = str(self._home.secrets)
        self._services = Services({**own, **self._environ, **servers, **keys, **reached}, self._home.logs, step)
        self._services.start()
        self._services.await_ready()
        urls = self._services.urls()
        if warning := links.warning(self._home.inbox, urlsplit(urls["HANDOFF_URL"]).port or 0):
            step(warning)
        # There is no console yet: until there is one, CONSOLE_URL leads to the documentation of the router's API.
        names = {**servers, **urls, "CONSOLE_URL": f"{urls['ROUTER_URL']}/docs", **keys, **reached}
        self._wrote = True
        homes.write_names(self._home.env, names, "Written by `baton up` when everything was ready; gone when it stops.")
        self._reader = Reader(addresses.database, names["INGEST_URL"], homes.TENANTS)
        self._reader.start()
        step(f"Ready. Names and keys are in {self._home.env}")
        for line in _look_at(names, self._home):
            self._screen.console.print(line, highlight=False, markup=False, soft_wrap=True)

    async def _rules(self, addresses: Addresses, keys: Mapping[str, str]) -> None:
        environment = {**self._environ, **keys}
        await apply_the_good(POLICIES, addresses.database, addresses.kafka, environment, self._screen.step)
        await tokens.seed(addresses.database, keys)

    def _stay(self, demo: bool) -> None:
        assert self._services
        assert self._reader
        self._ready = True
        self._screen.begin()
        if demo:
            Demo(homes.environment(self._home), self._screen.say, self._stopping).start()
        while not self._stopping.is_set():
            self._services.watch()
            if name := self._stack.dead():
                words = self._stack.tail(name, 1).strip()  # none, where it was killed
                self._screen.say(f"{name} ended; starting it again." + (f" Its last words: {words}" if words else ""))
                self._stack.restart(name)
            self._screen.show(self._reader.latest)
            self._stopping.wait(POLL_SECONDS)

    def _stop(self) -> None:
        """Everything, in order: nobody is told of a Baton that is going, then the services, then what they stand on."""
        self._stopping.set()
        self._screen.end()
        if self._wrote:  # it may be another Baton's that runs here
            self._home.env.unlink(missing_ok=True)
        if self._ready:
            self._screen.step(f"Stopping; what was received stays in {self._home.path}")
        try:
            if self._reader:
                self._reader.stop()
            if self._services:
                self._services.stop()
            if self._inbox:
                self._inbox.close()
        finally:
            self._stack.stop()
        if self._ready:
            self._screen.step("Stopped")


def _servers(addresses: Addresses) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": addresses.kafka,
        "DATABASE_URL": addresses.database,
        "REDIS_URL": addresses.redis,
    }


def _look_at(names: Mapping[str, str], home: Home) -> list[str]:
    return [
        "",
        f"  send events to   {names['INGEST_URL']}/v1/batch  (write key: DEMO_WRITE_KEY)",
        f"  leads, decisions {names['ROUTER_URL']}/docs  (token: DEMO_API_TOKEN)",
        f"  opportunities    {names['HANDOFF_URL']}/docs",
        f"  what reps hear   tail -F {home.inbox}  (of hinode, with the links in which they answer)",
        *(
            f"  {'metrics' if name == ORDER[0] else '':<16} {names[f'{name.upper()}_URL']}/metrics  ({name})"
            for name in ORDER
        ),
        "  a demo lead, why .venv/bin/baton explain mei.tanabe@aozora-kikai.example",
        "                   (a lead of hinode: --tenant hinode; in Japanese: --lang ja)",
        "  stop             Ctrl-C, or .venv/bin/baton down",
        "",
    ]


def _attempt(what: str, work: Callable[[], T]) -> T:
    """Do `work`; what the servers say when they refuse becomes one sentence."""
    try:
        return work()
    except (KafkaError, OSError, asyncpg.PostgresError, SQLAlchemyError, CommandError, ValueError) as error:
        raise OperatorError(
            f"{what} failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error


def _hush() -> None:
    """The terminal is for people: libraries speak up only when something is wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for name in ("aiokafka", "kafka", "httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


__all__ = ["OperatorError", "Runner", "StackError"]
