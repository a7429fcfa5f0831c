"""Ask any question of any event: search, histogram, top values, one record, SQL."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.guard import House
from tocsin.api.problem import Problem
from tocsin.api.search_turn import Turn, may_search
from tocsin.app.moment import parse_moment
from tocsin.app.plain import as_json
from tocsin.app.searches.asked_sql import AskedPlan, AskedSql, answer_sql, plan_sql
from tocsin.app.searches.split_histogram import split_histogram
from tocsin.store.filter_hints import filter_hints
from tocsin.store.query import EventQuery

router = APIRouter(prefix="/api/v1", tags=["search"], dependencies=[Depends(may_search)])

Text = Annotated[str, Query(alias="q", description="Lucene filter; empty matches everything.")]
From = Annotated[str | None, Query(alias="from", description="ISO time or relative: now-24h.")]
To = Annotated[str | None, Query(description="ISO time or relative; not included.")]


def _moment(value: str | None, name: str) -> datetime | None:
    try:
        return parse_moment(value) if value else None
    except ValueError as error:
        raise Problem(400, "The time can't be read", f"{name}: {error}") from error


def event_query(
    q: str, start: str | None, end: str | None, size: int = 100, cursor: str | None = None
) -> EventQuery:
    return EventQuery(q, _moment(start, "from"), _moment(end, "to"), size, cursor)


@router.get("/search", summary="Find events")
def search(
    house: House,
    turn: Turn,
    q: Text = "",
    start: From = None,
    to: To = None,
    size: Annotated[int, Query(ge=0, le=10_000)] = 100,
    cursor: str | None = None,
    oldest_first: bool = False,
) -> dict[str, Any]:
    """Events newest first unless asked otherwise, with the total and what was searched.

    ``hints`` tell where the filter may have been meant otherwise, each with a ``better`` one.
    """
    asked = replace(event_query(q, start, to, size, cursor), oldest_first=oldest_first)
    found = dict(as_json(house.events.search(asked, turn)))
    return found | {"hints": as_json(filter_hints(q, house.events.field_names))}


@router.get("/search/histogram", summary="Count events over time")
def histogram(
    house: House,
    turn: Turn,
    q: Text = "",
    start: From = None,
    to: To = None,
    buckets: Annotated[int, Query(ge=1, le=1000)] = 60,
    split: Annotated[str, Query(max_length=200, description="A field of few values.")] = "",
) -> dict[str, Any]:
    """Counts by time, split by OCSF severity id.

    With ``split`` also ``counts`` of each of that field's most frequent ``values``, and of
    ``others``, which have none of these.
    """
    asked = event_query(q, start, to)
    if split:
        return dict(as_json(split_histogram(house.events, asked, split, buckets, turn)))
    return {"buckets": as_json(house.events.histogram(asked, buckets, turn))}


@router.get("/search/top", summary="Most frequent values of a field")
def top_values(
    house: House,
    turn: Turn,
    field: str,
    q: Text = "",
    start: From = None,
    to: To = None,
    size: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> dict[str, Any]:
    """Values and how many events have them."""
    return {
        "field": field,
        "values": as_json(house.events.top_values(event_query(q, start, to), field, size, turn)),
    }


class SqlQuestion(BaseModel):
    """A read-only statement over the view ``events``."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    sql: str
    size: int = Field(1000, ge=1, le=10_000, description="Rows to give back.")
    q: str = Field("", description="Lucene filter: what the view has.")
    start: str | None = Field(None, alias="from", max_length=40)
    end: str | None = Field(None, alias="to", max_length=40)

    @property
    def within(self) -> EventQuery:
        """The events the view has."""
        return event_query(self.q, self.start, self.end)


@router.post("/search/sql", summary="Ask in SQL")
def ask_sql(house: House, turn: Turn, question: SqlQuestion) -> dict[str, Any]:
    """One SELECT over ``events``; no files, no network, no settings.

    ``is_cut`` says that there are more rows than were asked for, ``problems`` which events are
    missing as their segments are damaged.
    """
    asked = AskedSql(question.sql, question.size, question.within)
    return dict(as_json(answer_sql(house.searching.sql, asked, turn)))


@router.post("/search/sql/plan", summary="How SQL would be run")
def plan_of_sql(house: House, turn: Turn, question: SqlQuestion) -> dict[str, Any]:
    """The operators, and how many segments are left to look into; nothing is run."""
    asked = AskedPlan(question.sql, question.within)
    return dict(as_json(plan_sql(house.searching.sql, asked, turn)))


@router.get("/events/{event_id}", summary="One event")
def one_event(house: House, event_id: str) -> dict[str, Any]:
    """The event with its OCSF and native fields."""
    found = house.events.get(event_id)
    if found is None:
        raise Problem(404, "No such event", f"{event_id} is not stored (any more)")
    return dict(as_json(found))
