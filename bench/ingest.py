"""Ingest per core: events accepted per second of the server's own CPU time, beside a FastAPI route that only parses the body.

CPU time and not wall time, because the load generator, Kafka and Redis share the same processors. Both servers get the same
requests and run on the same uvicorn, uvloop and httptools. Of the events every one carries an anonymous id, every other one a
user id too, one in twenty is of somebody never seen before, none is a repetition; each is acknowledged by Kafka (acks=all)
before it is answered, and answers are checked to say `accepted`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from itertools import count

import orjson
import uvloop

from baton.stack.ports import free_port
from bench import setup
from bench.harness import Process, Row, median, row, say, servers
from bench.load import request, send

ROUNDS = 5
PEOPLE = 5000


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to send. requests: of a round;  at_once: connections;  baseline_repeats: times that the baseline, which is
    faster, gets the same requests, so that its CPU time can be read (it comes in hundredths of a second)"""

    per_request: int
    requests: int
    at_once: int
    baseline_repeats: int

    def name(self) -> str:
        return f"{self.per_request} event{'s' if self.per_request > 1 else ''} per request"


SHAPES = (Shape(1, 4000, 64, 3), Shape(100, 250, 8, 12))


def measure() -> list[Row]:
    with servers() as env:
        key = uvloop.run(setup.prepare(env))
        ingest_port, parse_port = free_port(), free_port()
        ours, theirs = f"http://127.0.0.1:{ingest_port}", f"http://127.0.0.1:{parse_port}"
        env["INGEST_PORT"] = str(ingest_port)
        numbers = count()
        with (
            Process("services.ingest", env=env, ready=f"{ours}/readyz") as ingest,
            Process("bench.parse_only", str(parse_port), env=env, ready=f"{theirs}/livez") as parse_only,
        ):
            _accepted(uvloop.run(send(ours, _requests(ours, key, Shape(100, PEOPLE // 100, 8, 0), numbers), 8)))
            return [_row(shape, (ours, ingest), (theirs, parse_only), key, numbers) for shape in SHAPES]


def _row(shape: Shape, ours: tuple[str, Process], theirs: tuple[str, Process], key: str, numbers: count[int]) -> Row:
    rates: list[float] = []
    baselines: list[float] = []
    events = shape.per_request * shape.requests
    for number in range(ROUNDS + 1):
        made = _requests(ours[0], key, shape, numbers)
        before = theirs[1].cpu_seconds()
        uvloop.run(send(theirs[0], made * shape.baseline_repeats, shape.at_once))
        baseline = events * shape.baseline_repeats / (theirs[1].cpu_seconds() - before)
        before = ours[1].cpu_seconds()
        answers = uvloop.run(send(ours[0], made, shape.at_once))
        rate = events / (ours[1].cpu_seconds() - before)
        if (accepted := _accepted(answers)) != events:
            raise RuntimeError(f"{accepted} of {events} events were accepted: the others cost less, and are no measure")
        if number:  # the first round warms up
            rates.append(rate)
            baselines.append(baseline)
            say(f"{shape.name()}: {rate:,.0f} events per CPU second, parsing alone {baseline:,.0f}")
    return row(f"ingest, {shape.name()}, acks=all, per core", median(rates), "events/s", median(baselines))


def _accepted(answers: list[bytes]) -> int:
    return sum(orjson.loads(answer)["accepted"] for answer in answers)


def _requests(base: str, key: str, shape: Shape, numbers: count[int]) -> list[bytes]:
    path = "/v1/track" if shape.per_request == 1 else "/v1/batch"
    headers = {
        "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
        "Content-Type": "application/json",
    }
    return [request("POST", base + path, headers, _body(shape, numbers)) for _ in range(shape.requests)]


def _body(shape: Shape, numbers: count[int]) -> bytes:
    events = [_event(next(numbers)) for _ in range(shape.per_request)]
    return orjson.dumps(events[0] if shape.per_request == 1 else {"batch": events})


def _event(number: int) -> dict[str, object]:
    person = f"new-{number}" if number % 20 == 0 else str(number % PEOPLE)
    user = {"userId": f"user-{person}"} if number % 2 else {}
    return {
        "type": "track",
        "messageId": f"bench-{number}",
        "event": "Whitepaper Downloaded",
        "anonymousId": f"browser-{person}",
        **user,
        "properties": {"topic": "routing", "path": f"/papers/{number % 40}", "campaign": "autumn"},
        "context": {"library": {"name": "bench", "version": "1"}, "locale": "ja-JP"},
    }
