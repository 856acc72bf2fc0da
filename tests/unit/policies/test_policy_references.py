"""What one policy names must stand in another; what can never happen is pointed out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from baton.policies import PolicyErrors, check, read
from baton.policies.reading import body_hash

Edit = Callable[[str, str, str], None]
Faults = Callable[[], list[str]]
LineOf = Callable[[str, str], int]


def test_a_rule_that_names_a_pool_that_is_not_there_is_told_as_promised(
    edit: Edit, faults: Faults, line_of: LineOf
) -> None:
    edit("routing", "pool: enterprise-japan", "pool: enterprse-japan")
    line = line_of("routing", "enterprse-japan")
    assert faults() == [
        f"policies/northstar/routing.yaml:{line}: rule `large-company-japan` names pool `enterprse-japan`, "
        "which teams.yaml does not have. Did you mean `enterprise-japan`?"
    ]


@pytest.mark.parametrize(
    ("kind", "old", "new", "told"),
    [
        (
            "teams",
            "members: [{rep: kobayashi}",
            "members: [{rep: kobayasi}",
            "names rep `kobayasi`, whom `reps` does not have. Did you mean `kobayashi`?",
        ),
        (
            "teams",
            "members: [{rep: kobayashi}, {rep: mori}]",
            "members: [{rep: mori}, {rep: mori}]",
            "`mori` is there already",
        ),
        (
            "teams",
            "zone: Europe/Prague, manager: okafor",
            "zone: Europe/Prague, manager: okafr",
            "Did you mean `okafor`?",
        ),
        (
            "teams",
            "zone: Europe/Prague",
            "zone: Europe/Prag",
            "there is no time zone `Europe/Prag`. Did you mean `Europe/Prague`?",
        ),
        ("teams", "id: novak", "id: lim", "`lim` is there already, on line"),
        ("routing", "id: rest-field", "id: languages", "`languages` is there already, on line"),
        ("routing", "code: absent", "code: at_capacity", "`at_capacity` is there already, on line"),
        (
            "scoring",
            "per: once, group: email",
            "per: once, group: mail",
            "which `groups` gives no cap. Did you mean `email`?",
        ),
        ("scoring", "bands: [60, 30, 10]", "bands: [60, 70, 10]", "`bands` are to fall, and 60, 70, 10 do not"),
        (
            "scoring",
            "{touch.type: {eq: tender_notified}}",
            "{touch.type: {eq: tender_notfied}}",
            "`touch.type` is never `tender_notfied`. Did you mean `tender_notified`?",
        ),
        ("scoring", "{lead.level: {eq: student}}", "{lead.level: {eq: pupil}}", "`lead.level` is never `pupil`"),
        (
            "scoring",
            "trial_started, tender_notified]",
            "trial_started, tender_noted]",
            "there is no touch type `tender_noted`. Did you mean `tender_notified`?",
        ),
        ("scoring", "['jsic:G', 'jsic:I']", "['jsic:G', 'jsic:Z']", "`lead.industry` is never `jsic:Z`"),
        (
            "routing",
            "lead.language: {in: [de, fr, es, pt, zh]}",
            "score.grade: {in: [A1, E1]}",
            "`score.grade` is never `E1`",
        ),
        (
            "routing",
            "lead.language: {in: [de, fr, es, pt, zh]}",
            "not: {lead.class: {eq: hand_rise}}",
            "`lead.class` is never `hand_rise`. Did you mean `hand_raise`?",
        ),
        (
            "routing",
            "lead.language: {in: [de, fr, es, pt, zh]}",
            "any: [{lead.stage: {eq: mqll}}]",
            "`lead.stage` is never `mqll`. Did you mean `mql`?",
        ),
        (
            "sources",
            "type: trial_started",
            "type: trial_startd",
            "there is no touch type `trial_startd`. Did you mean `trial_started`?",
        ),
        ("sources", "channel: trade_fair", "channel: trade_show", "there is no lead source `trade_show`."),
        ("sources", "criterion: B1", "criterion: B9", "there is no question `B9`."),
        ("sources", "criterion: A1", "criterion: B1", "`B1` is there already, on line"),
        ("sources", "otherwise: named", "otherwise: nmed", "`nmed` is no answer to question B1. Did you mean `named`?"),
        ("sources", "next_fy: [next year,", "next_fy: [pending, next year,", "`pending` means `applied` and `next_fy`"),
        (
            "sources",
            "staff: [sato,",
            "staff: [sto,",
            "has `sto` on its staff, whom `reps` of teams.yaml does not have. Did",
        ),
        ("sources", "env:DEMO_SERVER_WRITE_KEY", "env:DEMO_WRITE_KEY", "source `crm` has the write key of `website`"),
        (
            "qualification",
            "inside_sales_check: [A3, B2, C1]",
            "inside_sales_check: [A3, B1, C1]",
            "`B1` is an MQL already",
        ),
        ("qualification", "T1: [now, 3m, 6m]", "T1: [now, 3n, 6m]", "`3n` is no answer to question T1."),
        (
            "sla",
            "touch_types: [referral_received]",
            "touch_types: [referal_received]",
            "Did you mean `referral_received`?",
        ),
        ("sla", "id: score", "id: catalog", "`catalog` is there already, on line"),
        ("lifecycle", "id: visitor", "id: inquiry", "`inquiry` is there already, on line"),
    ],
)
def test_a_name_that_stands_nowhere_is_refused(
    kind: str, old: str, new: str, told: str, edit: Edit, faults: Faults, line_of: LineOf
) -> None:
    edit(kind, old, new)
    found = faults()
    matching = [fault for fault in found if told in fault]
    assert matching, f"{told!r} is not told in {found}"
    line = int(matching[0].split(":")[1])
    text = Path(f"policies/northstar/{kind}.yaml").read_text().splitlines()[line - 1]
    if "there already" not in told:
        assert new.split(": ")[-1].strip("[]{}").split(",")[0] in text


@pytest.mark.parametrize(
    ("kind", "old", "new", "told"),
    [
        ("routing", "pool: enterprise\n", "pool: field-global\n", "pool `enterprise` is named by no routing rule"),
        ("teams", "members: [{rep: kobayashi}, {rep: mori}]", "members: [{rep: mori}]", ""),
        ("teams", "capacity: 600, languages: [ja]}", "capacity: 0, languages: [ja]}", ""),
        ("sources", "['env:DEMO_WRITE_KEY']", "[abc]", "has its write key in the file"),
        ("scoring", "groups: {web: 30,", "groups: {web: 30, mail: 5,", "no rule is of group `mail`"),
    ],
)
def test_what_can_never_happen_is_a_warning_and_no_refusal(
    kind: str, old: str, new: str, told: str, edit: Edit, demo: Path
) -> None:
    edit(kind, old, new)
    warnings = [str(warning) for warning in read(demo).warnings]
    assert any(told in warning for warning in warnings) if told else warnings == []


def test_a_pool_of_people_who_are_away_for_good_is_a_warning(edit: Edit, demo: Path) -> None:
    edit("teams", "manager: watanabe, capacity: 600, languages: [ja, en]}", "capacity: 600, active: false}")
    edit("teams", "manager: watanabe, capacity: 600, languages: [ja]}", "capacity: 0}")
    assert ["nobody who is active" in str(warning) for warning in read(demo).warnings] == [True]


def test_skills_that_no_member_has_together_are_told_with_their_line(edit: Edit, demo: Path, line_of: LineOf) -> None:
    edit(
        "teams",
        "members: [{rep: kobayashi}, {rep: mori}]",
        "members: [{rep: kobayashi}, {rep: mori}]\n    requires:\n      - {skills: [phone]}\n"
        "      - when: {lead.industry: {eq: 'jsic:E'}}\n        skills: [phone, manufacturing]",
    )
    edit("teams", "{id: kobayashi,", "{id: kobayashi, skills: [Phone],")
    edit("teams", "{id: mori,", "{id: mori, skills: [manufacturing],")
    line = line_of("teams", "skills: [phone, manufacturing]")
    assert [str(warning) for warning in read(demo).warnings] == [
        f"policies/northstar/teams.yaml:{line}: nobody in pool `inside-japan` has `phone`, `manufacturing`:"
        " leads that ask for it will wait."
    ]
    edit("teams", "'jsic:E'", "E")
    with pytest.raises(PolicyErrors, match=r"`lead.industry` is never `E`"):
        read(demo)


@pytest.mark.parametrize(
    ("added", "at", "told"),
    [
        (
            "strategy: best_fit",
            "strategy: best_fit",
            "is to go by best fit, and nothing in `prefers` says what that is",
        ),
        (
            "prefers:\n      - {language: true, points: 3}",
            "prefers:",
            "has the strategy `fair`, and `prefers` counts for `best_fit` alone",
        ),
    ],
)
def test_a_strategy_and_its_points_belong_together(
    added: str, at: str, told: str, edit: Edit, faults: Faults, line_of: LineOf
) -> None:
    members = "members: [{rep: kobayashi}, {rep: mori}]"
    edit("teams", members, f"{members}\n    {added}")
    assert faults() == [f"policies/northstar/teams.yaml:{line_of('teams', at)}: pool `inside-japan` {told}"]


def test_every_tenant_below_a_directory_is_checked_and_one_bad_one_is_enough(edit: Edit, demo: Path) -> None:
    assert [each.tenant for each in check(demo.parent)] == ["northstar"]
    edit("sla", "accept: 900", "accept: 0")
    with pytest.raises(PolicyErrors):
        check(demo.parent)


def test_a_directory_that_is_not_there_is_told_with_its_nearest_neighbour(demo: Path) -> None:
    with pytest.raises(PolicyErrors, match=r"there is no such directory.* Did you mean `northstar`"):
        check(demo.parent / "northsta")


def test_a_file_in_place_of_its_directory_is_told_with_its_directory(demo: Path) -> None:
    with pytest.raises(PolicyErrors, match=r"scoring\.yaml: is a file: name its directory, `.*northstar`"):
        check(demo / "scoring.yaml")


def test_a_comment_or_a_new_layout_is_no_new_policy(edit: Edit, demo: Path) -> None:
    before = {kind: body_hash(body) for kind, body in read(demo).bodies.items()}
    edit("sla", "kind: sla\n", "# a remark\n\nkind:   sla\n")
    edit(
        "routing",
        "when: {lead.language: {in: [de, fr, es, pt, zh]}}",
        "when:\n      lead.language:\n        in: [de, fr, es, pt, zh]",
    )
    assert {kind: body_hash(body) for kind, body in read(demo).bodies.items()} == before
    edit("sla", "accept: 900", "accept: 901")
    changed = {kind for kind, body in read(demo).bodies.items() if body_hash(body) != before[kind]}
    assert changed == {"sla"}
