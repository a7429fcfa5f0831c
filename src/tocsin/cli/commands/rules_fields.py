"""``tocsin rules fields``: what sources show, and the fields that rules wait for."""

from typing import Annotated, Any

import typer

from tocsin.app.plain import as_json as plain
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import fail, out, print_json, print_table
from tocsin.cli.remote import Remote


def show_fields(
    lane: Annotated[str, typer.Option("--lane", help="Only this lane, by its id.")] = "",
    source: Annotated[str, typer.Option("--source", help="Only what this source shows.")] = "",
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fields seen by lane and source, then those rules ask for that were never seen.

    The latter are ranked by how many rules could match were they seen.
    """
    seen, gaps = _fields_in(home, config)
    if lane and lane not in seen:
        fail(f"nothing has come in of lane {lane}; seen are: {', '.join(seen) or 'none'}")
    seen = {
        name: {one: fields for one, fields in of.items() if source in ("", one)}
        for name, of in seen.items()
        if lane in ("", name)
    }
    seen = {name: of for name, of in seen.items() if of}
    if source and not seen:
        fail(f"nothing has come in from source {source}; tocsin sources list shows all")
    gaps = [gap for gap in gaps if gap["lane"] in seen]
    if as_json:
        print_json({"seen": seen, "gaps": gaps})
        return
    rows = [
        (name, one, len(fields), ", ".join(fields))
        for name, of in seen.items()
        for one, fields in of.items()
    ]
    print_table("", ("lane", "source", "fields", ""), rows)
    if gaps:
        wanted = ((gap["field"], gap["lane"], *_counts(gap)) for gap in gaps)
        print_table(
            "Never seen, though rules ask for it",
            ("field", "lane", "would wake", "asking"),
            wanted,
        )
    out.print(f"{len(rows)} sources of {len(seen)} lanes, {len(gaps)} fields missing", markup=False)


def _counts(gap: dict[str, Any]) -> tuple[int, int]:
    return len(gap["wakes"]), len(gap["asking"])


def _fields_in(home: Any, config: Any) -> tuple[dict[str, dict[str, list[str]]], list[Any]]:
    facts = server_of(home, config)
    if facts:
        answer = Remote(facts).get("/api/v1/rules/fields")
        return answer["seen"], answer["gaps"]
    house = open_house(home, config)
    try:
        with house.state.read() as tx:
            seen = house.reach.fields(tx)
        listed = {
            lane: {source: sorted(fields) for source, fields in of.items()}
            for lane, of in seen.items()
        }
        return listed, plain(house.reach.gaps())
    finally:
        house.close()
