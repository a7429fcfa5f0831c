"""``tocsin rules lint``: faults of rule files by file, line and column; safe ones repaired."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.home.shipped import rule_paths
from tocsin.app.plain import as_json as plain_json
from tocsin.cli.junit import lint_junit
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, err, fail, out, print_json
from tocsin.detect.authoring.derived_tests import not_derivable, run_derived
from tocsin.detect.authoring.lint import lint as lint_paths
from tocsin.detect.authoring.lint_fixing import fix_text
from tocsin.detect.authoring.rule_tests import run_tests
from tocsin.detect.reading.ruleset import RuleSet, load_rules, rule_files
from tocsin.model.rule import RuleProblem


def run_lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Rule files or folders (default: those that run).", metavar="[PATH...]"
        ),
    ] = None,
    tests: Annotated[
        bool, typer.Option("--tests", help="Tell rules without tests, whoever wrote them.")
    ] = False,
    pipeline: Annotated[
        list[Path] | None,
        typer.Option(
            "--pipeline", help="pySigma processing pipeline to apply to rules; repeatable."
        ),
    ] = None,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="Repair what can't change what a rule finds, and show the diff."
        ),
    ] = False,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="Also write the faults to this file as JUnit.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check rule files: each fault with file, line and reason. Exit code 2 when there are any.

    The tests that rules carry are run, and those that follow from them: an event without a field
    the rule needs, a correlation's events out of order. Where none follows, one is asked for, as a
    warning.

    --fix puts in missing ids and dates and writes tags, level and status as Sigma asks.
    """
    for path in [*(paths or []), *(pipeline or [])]:
        if not path.exists():
            fail(f"{path}: no such file or folder", Exit.BAD_CONFIGURATION)
    if fix and not paths:
        fail("--fix needs the files or folders it may change", Exit.BAD_CONFIGURATION)
    where = paths or rule_paths(settings_for(home, config))
    fixed = _fix(where, show=not as_json) if fix else []
    loaded = load_rules(where, pipelines=pipeline or [])
    problems = lint_paths(where, pipelines=pipeline or [], tests=tests, loaded=loaded)
    problems += _failing(loaded)
    warnings = not_derivable(loaded)
    if junit_file is not None:
        try:
            junit_file.write_bytes(lint_junit(rule_files(where)[0], problems))
        except OSError as error:
            fail(f"{junit_file}: can't be written: {error.strerror}", Exit.BAD_CONFIGURATION)
    if as_json:
        print_json([*_told(problems, "error"), *_told(warnings, "warning")])
    else:
        _print(problems, warnings, f", {len(fixed)} repaired" if fix else "")
    raise typer.Exit(Exit.BAD_CONTENT if problems else Exit.DONE)


def _print(problems: Sequence[RuleProblem], warnings: Sequence[RuleProblem], repaired: str) -> None:
    for marked, found in (("", problems), ("warning: ", warnings)):
        for one, column in zip(found, _columns(found), strict=True):
            told = f"{one.path}:{one.line}:{column}: {marked}{one.reason}"
            out.print(told, markup=False, soft_wrap=True)
    more = f", {len(warnings)} warnings" if warnings else ""
    out.print(f"{len(problems)} problems{more}{repaired}", markup=False)


def _failing(loaded: RuleSet) -> list[RuleProblem]:
    """The tests that fail, as faults of their rules' files."""
    results = [*run_tests(loaded), *run_derived(loaded)]
    return [
        RuleProblem(
            one.rule.path,
            f"test {one.name!r} fails: {one.reason}",
            one.line,
            one.rule.id,
            one.rule.title,
        )
        for one in results
        if not one.passed
    ]


def _told(problems: Sequence[RuleProblem], severity: str) -> list[dict[str, Any]]:
    return [
        {**plain_json(one), "column": column, "severity": severity}
        for one, column in zip(problems, _columns(problems), strict=True)
    ]


def _fix(where: Sequence[Path], *, show: bool) -> list[str]:
    """Repair the files in place; what was done. The diff goes to stdout, the list to stderr."""
    done = []
    for path in rule_files(where)[0]:
        try:
            text = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # told by the check
        fixed = fix_text(text, datetime.now(UTC).date(), lambda: str(uuid.uuid4()))
        if not fixed.done:
            continue
        try:
            path.write_bytes(fixed.after.encode("utf-8"))
        except OSError as error:
            fail(f"{path} can't be written: {error.strerror}", Exit.BAD_CONFIGURATION)
        if show:
            out.print(fixed.diff(str(path)), markup=False, soft_wrap=True, end="")
        for line, what in fixed.done:
            err.print(f"{path}:{line}: {what}", markup=False, soft_wrap=True)
            done.append(what)
    return done


def _columns(problems: Sequence[RuleProblem]) -> list[int]:
    """Where on its line each problem's key or member begins, from 1; 0 when unknown."""
    texts: dict[str, list[str]] = {}
    columns = []
    for one in problems:
        if one.path not in texts:
            try:
                texts[one.path] = Path(one.path).read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError):
                texts[one.path] = []
        lines = texts[one.path]
        line = lines[one.line - 1] if 0 < one.line <= len(lines) else ""
        columns.append(len(line) - len(line.lstrip(" -")) + 1 if line.strip() else 0)
    return columns
