"""Demo policies are without a finding, commands tell what is found, and what is too hard is said to be skipped."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baton.cli import main
from baton.lint import lint
from baton.lint.telling import lines
from baton.policies.codes import CODES

ROOT = Path(__file__).parents[3]
Edit = Callable[[str, str, str], None]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize("tenant", ["hinode", "northstar", "olist"])
def test_there_is_nothing_to_remark_in_the_demo_policies(tenant: str) -> None:
    problems = lint(ROOT / "policies" / tenant, NOW)
    assert [str(problem) for problem in problems if problem.code != "sla-while-closed"] == [], (
        "an office may close at night"
    )


def test_every_demo_tenant_is_looked_at() -> None:
    assert {path.name for path in (ROOT / "policies").iterdir()} == {"hinode", "northstar", "olist"}


def test_every_finding_of_the_code_names_a_code_that_is_explained_and_every_code_is_found_somewhere() -> None:
    used = set[str]()
    for path in (ROOT / "baton").rglob("*.py"):
        if path.name != "codes.py" and path.parent.name in ("lint", "policies"):
            strings = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
            used |= {value for value in strings if isinstance(value, str) and value in CODES}
    assert used == CODES.keys()


def test_every_code_is_explained_in_the_docs() -> None:
    page = (ROOT / "docs" / "policies.md").read_text()
    rows = dict(row.split(" | ", 1) for row in page.splitlines() if row.startswith("| `"))
    assert {name.strip("| `") for name in rows} == CODES.keys()
    for name, code in CODES.items():
        assert rows[f"| `{name}`"] == f"{code.severity} | {code.en} | {code.ja} |"


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["baton", "policy", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    told = capsys.readouterr()
    return code if isinstance(code, int) else 0, told.out, told.err


def test_the_command_tells_where_how_grave_what_and_an_example(
    base: Path, edit: Edit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, monkeypatch, "lint", "base") == (0, "nothing to remark\n", "")
    edit("routing", "legs: [is]\n    when: {}", "legs: [is]\n    when: {lead.country: {ne: JP}}")
    edit("teams", "Ken, manager: sato", "Ken, manager: mori")
    edit("sla", "[trade_fair_card_scanned]", "[]")
    code, out, _ = run(capsys, monkeypatch, "lint", "base")
    assert code == 1
    assert out.splitlines() == [
        "policies/base/routing.yaml:2: error [no-catch-all] a lead that fits no rule of leg `is` would wait for ever;"
        " end with a rule of `when: {}`",
        "    for example: lead.country: JP",
        "policies/base/sla.yaml:4: warning [class-unreachable] no touch makes a lead `fair`: it has no touch types",
        "1 error, 1 warning",
    ]
    assert run(capsys, monkeypatch, "lint", "policies", "--lang", "ja")[1].splitlines()[2:] == [
        "policies/base/sla.yaml:4: 警告 [class-unreachable] 区分`fair`になるリードはありません: タッチ種別がありません",
        "エラー1件、警告1件",
    ]


def test_each_finding_is_a_line_of_json_for_machines(
    base: Path, edit: Edit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("sla", "[trade_fair_card_scanned]", "[]")
    code, out, _ = run(capsys, monkeypatch, "lint", str(base), "--json")
    (found,) = [json.loads(line) for line in out.splitlines()]
    assert code == 0, "a warning is no error"
    assert (found["file"], found["line"], found["severity"], found["code"], found["example"]) == (
        "policies/base/sla.yaml", 4, "warning", "class-unreachable", None,
    )  # fmt: skip
    assert run(capsys, monkeypatch, "lint", str(base), "--json", "--strict")[0] == 1


def test_what_lint_refuses_apply_refuses_before_it_looks_for_a_server(
    base: Path, edit: Edit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_HOME", "nowhere")
    edit("routing", "{gte: 1000}", "{gte: 1000, lt: 300}")
    for arguments in (("apply", str(base)), ("apply", "--check", str(base)), ("apply", "--dry-run", str(base))):
        code, _, err = run(capsys, monkeypatch, *arguments)
        assert code == 1
        assert "no lead can fit rule `large`" in err


def test_what_is_doubtful_apply_tells_and_goes_on(
    base: Path, edit: Edit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("sla", "[trade_fair_card_scanned]", "[]")
    code, out, _ = run(capsys, monkeypatch, "apply", "--check", str(base))
    assert code == 0
    assert "warning [class-unreachable]" in out
    assert "base: 8 policies are good." in out


def test_a_tenant_that_is_not_there_is_told_with_its_nearest_neighbour(
    base: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(capsys, monkeypatch, "lint", "policies/bese")
    assert code == 1
    assert "Did you mean `base`?" in err


def test_a_rule_of_too_many_cases_is_said_to_be_skipped_and_the_others_are_compared(base: Path, edit: Edit) -> None:
    pairs = "\n".join(
        f"        - any: [{{lead.origin: {{contains: a{n}}}}}, {{lead.company: {{contains: b{n}}}}}]" for n in range(14)
    )
    edit("routing", "    when: {lead.language: {in: [de, fr]}}", f"    when:\n      all:\n{pairs}")
    edit("routing", "{gte: 1000}", "{gte: 1000, lt: 300}")
    assert [(problem.code, problem.severity) for problem in lint(base, NOW)] == [
        ("dead-rule", "error"),
        ("check-skipped", "info"),
    ]
    assert "more than 2000 cases" in lines(lint(base, NOW)[1])[0]


def test_text_that_may_be_a_number_is_too_hard(base: Path, edit: Edit) -> None:
    edit("sources", "{gte: 1000}", "{gte: 1000, contains: '5'}")
    assert [problem.code for problem in lint(base, NOW)] == ["check-skipped"]


def test_a_pool_that_is_not_there_is_told_in_japanese_with_the_nearest(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "policies" / "olist", tmp_path / "olist"))
    routing = folder / "routing.yaml"
    routing.write_text(routing.read_text().replace("pool: sdr", "pool: sdrr", 1))
    told = [line for problem in lint(folder, NOW) for line in lines(problem, "ja") if "[unknown-pool]" in line]
    assert "のプール `sdrr` は teams.yaml にありません。`sdr` ではありませんか。" in told[0]
