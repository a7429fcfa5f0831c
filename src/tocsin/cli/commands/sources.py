"""``tocsin sources``: who sends, how much, and what could not be read."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.plain import as_json as plain
from tocsin.app.plain import page_json
from tocsin.app.shipped import open_normalizer
from tocsin.app.source_ledgers import source_ledgers
from tocsin.cli.commands.sources_owner import set_source_owner
from tocsin.cli.commands.sources_replay import replay_quarantine
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, err, fail, out, print_json, print_table
from tocsin.cli.remote import Remote
from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.ingest.files import read_paths
from tocsin.model.record import Origin, Unreadable
from tocsin.normalize.check import check_folder, write_expected

UNKNOWN_LANE = "unknown.record"
_COLUMNS = (
    *("name", "received", "stored", "quarantined", "waiting", "unrecognized"),
    *("ahead", "late", "dropped", "last seen", "silent since", "owner"),
)
app = typer.Typer(help="See who sends, how much, and what could not be read.", no_args_is_help=True)

app.command("owner")(set_source_owner)
app.command("replay")(replay_quarantine)


@app.command("list")
def list_sources(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Every source with its ledger: received = stored + quarantined + waiting.

    Ahead are events whose clock was ahead of ours, late those that came over an hour late;
    dropped is what the kernel dropped of a listener before it could be read.
    """
    sources = _sources(home, config)
    if as_json:
        print_json(sources)
        return
    print_table(
        "",
        _COLUMNS,
        ([one[name.replace(" ", "_")] for name in _COLUMNS] for one in sources),
    )


@app.command("quarantine")
def quarantine(
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    size: Annotated[int, typer.Option("--size", min=1, max=1000, help="Records to show.")] = 50,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Records that could not be read, each with its place and reason."""
    facts = server_of(home, config)
    if facts:
        answer = Remote(facts).get("/api/v1/sources/quarantine", source=source, size=size)
    else:
        house = open_house(home, config)
        try:
            with house.state.read() as tx:
                answer = page_json(
                    "records", house.sources.quarantined(tx, source=source, size=size)
                )
        finally:
            house.close()
    if as_json:
        print_json(answer)
        return
    print_table(
        f"{answer['total']} records in quarantine",
        ("source", "place", "record", "reason", "begins with"),
        (
            (one["source"], one["place"], one["ordinal"], one["reason"], one["excerpt"])
            for one in answer["records"]
        ),
    )


@app.command("test")
def try_source(
    path: Annotated[
        Path, typer.Argument(help="A connector's folder, or any file of logs.", metavar="PATH")
    ],
    write: Annotated[
        bool,
        typer.Option("--write", help="Write what each sample of a connector maps to beside it."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """See what is made of a sample: recognized as, mapped to; or check a connector's folder.

    Exit code 2 when a connector has a problem, or records of a file are not recognized.
    """
    if not path.exists():
        fail(f"{path}: no such file or folder", Exit.BAD_CONFIGURATION)
    if path.is_dir():
        _check_connector(path, write, as_json)
    else:
        _show_file(path, as_json)


def _check_connector(folder: Path, write: bool, as_json: bool) -> None:
    if write:
        for written in write_expected(folder, decode, mapping_paths()):
            err.print(f"wrote {written}; read it as if someone else had", markup=False)
    problems = check_folder(folder, decode, others=mapping_paths())
    if as_json:
        print_json({"problems": problems})
    else:
        for problem in problems:
            out.print(problem, markup=False)
        out.print(f"{len(problems)} problems", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if problems else Exit.DONE)


def _show_file(path: Path, as_json: bool) -> None:
    normalizer = open_normalizer()
    lanes: Counter[str] = Counter()
    unreadable: list[Unreadable] = []
    first: dict[str, dict[str, dict[str, object]]] = {}
    for number, item in enumerate(read_paths([path], None, datetime.now(UTC), None)):
        if isinstance(item, Unreadable):
            unreadable.append(item)
            continue
        decoded = decode(item)
        unreadable += decoded.unreadable
        origin = Origin(item.source, item.received_at, str(path), number)
        for batch in normalizer.normalize(decoded, origin):
            lanes[batch.lane.id] += len(batch)
            if batch.lane.id not in first:
                first[batch.lane.id] = {
                    "native": batch.native_rows([0])[0],
                    "ocsf": batch.ocsf_rows([0])[0],
                }
    unknown = lanes[UNKNOWN_LANE]
    if as_json:
        print_json({"lanes": lanes, "first_of_lane": first, "unreadable": unreadable})
    else:
        print_table("recognized as", ("lane", "records"), lanes.most_common())
        for lane, fields in first.items():
            print_table(f"the first of {lane}, as OCSF", ("field", "value"), fields["ocsf"].items())
        for problem in unreadable[:20]:
            out.print(f"unreadable: record {problem.ordinal}: {problem.reason}", markup=False)
        out.print(f"{unknown} records not recognized, {len(unreadable)} unreadable", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if unknown or unreadable else Exit.DONE)


def _sources(home: Path | None, config: Path | None) -> list[dict[str, Any]]:
    facts = server_of(home, config)
    if facts:
        listed: list[dict[str, Any]] = Remote(facts).get("/api/v1/sources")["sources"]
        return listed
    house = open_house(home, config)
    try:
        found = source_ledgers(house.state, house.sources, house.spool, datetime.now(UTC))
        return [plain(ledger) for ledger in found.ledgers]
    finally:
        house.close()
