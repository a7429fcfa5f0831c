"""Techniques nothing covers though their data is there, the likeliest first, with the reasons."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path

from tocsin.app.coverage.attack_facts import OTHER, tactics_for
from tocsin.app.coverage.attack_prevalence import (
    AttackFigures,
    Prevalence,
    attack_figures,
    log_sources,
    successors,
)
from tocsin.app.rules.rule_origin import ELSEWHERE, OWN, SHIPPED, origin_of
from tocsin.detect.explaining.reach import Reach
from tocsin.ingest.sources.seen_fields import Fields
from tocsin.model.lane import Lane
from tocsin.model.rule import Rule

_ORIGINS = {SHIPPED: "shipped", OWN: "your own", ELSEWHERE: "of other folders"}
_NAMED = 3


@dataclass(frozen=True, slots=True)
class CoverageGap:
    """A technique that no enabled rule can find, though sources that could show it send.

    ``rules`` are ids of known rules (those not in force, too) that would find it; ``because``
    says what the nearest of them waits for. ``score`` (0 to 100) multiplies how much the
    technique is used, how many of the sources could show it and how many rules are known;
    ``used``, ``shown`` and ``known`` say each in words. ``uses`` are ATT&CK's groups, software
    and campaigns; None: its figures do not know the technique.
    """

    technique: str
    tactics: tuple[str, ...]
    lanes: tuple[str, ...]
    sources: int
    rules: tuple[str, ...]
    because: str
    score: int
    uses: int | None
    used: str
    shown: str
    known: str


@dataclass(frozen=True, slots=True)
class HouseView:
    """What gaps are looked for in: known rules with verdicts on those in force, and what sends."""

    known: Sequence[Rule]
    verdicts: Mapping[str, Reach]
    lanes: Sequence[Lane]
    fields: Fields
    home: Path

    @property
    def sending(self) -> list[Lane]:
        return [lane for lane in self.lanes if self.fields.get(lane.id)]

    def sources_of(self, lanes: Collection[str]) -> set[str]:
        return {source for lane in lanes for source in self.fields[lane]}


def gaps_of(able: Collection[str], view: HouseView) -> tuple[CoverageGap, ...]:
    """What nothing finds, of all techniques but ``able``; the highest score first."""
    figures, sending = attack_figures(), view.sending
    lanes_of = {
        key: [lane for lane in sending if lane.accepts(source.asks)]
        for key, source in log_sources().items()
    }
    near = _near_rules(able, view, sending)
    by_facts = {
        one
        for one, facts in figures.techniques.items()
        if facts.uses and one not in able and one not in successors()
    }
    most_rules = max(map(len, near.values()), default=0)
    every_source = len(view.sources_of([lane.id for lane in sending]))
    gaps = []
    for technique in near.keys() | by_facts:
        facts, rules = figures.techniques.get(technique), near.get(technique, [])
        shown = {lane.id for key in (facts.shown if facts else ()) for lane in lanes_of[key]}
        shown |= {lane.id for _, its in rules for lane in its}
        if not shown:
            continue
        sources = len(view.sources_of(shown))
        parts = (
            _share(facts.uses if facts else 0, figures.most_uses),
            _share(sources, every_source),
            _share(len(rules), most_rules),
        )
        gaps.append(
            CoverageGap(
                technique,
                _tactics(technique, facts, rules[0][0].tags if rules else ()),
                tuple(sorted(shown)),
                sources,
                tuple(rule.id for rule, _ in rules),
                _because([rule for rule, _ in rules], view.verdicts),
                round(100 * parts[0] * parts[1] * parts[2]),
                facts.uses if facts else None,
                _used(facts, figures),
                _shown(shown, sending, sources),
                _known([rule for rule, _ in rules], view.home),
            )
        )
    return tuple(sorted(gaps, key=lambda gap: (-gap.score, -(gap.uses or 0), gap.technique)))


def _near_rules(
    able: Collection[str], view: HouseView, sending: Sequence[Lane]
) -> dict[str, list[tuple[Rule, list[Lane]]]]:
    """By technique the known rules that ask for lanes that send; the one to take first, first."""
    found: dict[str, list[tuple[Rule, list[Lane]]]] = {}
    for rule in view.known:
        wanted = [one for one in rule.techniques if one not in able]
        its = [lane for lane in sending if _asks(rule, lane)] if wanted else []
        for technique in wanted if its else ():
            found.setdefault(technique, []).append((rule, its))
    for rules in found.values():
        rules.sort(key=lambda one: (_is_held_up(one[0], view.verdicts), -one[0].level.rank))
    return found


def _share(count: int, most: int) -> float:
    """From above 0 to 1, by orders of magnitude: the tenth of anything says less than the first."""
    return (1 + log2(1 + count)) / (1 + log2(1 + max(count, most)))


def _asks(rule: Rule, lane: Lane) -> bool:
    asked = rule.logsource
    names_one = any((asked.product, asked.category, asked.service))
    return names_one and lane.accepts(asked)


def _is_held_up(rule: Rule, verdicts: Mapping[str, Reach]) -> bool:
    verdict = verdicts.get(rule.id)
    return verdict is not None and not verdict.can_match


def _tactics(technique: str, facts: Prevalence | None, tags: tuple[str, ...]) -> tuple[str, ...]:
    found = tactics_for(technique, tags)
    return facts.tactics if found == (OTHER,) and facts and facts.tactics else found


def _used(facts: Prevalence | None, figures: AttackFigures) -> str:
    if facts is None:
        return f"not in ATT&CK {figures.version}, so how much it is used is not known"
    if not facts.uses:
        return f"used by nobody ATT&CK {figures.version} knows of"
    told = (
        (facts.groups, "group", "groups"),
        (facts.software, "piece of software", "pieces of software"),
        (facts.campaigns, "campaign", "campaigns"),
    )
    parts = [f"{count:,} {one if count == 1 else many}" for count, one, many in told if count]
    return f"used by {_joined(parts)}"


def _shown(shown: Collection[str], sending: Sequence[Lane], sources: int) -> str:
    """The log sources in people's words, else the lanes' ids."""
    words: list[str] = []
    for lane in sending:
        if lane.id not in shown:
            continue
        named = (one.words for one in log_sources().values() if lane.accepts(one.asks))
        word = next(named, lane.id)
        if word not in words:
            words.append(word)
    rest = len(words) - _NAMED
    listed = [*words[:_NAMED], f"{rest} more"] if rest > 0 else words
    of = f"{sources:,} source{'s' if sources != 1 else ''}"
    return f"your {_joined(listed)} would show it ({of})"


def _known(rules: Sequence[Rule], home: Path) -> str:
    if not rules:
        return "no rule is known"
    counts = Counter(origin_of(rule.path, home) for rule in rules).most_common()
    known = f"{len(rules):,} known rule{'s' if len(rules) != 1 else ''}"
    named = [_ORIGINS.get(one, f"of {one}") for one, _ in counts]
    if len(counts) == 1:
        return f"{known}, {named[0]}"
    parts = [f"{count:,} {name}" for (_, count), name in zip(counts, named, strict=True)]
    return f"{known}: {_joined(parts)}"


def _because(rules: Sequence[Rule], verdicts: Mapping[str, Reach]) -> str:
    if not rules:
        return "write one from an event of it: tocsin rules new"
    rule = rules[0]
    verdict = verdicts.get(rule.id)
    if verdict is None:
        return f"“{rule.title}” would find it and is not in force"
    return f"“{rule.title}”: {verdict.reason or 'it is staged: it pages nobody yet'}"


def _joined(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
