"""``tocsin admin retention``: how long events are kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer

from tocsin.app.storage.retention import Due
from tocsin.app.storage.retention_book import RetentionError, in_words
from tocsin.app.storage.storage_answers import due_json, retention_json
from tocsin.app.storage.storage_desk import StorageDesk, open_storage
from tocsin.cli.commands.admin_storage import size
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import fail, out, print_json, print_table
from tocsin.model.retention import CountedFrom, RetentionRule

BY = "cli"
_GB = 1e9
app = typer.Typer(help="How long events are kept.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="What the rule is called by.")]
Yes = Annotated[bool, typer.Option("--yes", help="Delete what the preview says; do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")]


@app.command("list")
def list_rules(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """The rules in force, how it goes, and what is due."""
    with _desk(home, config) as desk:
        now = datetime.now(UTC)
        rules, state, due = desk.retention.book.rules(), desk.retention.state(), None
        if as_json:
            print_json(retention_json(desk.retention, now))
            return
        due = desk.retention.due(now)
    print_table(
        f"{len(rules)} rules; what none covers is kept for ever",
        ("name", "says", "set by", "at"),
        (
            (one.name, in_words(one), one.changed_by or "configuration", one.changed_at)
            for one in rules
        ),
    )
    if state.stopped_because:
        out.print(f"STOPPED since {state.stopped_at}: {state.stopped_because}", markup=False)
    _show(due, "due to go")


@app.command("set")
def set_rule(
    name: Name,
    source: Annotated[str, typer.Option("--source", help="Sources it covers; *, ?, […].")] = "*",
    tenant: Annotated[str, typer.Option("--tenant", help="Only of this tenant.")] = "",
    days: Annotated[float | None, typer.Option("--days", help="Age at which events go.")] = None,
    most_gb: Annotated[
        float | None, typer.Option("--most-gb", help="Size at which the oldest go.")
    ] = None,
    least_free_gb: Annotated[
        float | None,
        typer.Option("--least-free-gb", help="What the disk keeps free, at the least."),
    ] = None,
    counted_from: Annotated[
        CountedFrom, typer.Option("--counted-from", help="What an age counts from.")
    ] = CountedFrom.INTAKE,
    yes: Yes = False,
    dry_run: DryRun = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a rule in force, in the place of one of its name; without a bound it keeps for ever.

    Says first what would go. A running server goes by it at its next look.
    """
    rule = RetentionRule(
        *(name, source, tenant, days),
        most_bytes=None if most_gb is None else round(most_gb * _GB),
        least_free_bytes=None if least_free_gb is None else round(least_free_gb * _GB),
        counted_from=counted_from,
    )
    with _desk(home, config) as desk:
        now = datetime.now(UTC)
        due = desk.retention.due(now, desk.retention.book.with_rule(rule))
        if _decided(due, yes=yes, dry_run=dry_run, as_json=as_json):
            desk.retention.put(rule, by=BY, now=now, seen_events=due.events)
            _told(due, f"in force: {in_words(rule)}", as_json)


@app.command("remove")
def remove_rule(
    name: Name,
    yes: Yes = False,
    dry_run: DryRun = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a rule out of force that was set at run time; says first what would go."""
    with _desk(home, config) as desk:
        now = datetime.now(UTC)
        due = desk.retention.due(now, desk.retention.book.without_rule(name))
        if _decided(due, yes=yes, dry_run=dry_run, as_json=as_json):
            desk.retention.remove(name, by=BY, now=now, seen_events=due.events)
            _told(due, f"removed: {name}", as_json)


@app.command("go-on")
def go_on(
    yes: Yes = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let what is due go although deleting had stopped: for a day, so many events."""
    with _desk(home, config) as desk:
        now = datetime.now(UTC)
        due = desk.retention.due(now)
        if _decided(due, yes=yes, dry_run=False, as_json=as_json):
            desk.retention.go_on(by=BY, now=now, seen_events=due.events)
            _told(due, "deleting goes on at the next look", as_json)


@contextmanager
def _desk(home: HomeOption, config: ConfigOption) -> Iterator[StorageDesk]:
    """What is refused ends the command."""
    with open_storage(settings_for(home, config)) as desk:
        try:
            yield desk
        except RetentionError as error:
            fail(str(error))


def _decided(due: Due, *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """True when it is to be carried out: nothing goes by it, or someone has said yes."""
    if dry_run and as_json:
        print_json(due_json(due))
    elif not as_json:
        _show(due, "would go")
    if dry_run:
        return False
    if not due.events or yes:
        return True
    if as_json:
        fail(f"{due.events:,} events would go: look with --dry-run, then give --yes")
    typer.confirm(f"Delete {due.events:,} events?", abort=True)
    return True


def _told(due: Due, text: str, as_json: bool) -> None:
    if as_json:
        print_json(due_json(due))
    else:
        out.print(text, markup=False)


def _show(due: Due, what: str) -> None:
    if not due.events:
        out.print(f"nothing {what}", markup=False)
        return
    print_table(
        f"{what}: {due.events:,} events, {size(due.size_bytes)}, {due.share:.0%} of all",
        ("source", "tenant", "rule", "events", "size", "taken in from", "to"),
        (
            (
                *(one["source"], one["tenant"], one["rule"], f"{one['events']:,}"),
                *(size(one["size_bytes"]), one["first"], one["last"]),
            )
            for one in due_json(due)["sources"]
        ),
    )
    if due.asks:
        out.print(f"this needs someone's word: {due.asks}", markup=False)
