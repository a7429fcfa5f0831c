"""Every trouble of a source becomes one finding that names what it blinds, and its owner's task."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import tocsin
from tocsin.app.senders.door_losses import DoorLosses
from tocsin.app.settings.config import load_settings
from tocsin.app.source_owner import own_source
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.sources.source_turn import SourceTurn
from tocsin.ingest.sources.tables import seen_fields
from tocsin.model.finding import Finding

NOW = datetime.now(UTC).replace(microsecond=0)
HEALTH_RULES = Path(tocsin.__file__).parent / "content" / "rules" / "tocsin"
RULE = """
title: Only {lane} shows it
id: aaaaaaaa-0000-4000-8000-{number:012d}
logsource: {{product: {product}, service: {service}}}
tags: [attack.t{technique}]
detection:
  selection: {{a: b}}
  condition: selection
level: high
"""
KINDS = {
    "silent": "Log source fell silent",
    "drops": "Log source sends far less than usual",
    "surges": "Log source sends far more than usual",
    "changed": "Much of a log source can't be read",
    "unknown": "Records of a log source are of no known kind",
    "behind": "Log source is an hour behind",
    "fields": "Log source sends fields it never sent before",
    "dmz": "Records are dropped before they can be read",
}
"""By source: the title of what is told of it."""


def _name(kind: str) -> str:
    return "syslog/udp/dmz" if kind == "dmz" else f"hec/{kind}"


def _steady(house: Tocsin, source: str, lane: str) -> None:
    """Two weeks of an event a minute, up to an hour ago."""
    for days in range(15, -1, -1):
        end = NOW - timedelta(days=days, minutes=65)
        _add(house, source, lane, end - timedelta(days=1), end, every_s=60)


def _add(
    house: Tocsin,
    source: str,
    lane: str,
    start: datetime,
    end: datetime,
    *,
    every_s: float,
    now: datetime | None = None,
    quarantined: int = 0,
    unrecognized: int = 0,
) -> None:
    first, last = (int(moment.timestamp() * 1e6) for moment in (start, end))
    times = np.arange(first, last, int(every_s * 1e6), dtype=np.int64)
    with house.state.begin() as tx:
        turn = SourceTurn(
            source=source,
            received=len(times) + quarantined,
            stored=len(times),
            quarantined=quarantined,
            unrecognized=unrecognized,
            received_bytes=len(times),
            first_time=start,
            last_time=end,
            lanes=[lane],
            times_us=times,
        )
        house.sources.add(tx, [turn], now or end)


def _last_hour(house: Tocsin, lanes: dict[str, str]) -> None:
    hour, minute = NOW - timedelta(minutes=65), NOW - timedelta(minutes=1)
    usual = {"every_s": 60.0, "now": NOW}
    for kind, every_s in (("drops", 600.0), ("surges", 5.0)):
        _add(house, _name(kind), lanes[kind], hour, minute, every_s=every_s, now=NOW)
    _add(house, _name("changed"), lanes["changed"], hour, minute, **usual, quarantined=60)
    _add(house, _name("unknown"), lanes["unknown"], hour, minute, **usual, unrecognized=60)
    late = hour + timedelta(seconds=50)
    _add(house, _name("behind"), lanes["behind"], hour, late, every_s=1, now=NOW)
    _add(house, _name("fields"), lanes["fields"], hour, minute, **usual)
    _add(house, "syslog/dmz/fw", lanes["dmz"], hour, minute, **usual)
    DoorLosses(house.state, house.sources, "dmz").look(7, 0, NOW)
    fresh = {f"new_{number}": NOW.isoformat() for number in range(12)}
    with house.state.begin() as tx:
        tx.execute(
            seen_fields.insert().values(
                tenant="default",
                lane=lanes["fields"],
                source=_name("fields"),
                fields=sorted(fresh),
                first_seen=NOW - timedelta(days=9),
                last_seen=NOW,
                fresh=fresh,
            )
        )


def _more(house: Tocsin, lanes: dict[str, str], now: datetime) -> None:
    """It goes on, for rules that wait for half an hour of it."""
    start = NOW - timedelta(seconds=50)
    for kind, every_s in (("drops", 600.0), ("surges", 5.0), ("changed", 60.0), ("fields", 60.0)):
        _add(house, _name(kind), lanes[kind], start, now, every_s=every_s)
    _add(house, _name("unknown"), lanes["unknown"], start, now, every_s=10, unrecognized=120)
    _add(house, "syslog/dmz/fw", lanes["dmz"], start, now, every_s=10)
    behind = now - timedelta(minutes=66)
    until = behind + timedelta(minutes=5)
    _add(house, _name("behind"), lanes["behind"], behind, until, every_s=5, now=now)


@pytest.fixture(scope="module")
def health(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tocsin, list[Finding]]]:
    """A house of a source for each kind of trouble, half an hour into it, and what was told."""
    home = tmp_path_factory.mktemp("health") / "home"
    shutil.copytree(HEALTH_RULES, home / "rules" / "tocsin")
    settings = load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False)
    house = open_tocsin(settings)
    lanes = {}
    alone = (one for one in house.normalizer.lanes if one.services and not one.also)
    chosen = {one.product: one for one in alone if one.product != "linux"}
    for number, (kind, lane) in enumerate(zip(KINDS, chosen.values(), strict=False)):
        lanes[kind] = lane.id
        text = RULE.format(
            lane=lane.id,
            number=number,
            technique=1100 + number,
            product=lane.product,
            service=lane.services[0],
        )
        (home / "rules" / f"{kind}.yml").write_text(text)
        _steady(house, "syslog/dmz/fw" if kind == "dmz" else _name(kind), lane.id)
    house.upkeep.take_up_rules()
    house.upkeep.judge_health(NOW - timedelta(minutes=62))
    _last_hour(house, lanes)
    for kind in KINDS:
        own_source(house, _name(kind), f"owner of {kind}", by="boss", now=NOW)
    told: list[Finding] = []
    take = house.flow.add_findings

    def hear(findings: Sequence[Finding]) -> None:
        told.extend(one for one in findings if not one.source.startswith("tocsin"))
        take(findings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house.flow, "add_findings", hear)
        for minutes in (0, 11, 14, 31):
            moment = NOW + timedelta(minutes=minutes)
            if minutes > 11:
                _more(house, lanes, moment)
            house.upkeep.watch_sources(moment)
            house.upkeep.judge_health(moment)
    yield house, told
    house.close()


def _told(house: Tocsin, kind: str) -> list[tuple[str, str]]:
    """Titles of the tasks in the cases of a source, with whose they are."""
    with house.state.read() as tx:
        cases = house.cases.page(tx, entity_key=f"source:{_name(kind)}", size=50).items
        tasks = [task for case in cases for task in house.cases.tasks(tx, case.id)]
    return [(task.title, task.assignee) for task in tasks]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trouble_is_told_once_with_what_it_blinds(
    health: tuple[Tocsin, list[Finding]], kind: str
) -> None:
    (mine,) = (
        one for one in health[1] if one.source == _name(kind) and one.rule_title == KINDS[kind]
    )
    assert mine.fields["blinded_rules"] == 1
    assert mine.fields["blinded_techniques"] == [f"T{1100 + list(KINDS).index(kind)}"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trouble_becomes_one_task_of_the_owner(
    health: tuple[Tocsin, list[Finding]], kind: str
) -> None:
    (mine,) = (task for task in _told(health[0], kind) if task[0].startswith(f"{KINDS[kind]}: "))
    assert mine[1] == f"owner of {kind}"
    assert "No other source feeds 1 rule" in mine[0]


def test_one_trouble_is_not_taken_for_another(health: tuple[Tocsin, list[Finding]]) -> None:
    told = {
        kind: {one.rule_title for one in health[1] if one.source == _name(kind)} for kind in KINDS
    }
    assert told == {kind: {title} for kind, title in KINDS.items()}
    assert not [one for one in health[1] if one.source == "syslog/dmz/fw"]
