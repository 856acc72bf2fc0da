"""`baton scoring account` on a whole running Baton: three people of one company, from tracking calls to words."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

PEOPLE = (
    ("ume", "楠 梅", "情報システム部 部長", "情報システム部", ("Pricing Viewed", "Request Demo")),
    ("take", "楠 武", "デジタル推進部 一般社員", "デジタル推進部", ("Pricing Viewed",)),
    ("matsu", "楠 松", "総務部 課長", "総務部", ()),
)


def send(baton: Any, call: str, **body: Any) -> None:
    names = baton.names()
    answered = httpx.post(
        f"{names['INGEST_URL']}/v1/{call}",
        json=body | {"messageId": uuid4().hex},
        headers={"X-Write-Key": names["DEMO_SERVER_WRITE_KEY"]},
        timeout=30,
    )
    assert answered.status_code == 200, answered.text


def told(baton: Any, *arguments: str) -> str:
    done = baton.run("scoring", "account", *arguments)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_people_of_one_company_are_told_as_an_account_in_both_languages(baton: Any, wait: Any) -> None:
    domain = f"k{uuid4().hex[:8]}.example"
    for user, name, title, department, events in PEOPLE:
        address = f"{user}@{domain}"
        traits = {"email": address, "name": name, "title": title, "department": department, "country": "JP"}
        send(baton, "identify", userId=f"{user}-{domain}", traits=traits)
        for event in events:
            send(baton, "track", userId=f"{user}-{domain}", event=event, context={"traits": {"email": address}})
    last = [""]

    def is_whole() -> bool:
        done = baton.run("scoring", "account", domain)
        last[0] = done.stdout + done.stderr
        return (
            "3 people are known, 2 of them were active lately" in done.stdout and "(band 2, 51.6 points)" in done.stdout
        )

    wait(is_whole, 60, lambda: last[0])
    text = last[0]
    assert text.splitlines()[0].startswith(f"{domain} as of ")
    assert "buying roles: Decision maker, Initiator, User" not in text, "who did nothing stands for nothing"
    assert "buying roles: Decision maker, User; departments: Digital transformation, IT" in text
    assert "  People active lately, 2: +20" in text
    assert "if nothing more happens." in text
    people = [line for line in text.splitlines() if "engagement" in line and line.startswith("  楠")]
    assert [line.split(" (")[0].strip() for line in people] == ["楠 梅", "楠 武", "楠 松"]
    assert people[0].endswith("adds 8")
    assert "not active yet" in people[2]

    japanese = told(baton, f"ume@{domain}", "--lang", "ja", "--people", "1")
    assert "把握している3人のうち2人に最近動きがあります。" in japanese
    assert "ほか2人" in japanese
    assert "決裁者、情報システム、" in japanese

    missing = baton.run("scoring", "account", f"{domain[:-1]}")
    assert missing.returncode == 1
    assert f"Did you mean `{domain}`?" in missing.stderr
    assert baton.run("scoring", "account", domain, "--lang", "fr").returncode == 1
    assert baton.run("scoring", "account", domain, "--zone", "Asia/Edo").returncode == 1
    assert baton.run("scoring", "account", domain, "--tenant", "hinode").returncode == 1
