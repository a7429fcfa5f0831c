"""Rules: what is looked for, the text of each rule, and the files that can't be used with why."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.rule_facts import rule_facts
from tocsin.console.choosing import choice
from tocsin.console.highlight import yaml_lines
from tocsin.console.panes import attempt
from tocsin.console.visit import Missing, Needs, Visit, with_query
from tocsin.model.alert import Alert
from tocsin.model.page import Page
from tocsin.model.principal import Permission
from tocsin.model.rule import Rule, RuleKind, RuleProblem
from tocsin.model.severity import Level
from tocsin.triage.attack import tactics_of

router = APIRouter(prefix="/rules")
Reader = Annotated[Visit, Depends(Needs(Permission.RULES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
PAGE_ROWS = 100


@dataclass(frozen=True, slots=True)
class RulesState:
    """What the address of the list holds; ``start`` is the place of the first row shown."""

    q: str = ""
    level: str = ""
    product: str = ""
    tactic: str = ""
    kind: str = ""
    start: int = 0
    tab: str = "rules"

    def address(self, **changes: object) -> str:
        query: dict[str, object] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        query |= changes
        if query["tab"] == "rules":
            query["tab"] = ""
        return with_query("/rules", {**query, "start": query["start"] or ""})

    def accepts(self, rule: Rule) -> bool:
        """True when the rule meets every part that is set."""
        level = choice(Level, self.level)
        kind = choice(RuleKind, self.kind)
        text = f"{rule.title} {rule.id} {' '.join(rule.tags)} {' '.join(rule.techniques)}".lower()
        return (
            (level is None or rule.level is level)
            and (not self.product or (rule.logsource.product or "any") == self.product)
            and (kind is None or rule.kind is kind)
            and (not self.tactic or self.tactic in tactics_of(rule.tags))
            and all(word in text for word in self.q.lower().split())
        )


@router.get("")
def rules(visit: Reader, query: Annotated[RulesState, Depends()]) -> Response:
    everything = visit.tocsin.rules()
    problems = list(visit.tocsin.ruleset.problems)
    found = sorted(
        (rule for rule in everything if query.accepts(rule)),
        key=lambda rule: (-rule.level.rank, rule.title.lower(), rule.id),
    )
    wanted = query.q.lower().split()
    broken = [problem for problem in problems if _names(problem, wanted)]
    start = max(0, query.start)
    items = broken if query.tab == "problems" else found
    return visit.page(
        "rules.html",
        query=query,
        rules=found[start : start + PAGE_ROWS],
        problems=broken[start : start + PAGE_ROWS],
        total=len(items),
        rule_count=len(everything),
        problem_count=len(problems),
        products=sorted({rule.logsource.product or "any" for rule in everything}),
        levels=list(reversed(Level)),
        kinds=[kind for kind in RuleKind if any(rule.kind is kind for rule in everything)],
        silent=visit.tocsin.ruleset.silent,
        next_address=query.address(start=start + PAGE_ROWS)
        if start + PAGE_ROWS < len(items)
        else "",
        first_address=query.address(start=0) if start else "",
    )


@router.post("/reload")
def reload(visit: Writer) -> Response:
    """Take up what has changed in the rule folders at once."""
    told = visit.tocsin.rule_keeper.reload(visit.principal.name, visit.now)
    kind = "bad" if told.problems else "good"
    return visit.done(f"Rules read again: {told.in_words()}.", to="/rules", kind=kind)


@router.get("/{rule_id:path}")
def rule(visit: Reader, rule_id: str) -> Response:
    tocsin = visit.tocsin
    found = tocsin.rule(rule_id)
    if found is None:
        raise Missing(
            f"No loaded rule has the id {rule_id[:80]}; it may be among the problems, or was removed."
        )

    def read() -> Page[Alert]:
        with tocsin.state.read() as tx:
            return tocsin.alerts.page(tx, rule_id=rule_id, size=10)

    return visit.page(
        "rule.html",
        rule=found,
        short_path="/".join(PurePath(found.path).parts[-2:]),
        lines=yaml_lines(found.source_text),
        facts=rule_facts(tocsin.ruleset, tocsin.correlator, rule_id),
        alerts=attempt("Its alerts", read) if visit.may(Permission.ALERTS_READ.value) else None,
    )


def _names(problem: RuleProblem, words: list[str]) -> bool:
    text = f"{problem.path} {problem.title} {problem.reason} {problem.rule_id}".lower()
    return all(word in text for word in words)
