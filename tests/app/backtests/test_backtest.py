"""A backtest says what rules would have found: the same as the engine on the same events."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pytest

from tocsin.app.backtests.backtest import Backtest, BacktestPlan
from tocsin.app.backtests.backtest_report import backtest_report
from tocsin.app.backtests.backtest_rules import rules_to_try
from tocsin.app.home.history import extent, lanes_by_id, stretches
from tocsin.app.home.history_opening import open_history
from tocsin.detect.benches.bench_events import LANE, Everyday, process_batches
from tocsin.detect.errors import DetectError
from tocsin.detect.matching.engine import Engine
from tocsin.detect.overlays.overlaid import apply_overlays
from tocsin.detect.reading.ruleset import load_rules
from tocsin.detect.rules.overlay import Overlay, RuleException
from tocsin.model.identifier import event_id
from tocsin.model.severity import Level
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import StoreError, StoreMoved
from tocsin.triage.entities import entities_of

RULES = """
title: Shadow copies deleted
id: 11111111-1111-4111-8111-111111111111
logsource: {product: windows, category: process_creation}
detection:
  selection: {CommandLine|contains: delete shadows}
  condition: selection
level: high
---
title: Domain trusts listed
id: 22222222-2222-4222-8222-222222222222
name: trusts
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\nltest.exe'}
  condition: selection
level: low
---
title: Many trust listings on a host
id: 33333333-3333-4333-8333-333333333333
correlation:
  type: event_count
  rules: [trusts]
  group-by: [Computer]
  timespan: 10s
  condition: {gte: 3}
level: medium
"""
NEW_HOST = """
---
title: Trusts, a new host
id: 44444444-4444-4444-8444-444444444444
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\nltest.exe'}
  condition: selection
new_terms:
  fields: [Computer]
  window: 7d
  learning: 1s
level: low
"""
SHADOWS, TRUSTS, MANY = (f"{n}" * 8 + f"-{n * 4}-4{n * 3}-8{n * 3}-{n * 12}" for n in "123")
ROWS, SEGMENT_ROWS = 6_000, 500


def stored_batches():
    for batch in process_batches(Everyday.MATCHING, ROWS, SEGMENT_ROWS):
        times = batch.times.to_pylist()
        ids = [event_id(at, "bench", 0, n) for n, at in enumerate(times)]
        columns = {"device.hostname": batch.native.column("Computer")}
        yield replace(
            batch,
            event_ids=pa.array(ids),
            ocsf=pa.RecordBatch.from_pydict(
                {"class_uid": pa.array([1007] * len(batch), pa.int32()), **columns}
            ),
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    state = SqliteState(folder / "state.sqlite")
    events = ParquetEvents(folder / "events", state)
    for batch in stored_batches():
        segment = events.write([batch])
        with state.begin() as tx:
            events.publish(tx, segment)
    events.close()
    state.close()
    return folder


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory):
    file = tmp_path_factory.mktemp("rules") / "rules.yml"
    file.write_text(RULES)
    read = load_rules([file])
    assert read.problems == ()
    return read


@pytest.fixture
def events(home):
    with open_history(home) as (opened, _):
        yield opened


def backtest(events, ruleset, **more):
    start, end = extent(events.segments(None, None))
    plan = BacktestPlan(
        ruleset, start, end, datetime(2026, 1, 6, tzinfo=UTC), stretch_rows=1_000, **more
    )
    return plan, Backtest(plan, events, lanes_by_id([LANE]), entities_of)


def report_of(plan, work):
    report = backtest_report(plan, work.counts, {})
    report = {name: told for name, told in report.items() if "cpu_s" not in name}
    rules = [{n: t for n, t in one.items() if "cpu_s" not in n} for one in report.pop("rules")]
    return {n: t for n, t in report.items() if "second" not in n and n != "events_per_s"} | {
        "rules": {one["id"]: one for one in rules}
    }


def test_it_finds_what_the_engine_finds(events, ruleset):
    plan, work = backtest(events, ruleset)
    assert work.run()
    report = report_of(plan, work)
    engine, hits, hosts = Engine(ruleset), Counter(), Counter()
    for batch in stored_batches():
        for hit in engine.evaluate(batch):
            hits[hit.rule.id] += len(hit.rows)
            if hit.rule.id == SHADOWS:
                names = batch.native.column("Computer").take(pa.array(hit.rows)).to_pylist()
                hosts.update(f"host:{name}" for name in names)
    assert report["events"] == ROWS
    assert report["is_complete"]
    shadows = report["rules"][SHADOWS]
    assert shadows["findings"] == hits[SHADOWS] > 0
    assert shadows["per_day"] == {"2026-01-05": hits[SHADOWS]}
    assert shadows["sources"] == [{"source": "bench", "findings": hits[SHADOWS]}]
    assert {one["entity"]: one["findings"] for one in shadows["entities"]}.items() <= hosts.items()
    assert shadows["entity_count"] == len(hosts)
    assert len(shadows["samples"]) == plan.samples
    assert "delete shadows" in shadows["samples"][0]["fields"]["CommandLine"]
    assert shadows["samples"][0]["entities"][0].startswith("host:")
    assert TRUSTS not in report["rules"]
    assert report["rules"][MANY]["findings"] > 0
    assert report["levels"] == {
        "high": hits[SHADOWS],
        "medium": report["rules"][MANY]["findings"],
    }


def test_what_only_correlations_count_is_told_when_it_is_named(events, tmp_path):
    (tmp_path / "rules.yml").write_text(RULES + NEW_HOST)
    found = {}
    for name in ("Domain trusts listed", "Many trust listings on a host", "Trusts, a new host"):
        tried = rules_to_try([name], [tmp_path], {}, tmp_path / "cache")
        plan, work = backtest(events, tried)
        assert work.run()
        found[name] = report_of(plan, work)["rules"]
    assert found["Domain trusts listed"][TRUSTS]["findings"] > 0
    assert list(found["Many trust listings on a host"]) == [MANY]
    (new,) = found["Trusts, a new host"].values()
    assert new["findings"] < found["Domain trusts listed"][TRUSTS]["findings"]


def test_stopped_and_taken_up_again_it_says_the_same(events, ruleset):
    plan, whole = backtest(events, ruleset)
    whole.run()
    for pauses in (1, 2, 3):
        _, first = backtest(events, ruleset)
        seen = []
        assert not first.run(
            should_stop=lambda gone=first, most=pauses: gone.counts.events >= most * 1_000
        )
        assert 0 < first.counts.events < ROWS
        kept = orjson.loads(orjson.dumps(first.state()))
        _, second = backtest(events, ruleset)
        second.resume(kept)
        assert second.run(on_progress=lambda done, total, kept=seen: kept.append((done, total)))
        assert report_of(plan, second) == report_of(plan, whole)
        assert seen[-1][0] == seen[-1][1] == ROWS


def test_control_c_keeps_what_was_computed(events, ruleset):
    plan, work = backtest(events, ruleset)

    def press(done, total):
        if work.counts.events:
            raise KeyboardInterrupt

    assert not work.run(on_progress=press)
    report = report_of(plan, work)
    assert not report["is_complete"]
    assert report["events"] > 0
    assert report["reached"] < report["to"]


def test_another_plan_is_not_gone_on_from(events, ruleset):
    _, work = backtest(events, ruleset)
    state = work.state()
    other = replace(ruleset, rules=ruleset.rules[:1], stateful=())
    _, fresh = backtest(events, other)
    with pytest.raises(DetectError, match="other rules or another range"):
        fresh.resume(state)


def test_what_an_exception_hides_is_counted_apart(events, ruleset):
    exception = RuleException("e1", "ops", "backup", {"Computer": ("host01", "host02")})
    laid = apply_overlays(ruleset, {SHADOWS: Overlay(SHADOWS, exceptions=(exception,))})
    plan, work = backtest(events, laid)
    work.run()
    plain_plan, plain_work = backtest(events, ruleset)
    plain_work.run()
    one = report_of(plan, work)["rules"][SHADOWS]
    every = report_of(plain_plan, plain_work)["rules"][SHADOWS]
    assert one["hidden"] > 0
    assert one["hidden_by"] == {"e1": one["hidden"]}
    assert one["findings"] + one["hidden"] == every["findings"]
    assert not {"host:host01", "host:host02"} & {e["entity"] for e in one["entities"]}


def test_what_people_said_before_is_told(events, ruleset):
    plan, work = backtest(events, ruleset)
    work.run()
    host = next(iter(work.counts.tallies[SHADOWS].entities))
    earlier = {
        (SHADOWS, host): Counter(false_positive=3, true_positive=1),
        (SHADOWS, "host:elsewhere"): Counter(true_positive=4),
        (TRUSTS, host): Counter(true_positive=9),
    }
    report = backtest_report(plan, work.counts, earlier)
    said = next(one["earlier"] for one in report["rules"] if one["id"] == SHADOWS)
    assert said["same_entities"]["false_positive_share"] == 0.75
    assert said["any_entity"]["true_positive"] == 5
    assert said["findings_of_known_entities"] == work.counts.tallies[SHADOWS].entities[host]


def test_a_damaged_segment_is_told_and_the_rest_goes_on(home, ruleset, tmp_path):
    with open_history(home) as (events, _):
        harmed = home / "events" / events.segments(None, None)[3].path
        content = harmed.read_bytes()
        harmed.write_bytes(content[:-100])
        try:
            plan, work = backtest(events, ruleset)
            assert work.run()
        finally:
            harmed.write_bytes(content)
    report = report_of(plan, work)
    assert report["events"] == ROWS - SEGMENT_ROWS
    (damage,) = report["damage"]
    assert damage["place"] == str(harmed)
    assert damage["events"] == SEGMENT_ROWS


def test_a_merge_meanwhile_changes_nothing(events, ruleset):
    plan, whole = backtest(events, ruleset)
    whole.run()
    _, work = backtest(events, ruleset)
    replay, moved = events.replay, []

    def sometimes_moved(wanted, *rest):
        batches = replay(wanted, *rest)
        yield next(batches)
        if len(moved) < 2 and wanted.event_ids is None:
            moved.append(wanted)
            raise StoreMoved("merged")
        yield from batches

    events.replay = sometimes_moved
    assert work.run()
    assert len(moved) == 2
    assert report_of(plan, work) == report_of(plan, whole)


def test_history_is_cut_into_stretches_that_leave_nothing_out(events):
    segments = events.segments(None, None)
    start, end = extent(segments)
    found = stretches(segments, start, end, 1_000)
    assert len(found) > 3
    assert [one.start for one in found[1:]] == [one.end for one in found[:-1]]
    assert (found[0].start, found[-1].end) == (start, end)
    assert sum(one.rows for one in found) == ROWS
    later = end + timedelta(days=1)
    assert stretches(segments, later, later + timedelta(days=1)) == [] or all(
        one.rows for one in stretches(segments, later, later + timedelta(days=1))
    )


def test_a_folder_without_events_is_told(tmp_path):
    with pytest.raises(StoreError, match="is no data folder"), open_history(tmp_path):
        pass


def test_levels_are_those_people_set(events, ruleset):
    laid = apply_overlays(ruleset, {SHADOWS: Overlay(SHADOWS, level=Level.CRITICAL)})
    plan, work = backtest(events, laid)
    work.run()
    assert report_of(plan, work)["rules"][SHADOWS]["level"] == "critical"
