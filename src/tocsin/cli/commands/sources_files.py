"""``tocsin sources files``: how far each followed log file has been read."""

from typing import Annotated, Any

import typer

from tocsin.app.senders.file_following import files_json
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import err, print_json, print_table
from tocsin.cli.remote import Remote
from tocsin.ingest.files.file_positions import shown_positions

_COLUMNS = ("source", "path", "state", "size", "offset", "behind", "last read", "note")


def list_files(
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Log files that are followed: size, how much of it was taken in, what is still behind.

    Which files those are is said by [[files]] in the configuration.
    """
    answer = _files(source, home, config)
    if as_json:
        print_json(answer)
        return
    print_table(
        "",
        _COLUMNS,
        ([one[name.replace(" ", "_")] for name in _COLUMNS] for one in answer["files"]),
    )
    for of_source, problems in answer["problems"].items():
        for path, reason in problems.items():
            err.print(f"{of_source}: {path}: {reason}", markup=False)


def _files(source: str | None, home: Any, config: Any) -> dict[str, Any]:
    facts = server_of(home, config)
    if facts:
        told: dict[str, Any] = Remote(facts).get("/api/v1/sources/files", source=source)
        return told
    house = open_house(home, config)
    try:
        with house.state.read() as tx:
            return {"files": files_json(shown_positions(tx, source)), "problems": {}}
    finally:
        house.close()
