"""A wired house on a folder of its own, its flow turned by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Tocsin]:
    opened = open_tocsin(load_settings(home=tmp_path / "home", syslog__enabled=False))
    yield opened
    opened.close()
