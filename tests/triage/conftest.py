"""A migrated state store, and findings to fold, for the tests of triage."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.severity import Level
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.triage import tables

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    assert tables.ALERTS is not None
    store = SqliteState(tmp_path / "state.db")
    yield store
    store.close()


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def finding() -> Callable[..., Finding]:
    """Makes the finding number ``number`` of a rule, that many seconds after noon."""

    def make(
        number: int = 0,
        *,
        rule: str = "rule-1",
        host: str | None = "ws01",
        level: Level = Level.HIGH,
        source: str = "sysmon",
        related: tuple[Entity, ...] = (),
        techniques: tuple[str, ...] = ("T1059.001",),
        tags: tuple[str, ...] = ("attack.execution", "attack.t1059.001"),
        fields: dict[str, object] | None = None,
        tenant: str = "default",
        time: datetime | None = None,
    ) -> Finding:
        entities = (Entity(EntityKind.HOST, host), *related) if host is not None else related
        return Finding(
            finding_id=f"finding-{rule}-{host}-{number}",
            rule_id=rule,
            rule_title=f"Title of {rule}",
            level=level,
            time=time or NOON + timedelta(seconds=number),
            event_id=f"event-{number:05}",
            lane="windows.process",
            source=source,
            tags=tags,
            techniques=techniques,
            entities=entities,
            matched=(
                MatchedField("CommandLine", "powershell -enc AAA", "CommandLine|contains: -enc"),
            ),
            fields=fields if fields is not None else {"CommandLine": "powershell -enc AAA"},
            ocsf={"device.hostname": host},
            tenant=tenant,
        )

    return make
