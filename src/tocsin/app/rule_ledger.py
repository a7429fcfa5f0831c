"""The whole ledger of one rule: what it looked at, where it gave up, what it has cost."""

from dataclasses import dataclass

from tocsin.app.hunt_selection import selected
from tocsin.app.rule_looks import RuleLooks, rule_looks
from tocsin.app.wiring import Tocsin


@dataclass(frozen=True, slots=True)
class RuleLedger:
    """``looks`` is durable; the rest is since the start of the process."""

    looks: RuleLooks
    unfinished_values: int
    is_paused: bool
    cpu_s: float


def ledger_of(house: Tocsin, rule_id: str) -> RuleLedger | None:
    """The ledger of a rule that is in force or once was; None when there never was one."""
    needed = selected(house.ruleset, rules=[rule_id])
    sources = tuple({one.rule.logsource: None for one in needed.rules})
    with house.state.read() as tx:
        looks = rule_looks(tx, rule_id, sources, house.normalizer.lanes)
    if not looks.watched and house.ruleset.rule(rule_id) is None:
        return None
    ids = [one.rule.id for one in needed.rules]
    engine = house.engine
    limits, paused, cpu_s = engine.limits, engine.paused, engine.cpu_s
    return RuleLedger(
        looks=looks,
        unfinished_values=sum(limits.get(one, 0) for one in ids),
        is_paused=any(one in paused for one in ids),
        cpu_s=round(sum(cpu_s.get(one, 0.0) for one in ids), 4),
    )
