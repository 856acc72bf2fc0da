"""That a lead has been round its pool, in words, English and Japanese: which manager gets it, or why none does."""

from __future__ import annotations

from services.router.domain.manager import Escalated, Passed
from services.router.domain.playbook import Playbook
from shared.schemas.policies.base import Label
from shared.schemas.routing import Reason

PASSED: dict[Passed, dict[str, str]] = {
    "unknown_rep": {"en": "is no rep of the teams policy", "ja": "チームに登録なし"},
    "left": {"en": "has left", "ja": "退職・異動済み"},
    "inactive": {"en": "takes no leads now", "ja": "受付停止中"},
    "earlier_holder": {"en": "had this lead before", "ja": "このリードを以前担当"},
}


def manager_reason(found: Escalated, pool_id: str | None, playbook: Playbook | None) -> Reason:
    """Who gets what the whole pool has had, and why not those before them."""
    pool = playbook.pools.get(pool_id) if playbook and pool_id else None
    label = pool.label if pool else Label()
    en, ja = label.en or pool_id or "", label.ja or label.en or pool_id or ""
    passed = {
        "en": "".join(f"; {_name(one.rep_id, playbook)} {PASSED[one.why]['en']}" for one in found.passed),
        "ja": "".join(f"、{_name(one.rep_id, playbook)} は{PASSED[one.why]['ja']}" for one in found.passed),
    }
    if found.rep_id is None:
        text = {
            "en": f"nobody is left to ask in pool “{en}”, and no manager who could take it{passed['en']}",
            "ja": f"プール「{ja}」に打診できる人が残っておらず、引き取れる上長もいない{passed['ja']}",
        }
        return Reason(code="no_manager", text=text, detail={"pool": pool_id})
    name = _name(found.rep_id, playbook)
    text = {
        "en": f"nobody is left to ask in pool “{en}”: it ends with {name}, the manager, who decides{passed['en']}",
        "ja": f"プール「{ja}」に打診できる人が残っていないため、上長の {name} が引き取り判断{passed['ja']}",
    }
    return Reason(code="manager", text=text, detail={"rep": found.rep_id, "pool": pool_id})


def _name(rep_id: str, playbook: Playbook | None) -> str:
    rep = playbook.reps.get(rep_id) if playbook else None
    return rep.name if rep else rep_id
