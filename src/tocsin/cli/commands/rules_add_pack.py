"""``tocsin rules add-pack``: installs a Sigma repository or release archive as a pack."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from tocsin.app.home.pack_content import PackRefused
from tocsin.app.home.pack_shelf import PackShelf, name_from
from tocsin.app.packs.pack_desk import PackDesk, PackPlan, open_pack_desk
from tocsin.app.packs.pack_install import PackSource, Proof, read_pack
from tocsin.app.packs.pack_plan_json import plan_json
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import byte_progress, fail, item_progress, out, print_json
from tocsin.cli.pack_words import show_account
from tocsin.detect.rules.overlay import LifeState

Sha256Option = Annotated[
    str, typer.Option("--sha256", help="SHA-256 the archive must have.", metavar="HEX")
]
SignatureOption = Annotated[
    str,
    typer.Option(
        "--signature",
        help="Signature of the archive: file or https address (default: beside it, .minisig).",
        metavar="FILE",
    ),
]
KeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        help="Public key it must be signed with: minisign's (RW… or its file) or Ed25519 in PEM.",
        metavar="KEY",
    ),
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
    signature: SignatureOption = "",
    key: KeyOption = "",
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
        source = fetched(origin, Proof(sha256, signature, key), folder or [])
        with open_pack_desk(settings) as desk:
            plan = planned(desk, called, source, LifeState(state.value))
            if not plan.account.rules:
                desk.give_up(plan)
                if not as_json:
                    show_account(plan)
                fail(f"no rule of {origin} can be used; nothing was installed")
            staged = desk.carry_out(plan, datetime.now(UTC), what="add")
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


def fetched(origin: str, proof: Proof, folders: list[str]) -> PackSource:
    """Read the pack, with a progress bar for what is downloaded."""
    with byte_progress() as progress:
        task = progress.add_task("fetching", total=None, visible="://" in origin)
        return read_pack(
            origin,
            proof=proof,
            folders=folders,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def planned(desk: PackDesk, name: str, source: PackSource, state: LifeState | None) -> PackPlan:
    """Place the pack and read its rules, with a progress bar."""
    with item_progress() as progress:
        task = progress.add_task("reading rules", total=None)
        return desk.plan(
            name,
            source,
            state=state,
            by=getpass.getuser(),
            now=datetime.now(UTC),
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
