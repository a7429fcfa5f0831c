"""One's own mappings: found in the data folder, taken up while all runs, refused when bad."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.app.home import own_mappings
from tocsin.app.senders.mapping_keeper import MappingKeeper
from tocsin.app.settings.config import Settings, load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.connectors.catalog import mapping_paths
from tocsin.model.record import RawBatch
from tocsin.normalize.errors import MappingError
from tocsin.store.query import EventQuery

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DOOR = """\
connector: door
vendor: Example
product_name: Door
product: door
recognize:
  badge: {present: true}
time:
  - {field: at}
shapes:
  - name: swipe
    class: entity_management
    activity: 2
    map:
      actor.user.uid: badge
      device.hostname: controller
"""
SWIPE = b'{"badge": "b-17", "at": "2026-11-20T11:59:00Z", "controller": "c-1"}'


@pytest.fixture(autouse=True)
def few_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the shipped mappings are enough here."""
    every = mapping_paths()
    monkeypatch.setattr(
        own_mappings,
        "mapping_paths",
        lambda: [path for path in every if path.parent.name in ("auditd", "okta")],
    )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Tocsin]:
    opened = open_tocsin(without_rules(tmp_path / "home"))
    yield opened
    opened.close()


def without_rules(home: Path) -> Settings:
    return load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False)


def write(house: Tocsin, text: str, connector: str = "door") -> Path:
    path = house.settings.home / "mappings" / connector / "mapping.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def lanes_of(house: Tocsin) -> list[str]:
    house.spool.append([RawBatch("hall", SWIPE, NOW)])
    house.flow.drain()
    return [event.lane for event in house.events.search(EventQuery("source:hall")).events]


def put(keeper: MappingKeeper, text: str, connector: str = "door") -> None:
    keeper.put(connector, text, by="ann", now=NOW)


def test_a_mapping_laid_into_the_folder_is_taken_up(house: Tocsin) -> None:
    assert house.mappings.look(NOW) is None
    assert lanes_of(house) == ["unknown.record"]
    write(house, DOOR)
    told = house.mappings.look(NOW)
    assert told is not None
    assert told.added == ("door",)
    assert sorted(lanes_of(house)) == ["door.swipe", "unknown.record"]
    assert "door.swipe" in {lane.id for lane in house.normalizer.lanes}
    assert house.mappings.look(NOW) is None


def test_what_was_stored_unknown_is_recognized_then(house: Tocsin) -> None:
    assert lanes_of(house) == ["unknown.record"]
    put(house.mappings, DOOR)
    done = house.unknown.go(by="ann", now=NOW)
    assert (done.tried, done.recognized) == (1, 1)


def test_a_bad_file_is_told_with_its_line_and_the_old_stays(house: Tocsin) -> None:
    write(house, DOOR)
    house.mappings.look(NOW)
    path = write(house, DOOR.replace("entity_management", "no_such_class"))
    told = house.mappings.look(NOW)
    assert told is not None
    assert told.kept == ("door",)
    (problem,) = house.mappings.problems()
    assert problem.startswith(f"{path}:10: ")
    assert problem.endswith("; the version loaded before stays in force")
    assert lanes_of(house) == ["door.swipe"]
    with house.state.read() as tx:
        measured = house.upkeep.measure(tx, NOW).numbers
    assert [one.value for one in measured if one.metric == "mapping_problems"] == [1.0]
    write(house, DOOR.replace("Example", "Another"))
    house.mappings.look(NOW)
    assert house.mappings.problems() == []


def test_one_that_is_taken_away_is_out_of_force(house: Tocsin) -> None:
    path = write(house, DOOR)
    house.mappings.look(NOW)
    path.unlink()
    told = house.mappings.look(NOW)
    assert told is not None
    assert told.removed == ("door",)
    assert lanes_of(house) == ["unknown.record"]


def test_ones_own_takes_the_place_of_the_shipped_of_its_name(house: Tocsin) -> None:
    write(house, DOOR.replace("connector: door", "connector: okta"), "okta")
    house.mappings.look(NOW)
    lanes = [lane.id for lane in house.normalizer.lanes if lane.connector == "okta"]
    assert lanes == ["okta.swipe"]


def test_one_written_by_the_console_is_there_after_a_restart(
    house: Tocsin, audited: Callable[[Tocsin], list[str]]
) -> None:
    put(house.mappings, DOOR)
    put(house.mappings, DOOR.replace("Example", "Another"))
    folder = house.settings.home / "mappings" / "door"
    assert (folder / "mapping.yml.before").read_text() == DOOR
    assert house.mappings.text_of("door") == DOOR.replace("Example", "Another")
    assert audited(house) == ["added door", "changed door"]
    house.close()
    again = open_tocsin(house.settings)
    try:
        assert lanes_of(again) == ["door.swipe"]
    finally:
        again.close()


@pytest.fixture
def audited() -> Callable[[Tocsin], list[str]]:
    def read(house: Tocsin) -> list[str]:
        with house.state.read() as tx:
            entries = house.audit.page(tx, size=50).items
        return [one.subject for one in reversed(entries) if one.action == "mappings.reload"]

    return read


@pytest.mark.parametrize(
    ("connector", "text", "why"),
    [
        ("door", DOOR.replace("connector: door", "connector: gate"), ":1: connector is 'gate'"),
        ("door", DOOR + "  nonsense: [", ":16: is not valid YAML"),
        ("door", DOOR + "include: [../../../secret.yml]\n", "only files of the same folder"),
        ("../door", DOOR, "can't name a connector"),
        ("door", "x" * (1 << 20) + "y", "is larger than"),
    ],
)
def test_what_can_not_be_used_is_not_written(
    house: Tocsin, connector: str, text: str, why: str
) -> None:
    with pytest.raises(MappingError, match=r"mapping\.yml") as refused:
        put(house.mappings, text, connector)
    assert why in str(refused.value)
    assert not [path for path in (house.settings.home / "mappings").rglob("*") if path.is_file()]


def test_a_bad_one_at_the_start_stops_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "mappings"
    for name, text in {"door": DOOR, "gate": "shapes: 3"}.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "mapping.yml").write_text(text)
    house = open_tocsin(without_rules(tmp_path / "home"))
    try:
        assert lanes_of(house) == ["door.swipe"]
        assert any("gate/mapping.yml:1: " in problem for problem in house.mappings.problems())
    finally:
        house.close()
