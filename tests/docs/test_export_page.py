"""What the page about other engines shows runs on an export as it is."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest

from tests.kept_home import KeptHome
from tests.places import REPOSITORY
from tests.store.conftest import _make_batch
from tocsin.app.moving.segment_export import export_segments

PAGE = (REPOSITORY / "docs" / "export.md").read_text(encoding="utf-8")


def examples(engine: str) -> list[str]:
    found = re.findall(r"```sql\n-- (\w+)\n(.*?)```", PAGE, re.DOTALL)
    return [text.strip().removesuffix(";") for name, text in found if name == engine]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two segments of different columns, exported."""
    folder = tmp_path_factory.mktemp("export")
    with KeptHome(folder / "home").fill(1) as kept:
        rows = [{"native": {"EventID": 4625}, "ocsf": {"actor.user.name": "eve"}}] * 3
        segment = kept.events.write([_make_batch(rows, lane="windows.security", source="dc-1")])
        assert segment is not None
        with kept.state.begin() as tx:
            kept.events.publish(tx, segment)
        export_segments(kept.folder, kept.state, folder / "lake")
    return folder / "lake"


def test_the_examples_for_duckdb_run(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(exported)
    by_source, by_native = (duckdb.sql(text).fetchall() for text in examples("duckdb"))
    assert [row[:2] for row in by_source] == [("sensor", 4), ("dc-1", 3)]
    assert by_native == [(4625, 3)]


@pytest.mark.skipif(find_spec("chdb") is None, reason="ClickHouse's engine is not installed")
def test_the_examples_for_clickhouse_run(exported: Path) -> None:
    by_source, table = examples("clickhouse")
    program = (
        "import json, sys; from chdb.session import Session; session = Session(); "
        "session.query('CREATE DATABASE lake'); session.query('USE lake'); "
        "[session.query(text) for text in json.loads(sys.argv[1])]; "
        "print(session.query(sys.argv[2], 'JSONEachRow'))"
    )
    ended = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-c", program, json.dumps([table])),
            "SELECT actor_user_name, count() AS n FROM events GROUP BY ALL ORDER BY n",
        ],
        cwd=exported,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    counted = [json.loads(line) for line in ended.stdout.split("\n") if line]
    assert [(one["actor_user_name"], int(one["n"])) for one in counted] == [("eve", 3), (None, 4)]
    asked = [sys.executable, "-c", program, "[]", by_source]
    answered = subprocess.run(  # noqa: S603
        asked, cwd=exported, env=os.environ, capture_output=True, text=True, check=True
    )
    told = [json.loads(line) for line in answered.stdout.split("\n") if line]
    assert [(one["source"], int(one["events"])) for one in told] == [("sensor", 4), ("dc-1", 3)]
