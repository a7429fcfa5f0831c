"""``tocsin rules packs``, ``pin`` and ``remove-pack``: what is installed, held and taken away."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from tocsin.app.home.pack_shelf import PackShelf
from tocsin.app.packs.pack_desk import open_pack_desk
from tocsin.app.plain import as_json as plain_json
from tocsin.cli.commands.rules_add_pack import refusals_told
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import out, print_json, print_table

Name = Annotated[str, typer.Argument(help="The pack; tocsin rules packs lists them.")]


def list_packs(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Installed packs: where each came from, its version, rules and what was refused."""
    shelf = PackShelf(settings_for(home, config).home)
    with refusals_told():
        packs = [shelf.current(name) for name in shelf.names()]
    if as_json:
        print_json([plain_json(one) for one in packs])
        return
    if not packs:
        out.print("no pack was added; tocsin rules add-pack PATH|URL adds one", markup=False)
        return
    print_table(
        "",
        (
            *("pack", "version", "rules", "refused", "state", "pinned", "signed by"),
            *("from", "installed", "licence"),
        ),
        (
            (
                *(one.name, one.digest[:12], one.rules, one.refused, one.state),
                *("yes" if one.pinned else "", one.signed_by[:16], one.origin, one.at),
                ", ".join(one.notices),
            )
            for one in packs
        ),
    )


def pin_pack(
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="Let it be updated again.")] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a pack at its version: update-pack refuses it."""
    with refusals_told(), open_pack_desk(settings_for(home, config)) as desk:
        manifest = desk.pin(name, not off, by=getpass.getuser(), now=datetime.now(UTC))
    if as_json:
        print_json(manifest)
    else:
        held = "is free to be updated" if off else f"stays at {manifest.digest[:12]}"
        out.print(f"{name} {held}", markup=False)


def remove_pack(
    name: Name,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a pack and its rules away; what was decided on the rules is kept."""
    with refusals_told(), open_pack_desk(settings_for(home, config)) as desk:
        manifest = desk.remove(name, by=getpass.getuser(), now=datetime.now(UTC))
    if as_json:
        print_json(manifest)
    else:
        out.print(f"{name} is removed, {manifest.rules:,} rules", markup=False)
