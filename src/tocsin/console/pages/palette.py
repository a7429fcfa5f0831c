"""What the command palette finds while one types: places, entities, cases, alerts, rules, searches."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.searches.saved_searches import SavedSearches
from tocsin.console.navigation import places
from tocsin.console.panes import attempt
from tocsin.console.search_state import kept_search
from tocsin.console.visit import Needs, Visit, with_query
from tocsin.model.principal import Permission

router = APIRouter()
SignedIn = Annotated[Visit, Depends(Needs())]
_EACH = 5


@dataclass(frozen=True, slots=True)
class Found:
    """One line of the palette."""

    title: str
    path: str
    icon: str
    kind: str


@router.get("/palette")
def palette(visit: SignedIn, q: str = "") -> Response:
    wanted = q.strip().lower()[:100]
    found = [
        Found(place.title, place.path, place.icon, f"g {place.letter}")
        for place in places(visit.principal)
        if wanted in place.title.lower()
    ]
    if wanted:
        for what, permission, finder in (
            ("Alerts", Permission.ALERTS_READ, _alerts),
            ("Cases", Permission.CASES_READ, _cases),
            ("Rules", Permission.RULES_READ, _rules),
            ("Saved searches", Permission.EVENTS_SEARCH, _searches),
        ):
            if visit.may(permission.value):
                more = attempt(what, lambda finder=finder: list(finder(visit, wanted)))  # type: ignore[misc]
                found.extend(more.value or [])
        if visit.may(Permission.EVENTS_SEARCH.value):
            found.append(
                Found(f"Search events for {q[:60]}", with_query("/search", {"q": q}), "search", "")
            )
    return visit.page("palette.html", found=found)


def _alerts(visit: Visit, wanted: str) -> Iterator[Found]:
    with visit.tocsin.state.read() as tx:
        page = visit.tocsin.alerts.page(tx, text=wanted, size=40)
    seen: set[str] = set()
    for alert in page.items:
        key = alert.entity.key
        if wanted in alert.entity.name and key not in seen and len(seen) < _EACH:
            seen.add(key)
            yield Found(
                alert.entity.name, f"/entities/{quote(key)}", alert.entity.kind.value, "Entity"
            )
    for alert in page.items[:_EACH]:
        yield Found(
            f"{alert.rule_title} on {alert.entity.name}", f"/alerts/{alert.id}", "alert", "Alert"
        )


def _cases(visit: Visit, wanted: str) -> Iterator[Found]:
    with visit.tocsin.state.read() as tx:
        page = visit.tocsin.cases.page(tx, size=200)
    named = (case for case in page.items if wanted in case.title.lower() or wanted in case.id)
    for case in islice(named, _EACH):
        yield Found(case.title, f"/cases/{case.id}", "case", "Case")


def _rules(visit: Visit, wanted: str) -> Iterator[Found]:
    named = (
        rule
        for rule in visit.tocsin.rules()
        if wanted in rule.title.lower() or wanted in rule.id.lower()
    )
    for rule in islice(named, _EACH):
        yield Found(rule.title, f"/rules/{quote(rule.id)}", "rule", "Rule")


def _searches(visit: Visit, wanted: str) -> Iterator[Found]:
    seen = SavedSearches(visit.tocsin.state, visit.tocsin.audit).seen_by(visit.principal.name)
    for one in islice((one for one in seen if wanted in one.name.lower()), _EACH):
        yield Found(one.name, kept_search(one), "search", "Saved search")
