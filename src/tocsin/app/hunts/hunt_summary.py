"""What a hunt found and what it could not look at, counted as it goes."""

from collections import Counter
from dataclasses import dataclass, field

from tocsin.app.hunts.hunt_work import Found, Trouble
from tocsin.detect.hunt import HuntHit, iso_time
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.rule import Rule, RuleProblem
from tocsin.triage.attack import TACTICS, tactics_of

_MOST_HOSTS = 10_000
OTHER_HOSTS = "(others)"
NO_HOST = "(not named)"


@dataclass(slots=True)
class RuleCount:
    """How often a rule hit, when first and last, and in which files."""

    rule: Rule
    hits: int = 0
    first_us: int = 0
    last_us: int = 0
    sources: set[str] = field(default_factory=set)

    def add(self, hit: HuntHit) -> None:
        self.first_us = min(self.first_us, hit.time_us) if self.hits else hit.time_us
        self.last_us = max(self.last_us, hit.time_us) if self.hits else hit.time_us
        self.hits += 1
        if len(self.sources) < _MOST_HOSTS:
            self.sources.add(hit.source)


@dataclass(slots=True)
class HuntSummary:
    """The totals of a hunt.

    ``elapsed_s`` is the wall time from the first byte read on; ``forgotten`` how many events a
    stateful rule could not keep in the memory it may take.
    """

    ruleset: RuleSet
    files: int = 0
    records: int = 0
    read_bytes: int = 0
    hits: int = 0
    elapsed_s: float = 0.0
    jobs: int = 1
    by_rule: dict[str, RuleCount] = field(default_factory=dict)
    by_host: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    troubles: list[Trouble] = field(default_factory=list)
    lanes: Counter[str] = field(default_factory=Counter)
    unasked: Counter[str] = field(default_factory=Counter)
    forgotten: dict[str, int] = field(default_factory=dict)
    is_interrupted: bool = False

    def add_hit(self, hit: HuntHit, rule: Rule) -> None:
        count = self.by_rule.get(hit.rule_id)
        if count is None:
            count = self.by_rule[hit.rule_id] = RuleCount(rule)
        count.add(hit)
        self.hits += 1
        host = hit.host or NO_HOST
        if host not in self.by_host and len(self.by_host) >= _MOST_HOSTS:
            host = OTHER_HOSTS
        self.by_host[host] += 1

    def add(self, found: Found) -> None:
        """What is counted beside hits."""
        self.records += found.records
        self.unreadable.update(found.unreadable)
        self.lanes.update(found.lanes)
        self.unasked.update(found.unasked)

    def counts(self) -> list[RuleCount]:
        """The most serious rules first, then those with most hits."""
        return sorted(
            self.by_rule.values(),
            key=lambda count: (-count.rule.level.rank, -count.hits, count.rule.title),
        )

    def by_level(self) -> dict[str, int]:
        levels: Counter[str] = Counter()
        for count in self.counts():
            levels[count.rule.level.value] += count.hits
        return dict(levels)

    def by_tactic(self) -> dict[str, int]:
        """Hits by ATT&CK tactic in kill-chain order; a hit counts for each tactic of its rule."""
        found: Counter[str] = Counter()
        for count in self.by_rule.values():
            for tactic in tactics_of(count.rule.tags):
                found[tactic] += count.hits
        return {TACTICS[tactic]: found[tactic] for tactic in TACTICS if found[tactic]}

    def by_technique(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for count in self.by_rule.values():
            for technique in count.rule.techniques:
                found[technique] += count.hits
        return dict(found.most_common())

    def as_json(self) -> dict[str, object]:
        """The whole as one document; rates are of wall time."""
        first = min((count.first_us for count in self.by_rule.values()), default=None)
        last = max((count.last_us for count in self.by_rule.values()), default=None)
        return {
            "files": self.files,
            "records": self.records,
            "bytes": self.read_bytes,
            "hits": self.hits,
            "first": None if first is None else iso_time(first),
            "last": None if last is None else iso_time(last),
            "by_level": self.by_level(),
            "by_rule": [_rule_json(count) for count in self.counts()],
            "by_host": dict(self.by_host.most_common()),
            "by_tactic": self.by_tactic(),
            "by_technique": self.by_technique(),
            "unreadable": sum(self.unreadable.values()),
            "unreadable_by_file": dict(self.unreadable.most_common()),
            "troubles": [
                {"file": told.file, "record": told.ordinal, "reason": told.reason}
                for told in self.troubles
            ],
            "rules": len(self.ruleset.rules) + len(self.ruleset.stateful),
            "rules_not_loaded": [_problem_json(problem) for problem in self.ruleset.problems],
            "forgotten_by_rule": self.forgotten,
            "lanes": dict(self.lanes.most_common()),
            "lanes_no_rule_asks_for": dict(self.unasked.most_common()),
            "jobs": self.jobs,
            "elapsed_s": round(self.elapsed_s, 3),
            "events_per_s": round(self.records / self.elapsed_s) if self.elapsed_s else 0,
            "mb_per_s": round(self.read_bytes / 1e6 / self.elapsed_s, 1) if self.elapsed_s else 0,
            "interrupted": self.is_interrupted,
        }


def _rule_json(count: RuleCount) -> dict[str, object]:
    rule = count.rule
    return {
        "rule_id": rule.id,
        "rule_title": rule.title,
        "level": rule.level.value,
        "hits": count.hits,
        "first": iso_time(count.first_us),
        "last": iso_time(count.last_us),
        "sources": sorted(count.sources),
    }


def _problem_json(problem: RuleProblem) -> dict[str, object]:
    return {
        "path": problem.path,
        "line": problem.line,
        "rule_id": problem.rule_id,
        "title": problem.title,
        "reason": problem.reason,
    }
