"""``tocsin case``: read cases."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.plain import as_json as plain
from tocsin.app.plain import page_json
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import fail, out, print_json, print_table
from tocsin.cli.remote import Remote
from tocsin.model.case import CaseStatus

app = typer.Typer(help="Read cases.", no_args_is_help=True)


@app.command("list")
def list_cases(
    status: Annotated[CaseStatus | None, typer.Option("--status", help="Only this state.")] = None,
    size: Annotated[int, typer.Option("--size", min=1, max=1000, help="Cases to show.")] = 50,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cases, latest change first."""
    facts = server_of(home, config)
    if facts:
        answer = Remote(facts).get(
            "/api/v1/cases", status=status.value if status else None, size=size
        )
    else:
        house = open_house(home, config)
        try:
            with house.state.read() as tx:
                answer = page_json("cases", house.cases.page(tx, status=status, size=size))
        finally:
            house.close()
    if as_json:
        print_json(answer["cases"])
        return
    print_table(
        f"{answer['total']} cases",
        ("case", "status", "level", "title", "assignee", "updated"),
        (
            (
                one["id"],
                one["status"],
                one["level"],
                one["title"],
                one["assignee"],
                one["updated_at"],
            )
            for one in answer["cases"]
        ),
    )


@app.command("show")
def show_case(
    case_id: Annotated[str, typer.Argument(help="Case id.", metavar="CASE")],
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One case with its timeline and tasks."""
    found = _case(case_id, home, config)
    if as_json:
        print_json(found)
        return
    out.print(f"{found['title']}  [{found['status']}, {found['level']}]", markup=False)
    print_table(
        "timeline",
        ("time", "what", "who", "text"),
        ((one["time"], one["kind"], one["author"], one["text"]) for one in found["timeline"]),
    )
    print_table(
        "tasks",
        ("task", "assignee", "due", "done"),
        ((one["title"], one["assignee"], one["due_at"], one["done_at"]) for one in found["tasks"]),
    )


def _case(case_id: str, home: Path | None, config: Path | None) -> dict[str, Any]:
    facts = server_of(home, config)
    if facts:
        return Remote(facts).get(f"/api/v1/cases/{case_id}")
    house = open_house(home, config)
    try:
        with house.state.read() as tx:
            found = house.cases.get(tx, case_id)
            if found is None:
                fail(f"{case_id}: no such case; see: tocsin case list")
            return {
                **plain(found),
                "timeline": plain(house.cases.entries(tx, case_id)),
                "tasks": plain(house.cases.tasks(tx, case_id)),
            }
    finally:
        house.close()
