"""From a search, or events somebody picked, to a draft of a Sigma rule."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.api.routes.search import event_query
from tocsin.app.drafting.search_drafting import WantedDraft, draft_from_search, keep_draft
from tocsin.app.plain import as_json
from tocsin.detect.errors import DetectError
from tocsin.model.principal import Permission, Principal
from tocsin.model.severity import Level

router = APIRouter(tags=["rules"])
Writer = Annotated[Principal, Depends(needs(Permission.RULES_WRITE))]


class DraftWish(BaseModel):
    """A filter with its range, ids of stored events, or both."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    title: str = Field(min_length=1, max_length=200)
    q: str = Field("", max_length=10_000, description="Lucene filter.")
    start: str | None = Field(None, alias="from", max_length=40)
    end: str | None = Field(None, alias="to", max_length=40)
    events: list[str] = Field([], max_length=20, description="Picked events; default: the newest.")
    level: Level = Level.MEDIUM
    tags: list[str] = Field([], max_length=50)
    keep: bool = Field(False, description="Put it into the house as a draft, which does not run.")


@router.post("/api/v1/rules/draft", summary="Draft a rule from a search")
def draft(house: House, by: Writer, wish: DraftWish) -> dict[str, Any]:
    """A Sigma rule on native fields with tests made of the picked events.

    It lints, passes its tests and finds the events; ``unsaid`` names the parts of the filter it
    does not ask for. With ``keep`` it is a draft of the house: stage it when it is ready.
    """
    now = datetime.now(UTC)
    wanted = WantedDraft(
        title=wish.title,
        query=event_query(wish.q, wish.start, wish.end),
        event_ids=tuple(wish.events),
        level=wish.level,
        tags=tuple(wish.tags),
        author=by.name,
    )
    try:
        drafted = draft_from_search(house, wanted, now)
    except DetectError as error:
        raise Problem(422, "No rule can be drafted of that", str(error)) from error
    kept = {"path": keep_draft(house, drafted, by=by.name, now=now)} if wish.keep else {}
    return {**as_json(drafted), **kept}
