"""A response desk for each test, closed after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.respond.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()
