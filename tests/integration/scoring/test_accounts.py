"""Accounts on the real broker: people of one company, a move, a merge and its undoing, workers that die in between."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from services.scoring.domain.codec import decode_people
from services.scoring.subjects import account_key
from shared.kit.kafka import Outgoing
from shared.schemas import ids
from shared.schemas.base import Record
from shared.schemas.policies import PolicyPublished
from shared.schemas.scores import AccountScored
from shared.schemas.topics import ACCOUNT_SCORED
from shared.schemas.touches import LinkChanged, Touch
from tests.integration.scoring.town import NOW, POLICY, Town

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

A = {"account": "a.example", "domain": "a.example", "own_domain": True}
B = {"account": "b.example", "domain": "b.example", "own_domain": True}


class Register:
    """What is said of each account, the highest version of it."""

    def __init__(self, town: Town, reader: AIOKafkaConsumer) -> None:
        self.town, self.reader = town, reader
        self.accounts: dict[str, AccountScored] = {}
        self.number = 0

    def lead(self, name: str) -> str:
        return ids.lead_id(self.identity(name))

    def identity(self, name: str) -> str:
        return f"{self.town.tenant}-{name}"

    def touch(self, name: str, **more: Any) -> Record:
        self.number += 1
        body = {
            "tenant": self.town.tenant,
            "lead_id": self.lead(name),
            "identity_id": self.identity(name),
            "identity_kind": "email",
            "event_id": ids.derived_id(self.town.tenant, self.number),
            "source_id": "site",
            "type": "page_viewed",
            "at": NOW - 60_000 + self.number,
            "received_at": NOW + self.number,
        }
        return Touch.model_validate(body | more)

    def link(self, name: str, owner: str) -> list[Record]:
        self.number += 1
        link = {
            "tenant": self.town.tenant,
            "identity_id": self.identity(name),
            "identity_kind": "email",
            "owner": self.lead(owner),
            "sequence": self.number,
            "received_at": NOW + self.number,
        }
        leads = sorted({self.lead(name) for name in ("ann", "bob")})
        return [LinkChanged.model_validate(link | {"lead_id": lead}) for lead in leads]

    async def until(self, **people: set[str]) -> None:
        """Wait until the accounts of these domains have these people."""
        wanted = {f"{domain}.example": {self.lead(name) for name in names} for domain, names in people.items()}

        await self.wait(
            lambda: all(
                (told := self.accounts.get(account)) is not None
                and told.people == len(leads)
                and {one.lead_id for one in told.contributors} == leads
                for account, leads in wanted.items()
            )
        )

    async def wait(self, condition: Callable[[], bool]) -> None:
        """Until it holds, reading accounts meanwhile."""

        async def holds() -> bool:
            for records in (await self.reader.getmany(timeout_ms=200)).values():
                for record in records:
                    told = AccountScored.model_validate_json(record.value or b"")
                    known = self.accounts.get(told.account)
                    if told.tenant == self.town.tenant and (known is None or told.version >= known.version):
                        self.accounts[told.account] = told
            return condition()

        await self.town.until(holds)


@pytest.fixture
async def register(town: Town) -> AsyncIterator[Register]:
    reader = AIOKafkaConsumer(ACCOUNT_SCORED.name, bootstrap_servers=town.kafka, auto_offset_reset="earliest")
    await reader.start()
    yield Register(town, reader)
    await reader.stop()


async def test_people_of_a_company_are_its_breadth_past_a_move_a_merge_and_dead_workers(register: Register) -> None:
    town = register.town
    worker = await town.hire()
    await town.send(
        [
            register.touch("ann", attributes=A | {"level": "head", "department": "it"}),
            register.touch("bob", attributes=A | {"level": "staff", "department": "dx"}),
            register.touch("cy", attributes=A),
            register.touch("test", attributes=A, is_test=True),
            register.touch("device", attributes=A, identity_kind="anonymous"),
        ]
    )
    await register.until(a={"ann", "bob", "cy"})
    first = register.accounts["a.example"]
    assert (first.active, first.roles, first.departments) == (3, ("decision_maker", "user"), ("dx", "it"))
    assert {part.rule_id: part.kept for part in first.score.parts} == {
        "persons": 30_000,
        "roles": 16_000,
        "departments": 6_000,
        "depth": 3 * 600,
    }
    assert (first.score.total, first.band, first.cause) == (53_800, 2, "input")

    await worker.end(signal.SIGKILL)
    await town.send([register.touch("cy", attributes=B), *register.link("bob", "ann")])
    worker = await town.hire()
    await register.until(a={"ann"}, b={"cy"})

    await town.send(register.link("bob", "bob"))
    await register.until(a={"ann", "bob"}, b={"cy"})
    await worker.end(signal.SIGTERM)
    await town.send([register.touch("cy", attributes=A), register.touch("cy")])
    await town.hire()
    await register.until(a={"ann", "bob", "cy"}, b=set())
    last = register.accounts["b.example"]
    assert (last.people, last.active, last.score.total, last.contributors) == (0, 0, 0, ())


async def test_a_new_policy_tells_accounts_anew_and_who_is_ours_is_gone(register: Register) -> None:
    town = register.town
    await town.hire()
    await town.send([register.touch("ann", attributes=A), register.touch("bob", attributes=A | {"kind": "group"})])
    await register.until(a={"ann", "bob"})
    body = POLICY | {"internal": {"lead.kind": {"eq": "group"}}, "account": {"person": 20}}
    policy = PolicyPublished(tenant=town.tenant, kind="scoring", sequence=2, hash="h2", body=body, activated_at=NOW)
    await town.publisher.publish([Outgoing("policies", policy.key(), policy.model_dump_json().encode())])
    await register.until(a={"ann"})
    await register.wait(lambda: _points(register, "persons") == 20_000)
    assert register.accounts["a.example"].policy.sequence == 2


def _points(register: Register, part: str) -> int:
    return sum(one.kept for one in register.accounts["a.example"].score.parts if one.rule_id == part)


async def test_states_that_were_lost_are_built_anew_with_the_same_people(register: Register) -> None:
    town = register.town
    worker = await town.hire()
    await town.send([register.touch(name, attributes=A) for name in ("ann", "bob", "cy")])
    await town.send([register.touch("cy", attributes=B)])
    await register.until(a={"ann", "bob"}, b={"cy"})
    before = await people(town)
    await worker.end(signal.SIGKILL)
    keys = [f"{town.group}:{{s:{partition}}}:{what}" for partition in range(8) for what in ("states", "applied", "due")]
    await town.redis.delete(*keys)
    await town.hire()

    async def rebuilt() -> bool:
        return await people(town) == before

    await town.until(rebuilt)
    await town.send([register.touch("cy", attributes=A)])
    await register.until(a={"ann", "bob", "cy"}, b=set())


async def people(town: Town) -> dict[str, set[str]]:
    """Who is there, by account, as the store has it."""
    found: dict[str, set[str]] = {}
    for partition in range(8):
        for account in ("a.example", "b.example"):
            raw = await town.redis.hget(f"{town.group}:{{s:{partition}}}:states", account_key(town.tenant, account))  # type: ignore[misc]
            if raw:
                found[account] = {lead for lead, person in decode_people(raw).items() if not person.gone}
    return found
