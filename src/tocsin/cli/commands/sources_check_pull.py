"""``tocsin sources check-pull``: try a configured pull once."""

from typing import Annotated

import typer

from tocsin.app.plain import as_json as plain
from tocsin.app.senders.pull_check import check_pull_once, find_pull
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption, settings_for
from tocsin.cli.output import Exit, fail, out, print_json
from tocsin.ingest.errors import IngestError


def check_pull(
    name: Annotated[str, typer.Argument(help="Its name: s3/trail, or trail.", metavar="NAME")],
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="How long something may take to come, in s.")
    ] = 10.0,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a pull of the settings once: does it connect, may it read, what are the first records?

    Nothing is taken: the pull itself still gets it. Exit code 2 when it can't be reached, or the
    first records are not understood.
    """
    settings = settings_for(home, config)
    try:
        kind, found = find_pull(settings.pull, name)
    except IngestError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
    told = check_pull_once(kind, found, wait, settings.home)
    if as_json:
        print_json(plain(told))
    elif told.error:
        out.print(f"{told.name}: {told.error}", markup=False)
    else:
        waits = "" if told.lag is None else f"; {told.lag} {told.unit} wait there"
        out.print(f"{told.name}: connected{waits}", markup=False)
        if not told.place:
            out.print(f"nothing came within {wait:g} s", markup=False)
        for lane, count in told.lanes.most_common():
            out.print(f"{told.place}: {count} records recognized as {lane}", markup=False)
        for problem in told.problems[:20]:
            out.print(f"unreadable: {problem}", markup=False)
    raise typer.Exit(Exit.BAD_CONTENT if told.error or told.problems else Exit.DONE)
