"""Pretended reps of one tenant: they look at their offers and answer, each in a way of its own, through the public API.

They answer for people of the cast alone: whatever lead of somebody else's comes to the tenant is left to whoever sent it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

import httpx

from baton.demo.cast import CAST
from baton.home import token_of

LOOK_SECONDS = 1.0
LIVE = "live"  # the lead class whose accept clock can be watched running out

Mood = Literal["accepts", "declines", "touches", "forgets"]


@dataclass(frozen=True, slots=True)
class Habit:
    """What a rep will do with an offer, and after how many seconds; reason: of a decline"""

    mood: Mood
    after: float
    reason: str = ""


def habit(lead_id: str, rep_id: str, assignment: int, lead_class: str, grade: str = "A1") -> Habit:
    """The same offer meets the same habit: most accept, some decline with a reason, some call at once, some forget.

    A rep who forgets loses the lead when the clock runs out; who is asked after another has lost or declined it takes it.
    """
    dice = crc32(f"{lead_id}/{rep_id}".encode()) % 100
    patience = 2.0 + dice % 7
    if assignment > 1:
        return Habit("touches" if dice % 2 else "accepts", patience)
    if lead_class == LIVE:
        return Habit("forgets", patience)
    if grade.startswith("D"):
        return Habit("declines", patience, "junk")
    if dice < 50:
        return Habit("accepts", patience)
    if dice < 70:
        return Habit("touches", patience)
    if dice < 92:
        return Habit("declines", patience, ("at_capacity", "wrong_territory", "skill_or_language", "not_now")[dice % 4])
    return Habit("forgets", patience)


class Reps:
    """The sales floor of one tenant, in a thread of its own."""

    def __init__(
        self, names: Mapping[str, str], tenant: str, say: Callable[[str], None], stopping: threading.Event
    ) -> None:
        self._url, self._token, self._say = names["HANDOFF_URL"], token_of(names, tenant), say
        self._stopping, self._home = stopping, threading.Event()
        self._cast = frozenset(person.email for person in CAST if person.tenant == tenant)
        self._due: dict[tuple[str, int], float] = {}  # (opportunity, assignment) -> when its rep answers
        self._owners: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name=f"reps-{tenant}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._home.set()
        self._thread.join(10)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, headers={"Authorization": f"Bearer {self._token}"}, timeout=10) as client:
            while not self._stopping.is_set() and not self._home.wait(LOOK_SECONDS):
                try:
                    answer = client.get("/v1/opportunities", params={"stage": "offered", "limit": 200})
                    answer.raise_for_status()
                    for item in answer.json()["items"]:
                        self.look(client, item)
                except httpx.HTTPError:
                    continue  # handoff is away for a moment; the offers are still there when it is back

    def look(self, client: httpx.Client, item: Mapping[str, Any]) -> None:
        """Answer for one opportunity, as the API shows it, where its rep would by now."""
        owner = item["owner"]
        if item["person"].get("email", "").casefold() not in self._cast:
            return
        clocks = [clock for clock in item["clocks"] if clock["state"] == "running"]
        if not owner or not clocks:
            return
        assignment = max(clock["assignment"] for clock in clocks)
        key = (item["id"], assignment)
        plan = habit(item["lead_id"], owner["rep_id"], assignment, item["lead_class"], item["score"]["grade"])
        if key not in self._due:
            self._due[key] = time.monotonic() + plan.after
            self._tell_offer(item, owner["name"])
        elif time.monotonic() >= self._due[key] and plan.mood != "forgets":
            self._due[key] = float("inf")
            self._do(client, item, owner, plan)

    def _tell_offer(self, item: Mapping[str, Any], name: str) -> None:
        before = self._owners.get(item["id"])
        self._owners[item["id"]] = name
        whom, grade = _whom(item), item["score"]["grade"]
        if before and before != name:
            self._say(f"→ {whom} ({grade}) goes on from {before} to {name}")
        else:
            self._say(f"→ {whom} ({grade}) is offered to {name}")

    def _do(self, client: httpx.Client, item: Mapping[str, Any], owner: Mapping[str, str], plan: Habit) -> None:
        one = f"/v1/opportunities/{item['id']}"
        body: dict[str, str] = {"rep_id": owner["rep_id"]}
        if plan.mood == "declines":
            answer = client.post(f"{one}/decline", json={**body, "reason": plan.reason})
            did = f"declines ({plan.reason.replace('_', ' ')})"
        elif plan.mood == "touches":
            answer = client.post(f"{one}/activities", json={**body, "type": "call_connected"})
            did = "calls at once"
        else:
            answer = client.post(f"{one}/accept", json=body)
            did = "accepts"
        if answer.is_success:
            self._say(f"✓ {owner['name']} {did}: {_whom(item)}")
        elif answer.status_code != 409:  # 409: the clock was faster
            self._say(f"{owner['name']} cannot: {answer.json().get('detail', answer.status_code)}")


def _whom(item: Mapping[str, Any]) -> str:
    name, company = item["person"].get("name"), item["attributes"].get("company")
    return " / ".join(str(part) for part in (name, company) if part) or item["lead_id"][:8]
