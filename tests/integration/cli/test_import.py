"""A file of five thousand people goes in as Excel in Japan writes it; a second run changes nothing."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from baton.replay.finding import records
from shared.schemas.topics import TOUCHPOINTS

pytestmark = pytest.mark.servers
FAIR = "docs/senders/import/trade_fair.yaml"
HEADER = (
    *("メールアドレス", "携帯電話", "氏名", "会社名", "部署名", "役職", "郵便番号"),
    *("名刺交換者", "ランク", "検討時期", "商談メモ", "日時"),
)
OTHERS = ("住所", "課題", "予算", "立場", "電話番号")
STAFF, RANKS = ("中村", "陳 明", "加藤", "yoshida"), ("A", "B", "C", "要連絡", "")


def _file(path: Path, mark: str, people: int) -> None:
    """So many people: every tenth stands there twice, every hundredth has a phone number that Excel spoilt."""
    rows = []
    work = ("㈱あおぞら①", "情報システム部", "部長", "600001")
    for number in range(people):
        phone = "9.01E+10" if number % 100 == 99 else str(9010000000 + number)
        met = (STAFF[number % 4], RANKS[number % 5], "3か月以内", f"ﾒﾓ {number}\r\n二行目", "R8.10.21")
        rows.append((f"p{number}.{mark}@aozora.example", phone, f"髙﨑　{number}号", *work, *met))
        if number % 10 == 0:
            again = ("加藤 由美", "C", "", "", "2026/10/22")
            rows.append((f"P{number}.{mark}＠aozora.example", "", f"髙﨑 {number}号", "", "", "", "", *again))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([(*HEADER, *OTHERS), *((*row, "", "", "", "", "") for row in rows)])
    path.write_bytes(out.getvalue().encode("cp932"))


def _touches(baton: Any, mark: str) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        bootstrap = baton.names()["KAFKA_BOOTSTRAP_SERVERS"]
        found = [record async for record in records(bootstrap, TOUCHPOINTS.name, "hinode")]
        return [
            record
            for record in found
            if record["record"] == "touch"
            and mark in (record.get("person") or {"fields": {}})["fields"].get("email", "")
        ]

    return asyncio.run(read())


def test_five_thousand_cards_in_cp932_go_in_once_however_often_they_are_sent(baton: Any, tmp_path: Path) -> None:
    mark, file = uuid4().hex[:8], tmp_path / "booth.csv"
    _file(file, mark, 5_000)
    arguments = ("import", str(file), "--source", "files", "--tenant", "hinode", "--map", FAIR)

    first = baton.run(*arguments)
    assert first.returncode == 1, first.stderr  # fifty rows are refused, and say why
    assert "4,950 touches to send (500 rows joined" in first.stdout
    assert "50 lost_in_excel" in first.stdout
    assert "Sent 4,950 = 4,950 accepted" in first.stdout
    assert "sent 4,950 of 4,950" in first.stderr
    rejects = file.with_name("booth.rejects.csv")
    refused = list(csv.DictReader(io.StringIO(rejects.read_bytes().decode("cp932"), newline="")))
    assert (len(refused), {row["baton_code"] for row in refused}) == (50, {"lost_in_excel"})

    second = baton.run(*arguments)
    assert "Nothing new: all 4,950 had been imported before." in second.stdout
    assert [path.name for path in tmp_path.glob("booth.rejects*")] == ["booth.rejects.csv"]

    numbers = count(9020000000)
    rejects.write_bytes(re.sub(rb",9\.01E\+10", lambda _: f",{next(numbers)}".encode(), rejects.read_bytes()))
    corrected = baton.run("import", str(rejects), *arguments[2:])
    assert (corrected.returncode, corrected.stderr) == (0, "sent 50 of 50\n")
    assert "Sent 50 = 50 accepted" in corrected.stdout

    touches = _touches(baton, mark)
    assert len(touches) == len({touch["event_id"] for touch in touches}) == 5_000
    assert {touch["campaign"] for touch in touches} == {"monozukuri-2026"}
    assert {touch["channel"] for touch in touches} == {"trade_fair"}
    assert Counter(touch["type"] for touch in touches) == {
        "contact_requested": 2000,
        "trade_fair_survey_answered": 3000,
    }
    one = next(touch for touch in touches if touch["person"]["fields"]["email"].startswith("p10."))
    assert one["attributes"]["exchanged_by"] == "kato"
    assert one["attributes"]["rank"] == "contact"
    assert one["person"]["fields"]["phone"] == "+819010000010"
    assert one["evidence"]["T1"] == "3m"
    assert one["at"] == 1792508400000, "2026-10-21 in Tokyo"


def test_the_explanation_of_an_imported_lead_tells_of_the_fair(baton: Any, tmp_path: Path, wait: Any) -> None:
    mark, file = uuid4().hex[:8], tmp_path / "booth.csv"
    _file(file, mark, 1)
    done = baton.run("import", str(file), "--source", "files", "--tenant", "hinode", "--map", FAIR)
    assert done.returncode == 0, done.stdout + done.stderr
    address = f"p0.{mark}@aozora.example"
    wait(
        lambda: "Contact requested" in baton.run("explain", address, "--tenant", "hinode").stdout,
        60,
        lambda: baton.run("explain", address, "--tenant", "hinode").stdout,
    )


def test_a_campaign_that_is_not_in_force_is_told_before_anything_is_sent(baton: Any, tmp_path: Path) -> None:
    mapping, file = tmp_path / "m.yaml", tmp_path / "f.csv"
    mapping.write_text("campaign: monozukuri-2062\nevent: trade_fair_card_scanned\nfields: {email: mail}\n")
    file.write_text("mail\nx@aozora.example\n")
    done = baton.run("import", str(file), "--source", "files", "--tenant", "hinode", "--map", str(mapping))
    assert done.returncode == 1
    assert "m.yaml:1: tenant `hinode` has no campaign `monozukuri-2062`. Did you mean `monozukuri-2026`?" in done.stderr
