"""A scoring policy that does less than its author thinks is told where: rules of regions, windows, dates, cycles, overlays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from baton.policies import PolicyErrors, read
from baton.policies.documents import load
from baton.policies.regions import effective, marked

Edit = Callable[[str, str, str], None]
Faults = Callable[[], list[str]]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "half_life_days: 90, limit: 1, per: campaign, group: event",
            "half_life_days: 90, limit: 1, per: campaign, group: evnt",
            "rule `trade_fair_booth_talked` is of group `evnt`, which `groups` gives no cap. Did you mean `event`?",
        ),
        (
            "when: {touch.type: {eq: chat_started}},\n         label",
            "when: {touch.type: {eq: chat_strted}},\n         label",
            "`touch.type` is never `chat_strted`. Did you mean `chat_started`?",
        ),
        (
            "production_engineering, logistics, purchasing]",
            "production_engineering, logistics, purchsing]",
            "`lead.department` is never `purchsing`. Did you mean `purchasing`?",
        ),
        (
            "internal: {lead.domain: {in: [northstar.example, northstar-agency.example]}}",
            "internal: {lead.kind: {eq: competitr}}",
            "`lead.kind` is never `competitr`. Did you mean `competitor`?",
        ),
        (
            "internal: {lead.domain: {in: [northstar.example, northstar-agency.example]}}",
            "internal: {lead.domian: {in: [northstar.example]}}",
            "there is no field `lead.domian` here. Did you mean `lead.domain`?",
        ),
        ("- id: apac", "- id: emea", "`emea` is there already, on line"),
        ("{id: quote_again, points: 10", "{id: trade_fair_booth_talked, points: 10", "is there already, on line"),
        ("      - {id: size-s5, points: 25", "      - {id: size-s4, points: 25", "`size-s4` is there already, on line"),
        (
            "off: [email_opened]",
            "off: [email_opend]",
            "overlay `emea` switches off `email_opend`, and there is no such rule. Did you mean `email_opened`?",
        ),
        (
            "off: [email_opened]",
            "off: [trade_fair_booth_talked]",
            "switches `trade_fair_booth_talked` off and has a rule of this id: one or the other",
        ),
        ("bands: [60, 35, 15]", "bands: [60, 15, 35]", "`bands` are to fall, and 60, 15, 35 do not"),
        ("valid_from: 2026-10-14", "valid_from: 2026-14-10", "is to be a day such as `2026-11-21`, not `2026-14-10`"),
        ("valid_until: 2026-12-31", "valid_until: 2026-01-31", "valid_until lies before valid_from"),
        (
            "per: cycle, group: sales,\n       when: {touch.type: {eq: wrong_person}}",
            "per: deal, group: sales,\n       when: {touch.type: {eq: wrong_person}}",
            "`once`, `campaign` or `cycle`",
        ),
        ("person: 10  #", "person: -10  #", "`person`: input should be greater than or equal to 0"),
        ("deepest: 8", "deepst: 8", "there is no field `deepst` here. Did you mean `deepest`?"),
    ],
)  # fmt: skip
def test_what_can_never_be_right_is_refused_on_its_line(
    old: str, new: str, told: str, edit: Edit, faults: Faults, demo: Path
) -> None:
    edit("scoring", old, new)
    found = faults()
    matching = [fault for fault in found if told in fault]
    assert matching, f"{told!r} is not told in {found}"
    line = int(matching[0].split(":")[1])
    changed = {piece for piece in new.split("\n") if piece not in old.split("\n")}
    text = (demo / "scoring.yaml").read_text().splitlines()
    assert any(piece.strip() in text[line - 1] for piece in changed) or "valid_until lies" in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "window_days: 42",
            "window_days: 99",
            "rule `pricing_page_viewed`: a window of 99 days ends nothing, after seven half-lives (98 days) a touch is worth "
            "nothing anyway",
        ),
        ("window_days: 42", "window_days: 98", None),
        ("valid_until: 2026-12-31", "valid_until: 2026-11-20", "rule `factory-tech-2026` ended on 2026-11-20: it gives"),
        ("valid_until: 2026-12-31", "valid_until: 2026-11-21", None),
        (
            "limit: 1, per: campaign, group: email",
            "limit: 1, per: cycle, group: email",
            "rule `email_opened` counts `per: cycle`, and only what sales says has one",
        ),
        (
            "limit: 1, per: 1d, group: sales,\n       when: {touch.type: {eq: meeting_held}}",
            "limit: 1, per: cycle, group: sales,\n       when: {touch.type: {eq: meeting_held}}",
            None,
        ),
        ("off: [email_opened]  #", "# ", None),
        (
            "      - {id: quote_again, points: 10",
            "      - {id: size-s4, points: 10",
            "`size-s4` is a rule of fit: this one stands beside it, and in place of none",
        ),
        ("web: 30, email: 10", "web: 30, emea: 5, email: 10", "no rule is of group `emea`"),
        ("{hot: 1, warm: 3,", "{hot: 3, warm: 2,", "nobody is warm: band 2 is hot already"),
    ],
)  # fmt: skip
def test_what_does_nothing_is_a_warning_and_no_refusal(old: str, new: str, told: str | None, demo: Path) -> None:
    path = demo / "scoring.yaml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    warnings = [str(warning) for warning in read(demo, NOW).warnings]
    if told is None:
        assert warnings == []
    else:
        (warning,) = warnings
        assert told in warning
        assert warning.startswith("policies/northstar/scoring.yaml:")


def test_a_group_that_only_a_region_s_rule_is_of_is_used(edit: Edit, demo: Path) -> None:
    edit("scoring", "web: 30, email: 10", "web: 30, fairs: 50, email: 10")
    edit("scoring", "half_life_days: 90, limit: 1, per: campaign, group: event", "half_life_days: 90, group: fairs")
    assert read(demo, NOW).warnings == ()


def test_an_overlay_that_changes_nothing_is_told(demo: Path) -> None:
    path = demo / "scoring.yaml"
    path.write_text(path.read_text() + "  - id: latam\n    when: {lead.country: {eq: BR}}\n")
    (warning,) = read(demo, NOW).warnings
    assert "overlay `latam` changes nothing" in str(warning)


def test_the_day_is_that_of_the_tenant_s_zone(demo: Path, edit: Edit) -> None:
    edit("scoring", "valid_until: 2026-12-31", "valid_until: 2026-11-21")
    assert read(demo, datetime(2026, 11, 21, 14, 59, tzinfo=UTC)).warnings == ()
    assert len(read(demo, datetime(2026, 11, 21, 15, 0, tzinfo=UTC)).warnings) == 1, "tomorrow in Tokyo"


def test_all_faults_of_regions_are_told_at_once(demo: Path, edit: Edit) -> None:
    edit("scoring", "off: [email_opened]", "off: [email_opend, page_viewd]")
    edit(
        "scoring",
        "group: inquiry,\n         when: {touch.type: {eq: email_replied}",
        "group: inqury,\n         when: {touch.type: {eq: email_replid}",
    )
    with pytest.raises(PolicyErrors) as refused:
        read(demo, NOW)
    assert len(refused.value.problems) == 4


# --- the policy of a region ---------------------------------------------------------------------------------------------


def body(demo: Path) -> dict[str, Any]:
    return dict(read(demo, NOW).bodies["scoring"])


def rules(policy: dict[str, Any], section: str) -> dict[str, Any]:
    return {rule["id"]: rule for rule in policy[section]["rules"]}


def test_a_region_s_policy_has_its_own_rules_in_place_of_those_of_all(demo: Path) -> None:
    region, policy, done = effective(body(demo), "EMEA")
    assert region == "emea"
    engagement, fit = rules(policy, "engagement"), rules(policy, "fit")
    assert engagement["trade_fair_booth_talked"]["points"] == 25
    assert "email_opened" not in engagement
    assert engagement["page_viewed"] == rules(body(demo), "engagement")["page_viewed"]
    assert "purchasing" in fit["department-target"]["when"]["lead.department"]["in"]
    assert done == {
        ("behaviour", "email_opened"): "off",
        ("behaviour", "trade_fair_booth_talked"): "changed",
        ("behaviour", "quote_again"): "added",
        ("fit", "department-target"): "changed",
    }
    assert "overlays" not in policy
    assert policy["internal"] == body(demo)["internal"]


def test_a_region_s_policy_is_what_the_engine_scores_by(demo: Path) -> None:
    from services.scoring.domain.rules import Rules
    from shared.schemas.policies import ScoringPolicy
    from shared.schemas.scores import PolicyRef

    whole = Rules(ScoringPolicy.model_validate(body(demo)), PolicyRef(sequence=1, hash="h"))
    for overlay, country in (("emea", "DE"), ("apac", "SG")):
        _, policy, _ = effective(body(demo), overlay)
        alone = Rules(ScoringPolicy.model_validate(policy), PolicyRef(sequence=1, hash="h")).base
        theirs = whole.of({"lead.country": country})
        assert (theirs.region, theirs.behaviour, theirs.fit) == (overlay, alone.behaviour, alone.fit)


def test_a_region_that_is_not_there_is_told_with_its_nearest_name(demo: Path) -> None:
    with pytest.raises(LookupError, match=r"there is no overlay `emae`\. Did you mean `emea`\?"):
        effective(body(demo), "emae")
    with pytest.raises(LookupError, match="has no overlays"):
        effective({"engagement": {"rules": []}, "fit": {"rules": []}}, "emea")


def test_a_region_s_policy_as_yaml_says_which_rules_are_the_region_s_own(demo: Path, tmp_path: Path) -> None:
    found = effective(body(demo), "emea")
    text = marked(found)
    path = tmp_path / "emea.yaml"
    path.write_text(text)
    document, problems = load(path, "emea.yaml")
    assert problems == []
    assert document is not None
    assert document.content == found.policy
    lines = [line.strip() for line in text.splitlines()]
    own = {lines[n + 1].removeprefix("- id: "): line for n, line in enumerate(lines) if line.startswith("# emea: in")}
    assert own == {
        "trade_fair_booth_talked": "# emea: in place of the rule of all",
        "quote_again": "# emea: in this region alone",
        "department-target": "# emea: in place of the rule of all",
    }
    assert "# emea: without email_opened" in lines
