"""Everything that can be said of policies, by a code that stays: how grave it is, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]


class Code(NamedTuple):
    """severity: an error keeps policies from coming into force;  en, ja: what it means, whatever it is about"""

    severity: Severity
    en: str
    ja: str


def _of(severity: Severity, **told: tuple[str, str]) -> Mapping[str, Code]:
    return {name.replace("_", "-"): Code(severity, en, ja) for name, (en, ja) in told.items()}


FILES = _of(
    "error",
    not_there=("a file or directory is missing", "ファイルまたはディレクトリがありません"),
    wrong_name=(
        "a file or directory has a name that none can have",
        "ファイル名またはディレクトリ名が正しくありません",
    ),
    not_yaml=("the file cannot be read as the YAML that policies use", "ポリシーのYAMLとして読めません"),
    unknown_field=("there is no field of this name here", "この項目はここにはありません"),
    missing_field=("a field that has to be there is missing", "必須の項目がありません"),
    wrong_value=("a field cannot have this value", "この項目に書けない値です"),
    bad_condition=("a condition is not in the grammar", "条件の書き方が正しくありません"),
)
NAMES = _of(
    "error",
    id_twice=("two things of one list have the same id", "同じIDが二つあります"),
    unknown_value=(
        "a condition compares with a value that the field never has",
        "条件の値は、この項目が取り得ない値です",
    ),
    unknown_touch_type=("there is no touch type of this name", "このタッチ種別はありません"),
    unknown_channel=("there is no lead source of this name", "このリードソースはありません"),
    unknown_question=("there is no qualification question of this name", "この質問はありません"),
    unknown_answer=("a question has no answer of this code", "この質問にこの回答コードはありません"),
    unknown_answer_source=("reps learn nothing in this way", "回答の入手方法として存在しない名前です"),
    answer_twice=("one text means two answers", "一つの文言が二つの回答を意味しています"),
    unknown_pool=("a routing rule names a pool that teams do not have", "teamsにないプールを指す規則です"),
    unknown_rep=("somebody is named whom teams do not have", "teamsにいない担当者が書かれています"),
    unknown_manager=("a rep has a manager who is no other rep", "上長がほかの担当者ではありません"),
    manager_loop=("managers lead back to where they began", "上長をたどると元に戻ります"),
    unknown_notify_channel=("a rep is told on a channel that is not there", "ない通知チャネルが書かれています"),
    unreachable_reason=(
        "who cannot be reached is given back for a reason by which no lead comes back",
        "連絡不能の差し戻し理由では、リードが戻ってきません",
    ),
    unknown_calendar=("a rep names a calendar that is not there", "ない営業カレンダーが書かれています"),
    hours_overlap=("two times of a calendar overlap", "営業カレンダーの時間帯が重なっています"),
    calendar_never_opens=("a calendar never opens", "この営業カレンダーは一度も開きません"),
    grade_twice=("a grade has two ways at the gate", "一つの評価に行き先が二つあります"),
    unknown_group=("a rule is of a group that has no cap", "上限のないグループの規則です"),
    unknown_rule=("an overlay switches a rule off that is not there", "ない規則を止めようとしています"),
    off_and_own=("an overlay switches a rule off and has it", "止めた規則を自分でも持っています"),
    thresholds_rise=("thresholds do not fall", "しきい値が下がっていません"),
    strategy_without_points=(
        "a pool of best fit says nothing to prefer, or one of another strategy does",
        "best_fitに優先条件がないか、ほかの方式に優先条件があります",
    ),
    queue_without_pool=(
        "a pool whose leads wait for nobody's choice says how long they may",
        "選ばれるのを待つリードのないプールに、待ち時間が書かれています",
    ),
    queue_without_manager=(
        "what nobody chose for in time goes to a manager whom the pool does not name",
        "期限切れのリードを渡す上長がプールに書かれていません",
    ),
    shared_key=("two sources have the same write key", "二つのソースが同じ書き込みキーを持っています"),
    shared_channel=("a channel has the URL of another tenant's", "ほかのテナントの通知チャネルと同じURLです"),
    secret_missing=(
        "a write key, secret or channel's URL is not where the policy refers to",
        "書き込みキー、秘密または通知チャネルのURLが見つかりません",
    ),
    channel_unreadable=(
        "a channel's URL is not one, of a service that may be used, to a public address; or a rep has nothing to put into it",
        "通知チャネルのURLが使えないか、宛先が決まりません",
    ),
)
REASONED = _of(
    "error",
    dead_rule=("no lead, touch or event can ever fit this condition", "この条件に当てはまるものは存在しません"),
    no_catch_all=("some leads of a leg fit no routing rule", "どの規則にも当てはまらないリードがあります"),
    stage_unreachable=("no deal can come to a stage", "どの商談も進めない段階です"),
    bant_never_enough=("fewer criteria can be met than have to be", "満たすべき数の条件を満たせません"),
)
DOUBTFUL = _of(
    "warning",
    dead_branch=("one alternative of a condition can never hold", "条件の選択肢の一つが決して成り立ちません"),
    shadowed_rule=("rules before this one take all that it would", "前の規則がすべて先に取ります"),
    shadowed_part=("rules before this one take all of one value", "一部の値は前の規則がすべて先に取ります"),
    pool_nobody=("a pool has nobody who is active and has capacity", "受けられる担当者のいないプールです"),
    pool_without_manager=(
        "nobody gets what the whole pool has had and given back",
        "全員が辞退したリードを引き取る上長がいないプールです",
    ),
    pool_never_open=("none of a pool's people is ever at work", "プールの担当者が一度も稼働しません"),
    language_nobody_speaks=(
        "leads come to a pool in a language that nobody there speaks",
        "話せる人のいない言語のリードが来ます",
    ),
    skill_nobody_has=(
        "a pool asks for skills that none of its members has together",
        "プールの誰も持たないスキルを求めています",
    ),
    unused_pool=("no routing rule names a pool", "どの規則も指さないプールです"),
    unused_notify_channel=("nobody is told on a channel", "誰にも通知しないチャネルです"),
    unused_calendar=("no rep names a calendar", "誰も使わない営業カレンダーです"),
    unused_rep=(
        "a rep is in no pool, on no staff and nobody's manager",
        "どのプールにも属さず、当番でも上長でもない担当者です",
    ),
    return_without_rule=(
        "a decline returns leads to inside sales, and no rule takes them",
        "ISへ戻す理由に、ISの規則がありません",
    ),
    never_comes_back=(
        "leads are put on hold, and no day ends that",
        "時期待ちのリードが戻る日がありません",
    ),
    chances_fall=("a later stage is less likely to be won", "後の段階ほど確度が下がっています"),
    sql_unheard=(
        "deals of a stage are an SQL, and the lifecycle does not know it",
        "商談(SQL)の段階がライフサイクルの条件にありません",
    ),
    unused_group=("no rule is of a group that has a cap", "規則のないグループに上限があります"),
    points_cut=("a cap of nothing takes all points of a rule", "上限が0なので、この規則の点数は数えられません"),
    band_unreachable=("no lead or account can reach a band", "どのリード・取引先も届かないバンドです"),
    letter_unreachable=("no lead can reach a letter of fit", "どのリードも届かない属性評価です"),
    gate_unreachable=(
        "the gate names a grade or hand-raise that no lead can have",
        "どのリードも取れない評価や手挙げがゲートにあります",
    ),
    nobody_warm=("no lead is ever warm", "ウォームになるリードがありません"),
    window_ends_nothing=("a window is longer than a touch counts anyway", "期間の定めが何も終わらせません"),
    rule_past=("a rule ended before today", "すでに終わった規則です"),
    no_cycle=(
        "a rule counts by cycles, and its touches have none",
        "商談サイクルのない接点をサイクルごとに数えています",
    ),
    rule_beside=(
        "a rule of an overlay has the id of a rule of the other kind",
        "別の種類の規則と同じIDで、置き換えになりません",
    ),
    overlay_changes_nothing=("an overlay changes nothing", "何も変えない地域ルールです"),
    half_signed=("only one side has signed off what a ripe lead is", "定義に片方の部門しか合意していません"),
    criterion_never_met=("no answer meets a criterion", "どの回答でも満たせない条件です"),
    class_unreachable=("no touch makes a lead one of this class", "どの接点もこの区分のリードになりません"),
    touch_claimed=("an earlier class claims a touch type", "前の区分が先に取るタッチ種別です"),
    touch_unsent=("no source can send a touch type", "どのソースからも届かないタッチ種別です"),
    key_in_file=("a write key stands in the file", "書き込みキーがファイルに書かれています"),
    secret_past=("a secret is past its time", "秘密の期限が切れています"),
    secret_only_here=("a secret is known in this terminal alone", "この端末だけが知っている秘密です"),
    address_alike=("two tenants have a source of this id", "二つのテナントに同じIDのソースがあります"),
)
NOTED = _of(
    "info",
    sla_while_closed=(
        "a pool is closed for longer than leads may take to be accepted",
        "プールの休止時間が受領期限より長いです",
    ),
    business_without_hours=(
        "a class counts its holder's time at work, and nobody has hours",
        "稼働時間で数える区分ですが、勤務時間のある担当者がいません",
    ),
    rep_unreachable=("a rep takes leads and is told on no channel", "通知先のない担当者です"),
    check_skipped=("a check was too hard, and was not made", "難しすぎるため確認しませんでした"),
)
CODES: Mapping[str, Code] = {**FILES, **NAMES, **REASONED, **DOUBTFUL, **NOTED}
