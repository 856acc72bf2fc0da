"""The words of the pictures, in English and Japanese."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")

WORDS: dict[str, dict[Language, str]] = {
    "decay.title": {
        "en": "A touch fades: half of it is left after each half-life",
        "ja": "接触の点数は薄れる: 半減期ごとに半分になる",
    },
    "decay.subtitle": {
        "en": "A touch worth 10 points on day 0; after seven half-lives, or its window, it is worth nothing",
        "ja": "0日目に10点の接触。半減期の7倍か期間を過ぎると0点になる",
    },
    "decay.line": {"en": "half-life {days} days", "ja": "半減期{days}日"},
    "decay.window": {"en": "half-life {days} days, window {window} days", "ja": "半減期{days}日、期間{window}日"},
    "decay.cut": {"en": "the window ends:\nworth nothing from here", "ja": "期間の終わり:\nここからは0点"},
    "days": {"en": "days after the touch", "ja": "接触からの日数"},
    "points": {"en": "points", "ja": "点"},
    "caps.title": {
        "en": "Caps: what a busy week gives, and what of it is kept",
        "ja": "上限: 活発な1週間の点数と、残る点数",
    },
    "caps.subtitle": {
        "en": "First each group is cut to its cap, then all together to the cap of all",
        "ja": "まずグループごとの上限、次に全体の上限で切られる",
    },
    "caps.kept": {"en": "kept", "ja": "残る点数"},
    "caps.group": {"en": "cut by the group's cap", "ja": "グループの上限で切られた点数"},
    "caps.total": {"en": "cut by the cap of all", "ja": "全体の上限で切られた点数"},
    "caps.numbers": {"en": "{given} given, {kept} kept", "ja": "{given}点のうち{kept}点"},
    "caps.cap": {"en": "cap {cap}", "ja": "上限{cap}"},
    "caps.all": {"en": "all", "ja": "合計"},
    "group.web": {"en": "web", "ja": "ウェブ"},
    "group.email": {"en": "mail", "ja": "メール"},
    "group.content": {"en": "content", "ja": "資料"},
    "group.event": {"en": "event", "ja": "イベント"},
    "group.inquiry": {"en": "inquiry", "ja": "問い合わせ"},
    "grades.title": {"en": "The grade: who they are, and what they did", "ja": "グレード: どんな相手か、何をしたか"},
    "grades.subtitle": {
        "en": "The letter is the fit, the number the engagement; the colour is what the gate does",
        "ja": "文字は適合度、数字は関心度、色はゲートの判定",
    },
    "grades.fit": {"en": "fit: who they are", "ja": "適合度: どんな相手か"},
    "grades.engagement": {"en": "engagement: what they did lately", "ja": "関心度: 最近何をしたか"},
    "grades.least": {"en": "{least} or more", "ja": "{least}点以上"},
    "grades.below": {"en": "below {most}", "ja": "{most}点未満"},
    "gate.mql": {"en": "to sales (MQL)", "ja": "営業へ (MQL)"},
    "gate.inside_sales_check": {"en": "inside sales checks", "ja": "ISが確認"},
    "gate.nurture": {"en": "nurture", "ja": "継続接点"},
    "gate.hand": {
        "en": "Whoever asks to be contacted goes to sales from fit {least} on, whatever the number; below it inside sales checks",
        "ja": "連絡を希望した人は、適合度{least}以上なら数字によらず営業へ、それ未満はISが確認",
    },
    "course.title": {"en": "Sixty days of one lead", "ja": "ある見込み客の60日間"},
    "course.subtitle": {
        "en": "Touches lift the score at once; then time alone lowers it, and the grade changes by itself",
        "ja": "接触で点数はすぐ上がり、その後は時間だけで下がって、グレードが自然に変わる",
    },
    "course.days": {"en": "day", "ja": "日目"},
    "course.band": {"en": "band {band}", "ja": "段階{band}"},
    "course.engagement": {"en": "engagement, points", "ja": "関心度(点)"},
    "course.alone": {
        "en": "dashed: time alone changes the grade or the temperature",
        "ja": "破線: 時間だけでグレードや温度が変わる時点",
    },
    "course.window": {"en": "the window of {number} ends", "ja": "{number}の期間が終わる"},
    "hot": {"en": "hot", "ja": "ホット"},
    "warm": {"en": "warm", "ja": "ウォーム"},
    "cold": {"en": "cold", "ja": "コールド"},
    "gains.title": {"en": "How early the policy finds those who buy", "ja": "成約する相手をどれだけ早く見つけられるか"},
    "gains.subtitle": {
        "en": "Olist: {judged} leads from {day} on, {won} won within 90 days; the policy knew only what came before",
        "ja": "Olist: {day}以降の{judged}件、90日以内の成約{won}件。ポリシーはそれ以前の情報だけで作成",
    },
    "gains.x": {"en": "share of the leads contacted, best score first", "ja": "点数の高い順に連絡した割合"},
    "gains.y": {"en": "share of those won that is among them", "ja": "そのなかに含まれる成約の割合"},
    "gains.policy": {"en": "the policy", "ja": "このポリシー"},
    "gains.band": {"en": "95% interval (bootstrap)", "ja": "95%の範囲(ブートストラップ)"},
    "gains.chance": {"en": "in any order", "ja": "順不同"},
    "gains.mark": {
        "en": "the best {contacted}% hold {found}% of those won",
        "ja": "上位{contacted}%に成約の{found}%",
    },
}


def say(key: str, language: Language, **values: object) -> str:
    """Raises KeyError for words that are not there."""
    return WORDS[key][language].format(**values)
