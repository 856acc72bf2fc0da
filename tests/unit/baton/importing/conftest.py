"""A trade fair's file, and a mapping for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from baton.importing import checks, rules
from baton.importing.plan import Plan, make

POLICIES = Path(__file__).parents[4] / "policies"
MAPPING = """\
campaign: monozukuri-2026
event: trade_fair_card_scanned
time: 日時
fields:
  email: メール
  phone: 電話
  name: 氏名
  company: 会社
  postcode: 郵便番号
staff: {column: 担当, names: {中村さん: nakamura}}
rank: ランク
answers: {予算: 予算}
memo: メモ
"""
COLUMNS = ("日時", "メール", "電話", "氏名", "会社", "郵便番号", "担当", "ランク", "予算", "メモ")

Files = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Files:
    """The plan of rows given as mappings of column to cell."""

    def make_plan(*rows: Mapping[str, str], mapping: str = MAPPING, encoding: str = "utf-8") -> Plan:
        file, named = tmp_path / "booth.csv", tmp_path / "mapping.yaml"
        lines = [COLUMNS, *(tuple(row.get(name, "") for name in COLUMNS) for row in rows)]
        quoted = (",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
        file.write_bytes("\r\n".join(quoted).encode(encoding))
        named.write_text(mapping)
        return make(file, checks.read(named), rules.in_files("hinode", POLICIES))

    return make_plan


@pytest.fixture
def good_mapping() -> str:
    return MAPPING


@pytest.fixture
def policies() -> Path:
    return POLICIES
