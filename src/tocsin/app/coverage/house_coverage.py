"""Coverage of a wired house: its rules, what comes in, its alerts, and rules it could have."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from tocsin.app.coverage.coverage_gaps import HouseView, gaps_of
from tocsin.app.coverage.rule_coverage import Coverage, coverage_of
from tocsin.app.home.shipped import CONTENT
from tocsin.app.wiring import Tocsin
from tocsin.detect.reading.ruleset import load_rules
from tocsin.model.rule import Rule
from tocsin.triage.technique_sightings import techniques_seen


def house_coverage(house: Tocsin, days: int, now: datetime) -> Coverage:
    """``days`` is how far back alerts count.

    Gaps also know the shipped rules that are not in force, and those retired or in draft.
    """
    with house.state.read() as tx:
        seen = techniques_seen(tx, now - timedelta(days=days))
        fields = house.reach.fields(tx)
    ruleset, verdicts = house.ruleset, house.reach.verdicts()
    covered = coverage_of(ruleset, verdicts, seen, days)
    view = HouseView(
        *(_known_rules(house), verdicts, house.normalizer.lanes, fields, house.settings.home)
    )
    gaps = gaps_of({one.technique for one in covered if one.data}, view)
    return Coverage(covered, gaps, days)


def _known_rules(house: Tocsin) -> Sequence[Rule]:
    """Every rule the house has, whatever its state, and those it could have at once."""
    written = house.rule_keeper.written
    if house.settings.detect.shipped_pack:
        return written.all_rules()
    shipped = _shipped_rules(house.settings.home / "cache" / "rules")
    return [*written.all_rules(), *(one for one in shipped if written.rule(one.id) is None)]


@cache
def _shipped_rules(kept: Path) -> tuple[Rule, ...]:
    """What ships stays as it is while a process lives."""
    return load_rules([CONTENT / "rules"], cache=kept).all_rules()
