"""What a hunt says on stderr: problems of rules before it, the summary after it."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from tocsin.app.hunts.hunt_summary import HuntSummary
from tocsin.cli.output import err, plain
from tocsin.detect.hunt import iso_time
from tocsin.detect.reading.ruleset import RuleSet

_SHOWN = 10


def print_problems(ruleset: RuleSet) -> None:
    """Rules that could not be loaded: the first ones with place and reason."""
    for problem in ruleset.problems[:_SHOWN]:
        place = f"{problem.path}:{problem.line}" if problem.line else problem.path
        _say(f"rule not loaded: {place}: {problem.reason}")
    _say_rest(len(ruleset.problems), "rules that could not be loaded")


def print_summary(summary: HuntSummary) -> None:
    """Totals by level, tactic, technique and host; what was not looked at; how fast it went."""
    for trouble in summary.troubles[:_SHOWN]:
        record = f": record {trouble.ordinal}" if trouble.ordinal else ""
        _say(f"unreadable: {trouble.file}{record}: {trouble.reason}")
    unreadable = sum(summary.unreadable.values())
    _say_rest(unreadable, f"unreadable, in {len(summary.unreadable)} files")
    if summary.hits:
        _totals(summary)
    if summary.unasked:
        named = ", ".join(f"{lane} ({count:,})" for lane, count in summary.unasked.most_common(8))
        more = f" and {len(summary.unasked) - 8} more" if len(summary.unasked) > 8 else ""
        _say(f"no rule asks for: {named}{more}")
    for rule_id, count in summary.forgotten.items():
        _say(f"rule {rule_id} could not keep {count:,} events in memory: its hits may be too few")
    if summary.is_interrupted:
        _say("interrupted: what follows is of the part that was hunted through")
    stateful = len(summary.ruleset.stateful)
    _say(
        f"{summary.records:,} records of {summary.files:,} files, {unreadable:,} unreadable; "
        f"{len(summary.ruleset.rules):,} rules"
        + (f" and {stateful:,} over several events" if stateful else "")
        + f" ({len(summary.ruleset.problems):,} could not be loaded), {summary.hits:,} hits"
    )
    elapsed = summary.elapsed_s or 1e-9
    _say(
        f"{summary.elapsed_s:.1f} s, {summary.records / elapsed:,.0f} events/s, "
        f"{summary.read_bytes / 1e6 / elapsed:,.1f} MB/s, "
        f"{summary.jobs} process{'es' if summary.jobs > 1 else ''}"
    )


def _totals(summary: HuntSummary) -> None:
    first = min(count.first_us for count in summary.by_rule.values())
    last = max(count.last_us for count in summary.by_rule.values())
    table = Table(
        title=f"{summary.hits:,} hits from {iso_time(first)} to {iso_time(last)}",
        title_justify="left",
        header_style="bold",
    )
    columns: dict[str, Mapping[str, int]] = {
        "level": summary.by_level(),
        "ATT&CK tactic": summary.by_tactic(),
        "technique": summary.by_technique(),
        "host": dict(summary.by_host.most_common()),
    }
    shown = {name: _most(counts) for name, counts in columns.items()}
    for name in shown:
        table.add_column(name, overflow="fold")
    for at in range(max(map(len, shown.values()))):
        table.add_row(*(Text(lines[at] if at < len(lines) else "") for lines in shown.values()))
    err.print(table)


def _most(counts: Mapping[str, int]) -> list[str]:
    lines = [f"{plain(name)}  {count:,}" for name, count in list(counts.items())[:_SHOWN]]
    return [*lines, f"{len(counts) - _SHOWN} more"] if len(counts) > _SHOWN else lines


def _say_rest(count: int, what: str) -> None:
    if count > _SHOWN:
        _say(f"… {count:,} {what} in all")


def _say(text: str) -> None:
    err.print(plain(text), markup=False, soft_wrap=True)
