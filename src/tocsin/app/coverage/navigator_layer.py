"""Coverage as layers of the ATT&CK Navigator (layer format 4.5), to be opened there together."""

from collections.abc import Callable, Sequence
from typing import Any

from tocsin.app.coverage.attack_facts import OTHER
from tocsin.app.coverage.rule_coverage import Covered
from tocsin.triage.attack import ATTACK_VERSION

LAYER_VERSION = "4.5"
_NAVIGATOR_VERSION = "5.1.0"
_WHITE, _BLUE, _GREEN, _RED = "#ffffff", "#1f6feb", "#2da44e", "#cf222e"

_LAYERS: tuple[tuple[str, str, str, Callable[[Covered], int]], ...] = (
    ("enabled", "rules in force", _BLUE, lambda one: one.enabled),
    ("data present", "rules in force that can match what comes in", _GREEN, lambda one: one.data),
    ("tested", "rules in force that carry tests", _GREEN, lambda one: one.tested),
    ("seen", "alerts of late", _RED, lambda one: one.seen),
)


def navigator_layers(covered: Sequence[Covered], days: int) -> list[dict[str, Any]]:
    """One layer a stage; the score of a technique is how many rules or alerts it has there."""
    return [
        _layer(name, meaning.replace("of late", f"of the last {days} days"), color, covered, count)
        for name, meaning, color, count in _LAYERS
    ]


def _layer(
    name: str, meaning: str, color: str, covered: Sequence[Covered], count: Callable[[Covered], int]
) -> dict[str, Any]:
    scores = {one.technique: count(one) for one in covered if count(one)}
    return {
        "name": f"Tocsin: {name}",
        "versions": {
            "attack": ATTACK_VERSION,
            "navigator": _NAVIGATOR_VERSION,
            "layer": LAYER_VERSION,
        },
        "domain": "enterprise-attack",
        "description": f"Techniques by {meaning}.",
        "sorting": 3,
        "techniques": [
            {
                "techniqueID": one.technique,
                **({"tactic": tactic} if tactic != OTHER else {}),
                "score": scores[one.technique],
                "comment": f"{scores[one.technique]} {meaning}",
                "enabled": True,
                "showSubtechniques": any(other.startswith(f"{one.technique}.") for other in scores),
            }
            for one in covered
            if one.technique in scores
            for tactic in one.tactics
        ],
        "gradient": {
            "colors": [_WHITE, color],
            "minValue": 0,
            "maxValue": max(scores.values(), default=1),
        },
        "legendItems": [{"label": meaning, "color": color}],
        "selectTechniquesAcrossTactics": True,
    }
