"""Which ATT&CK techniques the rules cover, how surely, and where the nearest gaps are."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.app.coverage.attack_facts import tactics_for
from tocsin.app.coverage.coverage_gaps import CoverageGap
from tocsin.detect.explaining.reach import Reach
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.rule import Rule


@dataclass(frozen=True, slots=True)
class Covered:
    """One technique, by how many rules at each stage.

    ``enabled`` rules page people, ``staged`` ones do not yet; ``data`` of the enabled can match
    what comes in, ``tested`` of them carry tests; ``seen`` alerts came of late.
    """

    technique: str
    tactics: tuple[str, ...]
    enabled: int = 0
    staged: int = 0
    data: int = 0
    tested: int = 0
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """``gaps`` with the highest score first."""

    techniques: tuple[Covered, ...]
    gaps: tuple[CoverageGap, ...]
    days: int


def coverage_of(
    ruleset: RuleSet,
    verdicts: Mapping[str, Reach],
    seen: Mapping[str, int],
    days: int,
) -> tuple[Covered, ...]:
    """Every technique that some rule in force names or an alert was about, by id."""
    tested = {one.rule.id for one in (*ruleset.rules, *ruleset.stateful) if one.tests}
    counts: dict[str, Counter[str]] = {one: Counter() for one in seen}
    tags: dict[str, tuple[str, ...]] = {}
    for rule in ruleset.all_rules():
        for technique in rule.techniques:
            of = counts.setdefault(technique, Counter())
            tags.setdefault(technique, rule.tags)
            if rule.id in ruleset.staged:
                of["staged"] += 1
                continue
            of["enabled"] += 1
            of["data"] += _has_data(rule, verdicts)
            of["tested"] += rule.id in tested
    return tuple(
        Covered(
            one,
            tactics_for(one, tags.get(one, ())),
            *(of["enabled"], of["staged"], of["data"], of["tested"], seen.get(one, 0)),
        )
        for one, of in sorted(counts.items())
    )


def _has_data(rule: Rule, verdicts: Mapping[str, Reach]) -> bool:
    verdict = verdicts.get(rule.id)
    return verdict is None or verdict.can_match
