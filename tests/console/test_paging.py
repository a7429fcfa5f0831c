"""Lists at hand are paged as stored ones are: by cursors, which never lead nowhere."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.console.conftest import Visitors
from tocsin.console.paging import PAGE_ROWS, page_of
from tocsin.model.page import cursor_after


@given(st.integers(0, 3 * PAGE_ROWS))
def test_the_pages_of_a_list_together_are_the_list(count: int) -> None:
    items, seen, cursor = list(range(count)), [], ""
    while True:
        page = page_of(items, cursor)
        assert page.total == count
        seen += page.items
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == items


@given(st.one_of(st.text(), st.integers().map(cursor_after), st.floats().map(cursor_after)))
def test_a_cursor_that_is_not_of_the_list_gives_a_page_of_it(cursor: str) -> None:
    page = page_of(range(70), cursor)
    assert 0 < len(page.items) <= PAGE_ROWS


def test_the_rules_are_turned_page_by_page_and_back(living_visitors: Visitors) -> None:
    engineer = living_visitors("ebba.only")
    first = engineer.get("/rules").text
    found = re.search(r'href="(/rules\?cursor=[^"]+)" rel="next"', first)
    assert found is not None
    assert "First page" not in first
    second = engineer.get(found.group(1)).text
    assert 'href="/rules">First page' in second
    rows = [re.findall(r'id="row-([^"]+)"', page) for page in (first, second)]
    assert len(rows[0]) == PAGE_ROWS
    assert not set(rows[0]) & set(rows[1])
