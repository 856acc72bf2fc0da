"""A lead's account in words, English and Japanese: how it was found, what was against the others, and what each check said."""

from __future__ import annotations

from collections.abc import Iterator

from services.router.domain.account import CheckId, Known
from services.router.domain.before_pools import Check
from services.router.domain.before_pools import Why as CheckWhy
from services.router.domain.matching.result import ByName, Candidate, Code, Matched, Tie, Why
from services.router.domain.playbook import Playbook
from shared.kit.clock import iso
from shared.schemas.accounts import KIND_WORDS
from shared.schemas.routing import Reason
from shared.schemas.vocabulary import Word

CODES: dict[Code, Word] = {
    "account_id": Word("the account's id", "取引先ID"),
    "domain": Word("the domain of the mail address", "メールのドメイン"),
    "alias_domain": Word("another domain of the account", "別ドメイン"),
    "corporate_number": Word("the corporate number", "法人番号"),
    "name_prefecture": Word("name and prefecture", "社名と都道府県"),
    "name_country": Word("name and country", "社名と国"),
    "phone": Word("the phone number", "電話番号"),
    "fuzzy": Word("a name that is nearly the same, in the same place", "類似の社名と所在地"),
}
BY_NAMES: dict[ByName, Word] = {
    "former": Word("by its former name", "旧社名"),
    "kana": Word("by its name in kana", "カナ社名"),
    "other": Word("by another of its names", "別名"),
}
TIES: dict[Tie, Word] = {
    "corporate_number": Word("its corporate number was given", "法人番号が一致"),
    "site": Word("the site was named", "拠点名が一致"),
    "name": Word("its name was given", "社名が一致"),
    "prefecture": Word("it is in the same prefecture", "都道府県が一致"),
    "level": Word("the legal entity comes before group and site", "法人をグループ・拠点より優先"),
    "tier": Word("its tier is higher", "ティアが上位"),
    "common": Word("all of the others belong to it", "共通の上位取引先"),
}
WHY_NOT: dict[Why, Word] = {
    "weaker": Word("another fits better", "より一致する取引先あり"),
    "corporate_number_differs": Word("another corporate number", "法人番号が相違"),
    "domain_differs": Word("another domain", "ドメインが相違"),
    "legal_form_differs": Word("another legal form", "法人格が相違"),
    "country_differs": Word("another country", "国が相違"),
    "prefecture_differs": Word("another prefecture", "都道府県が相違"),
    "place_unknown": Word("nothing says that it is in the same place", "所在地の確認不可"),
    "name_differs": Word("another name", "社名が相違"),
    "too_far": Word("the names are not alike enough", "社名の類似度が不足"),
    "ambiguous": Word("others fit as well", "複数の候補が同等"),
}
CHECK_NAMES: dict[CheckId, Word] = {
    "kind": Word("kind of account", "取引先種別"),
    "open_opportunity": Word("open opportunity", "進行中の商談"),
    "deal_registration": Word("registered partner deal", "代理店案件登録"),
    "named_account": Word("named account", "指名アカウント"),
    "customer": Word("customer", "既存顧客"),
}
CANNOT: dict[CheckWhy, Word] = {
    "no_owner": Word("nobody is named", "担当者の登録なし"),
    "unknown_rep": Word("{rep} is no rep of the teams policy", "{rep} はチームに登録なし"),
    "inactive": Word("{rep} takes no leads now", "{rep} は受付停止中"),
    "earlier_holder": Word("{rep} had this lead before", "{rep} はこのリードを以前担当"),
    "absent": Word("{rep} is absent", "{rep} は不在"),
}
SAID: dict[CheckWhy, Word] = {
    "kind": Word("{about}", "{about}"),
    "deal": Word("{rep} holds lead {about} of this account", "{rep} が同じ取引先のリード {about} を担当中"),
    "no_deal": Word("nobody holds a lead there", "進行中の案件なし"),
    "registration": Word("registered by {about}", "{about} が登録済み"),
    "no_registration": Word("none is protected", "保護中の登録なし"),
    "conflict": Word("registered by several partners: {about}", "複数の代理店が登録: {about}"),
    "has_owner": Word("the account is {rep}'s", "取引先の担当は {rep}"),
    "other_tier": Word("its tier {about} is not among those that go to owners", "ティア {about} は対象外"),
    "is_customer": Word("a customer: its account manager is asked", "既存顧客のため顧客担当へ"),
    "account_manager": Word("{rep} looks after this customer", "顧客担当は {rep}"),
    "manager": Word("given back before: to the manager, {rep}", "以前の差し戻しにより上長の {rep} へ"),
    "no_customer": Word("not a customer", "既存顧客ではない"),
}
_NO_ANSWER = Word("not asked", "確認対象外")


TARGET = Reason(
    code="target_account",
    text={"en": "a target account: ripe whatever its grade", "ja": "ターゲットアカウントのためグレードを問わず対象"},
)


def matched_reason(known: Known) -> Reason:
    """How the account was found, or why none was."""
    found, party = known.matched, known.party
    detail: dict[str, str | bool | None] = {"account": found.account_id, "by": found.code, "tie": found.tie}
    if party is None or found.code is None:
        return Reason(code="no_account", text=_texts(_nobody(found)), detail={"ambiguous": found.ambiguous})
    by = CODES[found.code]
    en, ja = f"account “{party.name}”, by {by.en}", f"取引先「{party.name}」({by.ja}で一致"
    if found.by_name:
        en, ja = f"{en}, {BY_NAMES[found.by_name].en}", f"{ja}、{BY_NAMES[found.by_name].ja}"
    if found.tie:
        en, ja = f"{en}; {TIES[found.tie].en}", f"{ja}、{TIES[found.tie].ja}"
    return Reason(code="account", text={"en": en, "ja": f"{ja})"}, detail=dict(detail))


def _nobody(found: Matched) -> Word:
    if found.ambiguous:
        return Word("no account: several fit equally well", "取引先なし: 同等の候補が複数")
    if found.no_domain:
        return Word(
            "no account: a free-mail or provider's address tells none", "取引先なし: フリーメール・プロバイダのため"
        )
    return Word("no account of ours", "登録済みの取引先なし")


def candidate_reason(candidate: Candidate) -> Reason | None:
    """Why an account was not taken; None for the one that was."""
    if candidate.why_not is None:
        return None
    word, by = WHY_NOT[candidate.why_not], CODES[candidate.code]
    likeness = "" if candidate.likeness is None else f" ({candidate.likeness} %)"
    return Reason(
        code=candidate.why_not, text={"en": f"{word.en}{likeness}", "ja": f"{word.ja}{likeness}"}, detail={"by": by.en}
    )


def check_reason(check: Check, playbook: Playbook | None) -> Reason:
    """What one check said."""
    name = CHECK_NAMES[check.check]
    said = _NO_ANSWER if check.why is None else CANNOT.get(check.why) or SAID[check.why]
    rep = playbook.reps.get(check.rep_id) if playbook and check.rep_id else None
    called = rep.name if rep else check.rep_id or ""
    kind = KIND_WORDS.get(check.about or "") if check.check == "kind" else None
    fields = {
        "en": {"rep": called, "about": kind.en if kind else check.about or "–"},
        "ja": {"rep": called, "about": kind.ja if kind else check.about or "–"},
    }
    follows = _WAITS if check.why == "absent" and check.said == "parks" else _FOLLOWS[check.said]
    until = "" if check.until is None else f" (→ {iso(check.until)[:10]})"
    text = {
        "en": f"{name.en}: {said.en.format(**fields['en'])}{until}{follows.en}",
        "ja": f"{name.ja}: {said.ja.format(**fields['ja'])}{until}{follows.ja}",
    }
    detail = {"check": check.check, "said": check.said, "why": check.why, "rep": check.rep_id, "about": check.about}
    return Reason(code=f"check_{check.check}", text=text, detail={k: v for k, v in detail.items() if v is not None})


_WAITS = Word("; it waits for them", "。復帰待ち")
_FOLLOWS = {
    "takes": Word("; takes the lead", "。担当に決定"),
    "never": Word("; never routed", "のため振り分け対象外"),
    "parks": Word("; a person decides", "。人の判断待ち"),
    "not_asked": Word("", ""),
    "passes": Word("", ""),
    "unavailable": Word("; it goes on", "。次の確認へ"),
}


def account_steps(known: Known | None, checks: tuple[Check, ...], playbook: Playbook | None) -> Iterator[Reason]:
    """What a rep should know of the account: how it was found, and what the checks said that had something to say."""
    if known is None or known.party is None:
        return
    yield matched_reason(known)
    for check in checks:
        if check.said not in ("passes", "not_asked"):
            yield check_reason(check, playbook)


def _texts(word: Word) -> dict[str, str]:
    return {"en": word.en, "ja": word.ja}
