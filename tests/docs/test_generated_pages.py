"""The generated pages say what the code says."""

import pytest

from tests.docs.generate import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    path = FOLDER / name
    assert path.is_file(), f"docs/reference/{name} is missing; run: make docs"
    assert path.read_text(encoding="utf-8") == PAGES[name](), f"{name} is stale; run: make docs"
