"""The scoring policy that counts in one region: the rules of all, with those of its overlay."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from baton.policies.problems import suggest


class Effective(NamedTuple):
    """The policy that counts in a region. done: what its overlay did to which rule (`added`, `changed` or `off`), by `behaviour`
    or `fit` and the rule's id"""

    region: str
    policy: dict[str, Any]
    done: dict[tuple[str, str], str]


def effective(body: Mapping[str, Any], region: str) -> Effective:
    """region: the id of an overlay, in any case. Raises LookupError that says which there are."""
    overlays = body.get("overlays", [])
    overlay = next((one for one in overlays if one["id"].casefold() == region.casefold()), None)
    if overlay is None:
        known = [one["id"] for one in overlays]
        raise LookupError(
            f"there is no overlay `{region}`." + suggest(region, known) if known else "this policy has no overlays"
        )
    done: dict[tuple[str, str], str] = {}
    found = {name: value for name, value in body.items() if name != "overlays"}
    for kind, section in (("behaviour", "engagement"), ("fit", "fit")):
        theirs = {rule["id"]: rule for rule in overlay.get(kind, [])}
        rules = []
        for rule in body[section]["rules"]:
            if rule["id"] in overlay.get("off", []):
                done[kind, rule["id"]] = "off"
                continue
            if rule["id"] in theirs:
                done[kind, rule["id"]] = "changed"
            rules.append(theirs.pop(rule["id"], rule))
        done |= {(kind, rule_id): "added" for rule_id in theirs}
        found[section] = {**body[section], "rules": [*rules, *theirs.values()]}
    return Effective(overlay["id"], found, done)


def marked(effective: Effective) -> str:
    """As YAML that says of each rule of the region's own that it is one, and which rules are off."""
    region, policy, done = effective
    whole = CommentedMap(policy)
    for kind, section in (("behaviour", "engagement"), ("fit", "fit")):
        rules = CommentedSeq(policy[section]["rules"])
        for place, rule in enumerate(rules):
            if what := done.get((kind, rule["id"])):
                words = f"{region}: {'in place of the rule of all' if what == 'changed' else 'in this region alone'}"
                rules.yaml_set_comment_before_after_key(place, before=words, indent=2)
        whole[section] = CommentedMap({**policy[section], "rules": rules})
        if off := sorted(rule_id for (of, rule_id), what in done.items() if of == kind and what == "off"):
            whole.yaml_set_comment_before_after_key(section, before=f"{region}: without {', '.join(off)}")
    yaml, out = YAML(), io.StringIO()
    yaml.width = 120
    yaml.dump(whole, out)
    return out.getvalue()
