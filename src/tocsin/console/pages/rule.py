"""One rule: whether it can match and what it found, its text, its tests, and why it finds what."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.explaining.given_event import (
    GivenEvent,
    NoEvent,
    given_of_record,
    given_of_stored,
    stored_event,
)
from tocsin.app.explaining.rule_explaining import RuleExplanation
from tocsin.app.explaining.stored_explaining import explain_stored
from tocsin.app.rule_jobs import latest_backtest
from tocsin.app.rules.carried_tests import carried_tests
from tocsin.app.rules.rule_facts import rule_facts
from tocsin.app.rules.rule_promotion import own_tests
from tocsin.console.finding_chart import FindingChart, finding_chart
from tocsin.console.highlight import yaml_lines
from tocsin.console.pages.rule_backtest import backtest_view
from tocsin.console.pages.rule_exceptions import exceptions_view
from tocsin.console.pages.rule_ledger import ledger_view
from tocsin.console.panes import Pane, attempt
from tocsin.console.rule_view import life_with, rule_with
from tocsin.console.visit import Missing, Needs, Refused, Visit, with_query
from tocsin.detect.rules.overlay import MOVES, LifeState
from tocsin.model.alert import Alert
from tocsin.model.page import Page
from tocsin.model.principal import Permission
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

router = APIRouter(prefix="/rules")
Reader = Annotated[Visit, Depends(Needs(Permission.RULES_READ))]
PASTED_LIMIT = 200_000
TABS = ("text", "tests", "explain", "backtest", "exceptions", "ledger", "history")


@dataclass(frozen=True, slots=True)
class RuleState:
    """What the address of a rule's page holds besides its id."""

    tab: str = ""
    run: str = ""
    event: str = ""

    def address(self, rule_id: str, **changes: str) -> str:
        query = {name: getattr(self, name) for name in self.__dataclass_fields__} | changes
        return with_query(rule_address(rule_id), query)


def rule_address(rule_id: str) -> str:
    return f"/rules/{quote(rule_id, safe='')}"


@router.post("/{rule_id:path}/explain")
def explain_pasted(visit: Reader, rule_id: str) -> Response:
    """The rule on an event that was pasted; an answer without an address of its own."""
    text = visit.text("pasted", limit=PASTED_LIMIT + 1)
    query = RuleState(tab="explain")

    def explain() -> RuleExplanation:
        if not text:
            raise Refused("Paste an event first: one JSON object.")
        if len(text) > PASTED_LIMIT:
            raise Refused(f"The event is longer than {PASTED_LIMIT:,} characters.")
        try:
            given = given_of_record(orjson.loads(text), visit.tocsin.normalizer)
        except orjson.JSONDecodeError as error:
            raise Refused(
                f"This is no JSON (line {error.lineno}, column {error.colno}: {error.msg})."
            ) from error
        except NoEvent as error:
            raise Refused(f"This is no event: {error}.") from error
        return _explained(
            visit, rule_id, GivenEvent(given.native, given.lane, given.time, given.source)
        )

    return _page(visit, rule_id, query, explained=attempt("The explanation", explain), pasted=text)


@router.get("/{rule_id:path}")
def rule(visit: Reader, rule_id: str, query: Annotated[RuleState, Depends()]) -> Response:
    explained = None
    if query.tab == "explain" and query.event:
        explained = attempt("The explanation", lambda: _of_stored(visit, rule_id, query.event))
    return _page(visit, rule_id, query, explained=explained)


def _page(
    visit: Visit,
    rule_id: str,
    query: RuleState,
    *,
    explained: Pane[RuleExplanation] | None = None,
    pasted: str = "",
) -> Response:
    tocsin = visit.tocsin
    found, life = rule_with(tocsin, rule_id), life_with(tocsin, rule_id)
    written = tocsin.rule_keeper.written
    tests = carried_tests(written, rule_id)
    has_own_tab = query.tab in TABS and (life is not None or query.tab == "explain")
    view: dict[str, Any] = {
        "query": query,
        "tab": query.tab if has_own_tab else "",
        "rule": found,
        "life": life,
        "moves": [one for one in LifeState if one in MOVES[life.state]] if life else [],
        "levels": list(reversed(Level)),
        "base": rule_address(rule_id),
        "reach": attempt("Whether it can match", lambda: tocsin.reach.verdicts().get(rule_id)),
        "facts": rule_facts(written, tocsin.correlator, rule_id),
        "problems": [one for one in tocsin.ruleset.problems if one.rule_id == rule_id],
        "tests": tests,
        "short_path": "/".join(PurePath(found.path).parts[-2:]),
        "alerts": _alerts(visit, rule_id),
        "last_trial": latest_backtest(tocsin, rule_id, with_result=True),
    }
    if query.tab == "text":
        view["lines"] = yaml_lines(found.source_text)
    elif query.tab == "tests":
        run = bool(query.run and tests)
        view["results"] = attempt("The tests", lambda: own_tests(written, rule_id)) if run else None
    elif query.tab == "explain":
        view |= {"explained": explained, "pasted": pasted}
    elif query.tab == "backtest":
        view |= backtest_view(visit, rule_id)
    elif query.tab == "exceptions":
        view |= exceptions_view(visit, rule_id, query.event)
    elif query.tab == "ledger":
        view |= ledger_view(visit, rule_id)
    elif query.tab == "history":
        view["history"] = attempt("Its history", lambda: tocsin.rule_book.history(rule_id))
    else:
        view["chart"] = attempt("Its findings", lambda: _chart(visit, found))
    return visit.page("rule.html", **view)


def _alerts(visit: Visit, rule_id: str) -> Pane[Page[Alert]] | None:
    tocsin = visit.tocsin

    def read() -> Page[Alert]:
        with tocsin.state.read() as tx:
            return tocsin.alerts.page(tx, rule_id=rule_id, size=10)

    return attempt("Its alerts", read) if visit.may(Permission.ALERTS_READ.value) else None


def _chart(visit: Visit, rule: Rule) -> FindingChart:
    counter = visit.request.app.state.finding_counter
    return finding_chart(counter.count(visit.now), rule.id)


def _of_stored(visit: Visit, rule_id: str, event_id: str) -> RuleExplanation:
    if not visit.may(Permission.EVENTS_SEARCH.value):
        raise Refused("Your roles do not let you read stored events; paste one instead.")
    event = stored_event(visit.tocsin.events, event_id)
    if event is None:
        raise Missing(f"No stored event has the id {event_id[:80]}; it may have been deleted.")
    return _explained(visit, rule_id, given_of_stored(event, visit.tocsin.normalizer))


def _explained(visit: Visit, rule_id: str, given: GivenEvent) -> RuleExplanation:
    tocsin = visit.tocsin
    lanes = {lane.id: lane for lane in tocsin.normalizer.lanes}
    found = explain_stored(tocsin.rule_keeper.written, rule_id, given, tocsin.events, lanes)
    if found is None:
        raise Refused("This rule judges measurements of the platform, not events.")
    return found
