"""Every card gets an answer, however busy the other side is; what it refuses lands in a file that can be corrected."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from baton.errors import OperatorError
from baton.importing import rejects, rules
from baton.importing.plan import Refused
from baton.importing.sending import Sending, batches

Answering = Callable[[httpx.Request], httpx.Response]


def people(count: int) -> list[dict[str, str]]:
    return [{"メール": f"p{number}@aozora.example", "氏名": f"青空 {number}"} for number in range(count)]


class Remembering:
    """Ingest as far as a client sees it: an id is taken once, `busy` answers come first, some addresses are refused."""

    def __init__(self, *busy: int, refuses: str = "nobody@") -> None:
        self._busy, self._refuses = list(busy), refuses
        self.taken: list[str] = []
        self.sizes: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert (request.url.path, request.headers["X-Write-Key"]) == ("/v1/import", "wk_test")
        if self._busy:
            status = self._busy.pop(0)
            return httpx.Response(status, json={"code": "busy", "message": "busy"}, headers={"Retry-After": "7"})
        batch = orjson.loads(request.content)["batch"]
        self.sizes.append(len(batch))
        results = []
        for index, message in enumerate(batch):
            if self._refuses in message["context"]["traits"].get("email", ""):
                results.append({"index": index, "status": "rejected", "code": "no_identity", "message": "nobody"})
            elif message["messageId"] in self.taken:
                results.append({"index": index, "status": "duplicate", "event_id": "x"})
            else:
                self.taken.append(message["messageId"])
        return httpx.Response(200, json={"success": True, "results": results})


def sending(answer: Answering) -> tuple[Sending, list[float]]:
    pauses: list[float] = []
    client = httpx.Client(base_url="http://ingest.test", transport=httpx.MockTransport(answer))
    return Sending(client, "wk_test", pause=pauses.append), pauses


def test_cards_travel_in_batches_and_each_has_an_answer(planned: Any) -> None:
    ingest, heard = Remembering(), list[int]()
    send, _ = sending(ingest)
    answers = send.send(planned(*people(1201)).cards, told=heard.append)
    assert (answers.accepted, answers.duplicate, answers.refused) == (1201, 0, [])
    assert (ingest.sizes, heard) == ([500, 500, 201], [500, 1000, 1201])


def test_a_second_run_is_all_duplicates(planned: Any) -> None:
    ingest = Remembering()
    for expected in ((20, 0), (0, 20)):
        answers = sending(ingest)[0].send(planned(*people(20)).cards)
        assert (answers.accepted, answers.duplicate) == expected
    assert len(ingest.taken) == 20


def test_a_busy_ingest_is_asked_again_when_it_says(planned: Any) -> None:
    ingest = Remembering(503, 429, 503)
    send, pauses = sending(ingest)
    assert send.send(planned(*people(3)).cards).accepted == 3
    assert pauses == [7, 7, 7]


def test_a_lost_connection_is_tried_again_and_nothing_is_doubled(planned: Any) -> None:
    ingest, broken = Remembering(), [True]

    def answer(request: httpx.Request) -> httpx.Response:
        response = ingest(request)  # it took them, and the answer never came
        if broken.pop() if broken else False:
            raise httpx.ReadError("connection reset")
        return response

    send, pauses = sending(answer)
    answers = send.send(planned(*people(3)).cards)
    assert (answers.accepted, answers.duplicate, len(ingest.taken)) == (0, 3, 3)
    assert pauses == [1]


def test_an_ingest_that_stays_away_is_told_and_how_far_it_came(planned: Any) -> None:
    ingest = Remembering()

    def answer(request: httpx.Request) -> httpx.Response:
        if ingest.sizes:
            raise httpx.ConnectError("refused")
        return ingest(request)

    with pytest.raises(OperatorError, match="500 cards have their answer: run it again later"):
        sending(answer)[0].send(planned(*people(501)).cards)


def test_a_wrong_key_is_told(planned: Any) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"code": "unknown_write_key", "message": "…"})

    with pytest.raises(OperatorError, match="does not know the write key"):
        sending(answer)[0].send(planned(*people(1)).cards)


def test_a_batch_stays_below_a_megabyte(planned: Any) -> None:
    rows = [row | {"メモ": "長" * 2_000} for row in people(400)]
    sizes = [(len(held), len(body)) for held, body in batches(planned(*rows).cards)]
    assert sum(count for count, _ in sizes) == 400
    assert len(sizes) > 1
    assert all(size < 1_010_000 for _, size in sizes)


def test_rejects_are_in_the_files_own_encoding_and_can_be_imported_again(planned: Any, policies: Path) -> None:
    plan = planned({"メール": "bad", "氏名": "髙﨑", "メモ": '一行目\r\n"二"行目'}, *people(1), encoding="cp932")
    path = rejects.write(plan.table, plan.refused)
    assert path.name == "booth.rejects.csv"
    (row,) = csv.DictReader(io.StringIO(path.read_bytes().decode("cp932"), newline=""))
    assert (row["baton_row"], row["baton_code"], row["氏名"]) == ("2", "bad_email", "髙﨑")
    assert row["メモ"] == '一行目\r\n"二"行目'

    from baton.importing import checks
    from baton.importing.plan import make

    path.write_bytes(path.read_bytes().replace(b",bad,", b",good@aozora.example,"))
    again = make(path, checks.read(plan.table.path.with_name("mapping.yaml")), rules.in_files("hinode", policies))
    assert (len(again.cards), again.refused, again.unused) == (1, [], [])
    assert b"baton_row,baton_code" in rejects.content(again.table, [Refused(again.table.rows[0], "x", "y")])
    assert rejects.content(again.table, []).count(b"baton_row") == 1


def test_rejects_that_somebody_may_be_correcting_are_not_overwritten(planned: Any) -> None:
    plan = planned({"メール": "bad"}, {"メール": "worse"})
    first = rejects.write(plan.table, plan.refused)
    assert rejects.write(plan.table, plan.refused) == first
    assert rejects.write(plan.table, plan.refused[:1]).name == "booth.rejects.2.csv"
    assert first.stat().st_mode & 0o077 == 0
