"""``tocsin sources owner``: who looks after a source and gets its troubles as tasks."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from tocsin.app.source_owner import own_source
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption
from tocsin.cli.output import fail, out
from tocsin.cli.remote import Remote
from tocsin.ingest.errors import IngestError


def set_source_owner(
    source: Annotated[str, typer.Argument(help="The source's name, as sources list shows it.")],
    person: Annotated[str, typer.Argument(help='Who looks after it; "" for nobody.')],
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """Say who looks after a source: its troubles open tasks for them from now on."""
    facts = server_of(home, config)
    if facts:
        Remote(facts).post("/api/v1/sources/owner", json={"source": source, "owner": person})
    else:
        house = open_house(home, config)
        try:
            own_source(house, source, person, by="cli", now=datetime.now(UTC))
        except IngestError as error:
            fail(str(error))
        finally:
            house.close()
    out.print(f"{source}: {person.strip() or 'nobody'}", markup=False)
