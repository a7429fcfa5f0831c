"""What a pack holds, document by document, and what an update of it changes."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tocsin.detect.reading.rule_successor import Because, successors
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.rule import Rule, RuleProblem


@dataclass(frozen=True, slots=True)
class PackAccount:
    """Every rule that loads and every document that doesn't, with its reason.

    ``quiet`` are files that give neither: Sigma filters and lists, put on rules instead.
    """

    rules: tuple[Rule, ...]
    refused: tuple[RuleProblem, ...]
    quiet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Renumbered:
    """A rule that has another id now, and what tells so."""

    title: str
    before: str
    after: str
    because: Because


@dataclass(frozen=True, slots=True)
class Loosened:
    """A rule whose level has become lower."""

    id: str
    title: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PackChange:
    """From one version of a pack to another; rules as ``id title``, ``unusable`` were loaded."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    renumbered: tuple[Renumbered, ...] = ()
    loosened: tuple[Loosened, ...] = ()
    before: int = 0
    after: int = 0

    @property
    def takes_most_away(self) -> bool:
        """More than half of the rules would be gone, or all of them."""
        gone = len(self.removed) + len(self.unusable)
        return self.before > 0 and (self.after == 0 or gone * 2 > self.before)

    @property
    def is_nothing(self) -> bool:
        return not (self.added or self.changed or self.removed or self.unusable or self.renumbered)


def account_of(ruleset: RuleSet, folder: Path, files: Iterable[str]) -> PackAccount:
    """What of the rule set came from ``folder``, in which ``files`` are the rule files."""
    inside = f"{folder}/"
    rules = tuple(rule for rule in ruleset.all_rules() if rule.path.startswith(inside))
    refused = tuple(one for one in ruleset.problems if one.path.startswith(inside))
    told = {rule.path for rule in rules} | {problem.path for problem in refused}
    quiet = tuple(file for file in files if f"{inside}{file}" not in told)
    return PackAccount(rules, refused, quiet)


def change_between(before: PackAccount, after: PackAccount) -> PackChange:
    """What differs, rule by rule."""
    old = {rule.id: rule for rule in before.rules}
    new = {rule.id: rule for rule in after.rules}
    gone = {rule_id: old[rule_id] for rule_id in old.keys() - new.keys()}
    come = {rule_id: new[rule_id] for rule_id in new.keys() - old.keys()}
    renumbered = _renumbered(gone, come)
    kept = {one.before for one in renumbered}
    fresh = {one.after for one in renumbered}
    broken = {one.rule_id for one in after.refused if one.rule_id}
    pairs = [(old[one], new[one]) for one in old if one in new]
    pairs += [(old[one.before], new[one.after]) for one in renumbered]
    return PackChange(
        added=_listed(come[one] for one in come if one not in fresh),
        changed=_listed(b for a, b in pairs if a.source_text != b.source_text and a.id == b.id),
        removed=_listed(gone[one] for one in gone if one not in kept and one not in broken),
        unusable=_listed(gone[one] for one in gone if one not in kept and one in broken),
        renumbered=renumbered,
        loosened=tuple(
            Loosened(b.id, b.title, a.level.value, b.level.value)
            for a, b in pairs
            if b.level.rank < a.level.rank
        ),
        before=len(old),
        after=len(new),
    )


def _renumbered(gone: dict[str, Rule], come: dict[str, Rule]) -> tuple[Renumbered, ...]:
    found = [
        Renumbered(come[one.id].title, before, one.id, one.because)
        for before, one in successors(gone, come).items()
    ]
    return tuple(sorted(found, key=lambda one: (one.title, one.before)))


def _listed(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(f"{rule.id} {rule.title}" for rule in sorted(rules, key=lambda rule: rule.title))
