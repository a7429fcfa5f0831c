"""docs/sources.md lists every connector as it is."""

from tests.docs.sources import PAGE, sources_page
from tocsin.connectors.catalog import mapping_paths


def test_the_page_is_up_to_date() -> None:
    assert PAGE.is_file(), "docs/sources.md is missing; run: make docs"
    assert PAGE.read_text(encoding="utf-8") == sources_page(), (
        "docs/sources.md is stale; run: make docs"
    )


def test_there_are_as_many_sources_as_promised() -> None:
    assert len(mapping_paths()) >= 45
