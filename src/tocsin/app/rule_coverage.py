"""Which ATT&CK techniques the rules cover, how surely, and where the nearest gaps are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tocsin.app.attack_facts import tactics_for
from tocsin.detect.reach import Reach
from tocsin.detect.ruleset import RuleSet
from tocsin.ingest.seen_fields import Fields
from tocsin.model.lane import Lane
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
class CoverageGap:
    """A technique that no enabled rule can find, though sources that could show it send.

    ``rules`` are ids of known rules (those not in force, too) that would find it; ``because``
    says what the nearest of them waits for.
    """

    technique: str
    tactics: tuple[str, ...]
    lanes: tuple[str, ...]
    sources: int
    rules: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """``gaps`` are ranked by how many sources could show them, then by known rules."""

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


def gaps_of(
    covered: Sequence[Covered],
    known: Sequence[Rule],
    verdicts: Mapping[str, Reach],
    lanes: Sequence[Lane],
    fields: Fields,
) -> tuple[CoverageGap, ...]:
    """What nothing covers though its lanes are there; ``known`` are also rules not in force."""
    able = {one.technique for one in covered if one.data}
    sending = [lane for lane in lanes if fields.get(lane.id)]
    of_technique: dict[str, list[Rule]] = {}
    for rule in known:
        for technique in rule.techniques:
            if technique not in able:
                of_technique.setdefault(technique, []).append(rule)
    gaps = []
    for technique, rules in of_technique.items():
        near = [(rule, [lane for lane in sending if _asks(rule, lane)]) for rule in rules]
        near = [(rule, its) for rule, its in near if its]
        if not near:
            continue
        shown = {lane.id for _, its in near for lane in its}
        sources = {source for lane in shown for source in fields[lane]}
        gaps.append(
            CoverageGap(
                technique,
                tactics_for(technique, near[0][0].tags),
                tuple(sorted(shown)),
                len(sources),
                tuple(rule.id for rule, _ in near),
                _because(near[0][0], verdicts),
            )
        )
    return tuple(sorted(gaps, key=lambda gap: (-gap.sources, -len(gap.rules), gap.technique)))


def _has_data(rule: Rule, verdicts: Mapping[str, Reach]) -> bool:
    verdict = verdicts.get(rule.id)
    return verdict is None or verdict.can_match


def _asks(rule: Rule, lane: Lane) -> bool:
    asked = rule.logsource
    names_one = any((asked.product, asked.category, asked.service))
    return names_one and lane.accepts(asked)


def _because(rule: Rule, verdicts: Mapping[str, Reach]) -> str:
    verdict = verdicts.get(rule.id)
    if verdict is None:
        return f"“{rule.title}” would find it and is not in force"
    return f"“{rule.title}”: {verdict.reason or 'it is staged: it pages nobody yet'}"
