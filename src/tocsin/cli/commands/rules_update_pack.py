"""``tocsin rules update-pack`` and ``rollback-pack``: shows what changes, asks, switches in one step."""

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.app.home.pack_shelf import PackShelf
from tocsin.app.packs.pack_change import PackChange
from tocsin.app.packs.pack_desk import PackDesk, PackPlan, key_to_ask, open_pack_desk
from tocsin.app.packs.pack_install import Proof
from tocsin.app.packs.pack_plan_json import plan_json
from tocsin.app.packs.pack_replay import replay_kept
from tocsin.app.settings.config import Settings
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
from tocsin.cli.output import Exit, err, fail, item_progress, out, print_json
from tocsin.cli.pack_words import show_account, show_change, show_diffs, show_replay
from tocsin.store.ports import StoreError

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
ReplayOption = Annotated[
    float,
    typer.Option(
        "--replay",
        min=0,
        help="Show the effect on the last so many days of stored events (0: don't).",
        metavar="DAYS",
    ),
]
ReplaySecondsOption = Annotated[
    float,
    typer.Option(
        "--replay-seconds", min=1, help="Replay no longer than that; tells how far it came."
    ),
]
DiffOption = Annotated[
    bool, typer.Option("--diff", help="Also show what differs in the text of each rule.")
]
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
    diff: DiffOption = False,
    replay: ReplayOption = 0.0,
    replay_seconds: ReplaySecondsOption = 120.0,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Update a pack: added, changed and removed rules, changed ids and lowered levels are shown.

    An update that takes away more than half of the rules is refused, and so is one that the key
    the pack was installed with has not signed. Decisions follow a rule to its new id. The folders
    chosen when it was added stay chosen, unless --folder names others.
    """
    settings = settings_for(home, config)
    with refusals_told():
        before = PackShelf(settings.home).current(name)
        if before.pinned and not force:
            fail(f"pack {name} is pinned; tocsin rules pin {name} --off frees it")
        proof = Proof(sha256, signature, key_to_ask(before, key))
        source = fetched(origin or before.origin, proof, folder or list(before.folders))
        if source.content.digest == before.digest:
            _nothing_new(name, as_json=as_json)
        with open_pack_desk(settings) as desk:
            plan = planned(desk, name, source, None)
            with _given_up(desk, plan):
                replayed = _replayed(settings, plan, replay, replay_seconds) if replay else None
            change = plan.change or PackChange()
            refused = ""
            if change.takes_most_away and not force:
                gone = len(change.removed) + len(change.unusable)
                refused = (
                    f"the update takes away {gone:,} of {change.before:,} rules: is it the right "
                    "archive? --force does it nevertheless"
                )
            shown = _Shown(yes, dry_run, as_json, diff, replayed)
            _decide(desk, plan, "update", refused, shown)


def rollback_pack(
    name: Annotated[str, typer.Argument(help="The pack; tocsin rules packs lists them.")],
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    diff: DiffOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to the version before the last update; the last two are kept. Decisions stay."""
    settings = settings_for(home, config)
    with refusals_told(), open_pack_desk(settings) as desk:
        plan = desk.plan_rollback(name, by=getpass.getuser(), now=datetime.now(UTC))
        _decide(desk, plan, "rollback", "", _Shown(yes, dry_run, as_json, diff))


@dataclass(frozen=True, slots=True)
class _Shown:
    """How the command was asked to go on, and the effect that is to be shown."""

    yes: bool
    dry_run: bool
    as_json: bool
    diff: bool
    replayed: Mapping[str, Any] | None = None


def _decide(desk: PackDesk, plan: PackPlan, what: str, refused: str, how: _Shown) -> None:
    """Show the plan, ask, and carry it out or give it up."""
    name = plan.manifest.name
    if not how.as_json:
        show_account(plan)
        show_change(plan)
        if how.diff:
            show_diffs(plan)
        if how.replayed is not None:
            show_replay(how.replayed)
    go_on = not refused and not how.dry_run
    if go_on and not how.yes:
        with _given_up(desk, plan):
            go_on = _asked(f"{what.capitalize()} {name}?")
    if not go_on:
        desk.give_up(plan)
        if how.as_json:
            print_json(plan_json(plan, installed=False, replayed=how.replayed))
        if refused:
            fail(refused)
        raise typer.Exit(Exit.DONE if how.dry_run else Exit.FINDINGS)
    staged = desk.carry_out(plan, datetime.now(UTC), what=what)
    if how.as_json:
        print_json(plan_json(plan, installed=True, staged=staged, replayed=how.replayed))
    elif what == "update":
        out.print(f"{name} is updated", markup=False)
    else:
        out.print(f"{name} is back at {plan.manifest.digest[:12]}", markup=False)


@contextmanager
def _given_up(desk: PackDesk, plan: PackPlan) -> Iterator[None]:
    """What was placed is taken away when this ends with an error."""
    try:
        yield
    except BaseException:
        desk.give_up(plan)
        raise


def _replayed(
    settings: Settings, plan: PackPlan, days: float, seconds: float
) -> Mapping[str, Any] | None:
    """The effect on stored events, with a progress bar; None where there is no data folder."""
    try:
        with item_progress() as progress:
            task = progress.add_task("trying the changed rules", total=None)
            return replay_kept(
                settings.home,
                plan,
                days=days,
                seconds=seconds,
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    except StoreError as error:
        err.print(f"nothing was replayed: {error}", markup=False)
        return None


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
