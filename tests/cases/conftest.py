"""A migrated state store and alerts to open cases from."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.model.alert import Alert, AlertStatus
from tocsin.model.because import Score
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.severity import Level
from tocsin.store.engines.state.sqlite_state import SqliteState

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    store = SqliteState(tmp_path / "state.db")
    yield store
    store.close()


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def alert() -> Callable[..., Alert]:
    """Makes an alert about host ``ws<number>`` with user alice related."""

    def make(number: int = 0, level: Level = Level.MEDIUM, tenant: str = "default") -> Alert:
        return Alert(
            id=f"alert-{number}",
            rule_id="rule-1",
            rule_title="Encoded command",
            level=level,
            entity=Entity(EntityKind.HOST, f"ws{number}"),
            related=(Entity(EntityKind.USER, "alice"),),
            status=AlertStatus.NEW,
            count=number + 1,
            first_seen=NOON,
            last_seen=NOON,
            score=Score(50.0),
            techniques=(),
            tags=(),
            sources=("sysmon",),
            exemplars=(),
            fold_key=f"fold-{number}",
            tenant=tenant,
        )

    return make
