"""The demo tenants' policies mean what their authors say they mean."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from baton.policies import PolicySet, check
from shared.schemas import vocabulary
from shared.schemas.catalogue import FIT_FIELDS, MAPPING_FIELDS, ROUTING_FIELDS
from shared.schemas.conditions import parse
from shared.schemas.policies import (
    QualificationPolicy,
    RoutingPolicy,
    ScoringPolicy,
    SlaPolicy,
    SourcesPolicy,
    TeamsPolicy,
)

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 21, tzinfo=UTC)  # while the campaigns run
SETS = {policies.tenant: policies for policies in check(ROOT / "policies", NOW)}
SPOKEN = ["northstar", "hinode"]


def of(tenant: str, model: type[Any]) -> Any:
    return SETS[tenant].policies[model.model_fields["kind"].default]


def meaning(tenant: str, **event: str) -> str | None:
    facts = {f"event.{name}": value for name, value in event.items()}
    rules = of(tenant, SourcesPolicy).mapping
    return next((rule.type for rule in rules if parse(rule.when, MAPPING_FIELDS).holds(facts)), None)


def code(tenant: str, criterion: str, answer: str) -> str | None:
    rule = next(rule for rule in of(tenant, SourcesPolicy).evidence if rule.criterion == criterion)
    folded = {text.casefold(): code for code, texts in rule.values.items() for text in texts}
    return folded.get(answer.casefold(), rule.otherwise)


def fit(tenant: str, **lead: Any) -> float:
    facts = {f"lead.{name}": value for name, value in lead.items()}
    alone, groups = 0.0, dict[str, float]()
    for rule in of(tenant, ScoringPolicy).fit.rules:
        if not parse(rule.when, FIT_FIELDS).holds(facts):
            continue
        if rule.group is None:
            alone += rule.points
        else:
            groups[rule.group] = max(groups.get(rule.group, -1000), rule.points)
    return alone + sum(groups.values())


def points(tenant: str, touch_type: str) -> float:
    return next(float(r.points) for r in of(tenant, ScoringPolicy).engagement.rules if r.id == touch_type)


def pool(tenant: str, leg: str, **facts: Any) -> str:
    rules = of(tenant, RoutingPolicy).rules
    named = {name.replace("_", ".", 1): value for name, value in facts.items()}
    return next(str(r.pool) for r in rules if leg in r.legs and parse(r.when, ROUTING_FIELDS).holds(named))


def test_there_are_three_tenants_and_nothing_to_remark() -> None:
    assert {tenant: policies.warnings for tenant, policies in SETS.items()} == dict.fromkeys(
        ("hinode", "northstar", "olist"), ()
    )


@pytest.mark.parametrize("tenant", SPOKEN)
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "page", "path": "/pricing"}, "pricing_page_viewed"),
        ({"type": "page", "path": "/en/products/price-list"}, "pricing_page_viewed"),
        ({"type": "page", "name": "Pricing"}, "pricing_page_viewed"),
        ({"type": "page", "title": "料金プラン | 日の出ソフト"}, "pricing_page_viewed"),
        ({"type": "page", "path": "/製品/価格"}, "pricing_page_viewed"),
        ({"type": "page", "path": "/products/gateway"}, "product_page_viewed"),
        ({"type": "page", "path": "/customers/kasumi"}, "case_page_viewed"),
        ({"type": "page", "title": "導入事例"}, "case_page_viewed"),
        ({"type": "page", "path": "/compare/other"}, "comparison_page_viewed"),
        ({"type": "page", "path": "/careers"}, "careers_page_viewed"),
        ({"type": "page", "title": "採用情報"}, "careers_page_viewed"),
        ({"type": "page", "path": "/enterprise"}, None),
        ({"type": "page", "path": "/"}, None),
        ({"type": "track", "name": "request demo"}, "demo_requested"),
        ({"type": "track", "name": "Form Submitted", "properties.form": "demo-2026"}, "demo_requested"),
        ({"type": "track", "name": "Form Submitted", "properties.form": "newsletter"}, None),
        ({"type": "track", "name": "お問い合わせ"}, "contact_requested"),
        ({"type": "track", "name": "Meeting Scheduled"}, "meeting_booked"),
        ({"type": "track", "name": "White Paper Downloaded"}, "whitepaper_downloaded"),
        ({"type": "track", "name": "Registered for Webinar"}, "webinar_registered"),
        ({"type": "track", "name": "資料請求"}, "catalog_downloaded"),
        ({"type": "track", "name": "Order Completed"}, None),
    ],
)
def test_an_event_means_what_its_name_or_page_says(tenant: str, event: dict[str, str], expected: str | None) -> None:
    assert meaning(tenant, **event) == expected


@pytest.mark.parametrize("tenant", SPOKEN)
@pytest.mark.parametrize(
    ("criterion", "answer", "expected"),
    [
        ("B1", "Approved", "secured"),
        ("B1", "確保済", "secured"),
        ("B1", "申請中", "applied"),
        ("B1", "¥5,000,000", "named"),
        ("B1", "no budget", "none"),
        ("B1", "未定", "undecided"),
        ("A1", "Decision maker", "decision"),
        ("A1", "起案", "drafting"),
        ("A1", "情報収集", "information"),
        ("A1", "Marketing Manager", None),
        ("N1", "stock counts take three days", "stated"),
        ("N1", "特になし", "none"),
        ("T1", "This quarter", "3m"),
        ("T1", "3 months", "3m"),
        ("T1", "Q1", "6m"),
        ("T1", "すぐ", "now"),
        ("T1", "半年", "6m"),
        ("T1", "1年", "1y"),
        ("T1", "some day", "undecided"),
    ],
)
def test_an_answer_means_one_code(tenant: str, criterion: str, answer: str, expected: str | None) -> None:
    assert code(tenant, criterion, answer) == expected


@pytest.mark.parametrize("tenant", SPOKEN)
def test_a_manager_of_a_mid_company_who_looks_at_prices_and_asks_for_a_demo_is_an_mql(tenant: str) -> None:
    scoring, qualification = of(tenant, ScoringPolicy), of(tenant, QualificationPolicy)
    found = fit(tenant, level="manager", size_band="s5", own_domain=True)
    assert found == 50
    assert scoring.fit.grades[0] > found >= scoring.fit.grades[1], "B"
    engagement = 3 * points(tenant, "pricing_page_viewed") + points(tenant, "demo_requested")
    assert engagement == 64 >= scoring.engagement.bands[0]
    assert "B1" in qualification.gate.mql
    assert "demo_requested" in scoring.hand_raises


@pytest.mark.parametrize("tenant", SPOKEN)
def test_all_four_answers_meet_bant_and_lead_to_field_sales(tenant: str) -> None:
    framework = of(tenant, QualificationPolicy).asked
    said = {"B1": "approved", "A1": "decision maker", "N1": "stock counts take too long", "T1": "this quarter"}
    met = [
        letter
        for letter, criterion in framework.resolved.items()
        if any(code(tenant, question, said[question]) in codes for question, codes in criterion.questions.items())
    ]
    assert met == ["need", "timeline", "authority", "budget"]
    assert len(met) >= framework.minimum_met > 0


@pytest.mark.parametrize("tenant", SPOKEN)
def test_a_single_page_view_leads_nowhere(tenant: str) -> None:
    scoring, gate = of(tenant, ScoringPolicy), of(tenant, QualificationPolicy).gate
    assert points(tenant, "pricing_page_viewed") < scoring.engagement.bands[2]
    assert fit(tenant) < scoring.fit.grades[2]
    assert not any(grade.endswith("4") for grade in (*gate.mql, *gate.inside_sales_check))


@pytest.mark.parametrize("tenant", SPOKEN)
def test_points_are_those_of_the_vocabulary_for_every_type_that_has_any(tenant: str) -> None:
    rules = of(tenant, ScoringPolicy).engagement.rules
    usual = [rule for rule in rules if rule.valid_until is None]
    assert {rule.id for rule in usual} <= set(vocabulary.TOUCH_TYPES)
    assert len(usual) == 53
    assert {rule.group: None for rule in rules}.keys() == of(tenant, ScoringPolicy).engagement.groups.keys()


def test_every_hand_raise_has_its_own_promise_of_speed() -> None:
    for tenant in SPOKEN:
        classes = of(tenant, SlaPolicy).classes
        assert set(of(tenant, ScoringPolicy).hand_raises) <= {t for c in classes for t in c.touch_types}


@pytest.mark.parametrize("policies", SETS.values(), ids=lambda policies: policies.tenant)
def test_teams_are_large_enough_to_show_what_routing_does(policies: PolicySet) -> None:
    teams = of(policies.tenant, TeamsPolicy)
    assert len(teams.reps) >= 6
    assert len(teams.pools) >= 3
    assert all(rep.capacity >= 200 for rep in teams.reps)
    assert any(pool.match_language for pool in teams.pools)


@pytest.mark.parametrize(
    ("tenant", "leg", "facts", "expected"),
    [
        ("northstar", "fs", {"lead_country": "JP", "lead_size_band": "s5"}, "field-japan"),
        ("northstar", "fs", {"lead_country": "JP", "lead_size_band": "s7"}, "enterprise-japan"),
        ("northstar", "fs", {"lead_language": "ja"}, "field-japan"),
        ("northstar", "fs", {"lead_country": "DE", "lead_language": "de"}, "field-languages"),
        ("northstar", "fs", {"lead_country": "US", "lead_size_band": "s6"}, "enterprise"),
        ("northstar", "fs", {}, "field-global"),
        ("northstar", "is", {"lead_country": "JP"}, "inside-japan"),
        ("northstar", "is", {}, "inside-global"),
        ("hinode", "fs", {"lead_region": "大阪府"}, "nishi"),
        ("hinode", "fs", {"lead_region": "東京都"}, "higashi"),
        ("hinode", "fs", {"lead_language": "en"}, "kaigai"),
        ("hinode", "is", {}, "inside"),
        ("olist", "fs", {}, "sr"),
        ("olist", "is", {}, "sdr"),
    ],
)
def test_a_ripe_lead_goes_to_the_pool_its_rules_say(
    tenant: str, leg: str, facts: dict[str, Any], expected: str
) -> None:
    assert pool(tenant, leg, **facts) == expected


def test_a_seller_s_fit_is_read_from_where_the_request_came_from() -> None:
    strong, weak = "b76ef37428e6799c421989521c0e5077", "e492ee5eaf1697716985cc6f33f9cd9b"
    assert fit("olist", origin="paid_search", landing_page=strong) == 60
    assert fit("olist", origin="paid_search", landing_page="another") == 50, "a seller like the average"
    assert fit("olist", origin="social", landing_page=weak) == 20
    assert fit("olist", origin="email", landing_page=weak) == 15


def test_secrets_stand_in_the_environment_and_nowhere_else() -> None:
    sources = [source for tenant in SETS for source in of(tenant, SourcesPolicy).sources]
    keys = [(*source.write_keys, *(secret.value for secret in source.secrets)) for source in sources]
    assert {key for each in keys for key in each} == {
        "env:DEMO_WEBHOOK_SECRET",
        "env:DEMO_WRITE_KEY",
        "env:DEMO_SERVER_WRITE_KEY",
        "env:DEMO_IMPORT_KEY",
        "env:HINODE_WRITE_KEY",
        "env:HINODE_SERVER_WRITE_KEY",
        "env:HINODE_IMPORT_KEY",
        "env:OLIST_WRITE_KEY",
    }
