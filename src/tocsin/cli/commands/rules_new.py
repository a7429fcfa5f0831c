"""``tocsin rules new``: drafts a rule from picked events, with tests made of them."""

import getpass
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.drafting.draft_facts import (
    asked_fields,
    faults_of,
    narrowest_logsource,
    tags_of_known,
)
from tocsin.app.explaining.given_event import GivenEvent, NoEvent, given_of_record, given_of_stored
from tocsin.app.home.shipped import cache_folder, open_normalizer, rule_paths
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.given_records import records_of
from tocsin.cli.options import ConfigOption, HomeOption, settings_for
from tocsin.cli.output import Exit, err, fail, out
from tocsin.cli.remote import Remote
from tocsin.detect.authoring.rule_drafting import NothingShared, Wished, draft_rule
from tocsin.detect.reading.ruleset import load_rules
from tocsin.model.lane import Lane
from tocsin.model.severity import Level


def new_rule(
    from_events: Annotated[
        list[str],
        typer.Option(
            "--from-events",
            help="A file of events (JSON, NDJSON, what tocsin search --json printed), -, or the"
            " id of a stored event; repeatable.",
            metavar="FILE|ID",
        ),
    ],
    title: Annotated[str, typer.Option("--title", help="Title of the rule.")],
    level: Annotated[Level, typer.Option("--level", help="Level of the rule.")] = Level.MEDIUM,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", help="A tag, such as attack.t1059; repeatable.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Rule file to write; default: print.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """Draft a Sigma rule of what picked events share; it is tested on them before it is shown."""
    events = [one for given in from_events for one in _events(given, home, config)]
    if not events:
        fail("no event was given")
    lane = _one_lane(events)
    natives = [event.native for event in events]
    known = load_rules(rule_paths(settings_for(home, config)), cache=cache_folder() / "rules")
    wished = Wished(
        title=title,
        level=level,
        rule_id=str(uuid.uuid4()),
        today=datetime.now(UTC).date(),
        author=getpass.getuser(),
        tags=tuple(tag or tags_of_known(known, lane, natives)),
    )
    try:
        text = draft_rule(natives, narrowest_logsource(lane), asked_fields(known, lane), wished)
    except NothingShared as error:
        fail(str(error))
    _proven(text, natives)
    if output is None:
        out.print(text, markup=False, highlight=False, soft_wrap=True, end="")
        return
    try:
        with output.open("x", encoding="utf-8") as written:
            written.write(text)
    except OSError as error:
        fail(f"{output} can't be written: {error.strerror}", Exit.BAD_CONFIGURATION)
    err.print(f"written to {output}; try it on history: tocsin rules backtest", markup=False)


def _events(given: str, home: Path | None, config: Path | None) -> list[GivenEvent]:
    normalizer = open_normalizer(settings_for(home, config).home)
    records = records_of(given)
    try:
        if records is not None:
            return [given_of_record(record, normalizer) for record in records]
        facts = server_of(home, config)
        if facts:
            record: Any = Remote(facts).get(f"/api/v1/events/{given}")
            return [given_of_record(record, normalizer)]
    except NoEvent as error:
        fail(f"{given}: {error}")
    house = open_house(home, config)
    try:
        event = house.events.get(given)
    finally:
        house.close()
    if event is None:
        fail(f"{given}: no such file, and no event of that id is stored")
    return [given_of_stored(event, normalizer)]


def _one_lane(events: list[GivenEvent]) -> Lane:
    lanes = {event.lane.id: event.lane for event in events if event.lane is not None}
    if len(lanes) == 1 and all(event.lane is not None for event in events):
        return next(iter(lanes.values()))
    if not lanes:
        fail("no connector knows events like these, so no rule could ask for their log source")
    several = ", ".join(lanes)
    fail(f"one rule is about events of one kind; these are of several ({several}, or unknown)")


def _proven(text: str, natives: list[Any]) -> None:
    """Hold the draft to what it is for: it lints, passes its tests and finds every event."""
    faults = faults_of(text, natives)
    if faults:
        err.print(text, markup=False, soft_wrap=True)
        fail(f"no sound rule could be drafted of these events: {'; '.join(faults[:5])}")
