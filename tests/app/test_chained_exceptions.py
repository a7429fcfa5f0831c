"""What an exception hides of a correlation reaches no rule that takes it: live, tried and explained."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.app.backtests.backtest import Backtest, BacktestPlan
from tocsin.app.backtests.backtest_report import backtest_report
from tocsin.app.explaining.given_event import given_of_stored
from tocsin.app.explaining.stored_explaining import explain_stored
from tocsin.app.flow.identity import entities_with
from tocsin.app.home.history import lanes_by_id
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.record import Framing, RawBatch
from tocsin.store.query import EventQuery

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
REFUSED, GUESSED, REPEATED, SILENT, ABOVE = (
    f"{n}" * 8 + f"-{n * 4}-4{n * 3}-8{n * 3}-{n * 12}" for n in "12345"
)
RULES = f"""
title: Password is refused
id: {REFUSED}
name: refused
logsource: {{product: linux, service: sshd}}
detection:
  selection: {{message|startswith: Failed password}}
  condition: selection
level: low
tocsin: {{entity: [address]}}
---
title: Passwords are guessed
id: {GUESSED}
name: guessed
correlation:
  type: event_count
  rules: [refused]
  group-by: [src_ip]
  timespan: 1m
  condition: {{gte: 3}}
  generate: true
level: medium
tocsin: {{entity: [address]}}
---
title: Passwords are guessed again and again
id: {REPEATED}
correlation:
  type: event_count
  rules: [guessed]
  group-by: [src_ip]
  timespan: 1h
  condition: {{gte: 2}}
  generate: true
level: high
tocsin: {{entity: [address]}}
---
title: Passwords are guessed, for the rule below alone
id: {SILENT}
name: guessed_silently
correlation:
  type: event_count
  rules: [refused]
  group-by: [src_ip]
  timespan: 1m
  condition: {{gte: 3}}
level: medium
---
title: Passwords are guessed, told from silent ones
id: {ABOVE}
correlation:
  type: event_count
  rules: [guessed_silently]
  group-by: [src_ip]
  timespan: 1h
  condition: {{gte: 2}}
  generate: true
level: high
tocsin: {{entity: [address]}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    """One for all: each test has addresses of its own."""
    home = tmp_path_factory.mktemp("home")
    (home / "rules").mkdir()
    (home / "rules" / "ssh.yml").write_text(RULES)
    opened = open_tocsin(
        load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False)
    )
    assert opened.ruleset.problems == ()
    yield opened
    opened.close()


def guess(house: Tocsin, addresses: set[str], *minutes: float) -> None:
    """Three refused passwords at each of these minutes from the addresses, a turn each."""
    for minute in minutes:
        lines = [
            f"<38>1 {(START + timedelta(minutes=minute, seconds=at)).isoformat()} jump sshd 42 - - "
            f"Failed password for root from {address} port 5022 ssh2"
            for at in (0, 5, 10)
            for address in sorted(addresses)
        ]
        payload = "\n".join(lines).encode()
        batch = RawBatch("syslog/jump", payload, datetime.now(UTC), Framing.SYSLOG)
        house.spool.append([batch])
        house.flow.drain()


def hide(house: Tocsin, rule_id: str, **fields: str) -> None:
    house.rule_book.add_exception(
        rule_id,
        {name.replace("__", "|"): (value,) for name, value in fields.items()},
        owner="ann",
        reason="our scanner",
        by="ann",
    )


def live(
    house: Tocsin, addresses: set[str], rules: tuple[str, ...] = (REFUSED, GUESSED, REPEATED)
) -> dict[str, set[str]]:
    """Those of the addresses with an alert, by rule."""
    found: dict[str, set[str]] = {rule_id: set() for rule_id in rules}
    with house.state.read() as tx:
        for alert in house.alerts.page(tx, size=1000).items:
            if alert.rule_id in found:
                found[alert.rule_id] |= {alert.entity.name} & addresses
    return found


def tried(house: Tocsin, addresses: set[str]) -> dict[str, set[str]]:
    """The same as a backtest tells it."""
    now = datetime.now(UTC)
    plan = BacktestPlan(house.ruleset, START - timedelta(hours=1), now, now, stretch_rows=10)
    lanes = lanes_by_id(house.normalizer.lanes)
    work = Backtest(plan, house.events, lanes, entities_with(house.assets))
    assert work.run()
    return {
        one["id"]: {each["entity"].partition(":")[2] for each in one["entities"]} & addresses
        for one in backtest_report(plan, work.counts, {})["rules"]
        if one["id"] in (REFUSED, GUESSED, REPEATED)
    }


def explained(house: Tocsin, rule_id: str, address: str) -> tuple[bool, str, tuple[str, ...]]:
    found = house.events.search(EventQuery(f"src_ip:{address} -lane:tocsin.finding"))
    given = given_of_stored(found.events[0], house.normalizer)
    lanes = {lane.id: lane for lane in house.normalizer.lanes}
    told = explain_stored(house.ruleset, rule_id, given, house.events, lanes)
    assert told is not None
    return told.matches, told.hidden_by, told.blamed


def test_a_group_that_is_hidden_is_counted_by_no_rule_above(house: Tocsin) -> None:
    scanner, other = "203.0.113.1", "203.0.113.2"
    hide(house, GUESSED, src_ip=scanner)
    guess(house, {scanner, other}, 0, 10, 20)
    found = {REFUSED: {scanner, other}, GUESSED: {other}, REPEATED: {other}}
    assert live(house, {scanner, other}) == found
    assert tried(house, {scanner, other}) == found
    matches, _, blamed = explained(house, REPEATED, scanner)
    assert not matches
    assert "of ann hides it: our scanner" in blamed[0]
    assert explained(house, REPEATED, other)[0]
    assert "of ann hides it" in explained(house, GUESSED, scanner)[1]


def test_an_exception_about_the_last_event_hides_that_verdict_alone(house: Tocsin) -> None:
    scanner = "203.0.113.3"
    hide(house, GUESSED, message__contains=f"from {scanner} ")
    guess(house, {scanner}, 0, 10)
    found = {REFUSED: {scanner}, GUESSED: set(), REPEATED: {scanner}}
    assert live(house, {scanner}) == found
    assert tried(house, {scanner}) == found
    assert explained(house, REPEATED, scanner)[0]


def test_what_was_hidden_before_is_not_counted_once_the_exception_has_gone(house: Tocsin) -> None:
    scanner = "203.0.113.4"
    before = {one.exception.id for one in house.rule_book.life(GUESSED).exceptions}
    hide(house, GUESSED, src_ip=scanner)
    guess(house, {scanner}, 0)
    (made,) = {one.exception.id for one in house.rule_book.life(GUESSED).exceptions} - before
    house.rule_book.remove_exception(GUESSED, made, reason="ended", by="ann")
    guess(house, {scanner}, 10)
    assert live(house, {scanner})[REPEATED] == set()
    guess(house, {scanner}, 20)
    assert live(house, {scanner})[REPEATED] == {scanner}


def test_what_is_hidden_of_a_correlation_without_findings_is_counted(
    house: Tocsin,
) -> None:
    """It only feeds the rule above: what an exception keeps from that is told all the same."""
    scanner, other = "203.0.113.7", "203.0.113.8"
    hide(house, SILENT, src_ip=scanner)
    guess(house, {scanner, other}, 0, 10)
    (life,) = house.rule_book.life(SILENT).exceptions
    assert life.hidden == 2
    now = datetime.now(UTC)
    plan = BacktestPlan(house.ruleset, START - timedelta(hours=1), now, now)
    lanes = lanes_by_id(house.normalizer.lanes)
    work = Backtest(plan, house.events, lanes, entities_with(house.assets))
    assert work.run()
    assert work.counts.tallies[SILENT].hidden == {life.exception.id: 2}
    assert live(house, {scanner, other}, (ABOVE,)) == {ABOVE: {other}}


def test_an_event_that_its_own_rule_hides_counts_for_none(house: Tocsin) -> None:
    scanner, other = "203.0.113.5", "203.0.113.6"
    hide(house, REFUSED, src_ip=scanner)
    guess(house, {scanner, other}, 0, 10)
    found = {rule: {other} for rule in (REFUSED, GUESSED, REPEATED)}
    assert live(house, {scanner, other}) == tried(house, {scanner, other}) == found
    for rule in (GUESSED, REPEATED):
        matches, _, blamed = explained(house, rule, scanner)
        assert not matches
        assert "of ann hides it" in blamed[0]
