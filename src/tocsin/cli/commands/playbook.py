"""``tocsin playbook``: check, simulate and list playbooks."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.home.shipped import PLAYBOOKS
from tocsin.cli.data_folder import open_house
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, out, print_json, print_table
from tocsin.model.response import Target
from tocsin.respond.playbook import lint, load_playbook, load_playbooks

app = typer.Typer(help="Check, simulate and list CACAO playbooks.", no_args_is_help=True)

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Playbook files (default: the shipped ones).", metavar="[PATH...]"),
]


def _files(paths: list[Path] | None) -> list[Path]:
    found: list[Path] = []
    for path in paths or [PLAYBOOKS]:
        if not path.exists():
            fail(
                f"{path}: no such file or folder; give CACAO 2.0 playbooks (JSON)",
                Exit.BAD_CONFIGURATION,
            )
        found.extend(sorted(path.rglob("*.json")) if path.is_dir() else [path])
    return found


@app.command("list")
def list_playbooks(as_json: JsonOption = False) -> None:
    """The shipped playbooks."""
    loaded, _ = load_playbooks(_files(None))
    rows = [
        {"id": one.id, "name": one.name, "description": one.description, "path": one.path}
        for one in loaded
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        "",
        ("playbook", "name", "what it does"),
        ((row["id"], row["name"], row["description"]) for row in rows),
    )


@app.command("lint")
def lint_files(paths: Paths = None, as_json: JsonOption = False) -> None:
    """Check playbooks; each fault with file and step. Exit code 2 when there are any."""
    problems = lint(_files(paths))
    if as_json:
        print_json(problems)
    else:
        for problem in problems:
            out.print(str(problem), markup=False)
        out.print(f"{len(problems)} problems", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if problems else Exit.DONE)


@app.command("simulate")
def simulate(
    playbook: Annotated[Path, typer.Argument(help="CACAO 2.0 playbook (JSON).")],
    target: Annotated[str, typer.Argument(help="What to act on, e.g. 203.0.113.7.")],
    kind: Annotated[str, typer.Option("--kind", help="OpenC2 target type.")] = "ipv4_net",
    lease_s: Annotated[int | None, typer.Option("--lease-s", min=10, help="Lease in s.")] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk a playbook with every write replaced by its plan: what it would touch, whom it would ask."""
    house = open_house(home, config)
    try:
        told = house.response.simulate(
            load_playbook(playbook),
            target=Target(kind, target),
            lease_s=lease_s or house.settings.respond.default_lease_s,
        )
    finally:
        house.close()
    if as_json:
        print_json(told)
        return
    print_table("", ("step", "what would happen"), ((step.name, step.detail) for step in told))
