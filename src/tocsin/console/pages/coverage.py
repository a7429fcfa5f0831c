"""Coverage: which ATT&CK techniques the rules can find, how surely, and where the gaps are."""

from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.coverage.attack_prevalence import attack_figures
from tocsin.app.coverage.house_coverage import house_coverage
from tocsin.app.coverage.navigator_layer import navigator_layers
from tocsin.console.coverage_view import STRENGTHS, columns_of, strength_of
from tocsin.console.panes import attempt
from tocsin.console.rule_row import RuleRow
from tocsin.console.rule_view import every_row
from tocsin.console.visit import Needs, Visit, with_query
from tocsin.model.principal import Permission

router = APIRouter(prefix="/coverage")
Reader = Annotated[Visit, Depends(Needs(Permission.RULES_READ))]
DAYS = (7, 30, 90, 365)


@dataclass(frozen=True, slots=True)
class CoverageState:
    """What the address holds: a technique opens its rules beside the map."""

    tab: str = ""
    strength: str = ""
    technique: str = ""
    days: int = 30

    def address(self, **changes: object) -> str:
        query: dict[str, object] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        query |= changes
        return with_query("/coverage", {**query, "days": query["days"] if self.days != 30 else ""})

    @property
    def span(self) -> int:
        """How many days back alerts count."""
        return min(max(self.days, 1), 3650)


@router.get("")
def coverage(visit: Reader, query: Annotated[CoverageState, Depends()]) -> Response:
    found = attempt("The coverage", lambda: house_coverage(visit.tocsin, query.span, visit.now))
    techniques = found.value.techniques if found.value else ()
    panel: dict[str, Any] = {
        "query": query,
        "opened": attempt("Its rules", lambda: _opened(visit, query)) if query.technique else None,
        "chosen": next((one for one in techniques if one.technique == query.technique), None),
    }
    if visit.asks_for("panel"):
        return visit.page("coverage_panel_part.html", **panel)
    shown = [one for one in techniques if query.strength in ("", strength_of(one))]
    counts = {name: sum(strength_of(one) == name for one in techniques) for name in STRENGTHS}
    return visit.page(
        "coverage.html",
        **panel,
        coverage=found,
        columns=columns_of(shown),
        strengths=STRENGTHS,
        counts=counts,
        total=len(techniques),
        day_choices=DAYS,
        figures=attack_figures(),
    )


@router.get("/navigator.json")
def navigator(visit: Reader, query: Annotated[CoverageState, Depends()]) -> Response:
    """The layers as one file that the ATT&CK Navigator opens."""
    found = house_coverage(visit.tocsin, query.span, visit.now)
    return Response(
        orjson.dumps(navigator_layers(found.techniques, query.span), option=orjson.OPT_INDENT_2),
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="tocsin-attack-layers.json"'},
    )


def _opened(visit: Visit, query: CoverageState) -> list[RuleRow]:
    """The rules of a technique: those that can match first."""
    rows = [row for row in every_row(visit.tocsin)[0] if query.technique in row.rule.techniques]
    return sorted(rows, key=lambda row: (not row.runs, not row.can_match, -row.rule.level.rank))
