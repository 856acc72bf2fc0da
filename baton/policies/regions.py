"""The scoring or routing policy that counts in one region: the rules of all, with those of its overlay."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from baton.policies.problems import suggest


class Effective(NamedTuple):
    """The policy that counts in a region. done: what its overlay did to which rule (`added`, `changed` or `off`), by the list of
    the overlay that has it (`behaviour` or `fit`, `rules` of routing) and the rule's id"""

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
    if "rules" in body:  # of routing, where those of the region come first
        own, off = {rule["id"]: rule for rule in overlay.get("rules", [])}, overlay.get("off", [])
        known = [rule["id"] for rule in body["rules"]]
        added = [rule for rule_id, rule in own.items() if rule_id not in known]
        found["rules"] = added + [own.get(rule["id"], rule) for rule in body["rules"] if rule["id"] not in off]
        done |= {("rules", rule_id): "changed" if rule_id in known else "added" for rule_id in own}
        return Effective(overlay["id"], found, done | {("rules", rule_id): "off" for rule_id in off})
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
    lists = [("rules", "")] if "rules" in policy else [("behaviour", "engagement"), ("fit", "fit")]
    for kind, section in lists:
        rules = CommentedSeq(policy[section]["rules"] if section else policy["rules"])
        for place, rule in enumerate(rules):
            if what := done.get((kind, rule["id"])):
                words = f"{region}: {'in place of the rule of all' if what == 'changed' else 'in this region alone'}"
                rules.yaml_set_comment_before_after_key(place, before=words, indent=2)
        if section:
            whole[section] = CommentedMap({**policy[section], "rules": rules})
        else:
            whole["rules"] = rules
        if off := sorted(rule_id for (of, rule_id), what in done.items() if of == kind and what == "off"):
            whole.yaml_set_comment_before_after_key(section or kind, before=f"{region}: without {', '.join(off)}")
    yaml, out = YAML(), io.StringIO()
    yaml.width = 120
    yaml.dump(whole, out)
    return out.getvalue()
