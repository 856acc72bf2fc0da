"""Spellings that mean the same: for keys by which names are matched, never for what is shown.

髙橋 and 高橋, キヤノン and キャノン are typed for one another; whoever compares names folds both sides.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_IDEOGRAPHS_TEXT = """
高髙 崎﨑嵜埼碕 辺邉邊 斎齋齊斉 沢澤 浜濵濱 広廣 国國 桜櫻 徳德 恵惠 真眞 栄榮 瀬瀨 竜龍 島嶋嶌 館舘 淵渕
吉𠮷 曽曾 薮藪 桧檜 寿壽 与與 会會 学學 県縣 鉄鐵 万萬 関關 円圓 経經 実實 豊豐 宝寶 蔵藏 将將 来來 晋晉
静靜 暁曉 槙槇 遥遙 弥彌 条條 勲勳 聡聰 総總 証證 顕顯 青靑 清淸 黒黑 増增 横橫 教敎 歩步 穂穗 桑桒 柳栁
梅楳 富冨 峰峯 涼凉 亀龜 仏佛 伝傳 体體 発發 気氣 薬藥 鉱鑛 駅驛 沖冲 団團 戸戶 兎兔 礼禮 緑綠 巣巢 満滿
焼燒 禅禪 従從 壮壯 剣劍 応應 岳嶽 医醫 労勞 図圖
"""
_KANA = str.maketrans("ァィゥェォッャュョヮヵヶぁぃぅぇぉっゃゅょゎ", "アイウエオツヤユヨワカケあいうえおつやゆよわ")
_FOLDED: dict[int, int | str] = {
    **_KANA,
    **{ord(variant): group[0] for group in _IDEOGRAPHS_TEXT.split() for variant in group[1:]},
}


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """The one spelling of all variants: NFKC, casefolded, new ideographs for old ones, large kana for small, without blanks."""
    folded = _settled(text)
    while (again := _settled("".join(folded.translate(_FOLDED).split()))) != folded:
        folded = again
    return folded


def _settled(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
