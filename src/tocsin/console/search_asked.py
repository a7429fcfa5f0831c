"""What every route of the Search page depends on: a hunter, and the search from its address."""

from typing import Annotated

from fastapi import Depends, Query

from tocsin.console.search_state import DEFAULT_FROM, SearchState
from tocsin.console.visit import Needs, Visit
from tocsin.model.principal import Permission

Hunter = Annotated[Visit, Depends(Needs(Permission.EVENTS_SEARCH))]


def asked(
    q: Annotated[str, Query(max_length=8000)] = "",
    start: Annotated[str, Query(alias="from", max_length=40)] = DEFAULT_FROM,
    to: Annotated[str, Query(max_length=40)] = "",
    cursor: str = "",
    record: str = "",
    view: str = "ocsf",
) -> SearchState:
    """The state of the search from its address."""
    return SearchState(q, start or DEFAULT_FROM, to, cursor, record, view)


Asked = Annotated[SearchState, Depends(asked)]
