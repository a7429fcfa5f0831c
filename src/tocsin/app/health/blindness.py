"""Which rules see nothing while a source is in trouble: those that only it can feed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tocsin.app.senders.door_losses import is_behind
from tocsin.model.finding import Finding
from tocsin.model.lane import Lane, LogSource
from tocsin.model.rule import Rule, RuleKind
from tocsin.model.source import SourceLedger

_NAMED = 5
_KEPT = 100


@dataclass(frozen=True, slots=True)
class Blinded:
    """Rules without another source, and the ATT&CK techniques they alone look for."""

    rules: tuple[Rule, ...]
    techniques: tuple[str, ...]

    def in_words(self) -> str:
        """One sentence; empty when nothing is blinded."""
        if not self.rules:
            return ""
        titles = ", ".join(f"“{rule.title}”" for rule in self.rules[:_NAMED])
        more = f" and {len(self.rules) - _NAMED} more" if len(self.rules) > _NAMED else ""
        techniques = f" ATT&CK: {', '.join(self.techniques[:20])}." if self.techniques else ""
        plural = "s" if len(self.rules) > 1 else ""
        return f"No other source feeds {len(self.rules)} rule{plural}: {titles}{more}.{techniques}"


def blinded_by(
    source: SourceLedger,
    ledgers: Iterable[SourceLedger],
    lanes: Sequence[Lane],
    rules: Iterable[Rule],
) -> Blinded:
    """What only ``source`` can feed, of the lanes it and the sending others were seen in.

    The door of a listener feeds what the sources behind it feed.
    """
    by_id = {lane.id: lane for lane in lanes}
    known_ones = list(ledgers)
    behind = [ledger for ledger in known_ones if is_behind(ledger.name, source.name)]
    fed = {lane for ledger in (source, *behind) for lane in ledger.lanes}
    own = [by_id[lane] for lane in sorted(fed) if lane in by_id]
    others = {
        lane
        for ledger in known_ones
        if (ledger.tenant, ledger.name) != (source.tenant, source.name)
        and ledger not in behind
        and ledger.tenant == source.tenant
        and ledger.silent_since is None
        for lane in ledger.lanes
    }
    elsewhere = [by_id[lane] for lane in others if lane in by_id]
    found: list[Rule] = []
    known: dict[object, bool] = {}
    seen_elsewhere: set[str] = set()
    for rule in rules:
        asked = rule.logsource
        if rule.kind is RuleKind.HEALTH or asked == LogSource():
            continue
        if asked not in known:
            known[asked] = any(lane.accepts(asked) for lane in own) and not any(
                lane.accepts(asked) for lane in elsewhere
            )
        if known[asked]:
            found.append(rule)
        elif any(lane.accepts(asked) for lane in elsewhere):
            seen_elsewhere.update(rule.techniques)
    found.sort(key=lambda rule: (-rule.level.rank, rule.title))
    techniques = {name for rule in found for name in rule.techniques} - seen_elsewhere
    return Blinded(tuple(found), tuple(sorted(techniques)))


def with_blindness(finding: Finding, blinded: Blinded) -> Finding:
    """The finding of a source's trouble, saying what it blinds."""
    if not blinded.rules:
        return finding
    told = blinded.in_words()
    because = " ".join(part for part in (str(finding.fields.get("because", "")), told) if part)
    return replace(
        finding,
        fields={
            **finding.fields,
            "because": because,
            "blinded_rules": len(blinded.rules),
            "blinded_rule_titles": [rule.title for rule in blinded.rules[:_KEPT]],
            "blinded_techniques": list(blinded.techniques[:_KEPT]),
        },
        ocsf={**finding.ocsf, "message": because},
    )
