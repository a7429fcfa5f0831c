"""A backtest that reads the fields its rules look at finds what it finds with all fields."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tocsin.app.backtests.backtest import Backtest, BacktestPlan
from tocsin.app.backtests.backtest_narrowing import FieldsRead
from tocsin.app.backtests.backtest_report import backtest_report
from tocsin.app.home.history import extent, lanes_by_id
from tocsin.app.home.history_opening import open_history
from tocsin.app.rules.hunt_selection import selected
from tocsin.detect.overlays.overlaid import apply_overlays
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.overlay import Overlay, RuleException, Scalar
from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id
from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import EventStore, ReplayQuery
from tocsin.triage.entities import entities_of

PROCESSES = Lane("t", "processes", "windows", ("process_creation",))
CLOUD = Lane("t", "cloud", "aws", (), ("cloudtrail",))
SYSLOG = Lane("t", "syslog", "linux", (), ("syslog",))
ASKED_BY_NOBODY = Lane("t", "proxy", "squid", ("proxy",))
BEGIN = datetime(2026, 1, 5, 23, 50, tzinfo=UTC)
PROCESS, AWS, LINUX = (
    "{product: windows, category: process_creation}",
    "{product: aws, service: cloudtrail}",
    "{product: linux, service: syslog}",
)


def sigma(logsource: str, detection: str, more: str = "") -> str:
    return f"logsource: {logsource}\ndetection: {{a: {detection}, condition: a}}\n{more}"


def correlation(kind: str, more: str) -> str:
    return f"correlation: {{type: {kind}, timespan: 1m, {more}}}\n"


RULES = {
    "exists": sigma(PROCESS, "{Extra|exists: true, Image|endswith: cmd.exe}"),
    "absent": sigma(PROCESS, "{Extra|exists: false}"),
    "null": sigma(PROCESS, "{User: null, Extra|exists: true}"),
    "fieldref": sigma(PROCESS, "{User|fieldref: ParentUser}"),
    "number": sigma(PROCESS, "{Size|gt: 500}"),
    "flat": sigma(PROCESS, "{id.orig: pc1}"),
    "image": sigma(PROCESS, "{Image|endswith: cmd.exe}", "name: image\n"),
    "nested": sigma(AWS, "{userIdentity.type: Root}", "name: root\n"),
    "listed": sigma(AWS, "{requestParameters.items.name: b}"),
    "object": sigma(AWS, "{responseElements|exists: true}"),
    "keyword": sigma(LINUX, "['needle']"),
    "counted": correlation("event_count", "rules: [image], group-by: [Computer], condition: {gte: 3}"),
    "distinct": correlation(
        "value_count", "rules: [image], group-by: [Extra], condition: {field: Hash, gte: 2}"
    ),
    "aliased": correlation(
        "temporal",
        "rules: [image, root], group-by: [who], condition: {gte: 2}, "
        "aliases: {who: {image: Owner, root: userIdentity.userName}}",
    ),
    "hidden": sigma(PROCESS, "{Image|endswith: calc.exe}"),
    "hidden-wide": sigma(PROCESS, "{Image|endswith: calc.exe}"),
    "hidden-group": correlation("event_count", "rules: [image], group-by: [Owner], condition: {gte: 3}"),
}  # fmt: skip
IDS = {name: f"{at:08d}-1111-4111-8111-111111111111" for at, name in enumerate(RULES, 1)}
EXCEPTIONS: dict[str, dict[str, tuple[Scalar, ...]]] = {
    "hidden": {"Computer|startswith": ("pc1", "pc2"), "Owner|fieldref": ("ParentOwner",)},
    "hidden-wide": {"Extra|exists": (True,)},
    "hidden-group": {"Note|contains": ("known",)},
}
ROWS = 480
WORDS = ("needle in it", "hay", "hay and straw")


def process(draw: random.Random) -> dict[str, Any]:
    person, other = (draw.choice(("anna", "ben", "cem")) for _ in range(2))
    event: dict[str, Any] = {
        "Image": draw.choice(("C:\\Windows\\cmd.exe", "C:\\Windows\\calc.exe")),
        "User": draw.choice((person, None)),
        "ParentUser": draw.choice((person, "root")),
        "Owner": person,
        "ParentOwner": other,
        "Computer": f"pc{draw.randrange(9)}",
        "Hash": f"{draw.randrange(9)}",
        "Note": draw.choice(("known thing", "new thing")),
        "Size": draw.choice((1, 400, 600, "many")),
        "Filler": f"{draw.randrange(1000)}",
        "id.orig": f"pc{draw.randrange(3)}",
    }
    return event | ({"Extra": draw.choice(("x", "y", 5))} if draw.random() < 0.5 else {})


def call(draw: random.Random) -> dict[str, Any]:
    items = [{"name": draw.choice("abc"), "n": at} for at in range(draw.randrange(3))]
    event: dict[str, Any] = {
        "userIdentity": {
            "type": draw.choice(("Root", "IAMUser")),
            "userName": draw.choice(("anna", "ben", "cem")),
        },
        "requestParameters": {"items": items, "other": {"deep": 1}},
        "Filler": {"never": "read"},
    }
    return event | ({"responseElements": {"ok": True}} if draw.random() < 0.3 else {})


def line(draw: random.Random) -> dict[str, Any]:
    return {"message": "nothing", draw.choice("pqr"): draw.choice(WORDS)}


MAKERS = ((PROCESSES, process), (CLOUD, call), (SYSLOG, line), (ASKED_BY_NOBODY, line))


def batch_of(lane: Lane, records: Sequence[dict[str, Any]], first: int) -> EventBatch:
    times = [BEGIN + timedelta(seconds=2 * (first + at)) for at in range(len(records))]
    moments = pa.array(times, pa.timestamp("us", "UTC"))
    ids = [event_id(at, "t", 0, first + number) for number, at in enumerate(times)]
    ocsf = {
        "class_uid": pa.array([1007] * len(records), pa.int32()),
        "device.hostname": pa.array([one.get("Computer") for one in records], pa.string()),
        "actor.user.name": pa.array([one.get("Owner") for one in records], pa.string()),
        "process.cmd_line": pa.array(["asked for by nobody"] * len(records)),
    }
    return EventBatch(
        lane=lane,
        sources=pa.array([f"{lane.shape}{at % 2}" for at in range(len(records))]),
        tenant="default",
        event_ids=pa.array(ids),
        times=moments,
        ingested_at=moments,
        native=pa.RecordBatch.from_struct_array(pa.array(records)),
        ocsf=pa.RecordBatch.from_pydict(ocsf),
        raw=pa.nulls(len(records), pa.binary()),
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Segments of several lanes; the types of some fields change from part to part."""
    folder = tmp_path_factory.mktemp("home")
    state = SqliteState(folder / "state.sqlite")
    events = ParquetEvents(folder / "events", state)
    draw = random.Random(7)  # noqa: S311
    for first in range(0, ROWS, 120):
        batches = []
        for number, (lane, make) in enumerate(MAKERS):
            by_type: dict[tuple[type, ...], list[dict[str, Any]]] = {}
            for record in (make(draw) for _ in range(30)):
                kinds = type(record.get("Size")), type(record.get("Extra", ""))
                by_type.setdefault(kinds, []).append(record)
            at = first + 30 * number
            for records in by_type.values():
                batches.append(batch_of(lane, records, at))
                at += len(records)
        segment = events.write(batches)
        assert segment is not None
        with state.begin() as tx:
            events.publish(tx, segment)
    events.close()
    state.close()
    return folder


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    folder = tmp_path_factory.mktemp("rules")
    texts = [
        f"title: rule {name}\nid: {IDS[name]}\nlevel: high\n{text}" for name, text in RULES.items()
    ]
    (folder / "rules.yml").write_text("---\n".join(texts))
    read = load_rules([folder])
    assert read.problems == ()
    laid = {
        IDS[name]: Overlay(IDS[name], exceptions=(RuleException("e", "ops", "known", fields),))
        for name, fields in EXCEPTIONS.items()
    }
    return apply_overlays(replace(read, silent=frozenset()), laid)


@pytest.fixture(scope="module")
def events(home: Path) -> Iterator[EventStore]:
    with open_history(home) as (opened, _):
        yield opened


def told(events: EventStore, ruleset: RuleSet, samples: int = ROWS) -> dict[str, dict[str, Any]]:
    """What is reported of each rule, by its id, what it costs aside; lists in one order.

    ``samples`` are of all findings: which come first depends on what batches are gathered of.
    """
    start, end = extent(events.segments(None, None))  # type: ignore[misc]
    now = datetime(2026, 1, 7, tzinfo=UTC)
    plan = BacktestPlan(ruleset, start, end, now, samples=samples, stretch_rows=150)
    lane_of = lanes_by_id([lane for lane, _ in MAKERS])
    work = Backtest(plan, events, lane_of, entities_of)
    assert work.run()
    rules = backtest_report(plan, work.counts, {})["rules"]
    for one in rules:
        one["samples"].sort(key=lambda sample: sample["event_id"])
        one["entities"].sort(key=lambda about: about["entity"])
        one["sources"].sort(key=lambda about: about["source"])
    return {one["id"]: {n: t for n, t in one.items() if "cpu_s" not in n} for one in rules}


@pytest.fixture(scope="module")
def with_all_fields(events: EventStore, ruleset: RuleSet) -> dict[str, dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FieldsRead, "of", lambda *_: None)
        return told(events, ruleset)


def test_all_rules_together(
    events: EventStore, ruleset: RuleSet, with_all_fields: dict[str, dict[str, Any]]
) -> None:
    assert told(events, ruleset) == with_all_fields
    silent = [name for name, one in IDS.items() if not with_all_fields[one]["findings"]]
    assert silent == []
    unhidden = [name for name in EXCEPTIONS if not with_all_fields[IDS[name]]["hidden"]]
    assert unhidden == []


@pytest.mark.parametrize("name", RULES)
def test_each_rule_alone(
    events: EventStore,
    ruleset: RuleSet,
    with_all_fields: dict[str, dict[str, Any]],
    name: str,
) -> None:
    """So that no other rule has the fields read that this one needs."""
    alone = selected(ruleset, rules=[IDS[name]])
    assert told(events, alone)[IDS[name]] == with_all_fields[IDS[name]]


def test_as_many_samples_as_are_asked_for_show_every_field(
    events: EventStore, ruleset: RuleSet, with_all_fields: dict[str, dict[str, Any]]
) -> None:
    samples = told(events, selected(ruleset, rules=[IDS["image"]]), samples=5)[IDS["image"]][
        "samples"
    ]
    assert len(samples) == 5
    assert all(one in with_all_fields[IDS["image"]]["samples"] for one in samples)
    assert all(one["fields"]["Filler"] and one["fields"]["Note"] for one in samples)


def test_no_other_field_is_read(
    events: EventStore, ruleset: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ReplayQuery] = []
    replay = events.replay

    def watched(wanted: ReplayQuery, *rest: Any) -> Iterator[EventBatch]:
        asked.append(wanted)
        for batch in replay(wanted, *rest):
            if wanted.event_ids is None and batch.lane == PROCESSES:
                assert set(batch.native.schema.names) <= {"Image", "Extra"}
                assert "process.cmd_line" not in batch.ocsf.schema.names
            yield batch

    monkeypatch.setattr(events, "replay", watched)
    told(events, selected(ruleset, rules=[IDS["exists"]]))
    assert {one.lanes for one in asked if one.event_ids is None} == {frozenset({PROCESSES.id})}


def test_keywords_have_every_field_read(ruleset: RuleSet) -> None:
    read = FieldsRead(ruleset)
    assert read.of(SYSLOG) is None
    some = read.of(PROCESSES)
    assert some is not None
    assert "Filler" not in some
    assert {"Image", "Extra", "Hash", "Owner", "ParentOwner", "Computer", "id", "id.orig"} <= some
    wide = RuleException("e", "ops", "any", {"|contains": ("anything",)})
    laid = apply_overlays(ruleset, {IDS["image"]: Overlay(IDS["image"], exceptions=(wide,))})
    assert laid.exceptions[IDS["image"]].exceptions == (wide,)
    assert FieldsRead(laid).of(PROCESSES) is None
