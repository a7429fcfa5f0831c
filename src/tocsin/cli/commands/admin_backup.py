"""``tocsin admin backup``, ``backups`` and ``restore``: nothing kept is lost with the machine."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from tocsin.app.backups.backup_generation import Absent, generation_ids, read_generation
from tocsin.app.backups.backup_round import back_up
from tocsin.app.backups.restore import Restored, damaged_files, restore
from tocsin.app.home.backup_place import open_vault
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, byte_progress, fail, out, print_json, print_table

Target = Annotated[
    str, typer.Argument(help="Folder (on another disk), or s3://bucket/prefix.", metavar="TARGET")
]
_WHERE = (
    "Where the backups are: a folder, or s3://bucket/prefix (not at AWS: set "
    "TOCSIN_BACKUP__ENDPOINT_URL, or backup.endpoint_url)."
)
Place = Annotated[str | None, typer.Argument(help=f"{_WHERE} Default: backup.target.")]


def backup(
    target: Place = None,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, help="Drop all but the latest N backups.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back the data folder up while it is in use; only what is new is copied.

    A backup counts only when it is complete. Stopped or killed, the same command goes on with what
    was copied. It holds digests of passwords and the keys of the data folder: keep it as secret.
    """
    settings = settings_for(home, config)
    place = target or settings.backup.target
    if not place:
        fail("no TARGET given and none in backup.target", Exit.BAD_CONFIGURATION)
    with byte_progress() as progress:
        made, gone = back_up(
            *(settings, place, keep or settings.backup.keep),
            by="cli",
            on_progress=_showing(progress),
        )
    if as_json:
        print_json({**made.summary(), "target": place, "dropped": gone})
    else:
        out.print(
            f"backup {made.id} is complete: {made.events:,} events in {made.segments:,} segments, "
            f"{made.size_bytes / 1e6:,.1f} MB, of it {made.new_bytes / 1e6:,.1f} MB new",
            markup=False,
        )
        out.print("secret, and in it: " + "; ".join(made.secrets), markup=False)
        _tell_elsewhere(made.elsewhere)
        for one in made.damaged:
            out.print(f"NOT in it, as damaged: {one.path}: {one.reason}", markup=False)
        for dropped in gone:
            out.print(f"dropped: {dropped}", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if made.damaged else Exit.DONE)


def backups(
    target: Place = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file of every backup and check it.")
    ] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the complete backups in a place, oldest first. Exit code 2 when one is damaged."""
    settings = settings_for(home, config)
    place = target or settings.backup.target
    if not place:
        fail("no TARGET given and none in backup.target", Exit.BAD_CONFIGURATION)
    with open_vault(place, settings.backup) as vault:
        known = [read_generation(vault, one) for one in generation_ids(vault)]
        rotten: dict[str, list[dict[str, str]]] = {}
        if verify:
            with byte_progress() as progress:
                total = sum(one.size_bytes for one in known)
                task = progress.add_task("checking", total=total)
                for one in known:
                    found = damaged_files(vault, one, lambda size: progress.advance(task, size))
                    rotten[one.id] = [{"path": bad.path, "reason": bad.reason} for bad in found]
    if as_json:
        shown = [{**one.summary(), "unreadable": rotten.get(one.id)} for one in known]
        print_json({"target": place, "backups": shown})
    else:
        columns = ("id", "made", "events", "MB", "new MB", "state")
        print_table(
            "",
            columns,
            (
                (
                    *(one.id, one.begun_at, f"{one.events:,}", f"{one.size_bytes / 1e6:,.1f}"),
                    f"{one.new_bytes / 1e6:,.1f}",
                    _state(len(one.damaged), rotten.get(one.id)),
                )
                for one in known
            ),
        )
        for name, files in rotten.items():
            for told in files:
                out.print(f"{name}: {told['path']}: {told['reason']}", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if any(rotten.values()) else Exit.DONE)


def restore_backup(
    source: Annotated[str, typer.Argument(help=_WHERE)],
    home: Annotated[Path, typer.Option("--home", help="New, empty data folder.")],
    generation: Annotated[
        str | None, typer.Option("--generation", help="Which backup (default: the latest).")
    ] = None,
    without_damaged: Annotated[
        bool,
        typer.Option("--without-damaged", help="Leave out events and blobs that are damaged."),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup to a new data folder; every checksum is verified before it counts.

    Stopped or killed, the same command goes on. No server starts on the folder before the end.
    """
    settings = settings_for(home, config)
    with open_vault(source, settings.backup) as vault, byte_progress() as progress:
        told = restore(
            *(vault, home, generation),
            without_damaged=without_damaged,
            on_progress=_showing(progress),
        )
    if as_json:
        print_json(told)
    else:
        _tell(told)
    raise typer.Exit(Exit.BAD_CONTENT if told.left_out else Exit.DONE)


def _tell(told: Restored) -> None:
    out.print(
        f"{told.home} is restored from {told.generation}, every checksum verified: "
        f"{told.events:,} events in {told.segments:,} segments, {told.files:,} files, "
        f"{told.size_bytes / 1e6:,.1f} MB",
        markup=False,
    )
    for one in told.left_out:
        out.print(f"NOT restored: {one.path}: {one.reason}", markup=False)
    _tell_elsewhere(told.elsewhere)
    out.print(
        f"Make sure that the old server is stopped for good, then: tocsin serve --home {told.home}",
        markup=False,
    )


def _tell_elsewhere(elsewhere: Sequence[Absent]) -> None:
    events = sum(one.events for one in elsewhere)
    if events:
        out.print(f"{events:,} events stay in the bucket of cold segments", markup=False)
    for one in elsewhere:
        if not one.events:
            out.print(f"NOT in it: {one.path} {one.reason}", markup=False)


def _state(damaged: int, unreadable: list[dict[str, str]] | None) -> str:
    if unreadable:
        return f"DAMAGED: {len(unreadable)} files"
    made = f"complete but for {damaged} damaged files" if damaged else "complete"
    return made if unreadable is None else f"{made}, verified"


def _showing(progress: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, object] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total)
        progress.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

    return show
