"""The whole ledger of one rule: what it looked at, where it gave up, what it has cost."""

from dataclasses import dataclass
from datetime import datetime

from tocsin.app.backtests.gap_filling import Filling
from tocsin.app.rules.hunt_selection import selected
from tocsin.app.rules.rule_looks import RuleLooks, rule_looks
from tocsin.app.wiring import Tocsin


@dataclass(frozen=True, slots=True)
class Budget:
    """Shares are of one processor core. ``over_since`` is set while the rule pauses."""

    allowed_share: float
    share: float
    left_s: float
    over_since: datetime | None


@dataclass(frozen=True, slots=True)
class RuleLedger:
    """``looks`` is durable; the rest is since the start of the process.

    ``title`` is the id of a rule that is gone.
    ``filling`` is what is being filled now, of this rule and others; ``windows_open_until`` is
    set while windows over a gap are open: what they find is final, and the gap filled, after that.
    ``budget`` says what the rule may cost and what it costs.
    """

    title: str
    looks: RuleLooks
    unfinished_values: int
    is_paused: bool
    cpu_s: float
    filling: Filling | None = None
    windows_open_until: datetime | None = None
    budget: Budget | None = None


def ledger_of(house: Tocsin, rule_id: str) -> RuleLedger | None:
    """The ledger of a rule that is in force or once was; None when there never was one."""
    needed = selected(house.ruleset, rules=[rule_id])
    sources = tuple({one.rule.logsource: None for one in needed.rules})
    with house.state.read() as tx:
        looks = rule_looks(tx, rule_id, sources, house.normalizer.lanes)
    rule = house.ruleset.rule(rule_id)
    if not looks.watched and rule is None:
        return None
    ids = [one.rule.id for one in needed.rules]
    engine = house.engine
    limits, paused, cpu_s = engine.limits, engine.paused, engine.cpu_s
    filling, spent = house.gap_filler.now_filling, house.budget.spent().get(rule_id)
    allowed = house.budget.share
    return RuleLedger(
        title=rule.title if rule is not None else rule_id,
        looks=looks,
        unfinished_values=sum(limits.get(one, 0) for one in ids),
        is_paused=any(one in paused for one in ids),
        cpu_s=round(sum(cpu_s.get(one, 0.0) for one in ids), 4),
        filling=filling if filling is not None and rule_id in filling.rule_ids else None,
        windows_open_until=house.gap_filler.waiting(rule_id),
        budget=Budget(allowed, spent.share, spent.left_s, spent.over_since)
        if spent is not None
        else Budget(allowed, 0.0, house.budget.burst_s, None),
    )
