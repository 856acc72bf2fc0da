"""Findings for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from baton.policies.codes import CODES
from baton.policies.problems import Problem

_SEVERITY = {
    "en": {"error": "error", "warning": "warning", "info": "note"},
    "ja": {"error": "エラー", "warning": "警告", "info": "参考"},
}


def lines(problem: Problem, lang: str = "en") -> list[str]:
    """`file:line: severity [code] sentence`, and below it the lead that proves it."""
    head, tail = f"{problem.file}:{problem.line}" if problem.line else problem.file, sentence(problem, lang)
    told = [f"{head}: {_SEVERITY[lang][problem.severity]} [{problem.code}] {tail}"]
    if problem.example is not None:
        told.append(f"    {'for example' if lang == 'en' else '例'}: {shown(problem.example, lang)}")
    return told


def sentence(problem: Problem, lang: str) -> str:
    """In Japanese, where there is no sentence of its own, what the code means, and then the English one."""
    if lang == "en":
        return problem.message
    return problem.ja or f"{CODES[problem.code].ja}: {problem.message}"


def shown(facts: Mapping[str, Any], lang: str = "en") -> str:
    if not facts:
        return "one of which nothing is known" if lang == "en" else "何もわかっていないリード"
    return ", ".join(
        f"{name}: {str(value).lower() if isinstance(value, bool) else value}" for name, value in facts.items()
    )


def record(problem: Problem) -> dict[str, Any]:
    """All of a finding by name, the sentence in both languages."""
    return {
        "file": problem.file,
        "line": problem.line,
        "severity": problem.severity,
        "code": problem.code,
        "en": problem.message,
        "ja": sentence(problem, "ja"),
        "example": dict(problem.example) if problem.example is not None else None,
    }


def summary(problems: Sequence[Problem], lang: str = "en") -> str:
    errors, warnings = (_count(problems, severity) for severity in ("error", "warning"))
    if lang == "ja":
        return f"エラー{errors}件、警告{warnings}件" if errors or warnings else "問題は見つかりませんでした"
    if not errors and not warnings:
        return "nothing to remark"
    return f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"


def _count(problems: Iterable[Problem], severity: str) -> int:
    return sum(problem.severity == severity for problem in problems)
