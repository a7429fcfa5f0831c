"""``tocsin rules update-pack`` and ``rollback-pack``: shows what changes, asks, switches in one step."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from tocsin.app.pack_change import PackChange
from tocsin.app.pack_desk import PackDesk, PackPlan, key_to_ask, open_pack_desk
from tocsin.app.pack_install import Proof
from tocsin.app.pack_plan_json import plan_json
from tocsin.app.pack_shelf import PackShelf
from tocsin.cli.commands.rules_add_pack import (
    FolderOption,
    KeyOption,
    Sha256Option,
    SignatureOption,
    fetched,
    planned,
    refusals_told,
)
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, err, fail, out, print_json
from tocsin.cli.pack_words import show_account, show_change

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what changes.")]


def update_pack(
    name: Annotated[str, typer.Argument(help="The pack; tocsin rules packs lists them.")],
    origin: Annotated[
        str,
        typer.Argument(help="Where to read it from (default: where it came from).", metavar="FROM"),
    ] = "",
    sha256: Sha256Option = "",
    signature: SignatureOption = "",
    key: KeyOption = "",
    folder: FolderOption = None,
    yes: YesOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even when most rules go, or the pack is pinned.")
    ] = False,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Update a pack: added, changed and removed rules, changed ids and lowered levels are shown.

    An update that takes away more than half of the rules is refused, and so is one that the key
    the pack was installed with has not signed. Decisions follow a rule to its new id.
    """
    settings = settings_for(home, config)
    with refusals_told():
        before = PackShelf(settings.home).current(name)
        if before.pinned and not force:
            fail(f"pack {name} is pinned; tocsin rules pin {name} --off frees it")
        proof = Proof(sha256, signature, key_to_ask(before, key))
        source = fetched(origin or before.origin, proof, folder or [])
        if source.content.digest == before.digest:
            _nothing_new(name, as_json=as_json)
        with open_pack_desk(settings) as desk:
            plan = planned(desk, name, source, None)
            change = plan.change or PackChange()
            refused = ""
            if change.takes_most_away and not force:
                gone = len(change.removed) + len(change.unusable)
                refused = (
                    f"the update takes away {gone:,} of {change.before:,} rules: is it the right "
                    "archive? --force does it nevertheless"
                )
            _decide(desk, plan, "update", refused, yes=yes, dry_run=dry_run, as_json=as_json)


def rollback_pack(
    name: Annotated[str, typer.Argument(help="The pack; tocsin rules packs lists them.")],
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to the version before the last update; the last two are kept. Decisions stay."""
    settings = settings_for(home, config)
    with refusals_told(), open_pack_desk(settings) as desk:
        plan = desk.plan_rollback(name, by=getpass.getuser(), now=datetime.now(UTC))
        _decide(desk, plan, "rollback", "", yes=yes, dry_run=dry_run, as_json=as_json)


def _decide(
    desk: PackDesk,
    plan: PackPlan,
    what: str,
    refused: str,
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Show the plan, ask, and carry it out or give it up."""
    name = plan.manifest.name
    if not as_json:
        show_account(plan)
        show_change(plan)
    go_on = not refused and not dry_run
    if go_on and not yes:
        try:
            go_on = _asked(f"{what.capitalize()} {name}?")
        except BaseException:
            desk.give_up(plan)
            raise
    if not go_on:
        desk.give_up(plan)
        if as_json:
            print_json(plan_json(plan, installed=False))
        if refused:
            fail(refused)
        raise typer.Exit(Exit.DONE if dry_run else Exit.FINDINGS)
    staged = desk.carry_out(plan, datetime.now(UTC), what=what)
    if as_json:
        print_json(plan_json(plan, installed=True, staged=staged))
    elif what == "update":
        out.print(f"{name} is updated", markup=False)
    else:
        out.print(f"{name} is back at {plan.manifest.digest[:12]}", markup=False)


def _nothing_new(name: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"installed": False, "change": None})
    else:
        out.print(f"{name} is up to date: the content is the same", markup=False)
    raise typer.Exit(Exit.DONE)


def _asked(question: str) -> bool:
    err.print(f"{question} [y/N] ", markup=False, end="")
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        err.print("nobody answers: --yes goes on without asking", markup=False)
        return False
