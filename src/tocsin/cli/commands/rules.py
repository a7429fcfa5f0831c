"""``tocsin rules``: check, test and list detection rules."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.shipped import cache_folder, rule_paths
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, err, fail, item_progress, out, print_json, print_table
from tocsin.detect.lint import lint as lint_paths
from tocsin.detect.rule_tests import run_tests
from tocsin.detect.ruleset import RuleSet, load_rules
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

app = typer.Typer(help="Check, test and list detection rules.", no_args_is_help=True)

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Rule files or folders (default: those that run).", metavar="[PATH...]"),
]


@app.command("list")
def list_rules(
    paths: Paths = None,
    level: Annotated[Level | None, typer.Option("--level", help="Only this level.")] = None,
    text: Annotated[
        str, typer.Option("--text", help="Only titles, ids or tags that hold this.")
    ] = "",
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List rules; files that can't be loaded are told on stderr with their reason."""
    ruleset = _load(paths, home, config)
    wanted = [
        loaded.rule
        for loaded in ruleset.rules
        if (level is None or loaded.rule.level is level)
        and text.lower()
        in f"{loaded.rule.title} {loaded.rule.id} {' '.join(loaded.rule.tags)}".lower()
    ]
    for problem in ruleset.problems:
        err.print(f"{problem.path}:{problem.line}: {problem.reason}", markup=False)
    if as_json:
        print_json([_facts(rule) for rule in wanted])
        return
    rows = (
        (
            rule.level.value,
            rule.title,
            _logsource(rule),
            " ".join(rule.techniques),
            rule.id,
        )
        for rule in sorted(wanted, key=lambda rule: (-rule.level.rank, rule.title))
    )
    print_table("", ("level", "title", "log source", "techniques", "id"), rows)
    out.print(
        f"{len(wanted)} rules, {len(ruleset.problems)} files or documents not loaded", markup=False
    )


def _facts(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "title": rule.title,
        "level": rule.level,
        "status": rule.status,
        "logsource": rule.logsource,
        "techniques": rule.techniques,
        "tags": rule.tags,
        "path": rule.path,
    }


def _logsource(rule: Rule) -> str:
    parts = (rule.logsource.product, rule.logsource.category, rule.logsource.service)
    return "/".join(part for part in parts if part)


@app.command("lint")
def lint_rules(
    paths: Paths = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check rule files: each fault with file, line and reason. Exit code 2 when there are any."""
    problems = lint_paths(_where(paths, home, config))
    if as_json:
        print_json(problems)
    else:
        for problem in problems:
            out.print(f"{problem.path}:{problem.line}: {problem.reason}", markup=False)
        out.print(f"{len(problems)} problems", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if problems else Exit.DONE)


@app.command("test")
def run_rule_tests(
    paths: Paths = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the tests that rules carry, on the production engine. Exit code 2 when one fails."""
    ruleset = _load(paths, home, config)
    results = run_tests(ruleset)
    failed = [result for result in results if not result.passed]
    if as_json:
        print_json(
            {
                "results": [
                    {
                        "rule_id": result.rule.id,
                        "rule_title": result.rule.title,
                        "test": result.name,
                        "passed": result.passed,
                        "reason": result.reason,
                    }
                    for result in results
                ],
                "problems": ruleset.problems,
            }
        )
    else:
        for result in failed:
            out.print(
                f"FAILED {result.rule.path}:{result.line}: {result.rule.title}: {result.name}: {result.reason}",
                markup=False,
            )
        for problem in ruleset.problems:
            out.print(f"NOT LOADED {problem.path}:{problem.line}: {problem.reason}", markup=False)
        tested = {result.rule.id for result in results}
        out.print(
            f"{len(results) - len(failed)} passed, {len(failed)} failed; "
            f"{len(tested)} of {len(ruleset.rules)} rules have tests",
            markup=False,
        )
    raise typer.Exit(Exit.BAD_CONTENT if failed or ruleset.problems else Exit.DONE)


def _where(paths: list[Path] | None, home: Path | None, config: Path | None) -> list[Path]:
    for path in paths or []:
        if not path.exists():
            fail(f"{path}: no such file or folder; give Sigma rule files", Exit.BAD_CONFIGURATION)
    return paths or rule_paths(settings_for(home, config))


def _load(paths: list[Path] | None, home: Path | None, config: Path | None) -> RuleSet:
    with item_progress() as progress:
        task = progress.add_task("loading rules", total=None)
        return load_rules(
            _where(paths, home, config),
            cache=cache_folder() / "rules",
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
