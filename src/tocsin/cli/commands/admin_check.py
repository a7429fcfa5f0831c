"""``tocsin admin check``: read everything that is kept, and say what of it is damaged."""

from contextlib import ExitStack
from typing import Annotated

import typer

from tocsin.app.backups.giving_up import GivingUp
from tocsin.app.backups.integrity import Damaged, Integrity, check_integrity
from tocsin.app.backups.integrity_ledger import note_check
from tocsin.app.home.backup_place import open_vault
from tocsin.app.home.cold_place import cold_vault
from tocsin.app.home.stores import has_state, open_state
from tocsin.app.settings.config_errors import ConfigError
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, byte_progress, err, fail, out, print_json, print_table


def check(
    quarantine: Annotated[
        bool,
        typer.Option(
            "--quarantine", help="Set damaged segments aside: searches no longer try them."
        ),
    ] = False,
    mend_from: Annotated[
        str | None,
        typer.Option("--mend-from", help="Put what is damaged back from the backups there."),
    ] = None,
    given_up: Annotated[
        list[str] | None,
        typer.Option(
            "--give-up",
            help="A segment that is lost, by its path or id, or 'all': it is missed no more.",
        ),
    ] = None,
    because: Annotated[str, typer.Option("--because", help="Why it is given up.")] = "",
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every segment, blob and database against what was written; a server may be running.

    Damaged segments are named with the events, times and sources that are missing. Exit code 2
    when something is damaged still.
    """
    if given_up and not because.strip():
        fail(
            "say why it is given up, with --because: the audit log keeps it", Exit.BAD_CONFIGURATION
        )
    giving_up = GivingUp(frozenset(given_up), because.strip()) if given_up else None
    settings = settings_for(home, config)
    if not has_state(settings.home):
        raise ConfigError(f"{settings.home}: no data folder here; give one with --home")
    with ExitStack() as stack:
        state = open_state(settings.home)
        stack.callback(state.close)
        backup = stack.enter_context(open_vault(mend_from, settings.backup)) if mend_from else None
        progress = stack.enter_context(byte_progress())
        task = progress.add_task("checking", total=None)
        found = check_integrity(
            *(settings.home, state),
            quarantine=quarantine,
            backup=backup,
            giving_up=giving_up,
            cold=stack.enter_context(cold_vault(settings.home)),
            on_progress=lambda what, done, total: progress.update(
                task, description=what, completed=done, total=total
            ),
        )
    note_check(settings.home, found)
    if given_up and not any(one.given_up for one in found.damaged):
        err.print("nothing was given up: no damaged segment is named so", markup=False)
    if as_json:
        print_json({**found.as_json(), "events_lost": found.events_lost})
    else:
        _tell(found)
    raise typer.Exit(Exit.BAD_CONTENT if found.left else Exit.DONE)


def _tell(found: Integrity) -> None:
    out.print(
        f"{found.segments:,} segments with {found.events:,} events, {found.blobs:,} blobs, "
        f"{found.size_bytes / 1e6:,.1f} MB read: {_verdict(found)}",
        markup=False,
    )
    if found.damaged:
        print_table("", ("what", "state", "events", "of", "from", "to"), map(_row, found.damaged))
    if found.left:
        out.print(
            "put them back from a backup with: tocsin admin check --mend-from BACKUP; "
            "and check the disk. What no backup has can be given up (--give-up, --because)",
            markup=False,
        )


def _verdict(found: Integrity) -> str:
    if not found.damaged:
        return "all as it was written"
    mended = sum(one.mended for one in found.damaged)
    given_up = sum(one.given_up for one in found.damaged)
    return (
        f"{len(found.damaged)} damaged, {mended} of them mended"
        f"{f', {given_up} given up' if given_up else ''}; "
        f"{found.events_lost:,} events are missing"
    )


def _row(one: Damaged) -> tuple[object, ...]:
    state = "mended" if one.mended else "given up" if one.given_up else one.reason
    if one.quarantined and "quarantine" not in state:
        state += "; now in quarantine"
    times = (one.first_time, one.last_time)
    return (one.path, state, one.events or "", ", ".join(one.sources), *times)
