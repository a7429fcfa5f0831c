"""``tocsin rules test``: the tests that rules carry and Sigma's regression suites."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.coverage.regression_suites import run_suites
from tocsin.app.home.shipped import cache_folder, open_normalizer, rule_paths
from tocsin.cli.junit import junit
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, fail, item_progress, out, print_json, print_table
from tocsin.detect.authoring.rule_tests import RuleTestResult, run_tests
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.model.rule import Rule


def run_rule_tests(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Rule files or folders (default: those that run).", metavar="[PATH...]"
        ),
    ] = None,
    samples: Annotated[
        list[Path] | None,
        typer.Option(
            "--samples",
            help="Folder that regression_tests_path and the samples it names are relative to"
            " (default: any folder above the rule).",
        ),
    ] = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="Also write the results to this file as JUnit.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the tests that rules carry, on the production engine, and Sigma's regression suites.

    Exit code 1 when a test fails, 2 when a rule can't be loaded.
    """
    for path in [*(paths or []), *(samples or [])]:
        if not path.exists():
            fail(f"{path}: no such file or folder", Exit.BAD_CONFIGURATION)
    ruleset = _loaded(paths or rule_paths(settings_for(home, config)))
    results = run_tests(ruleset)
    if any("regression_tests_path" in rule.source_text for rule in ruleset.all_rules()):
        results += run_suites(
            ruleset, open_normalizer(settings_for(home, config).home), samples or []
        )
    if junit_file is not None:
        try:
            junit_file.write_bytes(junit(results, ruleset.problems))
        except OSError as error:
            fail(f"{junit_file}: can't be written: {error.strerror}", Exit.BAD_CONFIGURATION)
    if as_json:
        print_json({"results": [_facts(one) for one in results], "problems": ruleset.problems})
    else:
        _show(ruleset, results)
    if not all(result.passed for result in results):
        raise typer.Exit(Exit.FINDINGS)
    raise typer.Exit(Exit.BAD_CONTENT if ruleset.problems else Exit.DONE)


def _loaded(paths: Sequence[Path]) -> RuleSet:
    with item_progress() as progress:
        task = progress.add_task("loading rules", total=None)
        return load_rules(
            paths,
            cache=cache_folder() / "rules",
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _facts(result: RuleTestResult) -> dict[str, object]:
    return {
        "rule_id": result.rule.id,
        "rule_title": result.rule.title,
        "path": result.rule.path,
        "line": result.line,
        "test": result.name,
        "passed": result.passed,
        "reason": result.reason,
    }


def _show(ruleset: RuleSet, results: Sequence[RuleTestResult]) -> None:
    by_rule: dict[str, list[RuleTestResult]] = defaultdict(list)
    rules: dict[str, Rule] = {}
    for result in results:
        by_rule[result.rule.id].append(result)
        rules[result.rule.id] = result.rule
    rows = (
        (
            rules[rule_id].title,
            rules[rule_id].kind.value,
            sum(one.passed for one in of),
            sum(not one.passed for one in of) or "",
        )
        for rule_id, of in by_rule.items()
    )
    if results:
        print_table("", ("rule", "kind", "passed", "failed"), rows)
    for one in results:
        if not one.passed:
            place = f"{one.rule.path}:{one.line}"
            out.print(
                f"FAILED {place}: {one.rule.title}: {one.name}: {one.reason}",
                markup=False,
                soft_wrap=True,
            )
    for problem in ruleset.problems:
        out.print(
            f"NOT LOADED {problem.path}:{problem.line}: {problem.reason}",
            markup=False,
            soft_wrap=True,
        )
    passed = sum(result.passed for result in results)
    out.print(
        f"{passed} passed, {len(results) - passed} failed; "
        f"{len(by_rule)} of {len(ruleset.all_rules())} rules have tests",
        markup=False,
    )
