"""The rules a pack's update makes a difference to, as they are and as they would be."""

import os
import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tocsin.app.packs.pack_desk import PackPlan
from tocsin.app.rules.hunt_selection import selected, with_takers
from tocsin.detect.errors import DetectError
from tocsin.detect.overlays.overlaid import apply_overlays
from tocsin.detect.overlays.rule_update import UpdateKind
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.overlay import Overlay
from tocsin.detect.rules.stateful_rule import CorrelationRule, StatefulRule
from tocsin.model.rule import Rule

OLD = "before the update: "
"""What the ids of the old rules begin with where both are in one set."""


@dataclass(frozen=True, slots=True)
class ChangedRules:
    """The changed rules and those that build on them, without what people decided.

    ``renamed`` are old to new ids, ``followed`` those of them whose decisions go along.
    """

    old: RuleSet
    new: RuleSet
    renamed: Mapping[str, str]
    followed: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, plan: PackPlan) -> "ChangedRules":
        gone = {one.rule_id for one in plan.updates if one.kind is not UpdateKind.ADDED}
        come = {
            one.new_id or one.rule_id for one in plan.updates if one.kind is not UpdateKind.REMOVED
        }
        return cls(
            _with_takers(plan.before or RuleSet(), gone),
            _with_takers(plan.after or RuleSet(), come),
            {one.rule_id: one.new_id for one in plan.updates if one.new_id},
            plan.followed,
        )

    def together(self, overlays: Mapping[str, Overlay]) -> RuleSet:
        """Both in one set with what people decided, the old ones under ids of their own."""
        carried = {
            after: replace(overlays[before], rule_id=after)
            for before, after in self.followed
            if before in overlays
        }
        old, new = _laid(self.old, overlays), _laid(self.new, {**overlays, **carried})
        rules = [replace(one, rule=_marked(one), name="") for one in old.rules]
        return RuleSet(
            rules=(*rules, *new.rules),
            stateful=(*map(_marked_stateful, old.stateful), *new.stateful),
            silent=new.silent | {f"{OLD}{one}" for one in old.silent},
            exceptions={
                **new.exceptions,
                **{f"{OLD}{one}": each for one, each in old.exceptions.items()},
            },
        )

    def keep(self, file: Path) -> None:
        """Write them for ``take_up``. Raises DetectError."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(opened, "wb") as written:
                pickle.dump(self, written)
        except OSError as error:
            raise DetectError(f"{file} can't be written: {error.strerror}") from error

    @classmethod
    def take_up(cls, file: Path) -> "ChangedRules":
        """What this server wrote into its own data folder. Raises DetectError."""
        try:
            found = pickle.loads(file.read_bytes())  # noqa: S301  written by ``keep``, nobody else
        except FileNotFoundError:
            raise DetectError(f"{file} is gone: look at the update again") from None
        except Exception as error:
            raise DetectError(f"{file} can't be read: look at the update again: {error}") from error
        if not isinstance(found, cls):
            raise DetectError(f"{file} holds something else: look at the update again")
        return found


def _with_takers(ruleset: RuleSet, ids: Collection[str]) -> RuleSet:
    here = {one.id for one in ruleset.all_rules()}
    wanted = with_takers(ruleset, here.intersection(ids))
    found = selected(ruleset, rules=wanted) if wanted else RuleSet()
    return replace(found, problems=())


def _laid(ruleset: RuleSet, overlays: Mapping[str, Overlay]) -> RuleSet:
    here = {one.id for one in ruleset.all_rules()}
    return apply_overlays(ruleset, {one: each for one, each in overlays.items() if one in here})


def _marked(one: SigmaMatchRule | StatefulRule) -> Rule:
    return replace(one.rule, id=f"{OLD}{one.rule.id}")


def _marked_stateful(one: StatefulRule) -> StatefulRule:
    if not isinstance(one, CorrelationRule):
        return replace(one, rule=_marked(one))
    aliases = {
        name: {f"{OLD}{rule_id}": field for rule_id, field in of.items()}
        for name, of in one.aliases.items()
    }
    taken = tuple(f"{OLD}{rule_id}" for rule_id in one.rules)
    return replace(one, rule=_marked(one), rules=taken, aliases=aliases)
