"""The chain of migrations makes exactly the tables the rooms declare."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import tocsin
from tocsin.store.engines.state import sqlite_state
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.migrations import chain, run
from tocsin.store.ports import StoreError
from tocsin.store.state import metadata

SOURCE = Path(tocsin.__file__).parent
VERSIONS = sorted((SOURCE / "store" / "migrations" / "versions").glob("[0-9]*.py"))


@pytest.fixture(autouse=True)
def every_store_is_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests copy a store that was migrated once."""
    monkeypatch.setattr(sqlite_state, "chain", chain)


def import_every_module_that_declares_tables() -> list[str]:
    found = []
    takes = re.compile(r"^from tocsin\.store\.state import .*\bmetadata\b", re.MULTILINE)
    for path in sorted(SOURCE.rglob("*.py")):
        if "migrations" not in path.parts and takes.search(path.read_text(encoding="utf-8")):
            name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
            importlib.import_module(name)
            found.append(name)
    return found


def revisions_of(path: Path) -> dict[str, object]:
    return {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
        and target.id in {"revision", "down_revision"}
        and node.value is not None
    }


def test_migrated_tables_equal_the_declared_ones(tmp_path):
    assert "tocsin.store.tables" in import_every_module_that_declares_tables()
    state = SqliteState(tmp_path / "state.db")
    with state.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    state.close()
    assert differences == []


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_migration_follows_the_one_before_it(path):
    number = path.name[:4]
    before = f"{int(number) - 1:04}"
    assert revisions_of(path) == {
        "revision": number,
        "down_revision": None if before == "0000" else before,
    }


def test_the_newest_revision_is_that_of_alembic():
    script = ScriptDirectory.from_config(run.settings())
    assert chain.newest_revision() == script.get_current_head()
    assert chain.known_revisions() == {one.revision for one in script.walk_revisions()}


def test_opening_again_runs_nothing(tmp_path):
    SqliteState(tmp_path / "state.db").close()
    state = SqliteState(tmp_path / "state.db")
    with state.begin() as tx:
        assert chain.upgrade(tx) is False
        assert chain.current_revision(tx) == VERSIONS[-1].name[:4]
    state.close()


def test_tables_of_a_newer_version_are_refused_and_left_alone(tmp_path):
    state = SqliteState(tmp_path / "state.db")
    with state.begin() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    state.close()
    with pytest.raises(StoreError, match=r"9999.*newer version"):
        SqliteState(tmp_path / "state.db")


def test_a_migration_that_fails_leaves_the_state_as_it_was(tmp_path, monkeypatch):
    def fail(*_args: object) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr(run.command, "upgrade", fail)
    with pytest.raises(RuntimeError, match="no space left"):
        SqliteState(tmp_path / "state.db")
    monkeypatch.undo()
    SqliteState(tmp_path / "state.db").close()
