"""A whole house with its state on PostgreSQL and its events on ClickHouse."""

import json
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from sqlalchemy import text

from tests.app.flow.test_flow import ENCODED, NOW
from tests.postgres_server import PostgresServer
from tests.respond.rig import CONTAIN, OPERATOR, RESPONDER, until, utc_now
from tocsin.app.access.doorkeeper import open_doorkeeper
from tocsin.app.backups.integrity import check_integrity
from tocsin.app.flow.flow import Flow
from tocsin.app.home.history_opening import open_history
from tocsin.app.home.stores import Stores, settle_stores, stores_of
from tocsin.app.settings.config import Settings, load_settings
from tocsin.app.settings.config_errors import ConfigError
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.cutting.lines import split_lines
from tocsin.model.response import ApprovalStatus, LeaseStatus, Target
from tocsin.store.ports import HomeInUse, StoreAway
from tocsin.store.query import EventQuery


@pytest.fixture
def settings(tmp_path: Path, postgres: PostgresServer) -> Settings:
    return load_settings(
        home=tmp_path / "home", syslog__enabled=False, store__state=postgres.new_state()
    )


@pytest.fixture
def house(settings: Settings) -> Iterator[Tocsin]:
    opened = open_tocsin(settings)
    yield opened
    opened.close()


def take_in(house: Tocsin, *records: dict[str, object], source: str = "ws-07") -> None:
    lines = b"\n".join(json.dumps(record).encode() for record in records)
    house.spool.append(split_lines(lines, source=source, received_at=NOW))
    house.flow.drain()


def test_a_record_becomes_an_alert_and_a_playbook_contains_with_state_on_postgresql(
    house: Tocsin, settings: Settings
) -> None:
    long = "".join(f"{number:x}" for number in range(3_000))  # no index takes so much
    take_in(
        *(house, ENCODED, {**ENCODED, "User": "CORP\\b\x00ob", "CommandLine": long}),
        {**ENCODED, "Computer": long, "User": long, "Image": long, long: 1, "in": {long: 1}},
    )
    with house.state.read() as tx:
        assert tx.dialect.name == "postgresql"
        assert any(one.entity.key == "host:ws-07" for one in house.alerts.page(tx).items)
        (ledger,) = (one for one in house.sources.sources(tx) if one.name == "ws-07")
    assert (ledger.received, ledger.stored) == (3, 3)
    assert house.spool.backlog_bytes() == 0
    house.response.open()
    house.closers.append(house.response.close)
    with house.state.begin() as tx:
        case = house.cases.open(tx, title="beacon", alerts=[], by="noor", now=utc_now())
    contain = next(one for one in house.response.playbooks() if one.name == CONTAIN)
    run = house.response.request(
        playbook_id=contain.id,
        case_id=case.id,
        target=Target("ipv4_net", "203.0.113.9"),
        lease_s=600,
        by=RESPONDER,
        now=utc_now(),
    )

    def waiting() -> str | None:
        with house.state.read() as tx:
            found = house.response.approvals(tx, run_id=run.id).items
        return found[0].id if found and found[0].status is ApprovalStatus.PENDING else None

    house.response.decide(
        until(waiting, "an approval"), approve=True, by=OPERATOR, reason="agreed", now=utc_now()
    )

    def contained() -> bool | None:
        with house.state.read() as tx:
            found = house.response.run(tx, run.id)
            leases = house.response.leases(tx, run_id=run.id).items
        return bool(found and any(one.status is LeaseStatus.ACTIVE for one in leases)) or None

    assert until(contained, "the containment")
    with house.state.read() as tx:
        runs = tx.execute(text("SELECT count(*) FROM dbos.workflow_status")).scalar_one()
    assert runs > 0, "durable runs are kept beside the state"
    assert not list(settings.home.rglob("*.sqlite"))


def test_records_wait_while_a_store_is_away(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StoreAway("ClickHouse can't be reached")

    with monkeypatch.context() as patch:
        patch.setattr(Flow, "_work_on", away)
        with pytest.raises(StoreAway):
            take_in(house, ENCODED)
    assert house.spool.committed() == 0
    house.flow.drain()
    with house.state.read() as tx:
        (ledger,) = (one for one in house.sources.sources(tx) if one.name == "ws-07")
    assert (ledger.stored, ledger.quarantined) == (1, 0)


def test_commands_beside_the_server_find_the_same_state(house: Tocsin, settings: Settings) -> None:
    take_in(house, ENCODED)
    plain = load_settings(home=settings.home, syslog__enabled=False)
    with open_doorkeeper(plain) as door, door.state.read() as tx:
        assert tx.dialect.name == "postgresql"
        assert door.audit.verify(tx).ok
    with open_history(settings.home) as (events, _):
        assert events.count() == house.events.count() > 0
    elsewhere = load_settings(
        home=settings.home.parent / "other", store__state=settings.store.state
    )
    with pytest.raises(HomeInUse, match="served by another process"):
        open_tocsin(elsewhere)


def test_events_on_clickhouse_are_found_and_raise_alerts(tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="ClickHouse's engine is not installed (group engines)")
    engine = clickhouse_connect.get_client(dsn="chdb://memory")  # lives while somebody uses it
    options = {"home": tmp_path / "home", "syslog__enabled": False}
    settings = load_settings(**options, store__events="chdb://memory#whole")
    house = open_tocsin(settings)
    take_in(house, ENCODED)
    with house.state.read() as tx:
        (first, *_) = house.alerts.page(tx).items
    event = house.events.get(first.exemplars[0].event_id)
    assert event is not None
    assert event.native["CommandLine"] == ENCODED["CommandLine"]
    assert house.events.search(EventQuery("host:WS-07* AND cmd:*EncodedCommand*")).total == 1
    count = house.events.count()
    house.close()
    assert not list((settings.home / "events").rglob("*.parquet"))
    house = open_tocsin(load_settings(**options))  # the folder knows where its events are
    assert house.events.count() == count
    assert house.events.search(EventQuery("native.ProcessId:4711")).total == 1
    sound = check_integrity(settings.home, house.state, quarantine=True)
    assert (sound.events, sound.damaged) == (count, ())
    segment = house.events.segments(None, None)[0]
    engine.command("DELETE FROM whole.event_rows WHERE 1")
    lacking, *_ = check_integrity(settings.home, house.state, quarantine=True).damaged
    assert (lacking.events, lacking.reason) == (
        segment.rows,
        f"lacks {segment.rows} of {segment.rows} events",
    )
    assert (lacking.first_time, lacking.path) == (segment.first_time, f"writes {segment.path}")
    assert segment in house.events.segments(None, None)
    house.close()
    engine.close()


def test_a_folder_takes_on_its_stores_once_and_says_how_to_move(tmp_path: Path) -> None:
    wanted = Stores(state="postgresql://tocsin:old@db/tocsin")
    assert settle_stores(tmp_path, wanted) == wanted
    assert stores_of(tmp_path) == wanted
    assert (tmp_path / "stores.json").stat().st_mode & 0o777 == 0o600
    assert settle_stores(tmp_path, Stores()) == wanted
    changed = Stores(state="postgresql://tocsin:new@db/tocsin")
    assert settle_stores(tmp_path, changed) == changed == stores_of(tmp_path)
    with pytest.raises(ConfigError, match=r"kept in postgresql://tocsin@db/tocsin; move them"):
        settle_stores(tmp_path, Stores(state="postgresql://tocsin:new@other/tocsin"))


def test_a_folder_with_stores_of_its_own_is_not_emptied_by_a_setting(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"tocsin admin move --events clickhouse://ch:8123/t"):
        settle_stores(tmp_path, Stores(events="clickhouse://ch:8123/t"))


@pytest.mark.parametrize(
    ("stores", "words"),
    [
        (Stores(state="mysql://x"), "store.state: write an address like postgresql://"),
        (Stores(events="http://x"), "store.events: write an address like clickhouse://"),
    ],
)
def test_an_address_no_engine_has_is_refused(tmp_path: Path, stores: Stores, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settle_stores(tmp_path, stores)
