"""What a lead's account says about who takes it, before any pool, on a real Postgres; and how files of accounts get there."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from baton.account_book import reading, writing
from baton.importing import table
from services.router.accounts_api import account_routes
from services.router.domain.decision import replay
from services.router.store import accounts as account_rows
from services.router.store import trail
from services.router.views import decision_view
from shared.kit import problems
from shared.kit.auth import Tokens, token_hash
from shared.kit.database import tenant_transaction
from shared.kit.person import seal
from shared.schemas.policies import RoutingPolicy
from tests.waiting import until_blocked

pytestmark = pytest.mark.servers

HINODE = {"id": "hinode", "name": "株式会社日の出工業", "domains": "hinode.co.jp; hinode.com", "prefecture": "東京都"}


class Book:
    """Files of accounts, imported as the command does."""

    def __init__(self, world: Any, folder: Path, url: str) -> None:
        self.world, self._folder, self._url, self._files = world, folder, url, 0

    def file(self, rows: list[dict[str, str]], encoding: str = "utf-8") -> Path:
        self._files += 1
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
        path = self._folder / f"accounts-{self._files}.csv"
        path.write_bytes(out.getvalue().encode(encoding))
        return path

    async def accounts(self, *rows: dict[str, str], dry_run: bool = False, encoding: str = "utf-8") -> Any:
        read = reading.accounts(table.read(self.file(list(rows), encoding)))
        return (await writing.import_accounts(read, self.world.tenant, self._url, dry_run=dry_run))[0]

    async def deals(self, *rows: dict[str, str], dry_run: bool = False) -> Any:
        read = reading.deals(table.read(self.file(list(rows))), ZoneInfo("Asia/Tokyo"))
        return (await writing.import_deals(read, self.world.tenant, self._url, dry_run=dry_run))[0]

    async def known(self) -> dict[str, Any]:
        async with tenant_transaction(self.world.pool, self.world.tenant) as connection:
            return await account_rows.read_all(connection, self.world.tenant)


@pytest.fixture
def book(world: Any, tmp_path: Path, database_url: str) -> Book:
    return Book(world, tmp_path, database_url)


def from_hinode(world: Any, lead_id: str, **more: Any) -> Any:
    attributes = {"domain": "hinode.co.jp", "own_domain": True, "company": "日の出工業(株)"} | more.pop("told", {})
    return world.score(lead_id, attributes=attributes, **more)


async def latest(world: Any, lead_id: str) -> dict[str, Any]:
    """The lead's latest decision as the API shows it; it repeats itself from its row."""
    async with tenant_transaction(world.pool, world.tenant) as connection:
        [row, *_] = await trail.read(connection, world.tenant, lead_id)
        playbook = await trail.playbook_of(connection, world.tenant, row["policies"])
    decision = trail.decision_of(row)
    assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)
    return decision_view(row, playbook)


def routing(policy_bodies: dict[str, Any], **accounts: Any) -> dict[str, Any]:
    return policy_bodies["routing"] | {"accounts": accounts}


async def test_a_named_account_goes_to_its_owner_and_counts_against_nobodys_fair_share(world, book):
    await book.accounts(HINODE | {"owner": "mori", "tier": "A"})
    await world.router().handle([from_hinode(world, f"l{n}", hand_raise="demo_requested") for n in range(4)])
    routed = await world.routed()
    assert {(one.rep_id, one.leg, one.mode, one.account_id) for one in routed} == {("mori", "fs", "assign", "hinode")}
    by = {one.lead_id: one.pool_id for one in routed}
    assert by == {"l0": "account:named_account"} | dict.fromkeys(("l1", "l2", "l3"), "account:open_opportunity")
    assert await world.count("pool_members") == 0
    lead = await world.lead("l0")
    assert (lead["owner_rep"], lead["pool_id"], lead["stage"]) == ("mori", None, "mql")
    shown = await latest(world, "l0")
    assert (shown["by"], shown["account"]["by"], shown["account"]["account_id"]) == (
        "named_account",
        "domain",
        "hinode",
    )
    checks = [(check["check"], check["said"], check["why"]) for check in shown["checks"]]
    assert checks == [
        ("kind", "passes", "kind"),
        ("open_opportunity", "passes", "no_deal"),
        ("deal_registration", "passes", "no_registration"),
        ("named_account", "takes", "has_owner"),
    ]
    assert shown["checks"][3]["text"]["ja"] == "指名アカウント: 取引先の担当は Mori。担当に決定"
    assert [reason["code"] for reason in shown["reasons"]] == ["gate_mql", "bant", "account", "check_named_account"]


async def test_a_lead_of_no_account_goes_to_its_pool_and_says_that_none_was_found(world, book):
    await book.accounts(HINODE | {"owner": "mori"})
    await world.router().handle([world.score("l1", attributes={"domain": "gmail.com", "own_domain": False})])
    [routed] = await world.routed()
    assert (routed.pool_id, routed.account_id) == ("field", None)
    shown = await latest(world, "l1")
    assert (shown["by"], shown["checks"], shown["account"]["account_id"]) == ("pool", [], None)
    assert "free-mail" in shown["account"]["why"]["text"]["en"]


async def test_an_owner_who_cannot_take_it_is_passed_over_and_the_reason_is_said(world, book, team):
    await world.apply(team() | {"reps": [r | {"active": r["id"] != "mori"} for r in team()["reps"]]})
    await book.accounts(
        HINODE | {"owner": "mori"},
        {
            "id": "aoba",
            "name": "青葉商事株式会社",
            "domains": "aoba.example",
            "prefecture": "宮城県",
            "owner": "nobody",
        },
    )
    await world.router().handle(
        [from_hinode(world, "l1"), world.score("l2", attributes={"domain": "aoba.example", "own_domain": True})]
    )
    assert [one.pool_id for one in await world.routed()] == ["field", "field"]
    whys = [(await latest(world, lead))["checks"][3] for lead in ("l1", "l2")]
    assert [(one["said"], one["why"]) for one in whys] == [("unavailable", "inactive"), ("unavailable", "unknown_rep")]
    assert whys[1]["text"]["en"] == "named account: nobody is no rep of the teams policy; it goes on"


async def test_a_second_lead_of_a_company_goes_to_whoever_holds_the_first_even_in_one_batch(world, book):
    await book.accounts(HINODE)
    await world.router().handle([from_hinode(world, f"l{n}") for n in range(6)])
    routed = await world.routed()
    assert len({one.rep_id for one in routed}) == 1
    by = {one.lead_id: one.pool_id for one in routed}
    assert by == {"l0": "field"} | {f"l{n}": "account:open_opportunity" for n in range(1, 6)}
    shown = await latest(world, "l5")
    assert shown["checks"][1]["about"] == "l0"


async def test_two_workers_that_decide_on_one_company_at_once_ask_one_rep(world, book):
    await book.accounts(HINODE)
    for attempt in range(10):
        leads = [f"l{attempt}-{n}" for n in range(4)]
        scores = [from_hinode(world, lead) for lead in leads]
        await asyncio.gather(*(world.router().handle([score]) for score in scores))
    assert len({one.rep_id for one in await world.routed()}) == 1


async def test_by_policy_only_accepted_leads_keep_a_company_and_an_ended_deal_does_not(world, book, policy_bodies):
    await world.apply(routing(policy_bodies, open_opportunity={"held": "accepted"}))
    await book.accounts(HINODE)
    router = world.router()
    await router.handle([from_hinode(world, "l1")])
    await router.handle([from_hinode(world, "l2")])
    first, second = sorted(await world.routed(), key=lambda one: one.lead_id)
    assert second.pool_id == "field"
    assert first.rep_id != second.rep_id
    await router.handle([world.event(second, "offer-accepted")])
    await router.handle([from_hinode(world, "l3")])
    [third] = await world.routed()
    assert (third.rep_id, third.pool_id) == (second.rep_id, "account:open_opportunity")
    await router.handle([world.event(second, "stage-changed", stage="lost")])
    await router.handle([from_hinode(world, "l4")])
    [fourth] = await world.routed()
    assert fourth.pool_id == "field"


async def test_an_offer_that_was_declined_keeps_the_company_no_longer(world, book):
    await book.accounts(HINODE)
    router = world.router()
    await router.handle([from_hinode(world, "l1")])
    [first] = await world.routed()
    await router.handle([world.event(first, "offer-declined", reason="at_capacity", effect="reroute")])
    [again] = await world.routed()
    assert again.rep_id != first.rep_id
    await router.handle([from_hinode(world, "l2")])
    [other] = await world.routed()
    assert (other.rep_id, other.pool_id) == (again.rep_id, "account:open_opportunity")


async def test_a_deal_elsewhere_in_the_group_counts_only_where_the_policy_says_so(world, book, policy_bodies):
    group = [
        {"id": "hg", "name": "日の出ホールディングス", "level": "group", "domains": ""},
        {"id": "one", "name": "日の出第一", "level": "legal_entity", "parent": "hg", "domains": "one.example"},
        {"id": "two", "name": "日の出第二", "level": "legal_entity", "parent": "hg", "domains": "two.example"},
    ]
    await book.accounts(*group)

    def lead(lead_id: str, domain: str) -> Any:
        return world.score(lead_id, attributes={"domain": domain, "own_domain": True})

    await world.router().handle([lead("l1", "one.example"), lead("l2", "two.example")])
    assert [one.pool_id for one in await world.routed()] == ["field", "field"]
    await world.apply(routing(policy_bodies, open_opportunity={"within": "group"}))
    await world.router().handle([lead("l3", "two.example")])
    [third] = await world.routed()
    assert third.pool_id == "account:open_opportunity"


async def test_a_customer_goes_to_the_account_manager_on_a_leg_of_its_own(world, book):
    await book.accounts(HINODE | {"owner": "sato", "is_customer": "yes", "account_manager": "tanaka"})
    await world.router().handle([from_hinode(world, "l1")])
    [routed] = await world.routed()
    assert (routed.rep_id, routed.leg, routed.pool_id) == ("tanaka", "am", "account:customer")
    await world.router().handle([world.event(routed, "offer-accepted")])
    assert (await world.lead("l1"))["stage"] == "sal"


PARTNER = {"id": "daiko", "name": "株式会社大興代理店", "kind": "partner", "domains": "daiko.example", "owner": "ito"}


async def test_a_registered_deal_goes_to_the_partners_owner_until_its_protection_ends(world, book):
    await book.accounts(HINODE, PARTNER)
    await book.deals({"id": "r1", "partner": "daiko", "account": "hinode", "protected_until": "2030-01-31"})
    await world.router().handle([from_hinode(world, "l1")])
    [routed] = await world.routed()
    assert (routed.rep_id, routed.leg, routed.pool_id) == ("ito", "partner", "account:deal_registration")
    await book.deals({"id": "r1", "partner": "daiko", "account": "hinode", "protected_until": "2020-01-31"})
    await world.router().handle([world.event(routed, "stage-changed", stage="lost"), from_hinode(world, "l2")])
    [routed] = await world.routed()
    assert routed.pool_id == "field"


async def test_a_protected_deal_is_never_sold_directly_but_waits_for_a_person(world, book, policy_bodies):
    await world.apply(routing(policy_bodies, deal_registration={"then": "park"}))
    await book.accounts(HINODE, PARTNER | {"owner": ""}, PARTNER | {"id": "kyoei", "name": "共栄代理店", "domains": ""})
    await book.deals({"id": "r1", "partner": "daiko", "account": "hinode", "protected_until": "2030-01-31"})
    await world.router().handle([from_hinode(world, "l1")])
    lead = await world.lead("l1")
    assert lead["waiting_reason"] == "parked:partner_protected"
    assert lead["waiting_until"] > world.clock.now(), "and it is tried again when the protection ends"
    await world.apply(routing(policy_bodies))  # to the partner's owner, whom nobody is
    await world.sweep().sweep()
    assert (await world.lead("l1"))["waiting_reason"] == "parked:partner_protected"
    await book.deals({"id": "r2", "partner": "kyoei", "account": "hinode", "protected_until": "2030-01-31"})
    await world.sweep().sweep()
    assert (await world.lead("l1"))["waiting_reason"] == "parked:partner_conflict"
    await book.deals({"id": "r2", "partner": "kyoei", "account": "hinode", "protected_until": "2020-01-31"})
    await book.accounts(PARTNER)
    await world.sweep().sweep()
    [routed] = await world.routed()
    assert (routed.rep_id, routed.leg) == ("ito", "partner")


async def test_competitors_are_never_routed_and_partners_people_go_to_the_partners_owner(world, book):
    await book.accounts(HINODE | {"kind": "競合"}, PARTNER)
    await world.router().handle(
        [
            from_hinode(world, "l1", hand_raise="demo_requested"),
            world.score("l2", attributes={"domain": "daiko.example", "own_domain": True}),
        ]
    )
    [routed] = await world.routed()
    assert (routed.lead_id, routed.rep_id, routed.leg) == ("l2", "ito", "partner")
    assert (await world.lead("l1"))["waiting_reason"] == "below_gate"
    assert (await latest(world, "l1"))["checks"][0]["text"]["ja"] == "取引先種別: 競合のため振り分け対象外"


async def test_leads_of_target_accounts_go_to_their_owner_whatever_their_grade(world, book, policy_bodies):
    await world.apply(routing(policy_bodies, named_account={"any_score": ["A"]}))
    await book.accounts(HINODE | {"owner": "mori", "tier": "A"})
    await world.router().handle([from_hinode(world, "l1", grade="D4"), world.score("l2", grade="D4")])
    [routed] = await world.routed()
    assert (routed.lead_id, routed.rep_id) == ("l1", "mori")
    assert "target_account" in [reason.code for reason in routed.reasons]
    assert (await latest(world, "l1"))["stage"] == "aql"
    await world.router().handle([from_hinode(world, "l3", is_test=True)])
    assert (await world.lead("l3"))["waiting_reason"] == "below_gate"


async def test_rules_may_ask_for_the_account(world, book, policy_bodies):
    rules = [
        {
            "id": "a",
            "legs": ["fs"],
            "when": {"account.tier": {"eq": "A"}, "account.matched_by": {"eq": "domain"}},
            "pool": "inside",
        },
        *policy_bodies["routing"]["rules"],
    ]
    await world.apply(routing(policy_bodies, named_account=None) | {"rules": rules})
    await book.accounts(HINODE | {"tier": "A", "owner": "mori"})
    await world.router().handle([from_hinode(world, "l1")])
    [routed] = await world.routed()
    assert routed.pool_id == "inside"


async def test_an_import_frees_what_waits_and_matches_what_is_held(world, book):
    router = world.router()
    await world.router().handle([from_hinode(world, "held"), from_hinode(world, "cold", grade="D4")])
    [first] = await world.routed()
    await book.accounts(HINODE)
    async with tenant_transaction(world.pool, world.tenant) as connection:
        held = await connection.fetch("SELECT lead_id, code FROM router.account_leads")
        waits = await connection.fetchval("SELECT decided_under FROM router.leads WHERE lead_id = 'cold'")
    assert ([tuple(row) for row in held], waits) == ([("held", "domain")], 0)
    await router.handle([from_hinode(world, "next")])
    [second] = await world.routed()
    assert (second.rep_id, second.pool_id) == (first.rep_id, "account:open_opportunity")


async def test_a_lead_is_found_by_the_phone_of_its_firm_which_no_decision_keeps(world, book):
    await book.accounts(HINODE | {"phone": "03-1234-5678", "owner": "mori"})
    score = world.score("l1", attributes={"country": "JP"}).model_copy(
        update={"person": seal({"phone": "+81312345678"})}
    )
    await world.router().handle([score])
    shown = await latest(world, "l1")
    assert (shown["account"]["by"], shown["owner"]["rep_id"]) == ("phone", "mori")
    async with tenant_transaction(world.pool, world.tenant) as connection:
        [row] = await trail.read(connection, world.tenant, "l1")
    assert "12345678" not in str(row["inputs"]) + str(row["trace"])


async def test_an_import_twice_changes_nothing_and_a_dry_run_never_does(world, book):
    rows = [
        HINODE | {"tel": "03-1234-5678"},
        {"id": "osaka", "name": "大阪支店", "level": "拠点", "parent": "hinode", "prefecture": "大阪府"},
    ]
    would = await book.accounts(*rows, dry_run=True)
    assert (len(would.new), await book.known()) == (2, {})
    first = await book.accounts(*rows)
    after = await book.known()
    again = await book.accounts(*rows)
    assert (len(first.new), len(again.to_write), again.same) == (2, 0, 2)
    assert await book.known() == after
    assert (after["osaka"].entity, after["osaka"].root, after["hinode"].phone) == ("hinode", "hinode", "+81312345678")
    renamed = await book.accounts(
        {"id": "hinode", "name": "日の出テクノ株式会社", "former_names": "株式会社日の出工業"}, dry_run=True
    )
    assert set(renamed.changed[0].fields) == {"name", "former_names"}
    await book.accounts({"id": "hinode", "name": "日の出テクノ株式会社", "former_names": "株式会社日の出工業"})
    known = await book.known()
    assert known["hinode"].domains == ("hinode.co.jp", "hinode.com")  # no column of it: left as it was
    async with tenant_transaction(world.pool, world.tenant) as connection:
        names = {
            row[0]
            for row in await connection.fetch(
                "SELECT value FROM router.account_keys WHERE account_id = 'osaka' AND kind = 'name'"
            )
        }
    assert names == {"日ノ出テクノ大阪支店", "日ノ出テクノ"}  # the site is found by its firm's new name


async def test_a_file_of_windows_is_read_with_its_old_forms_of_characters(world, book):
    await book.accounts(
        {"取引先ID": "t1", "会社名": "㈱髙﨑電機①", "都道府県": "群馬県", "既存顧客": "○", "決算月": "12月"},
        encoding="cp932",
    )
    found = (await book.known())["t1"]
    assert (found.name, found.area, found.is_customer, found.fiscal_month) == ("株式会社髙﨑電機1", "JP-10", True, 12)


async def test_rows_that_do_not_fit_are_refused_with_their_reason_and_the_others_go_in(world, book):
    done = await book.accounts(
        HINODE,
        {"id": "a", "name": "甲社", "kind": "competitr"},
        {"id": "b", "name": "乙社", "domains": "gmail.com"},
        {"id": "c", "name": "丙社", "corporate_number": "1234567890123"},
        {"id": "d", "name": "東北支店", "level": "site"},
        {"id": "e", "name": "丁社", "parent": "nobody"},
        {"id": "f", "name": "西支店", "level": "site", "parent": "e"},
        {"id": "g", "name": "戊社", "phone": "090-1234-5678"},
        {"id": "hinode", "name": "二重"},
        {"id": "bad id", "name": "己社"},
        {"id": "h", "name": "個人"},
    )
    assert set(await book.known()) == {"hinode"}
    assert {one.code for one in done.refused} == {
        "unknown_kind",
        "shared_domain",
        "bad_corporate_number",
        "site_without_parent",
        "unknown_parent",
        "mobile_phone",
        "twice",
        "bad_id",
        "no_name",
    }
    assert any("Did you mean `competitor`?" in one.reason for one in done.refused)


async def test_deals_of_nobody_and_by_no_partner_are_refused(world, book):
    await book.accounts(HINODE, PARTNER)
    done = await book.deals(
        {"id": "r1", "partner": "hinode", "account": "hinode", "protected_until": "2030-01-31"},
        {"id": "r2", "partner": "daiko", "account": "nobody", "protected_until": "2030-01-31"},
        {"id": "r3", "partner": "daiko", "account": "hinode", "protected_until": "someday"},
        {"id": "r4", "partner": "daiko", "account": "hinode", "protected_until": "令和12年1月31日"},
    )
    assert [one.code for one in done.refused] == ["unreadable_date", "no_partner", "unknown_account"]
    assert done.new["r4"][2] == 1_896_101_999_999  # 2030-01-31 23:59:59.999 in Tokyo


async def test_the_api_shows_accounts_page_by_page_and_never_those_of_others(world, book, database_url):
    await book.accounts(
        HINODE | {"tier": "A", "owner": "mori"},
        {"id": "osaka", "name": "大阪支店", "level": "site", "parent": "hinode"},
        PARTNER,
    )
    await book.deals({"id": "r1", "partner": "daiko", "account": "hinode", "protected_until": "2030-01-31"})
    other = f"{world.tenant}-b"
    tokens = {world.tenant: f"token-{world.tenant}", other: f"token-{other}"}
    await add_tokens(database_url, tokens)
    app = FastAPI()
    problems.install(app)
    app.include_router(account_routes(world.pool, Tokens(world.pool)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://router") as client:
        mine = {"Authorization": f"Bearer {tokens[world.tenant]}"}
        first = (await client.get("/v1/accounts", params={"limit": 2}, headers=mine)).json()
        rest = (await client.get("/v1/accounts", params={"limit": 2, "after": first["next"]}, headers=mine)).json()
        one = (await client.get("/v1/accounts/osaka", headers=mine)).json()
        entity = (await client.get("/v1/accounts/hinode", headers=mine)).json()
        partners = (await client.get("/v1/accounts", params={"kind": "partner"}, headers=mine)).json()
        others = {"Authorization": f"Bearer {tokens[other]}"}
        hidden = await client.get("/v1/accounts/hinode", headers=others)
        stranger = await client.get("/v1/accounts")
    assert [each["account_id"] for each in first["accounts"] + rest["accounts"]] == ["daiko", "hinode", "osaka"]
    assert rest["next"] is None
    assert (one["owner"], one["inherited"]["owner"], one["inherited"]["tier"]) == (None, "mori", "A")
    assert [child["account_id"] for child in entity["children"]] == ["osaka"]
    assert [each["partner_name"] for each in entity["registrations"]] == ["株式会社大興代理店"]
    assert [each["account_id"] for each in partners["accounts"]] == ["daiko"]
    assert (hidden.status_code, hidden.json()["code"], stranger.status_code) == (404, "account_not_found", 401)


async def add_tokens(url: str, tokens: dict[str, str]) -> None:
    """Make tokens, as the command line does: tenant -> token."""
    connection = await asyncpg.connect(url)
    try:
        for tenant, token in tokens.items():
            await connection.execute(
                "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, 'test', '{api}')",
                tenant,
                token_hash(token),
            )
    finally:
        await connection.close()


def test_the_policies_of_the_demo_ask_every_check_unless_they_say_otherwise():
    policy = RoutingPolicy.model_validate(
        {
            "rules": [{"id": "all", "when": {}, "pool": "p"}],
            "decline_reasons": [{"code": "x", "kind": "decline", "label": {}, "effect": "reroute"}],
        }
    )
    checks = policy.accounts
    assert None not in (checks.open_opportunity, checks.deal_registration, checks.named_account, checks.customer)
    assert checks.kinds == {"competitor": "never", "supplier": "never", "partner": "owner"}


async def test_a_deal_that_was_won_makes_the_legal_entity_a_customer(world, book):
    await book.accounts(HINODE)
    router = world.router()
    await router.handle([world.score("l1", attributes={"domain": "hinode.co.jp", "own_domain": True})])
    [routed] = await world.routed()
    await router.handle([world.event(routed, "offer-accepted")])
    assert not (await book.known())["hinode"].is_customer
    await router.handle([world.event(routed, "stage-changed", stage="won", event_id="won")])
    assert (await book.known())["hinode"].is_customer
    lead = await world.lead("l1")
    assert (lead["stage"], lead["waiting_reason"], lead["owner_rep"]) == ("won", "won", None)


async def test_a_won_deal_never_waits_for_another_worker_that_waits_for_it(world, book):
    """A worker has one company, and wants the next; the batch makes that one a customer, and has a new lead of the first."""
    first = {"id": "aozora", "name": "株式会社あおぞら機械", "domains": "aozora.co.jp", "prefecture": "東京都"}
    await book.accounts(first, HINODE)
    router, lock = world.router(), "SELECT FROM router.accounts WHERE account_id = $1 FOR NO KEY UPDATE"
    await router.handle([from_hinode(world, "l1")])
    [routed] = await world.routed()
    await router.handle([world.event(routed, "offer-accepted")])
    won = world.event(routed, "stage-changed", stage="won", event_id="won")
    new = world.score("l2", attributes={"domain": "aozora.co.jp", "own_domain": True})
    async with tenant_transaction(world.pool, world.tenant) as worker:
        await worker.execute(lock, "aozora")
        batch = asyncio.create_task(router.handle([won, new]))
        await until_blocked(batch, worker, world.pool)
        await worker.execute(lock, "hinode")
    await batch
    assert (await book.known())["hinode"].is_customer
    assert (await latest(world, "l2"))["account"]["account_id"] == "aozora"


async def test_a_lead_of_an_absent_owner_waits_until_they_are_back_where_the_policy_says_so(world, book, policy_bodies):
    await world.apply(policy_bodies["routing"] | {"accounts": {"named_account": {"absent": "wait"}}})
    await book.accounts(HINODE | {"owner": "mori"})
    back = world.clock.now() + 3_600_000
    async with tenant_transaction(world.pool, world.tenant) as connection:
        await connection.execute(
            "INSERT INTO router.availability (tenant, rep_id, away_from, away_until, said_by, said_at)"
            " VALUES ($1, 'mori', 0, $2, 'mori', 0)",
            world.tenant,
            back,
        )
    await world.router().handle([world.score("l1", attributes={"domain": "hinode.co.jp", "own_domain": True})])
    lead = await world.lead("l1")
    assert (lead["waiting_reason"], lead["waiting_for"], lead["waiting_until"]) == (
        "parked:owner_absent",
        ["mori"],
        back,
    )
    async with tenant_transaction(world.pool, world.tenant) as connection:
        latest = (await trail.read(connection, world.tenant, "l1"))[0]
        playbook = await trail.playbook_of(connection, world.tenant, latest["policies"])
    decision = trail.decision_of(latest)
    assert replay(decision.inputs, playbook) == (decision.trace, decision.outcome)
    assert await world.sweep().sweep() == 0
    world.clock.advance(seconds=3_600)
    assert await world.sweep().sweep() == 1
    assert [routed.rep_id for routed in await world.routed()] == ["mori"]
