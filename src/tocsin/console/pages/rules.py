"""Rules: what is looked for, whether each can match and what it found, and files with problems."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.explaining.finding_days import FindingCounter
from tocsin.console.paging import page_of
from tocsin.console.panes import attempt
from tocsin.console.rule_list import (
    FILTERS,
    RulesState,
    in_order,
    problem_has,
)
from tocsin.console.rule_row import (
    RuleRow,
    health_counts,
    origin_counts,
    state_counts,
    with_findings,
)
from tocsin.console.rule_view import every_row
from tocsin.console.visit import Needs, Visit
from tocsin.model.principal import Permission
from tocsin.model.severity import Level

router = APIRouter(prefix="/rules")
Reader = Annotated[Visit, Depends(Needs(Permission.RULES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]


@router.get("")
def rules(visit: Reader, query: Annotated[RulesState, Depends()]) -> Response:
    """The first rows at once; findings are fetched after them when they have to be counted."""
    counter = finding_counter(visit)
    if query.order[0] == "findings" and counter.known().as_of is None:
        attempt("The count of findings", lambda: counter.count(visit.now))
    everything, health_error = every_row(visit.tocsin)
    found = _found(everything, query, counter)
    problems = list(visit.tocsin.ruleset.problems)
    wanted = query.q.lower().split()
    broken = [problem for problem in problems if problem_has(problem, wanted)]
    page = page_of(found, query.cursor)
    rows = [row.rule for row in everything]
    return visit.page(
        "rules.html",
        query=query,
        health_error=health_error,
        page=page,
        rows=[with_findings(row, counter.known()) for row in page.items],
        problems=page_of(broken, query.cursor),
        rule_count=len(everything),
        unable_count=sum(row.runs and not row.can_match for row in everything),
        problem_count=len(problems),
        products=sorted({rule.logsource.product or "any" for rule in rows}),
        levels=list(reversed(Level)),
        kinds=sorted({rule.kind for rule in rows}),
        healths=health_counts(everything),
        states=state_counts(everything),
        origins=origin_counts(everything),
        hidden={name: getattr(query, name) for name in FILTERS},
        silent=visit.tocsin.ruleset.silent,
        is_counting=not counter.is_fresh(visit.now),
    )


@router.get("/findings")
def findings(visit: Reader, query: Annotated[RulesState, Depends()]) -> Response:
    """The pictures for the rows that this address shows."""
    counter = finding_counter(visit)
    before = _found(every_row(visit.tocsin)[0], query, counter)
    counted = attempt("The count of findings", lambda: counter.count(visit.now))
    shown = page_of(before, query.cursor).items
    return visit.page(
        "rule_findings.html",
        error=counted.error,
        rows=[with_findings(row, counter.known()) for row in shown],
    )


@router.post("/reload")
def reload(visit: Writer) -> Response:
    """Take up what has changed in the rule folders at once."""
    told = visit.tocsin.rule_keeper.reload(visit.principal.name, visit.now)
    kind = "bad" if told.problems else "good"
    return visit.done(f"Rules read again: {told.in_words()}.", to="/rules", kind=kind)


def finding_counter(visit: Visit) -> FindingCounter:
    found: FindingCounter = visit.request.app.state.finding_counter
    return found


def _found(rows: list[RuleRow], query: RulesState, counter: FindingCounter) -> list[RuleRow]:
    return in_order(query.chosen(rows), query, counter.known())
