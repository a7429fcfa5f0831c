"""``tocsin searches``: what people keep under a name, to be asked again."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.app.plain import as_json as plain
from tocsin.app.searches.saved_searches import SavedSearchError, SavedSearches
from tocsin.cli.data_folder import CLI_TOKEN, open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import fail, out, print_json, print_table
from tocsin.cli.remote import Remote

BY = f"token:{CLI_TOKEN}"
app = typer.Typer(help="List, keep and forget saved searches.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name it is kept under.")]


@app.command("list")
def list_searches(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """What is kept; ask one with: tocsin search --saved NAME."""
    found = kept_searches(server_of(home, config), home, config)
    if as_json:
        print_json(found)
        return
    print_table(
        f"{len(found)} saved searches",
        ("name", "query", "from", "to", "owner", "shared"),
        (
            (
                *(one["name"], one["query"], one["start"], one["until"], one["owner"]),
                "yes" if one["is_shared"] else "",
            )
            for one in found
        ),
    )


@app.command("keep")
def keep(
    name: Name,
    query: Annotated[str, typer.Argument(help="Lucene filter; empty is everything.")] = "",
    start: Annotated[str, typer.Option("--from", help="ISO time, now-24h or all.")] = "all",
    until: Annotated[str, typer.Option("--to", help="ISO time or now-1h; not included.")] = "",
    private: Annotated[
        bool, typer.Option("--private", help="Others who may search don't see it.")
    ] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a search; one of yours by that name is replaced."""
    facts = server_of(home, config)
    if facts:
        wanted = {"name": name, "query": query, "from": start, "to": until}
        kept = Remote(facts).post("/api/v1/searches", json={**wanted, "is_shared": not private})
    else:
        house = open_house(home, config)
        try:
            searches = SavedSearches(house.state, house.audit)
            now = datetime.now(UTC)
            kept = plain(
                searches.keep(name, query, start, until, by=BY, now=now, is_shared=not private)
            )
        except SavedSearchError as error:
            fail(str(error))
        finally:
            house.close()
    if as_json:
        print_json(kept)
        return
    out.print(f"kept as “{kept['name']}”", markup=False)


@app.command("forget")
def forget(name: Name, home: HomeOption = None, config: ConfigOption = None) -> None:
    """Forget one of your own."""
    facts = server_of(home, config)
    one = named(kept_searches(facts, home, config), name)
    if facts:
        Remote(facts).delete(f"/api/v1/searches/{one['id']}")
    else:
        house = open_house(home, config)
        try:
            SavedSearches(house.state, house.audit).remove(one["id"], by=BY, now=datetime.now(UTC))
        except SavedSearchError as error:
            fail(str(error))
        finally:
            house.close()
    out.print(f"“{one['name']}” is forgotten", markup=False)


def kept_searches(facts: dict[str, str] | None, home: Any, config: Any) -> list[dict[str, Any]]:
    """What is kept, of a running server or of the data folder."""
    if facts:
        return list(Remote(facts).get("/api/v1/searches")["searches"])
    house = open_house(home, config)
    try:
        return list(plain(SavedSearches(house.state, house.audit).seen_by(BY)))
    finally:
        house.close()


def named(searches: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The one of that name; ends the command with the names there are."""
    wanted = " ".join(name.split()).casefold()
    for one in searches:
        if one["name"].casefold() == wanted:
            return one
    names = ", ".join(one["name"] for one in searches[:10]) or "none is kept yet"
    fail(f"there is no saved search {name[:80]!r}; there are: {names}")
