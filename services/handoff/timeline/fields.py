"""Fields of deals, people and approvals in words, as a timeline tells which of them became other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DEAL: Mapping[str, tuple[str, str]] = {
    "type": ("type", "種別"),
    "stage": ("stage", "ステージ"),
    "stage_since": ("day of the stage", "ステージ移行日"),
    "sql_at": ("day of the SQL", "商談化日"),
    "amount": ("amount", "金額"),
    "currency": ("currency", "通貨"),
    "expected_close": ("expected close", "受注予定日"),
    "probability": ("probability", "確度"),
    "forecast": ("forecast", "見込み区分"),
    "products": ("products", "製品"),
    "competitors": ("competitors", "競合"),
    "source": ("source", "流入元"),
    "campaign": ("campaign", "キャンペーン"),
    "first_meeting": ("first meeting", "初回商談日"),
    "problem": ("problem", "課題"),
    "impact": ("impact", "課題の影響"),
    "decision_process": ("decision process", "決裁の流れ"),
    "success_criteria": ("success criteria", "成功の条件"),
    "next_step": ("next step", "次回行動"),
    "next_step_on": ("day of the next step", "次回行動の期日"),
    "confirmed": ("what is confirmed", "確認事項"),
    "team": ("team", "担当チーム"),
    "ordered_on": ("date of the order", "受注日"),
    "closed_at": ("when it was closed", "終了日時"),
    "closed_reason": ("reason of the end", "終了理由"),
    "closed_note": ("note on the end", "終了メモ"),
    "rival": ("rival", "競合先"),
    "contract_end": ("end of the contract", "契約終了日"),
    "comes_back_at": ("when to come back", "再アプローチ日"),
    "handover": ("hand-over", "引継ぎ内容"),
    "account_manager": ("account manager", "顧客担当"),
    "handed_over_at": ("when it was handed over", "引継ぎ日時"),
    "review": ("review", "振り返り"),
    "reviewed_at": ("when it was reviewed", "振り返り日時"),
}
PERSON: Mapping[str, tuple[str, str]] = {
    "name": ("name", "氏名"),
    "title": ("title", "役職"),
    "department": ("department", "部署"),
    "email": ("e-mail", "メール"),
    "phone": ("phone", "電話番号"),
    "note": ("note", "メモ"),
    "roles": ("roles", "役割"),
    "stance": ("stance", "スタンス"),
    "influence": ("influence", "影響力"),
    "reports_to": ("reports to", "上長"),
    "met_on": ("last met", "面談日"),
    "nemawashi": ("nemawashi", "根回し"),
    "nemawashi_on": ("day of the nemawashi", "根回しの日"),
    "nemawashi_by": ("who does the nemawashi", "根回しの担当"),
    "moved_at": ("moved", "異動"),
    "left": ("left the company", "退職"),
    "successor": ("successor", "後任"),
    "verified_at": ("verified", "在籍確認"),
}
APPROVAL: Mapping[str, tuple[str, str]] = {
    "state": ("state", "状態"),
    "limit": ("limit", "決裁枠"),
    "submit_on": ("day to submit", "申請予定日"),
    "decide_on": ("day of the decision", "決裁予定日"),
    "submitted_on": ("submitted on", "申請日"),
    "decided_on": ("decided on", "決裁日"),
    "steps": ("route", "ルート"),
    "pack.cost_benefit": ("material: cost and benefit", "資料(費用対効果)"),
    "pack.risk": ("material: risks", "資料(リスク)"),
    "pack.references": ("material: references", "資料(導入事例)"),
    "pack.roi": ("material: ROI", "資料(ROI)"),
}
_ALL = {**DEAL, **PERSON, **APPROVAL}


def in_words(fields: Iterable[str], lang: int) -> str:
    """lang: 0 for English, 1 for Japanese. What has no words here is told by its name."""
    return ("、" if lang else ", ").join(_ALL[one][lang] if one in _ALL else one for one in fields)
