"""``tocsin rules add-pack``: installs a Sigma repository or release archive as a pack."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from tocsin.app.config import Settings
from tocsin.app.pack_content import PackRefused
from tocsin.app.pack_install import PackPlan, PackSource, carry_out, give_up, plan_pack, read_pack
from tocsin.app.pack_shelf import PackShelf, name_from
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import byte_progress, fail, item_progress, out, print_json
from tocsin.cli.pack_words import plan_json, show_account
from tocsin.detect.overlay import LifeState

Sha256Option = Annotated[
    str, typer.Option("--sha256", help="SHA-256 the archive must have.", metavar="HEX")
]
FolderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--folder",
        help="Only this folder of it; repeatable (default: rules and rules-… where there are any).",
    ),
]


class FirstState(StrEnum):
    """In which state the rules of a pack begin."""

    STAGING = "staging"
    ACTIVE = "active"


def add_pack(
    origin: Annotated[
        str,
        typer.Argument(
            help="A folder, an archive (.zip, .tar, .tar.gz, .tar.xz) or an https address of one."
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", help="Name of the pack (default: of the file).")
    ] = "",
    sha256: Sha256Option = "",
    state: Annotated[
        FirstState, typer.Option("--state", help="In which state its rules begin.")
    ] = FirstState.ACTIVE,
    folder: FolderOption = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Install rules; every document is accounted for. A running server takes them up by itself."""
    settings = settings_for(home, config)
    called = name or name_from(origin)
    if called in PackShelf(settings.home).names():
        fail(f"pack {called} is installed; use tocsin rules update-pack {called} {origin}")
    with refusals_told():
        source = fetched(origin, sha256, folder or [])
        plan = planned(settings, called, source, LifeState(state.value))
        if not plan.account.rules:
            give_up(settings, plan)
            if not as_json:
                show_account(plan)
            fail(f"no rule of {origin} can be used; nothing was installed")
        staged = carry_out(settings, plan, datetime.now(UTC))
    if as_json:
        print_json(plan_json(plan, installed=True, staged=staged))
        return
    show_account(plan)
    out.print(f"installed as {called}, state {plan.manifest.state}", markup=False)


@contextmanager
def refusals_told() -> Iterator[None]:
    """A refused pack ends the command with its one line."""
    try:
        yield
    except PackRefused as error:
        fail(f"the pack is refused: {error}")


def fetched(origin: str, sha256: str, folders: list[str]) -> PackSource:
    """Read the pack, with a progress bar for what is downloaded."""
    with byte_progress() as progress:
        task = progress.add_task("fetching", total=None, visible="://" in origin)
        return read_pack(
            origin,
            sha256=sha256,
            folders=folders,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def planned(settings: Settings, name: str, source: PackSource, state: LifeState | None) -> PackPlan:
    """Place the pack and read its rules, with a progress bar."""
    with item_progress() as progress:
        task = progress.add_task("reading rules", total=None)
        return plan_pack(
            settings,
            name,
            source,
            state=state,
            by=getpass.getuser(),
            now=datetime.now(UTC),
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
