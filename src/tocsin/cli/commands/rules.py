"""``tocsin rules``: check, test and list detection rules."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.home.history import decided_on
from tocsin.app.home.shipped import cache_folder, rule_paths
from tocsin.cli.commands.rules_add_pack import add_pack
from tocsin.cli.commands.rules_backtest import run_backtest
from tocsin.cli.commands.rules_coverage import show_coverage
from tocsin.cli.commands.rules_draft import draft_rule_of_search
from tocsin.cli.commands.rules_except import except_from_rule
from tocsin.cli.commands.rules_explain import explain
from tocsin.cli.commands.rules_fields import show_fields
from tocsin.cli.commands.rules_fill import fill_rule
from tocsin.cli.commands.rules_health import show_rule_health
from tocsin.cli.commands.rules_history import revert_rule, settle_rule, show_rule_history
from tocsin.cli.commands.rules_lint import run_lint
from tocsin.cli.commands.rules_looks import show_looks
from tocsin.cli.commands.rules_new import new_rule
from tocsin.cli.commands.rules_packs import list_packs, pin_pack, remove_pack
from tocsin.cli.commands.rules_reload import reload_rules
from tocsin.cli.commands.rules_schedule import schedule_rule
from tocsin.cli.commands.rules_state import set_rule_level, set_rule_state
from tocsin.cli.commands.rules_test import run_rule_tests
from tocsin.cli.commands.rules_update_pack import rollback_pack, update_pack
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, err, fail, item_progress, out, print_json, print_table
from tocsin.detect.reading.eql_import import sigma_from_eql
from tocsin.detect.reading.eql_tokens import EqlRefused
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.overlay import LifeState, Overlay
from tocsin.detect.rules.stateful_rule import CorrelationRule
from tocsin.ingest.sources.health_rules import HEALTH_RULES
from tocsin.model.rule import Rule, RuleKind
from tocsin.model.severity import Level

app = typer.Typer(help="Check, test and list detection rules.", no_args_is_help=True)

Pipelines = Annotated[
    list[Path] | None,
    typer.Option("--pipeline", help="pySigma processing pipeline to apply to rules; repeatable."),
]
Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Rule files or folders (default: those that run).", metavar="[PATH...]"),
]


@app.command("list")
def list_rules(
    paths: Paths = None,
    level: Annotated[Level | None, typer.Option("--level", help="Only this level.")] = None,
    kind: Annotated[RuleKind | None, typer.Option("--kind", help="Only this kind.")] = None,
    text: Annotated[
        str, typer.Option("--text", help="Only titles, ids or tags that hold this.")
    ] = "",
    pipeline: Pipelines = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List rules with their state and level here.

    Files that can't be loaded are told on stderr with their reason when all rules are asked for.
    """
    ruleset = _load(paths, home, config, pipeline)
    decided = {} if paths else decided_on(settings_for(home, config).home)
    built_in = () if paths else HEALTH_RULES
    rules = [_as_decided(rule, decided) for rule in (*ruleset.all_rules(), *built_in)]
    wanted = [
        rule
        for rule in rules
        if (level is None or rule.level is level)
        and (kind is None or rule.kind is kind)
        and text.lower() in f"{rule.title} {rule.id} {' '.join(rule.tags)}".lower()
    ]
    is_narrowed = bool(text or level or kind)
    for problem in () if is_narrowed else ruleset.problems:
        err.print(f"{problem.path}:{problem.line}: {problem.reason}", markup=False)
    if as_json:
        takes = {
            one.rule.id: one.rules for one in ruleset.stateful if isinstance(one, CorrelationRule)
        }
        print_json([_facts(rule, ruleset, takes.get(rule.id, ()), decided) for rule in wanted])
        return
    rows = (
        (
            rule.level.value,
            _state(rule, decided).value,
            rule.kind.value,
            rule.title,
            _logsource(rule),
            " ".join(rule.techniques),
            rule.id,
        )
        for rule in sorted(wanted, key=lambda rule: (-rule.level.rank, rule.title))
    )
    print_table("", ("level", "state", "kind", "title", "log source", "techniques", "id"), rows)
    out.print(
        f"{len(wanted)} rules, {len(ruleset.problems)} files or documents with problems"
        f"{': tocsin rules lint tells them' if is_narrowed and ruleset.problems else ''}",
        markup=False,
    )


def _facts(
    rule: Rule, ruleset: RuleSet, takes: Sequence[str], decided: Mapping[str, Overlay]
) -> dict[str, object]:
    """``rules`` are the ids a correlation takes; ``silent``: its own hits are no findings."""
    match = ruleset.by_id(rule.id)
    return {
        "id": rule.id,
        "title": rule.title,
        "kind": rule.kind,
        "level": rule.level,
        "state": _state(rule, decided),
        "status": rule.status,
        "logsource": rule.logsource,
        "techniques": rule.techniques,
        "tags": rule.tags,
        "references": rule.references,
        "rules": takes,
        "silent": rule.id in ruleset.silent and rule.kind is not RuleKind.NEW_TERMS,
        "filters": match.filters if match else (),
        "path": rule.path,
    }


def _as_decided(rule: Rule, decided: Mapping[str, Overlay]) -> Rule:
    overlay = decided.get(rule.id)
    return replace(rule, level=overlay.level) if overlay and overlay.level else rule


def _state(rule: Rule, decided: Mapping[str, Overlay]) -> LifeState:
    overlay = decided.get(rule.id)
    return overlay.state if overlay else LifeState.ACTIVE


def _logsource(rule: Rule) -> str:
    parts = (rule.logsource.product, rule.logsource.category, rule.logsource.service)
    return "/".join(part for part in parts if part)


app.command("lint")(run_lint)
app.command("new")(new_rule)
app.command("draft")(draft_rule_of_search)
app.command("test")(run_rule_tests)
app.command("state")(set_rule_state)
app.command("level")(set_rule_level)
app.command("schedule")(schedule_rule)
app.command("except")(except_from_rule)
app.command("history")(show_rule_history)
app.command("revert")(revert_rule)
app.command("settle")(settle_rule)
app.command("backtest")(run_backtest)
app.command("looks")(show_looks)
app.command("fill")(fill_rule)
app.command("explain")(explain)
app.command("add-pack")(add_pack)
app.command("update-pack")(update_pack)
app.command("rollback-pack")(rollback_pack)
app.command("packs")(list_packs)
app.command("pin")(pin_pack)
app.command("remove-pack")(remove_pack)
app.command("coverage")(show_coverage)
app.command("health")(show_rule_health)
app.command("fields")(show_fields)
app.command("reload")(reload_rules)


def _where(paths: list[Path] | None, home: Path | None, config: Path | None) -> list[Path]:
    for path in paths or []:
        if not path.exists():
            fail(f"{path}: no such file or folder; give Sigma rule files", Exit.BAD_CONFIGURATION)
    return paths or rule_paths(settings_for(home, config))


def _pipelines(pipelines: list[Path] | None) -> list[Path]:
    for path in pipelines or []:
        if not path.is_file():
            fail(f"{path}: no such file; give a processing pipeline", Exit.BAD_CONFIGURATION)
    return pipelines or []


def _load(
    paths: list[Path] | None,
    home: Path | None,
    config: Path | None,
    pipelines: list[Path] | None = None,
) -> RuleSet:
    with item_progress() as progress:
        task = progress.add_task("loading rules", total=None)
        return load_rules(
            _where(paths, home, config),
            cache=cache_folder() / "rules",
            pipelines=_pipelines(pipelines),
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


@app.command("import-eql")
def import_eql(
    query: Annotated[str, typer.Argument(help="A file with an EQL query, or the query itself.")],
    title: Annotated[str, typer.Option("--title", help="Title of the rule.")] = "Imported from EQL",
    product: Annotated[
        str, typer.Option("--product", help="Product of the log source, such as windows.")
    ] = "",
    level: Annotated[Level, typer.Option("--level", help="Level of the rule.")] = Level.MEDIUM,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Rule file to write; default: print.")
    ] = None,
) -> None:
    """Turn an EQL query or sequence into Sigma rules; what can't be carried over is refused."""
    file = Path(query)
    given = file.read_text(encoding="utf-8") if len(query) < 4096 and file.is_file() else query
    try:
        rules = sigma_from_eql(given, title=title, product=product, level=level)
    except EqlRefused as error:
        fail(f"the query is refused: {error}", Exit.BAD_CONTENT)
    if output is None:
        out.print(rules, markup=False, highlight=False, soft_wrap=True, end="")
        return
    try:
        with output.open("x", encoding="utf-8") as written:
            written.write(rules)
    except OSError as error:
        fail(f"{output} can't be written: {error}", Exit.BAD_CONFIGURATION)
    err.print(f"written to {output}: tell what is wrong with tocsin rules lint", markup=False)
