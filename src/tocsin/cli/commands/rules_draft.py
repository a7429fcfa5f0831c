"""``tocsin rules draft``: from a search to a draft of a Sigma rule, tested on what it found."""

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.app.drafting.search_drafting import WantedDraft, draft_from_search, keep_draft
from tocsin.app.moment import parse_moment
from tocsin.app.plain import as_json as plain
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, err, fail, out, print_json
from tocsin.cli.remote import Remote
from tocsin.model.severity import Level
from tocsin.store.query import EventQuery


def draft_rule_of_search(
    query: Annotated[str, typer.Argument(help="Lucene filter; may be empty with --event.")],
    title: Annotated[str, typer.Option("--title", help="Title of the rule.")],
    event: Annotated[
        list[str] | None, typer.Option("--event", help="Id of a picked event; repeatable.")
    ] = None,
    start: Annotated[str, typer.Option("--from", help="ISO time or now-24h.")] = "now-30d",
    end: Annotated[str | None, typer.Option("--to", help="ISO time; not included.")] = None,
    level: Annotated[Level, typer.Option("--level", help="Level of the rule.")] = Level.MEDIUM,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag, such as attack.t1059; repeatable.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Put it into the data folder as a draft.")
    ] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say a search as a Sigma rule with tests of what it found; what can't be said is named."""
    facts = server_of(home, config)
    if facts:
        wish = {
            **{"title": title, "q": query, "from": start, "to": end, "keep": keep},
            **{"events": event or [], "level": level.value, "tags": tag or []},
        }
        _show(Remote(facts).post("/api/v1/rules/draft", json=wish), as_json)
        return
    now = datetime.now(UTC)
    try:
        moments = [parse_moment(text, now) if text else None for text in (start, end)]
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
    wanted = WantedDraft(
        title=title,
        query=EventQuery(query, moments[0], moments[1]),
        event_ids=tuple(event or ()),
        level=level,
        tags=tuple(tag or ()),
        author=getpass.getuser(),
    )
    house = open_house(home, config)
    try:
        drafted = draft_from_search(house, wanted, now)
        told = plain(drafted)
        if keep:
            told["path"] = keep_draft(house, drafted, by=getpass.getuser(), now=now)
    finally:
        house.close()
    _show(told, as_json)


def _show(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    out.print(told["text"], markup=False, highlight=False, soft_wrap=True, end="")
    for one in told["unsaid"]:
        err.print(f"not said: {one}", markup=False)
    if "path" in told:
        err.print(f"kept as a draft: {told['path']}", markup=False)
