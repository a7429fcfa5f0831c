"""A pack's plan as JSON, the same for the API and the command line."""

from collections.abc import Mapping
from typing import Any

from tocsin.app.packs.pack_desk import PackPlan, needs_confirming
from tocsin.app.plain import as_json

_MOST_DIFFS = 200


def plan_json(
    plan: PackPlan,
    *,
    installed: bool,
    staged: int = 0,
    replayed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest, every rule's id, every refusal, and what an update changes.

    ``updates`` has the rules that differ, those to ask about first, of two hundred with diffs.
    ``replayed`` is what ``PackReplay`` tells, null when it was not asked for.
    """
    changed = [dict(as_json(one)) for one in plan.updates]
    for one in changed[_MOST_DIFFS:]:
        one["diff"] = ""
    return {
        "installed": installed,
        "pack": as_json(plan.manifest),
        "rules": [rule.id for rule in plan.account.rules],
        "refused": as_json(plan.account.refused),
        "quiet_files": list(plan.account.quiet),
        "change": as_json(plan.change),
        "updates": changed,
        "asks": plan.asks,
        "needs_confirming": needs_confirming(plan),
        "followed": [{"before": old, "after": new} for old, new in plan.followed],
        "staged": staged,
        "replayed": as_json(replayed),
    }
