"""Titles and departments as they stand on Japanese and English cards."""

from __future__ import annotations

import pytest

from shared.normalise.departments import department
from shared.normalise.titles import level, rank

LEVELS = {
    "代表取締役社長": "top",
    "代表取締役 CEO": "top",
    "取締役社長": "top",
    "オーナー": "top",
    "CEO & Founder": "top",
    "President": "top",
    "代表": "top",
    "取締役": "executive",
    "常務執行役員": "executive",
    "専務取締役": "executive",
    "CFO": "executive",
    "ＣＴＯ": "executive",
    "Chief Information Officer": "executive",
    "Senior Vice President, Sales": "executive",
    "副社長": "executive",
    "部長": "head",
    "営業本部長": "head",
    "事業部長": "head",
    "工場長": "head",
    "情報システム部 部長": "head",
    "Vice President": "head",
    "Director of Engineering": "head",
    "Head of Procurement": "head",
    "General Manager": "head",
    "室長": "head",
    "副部長": "deputy_head",
    "部長代理": "deputy_head",
    "次長": "deputy_head",
    "担当部長": "deputy_head",
    "Deputy General Manager": "deputy_head",
    "課長": "manager",
    "総務課長": "manager",
    "グループリーダー": "manager",
    "Marketing Manager": "manager",
    "店長": "manager",
    "課長代理": "supervisor",
    "課長補佐": "supervisor",
    "係長": "supervisor",
    "主任": "supervisor",
    "チームリーダー": "supervisor",
    "Team Lead": "supervisor",
    "Assistant Manager": "supervisor",
    "Product Manager": "expert",
    "アーキテクト": "expert",
    "プロジェクトマネージャー": "expert",
    "担当": "staff",
    "営業": "staff",
    "Engineer": "staff",
    "Sales Representative": "staff",
    "社長秘書": "assistant",
    "Executive Assistant": "assistant",
    "顧問": "advisor",
    "教授": "academic",
    "派遣社員": "temp",
    "学生": "student",
    "大学院生": "student",
    "Student": "student",
    "???": "unknown",
    "岡部 長野": "unknown",
}

DEPARTMENTS = {
    "情報システム部": "it",
    "IT推進室": "it",
    "Information Technology": "it",
    "DX推進部": "dx",
    "経営企画室": "corporate_planning",
    "人事総務部": "hr",
    "購買課": "purchasing",
    "Procurement": "purchasing",
    "経理部": "finance",
    "法務・コンプライアンス部": "legal",
    "第一営業部": "sales",
    "営業企画部": "sales_planning",
    "Sales Operations": "sales_planning",
    "マーケティング部": "marketing",
    "生産技術部": "production_engineering",
    "製造部": "manufacturing",
    "研究開発本部": "rd",
    "品質保証部": "quality",
    "カスタマーサポート": "customer_success",
    "総務部": "general_affairs",
    "海外事業部": "overseas",
    "ｼｽﾃﾑ部": "it",
    "よろず相談": "other",
}


@pytest.mark.parametrize(("title", "expected"), LEVELS.items())
def test_a_title_has_its_level(title, expected):
    assert level(title) == expected


@pytest.mark.parametrize(("name", "expected"), DEPARTMENTS.items())
def test_a_department_has_its_id(name, expected):
    assert department(name) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("室長", "low"),
        ("経営企画室長", "low"),
        ("VP", "low"),
        ("Vice President, Sales", "low"),
        ("Director of Engineering", "low"),
        ("ＤＩＲＥＣＴＯＲ", "low"),
        ("部長", "high"),
        ("Managing Director", "high"),
        ("Senior Vice President", "high"),
        ("代表取締役社長", "high"),
        ("???", None),
    ],
)
def test_a_title_that_means_another_thing_in_every_firm_is_read_with_low_confidence(title, expected):
    assert rank(title).confidence == expected
