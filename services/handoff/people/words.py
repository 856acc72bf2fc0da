"""What is said of people, in words for people."""

from __future__ import annotations

from shared.schemas.vocabulary import BUYING_ROLES, Word, Words

ROLE_WORDS: Words = {
    **BUYING_ROLES,
    "circulator": Word("Circulator", "回議・合議者"),
    "champion": Word("Champion", "推進者"),
    "economic_buyer": Word("Economic buyer", "予算責任者"),
    "partner_rep": Word("Partner's representative", "代理店"),
}
STANCE_WORDS: Words = {
    "support": Word("Supports it", "支持"),
    "neutral": Word("Neutral", "中立"),
    "concern": Word("Has concerns", "懸念"),
    "against": Word("Against it", "反対"),
    "unknown": Word("Unknown", "不明"),
}
NEMAWASHI_WORDS: Words = {
    "untouched": Word("Not yet spoken to", "未着手"),
    "explained": Word("Explained", "説明済"),
    "supportive": Word("Agrees", "賛同"),
    "concerned": Word("Has concerns", "懸念あり"),
}
PART_WORDS: Words = {name: ROLE_WORDS[name] for name in ("drafter", "circulator")} | {
    "approver": Word("Approver", "決裁者")
}
STATE_WORDS: Words = {
    "draft": Word("Not submitted", "起案前"),
    "submitted": Word("Submitted", "申請中"),
    "returned": Word("Returned", "差し戻し"),
    "approved": Word("Approved", "決裁済"),
    "rejected": Word("Rejected", "否決"),
}
MATERIAL_WORDS: Words = {
    "cost_benefit": Word("Costs and benefits", "費用対効果"),
    "risk": Word("Risks", "リスク"),
    "references": Word("References", "導入実績"),
    "roi": Word("Return on investment", "投資回収(ROI)"),
}
RISKS: Words = {
    "no_decision_maker": Word("Nobody who decides is known", "決裁者が未特定です"),
    "no_drafter": Word("Nobody who would draft the request is known", "起案者が未特定です"),
    "one_department": Word("All contacts are of one department", "接点が一部門に限られています"),
    "users_not_met": Word(
        "IT was met, the users were not", "情報システム部門とは面談済みですが、利用部門と面談していません"
    ),
    "champion_moved": Word("The champion has moved", "推進者が異動・退職しました"),
    "verify_move": Word("To verify: whether this person has moved", "在籍確認が必要です"),
    "opposed": Word("Somebody with influence is against it", "影響力のある方が反対しています"),
    "no_contact": Word("No contact for 30 days", "30日以上接触がありません"),
    "no_approver": Word("The approval route has no approver", "稟議ルートに決裁者がいません"),
    "limit_below_amount": Word("The approver may not decide on this amount", "金額が決裁者の決裁権限を超えています"),
    "step_moved": Word("Somebody of the approval route has moved", "稟議ルート上の方が異動・退職しました"),
    "unprepared": Word("Submitted, and these were not spoken to before", "根回しのないまま起案されています"),
    "pack_incomplete": Word("Submitted without all material", "稟議資料が揃わないまま起案されています"),
    "approval_late": Word("The approval is later than planned", "稟議が予定より遅れています"),
}
