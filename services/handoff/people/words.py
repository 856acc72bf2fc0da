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
}
