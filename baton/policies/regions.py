"""The scoring policy that counts in one region: the rules of all, with those of its overlay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baton.policies.problems import suggest


def effective(body: Mapping[str, Any], region: str) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
    """The policy that counts in a region (the id of an overlay), and what the overlay did to which rule: `added`, `changed` or
    `off`, by `behaviour` or `fit` and the rule's id. Raises LookupError that says which regions there are.
    """
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
    return found, done
