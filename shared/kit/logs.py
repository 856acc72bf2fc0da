"""JSON logs: one object a line, UTC, never a personal field."""

from __future__ import annotations

import logging
import sys

import structlog

REPEAT_SECONDS = 10
_MOST_REMEMBERED = 1_000
NOISY = ("aiokafka", "faust", "mode", "asyncio", "kafka", "uvicorn.access", "httpx", "httpcore", "urllib3")


def configure(service: str, level: str = "INFO") -> None:
    """Send structlog and the standard library's logs to stderr as JSON.

    Faust leaves aiokafka at DEBUG, which costs 20 % of its speed.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _named(service),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    handler.addFilter(Unrepeated())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


class Unrepeated(logging.Filter):
    """Of the same line of a noisy library one in ten seconds: a broker that is away is told in dozens of lines a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in NOISY:
            return True
        line = (record.name, str(record.msg))
        if record.created - self._last.get(line, 0) < REPEAT_SECONDS:
            return False
        if len(self._last) >= _MOST_REMEMBERED:
            self._last.clear()
        self._last[line] = record.created
        return True


def _named(service: str) -> structlog.typing.Processor:
    def add(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("service", service)
        return event

    return add
