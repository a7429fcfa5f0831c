"""``tocsin rules update-pack``: shows what an update changes, asks, and switches in one step."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from tocsin.app.pack_change import PackChange
from tocsin.app.pack_install import carry_out, give_up
from tocsin.app.pack_shelf import PackShelf
from tocsin.cli.commands.rules_add_pack import (
    FolderOption,
    Sha256Option,
    fetched,
    planned,
    refusals_told,
)
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, err, fail, out, print_json
from tocsin.cli.pack_words import plan_json, show_account, show_change


def update_pack(
    name: Annotated[str, typer.Argument(help="The pack; tocsin rules packs lists them.")],
    origin: Annotated[
        str,
        typer.Argument(help="Where to read it from (default: where it came from).", metavar="FROM"),
    ] = "",
    sha256: Sha256Option = "",
    folder: FolderOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even when most rules go, or the pack is pinned.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what changes.")] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Update a pack: added, changed and removed rules, changed ids and lowered levels are shown.

    An update that takes away more than half of the rules is refused.
    """
    settings = settings_for(home, config)
    with refusals_told():
        before = PackShelf(settings.home).current(name)
        if before.pinned and not force:
            fail(f"pack {name} is pinned; tocsin rules pin {name} --off frees it")
        source = fetched(origin or before.origin, sha256, folder or [])
        if source.content.digest == before.digest:
            _nothing_new(name, as_json=as_json)
        plan = planned(settings, name, source, None)
    change = plan.change or PackChange()
    if not as_json:
        show_account(plan)
        show_change(change)
    refused = change.takes_most_away and not force
    go_on = not refused and not dry_run
    if go_on and not yes:
        try:
            go_on = _asked(name)
        except BaseException:
            give_up(settings, plan)
            raise
    if not go_on:
        give_up(settings, plan)
        if as_json:
            print_json(plan_json(plan, installed=False))
        if refused:
            gone = len(change.removed) + len(change.unusable)
            fail(
                f"the update takes away {gone:,} of {change.before:,} rules: is it the right "
                "archive? --force does it nevertheless"
            )
        raise typer.Exit(Exit.DONE if dry_run else Exit.FINDINGS)
    staged = carry_out(settings, plan, datetime.now(UTC))
    if as_json:
        print_json(plan_json(plan, installed=True, staged=staged))
    else:
        out.print(f"{name} is updated", markup=False)


def _nothing_new(name: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"installed": False, "change": None})
    else:
        out.print(f"{name} is up to date: the content is the same", markup=False)
    raise typer.Exit(Exit.DONE)


def _asked(name: str) -> bool:
    err.print(f"Update {name}? [y/N] ", markup=False, end="")
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        err.print("nobody answers: --yes updates without asking", markup=False)
        return False
