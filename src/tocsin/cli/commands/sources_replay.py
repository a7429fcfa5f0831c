"""``tocsin sources replay``: try again what could not be read or was not known, once it is mended."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.app.moment import parse_moment
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, item_progress, out, print_json, print_table
from tocsin.cli.remote import Remote

_Go = Callable[[str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Replays:
    """One go at the quarantine, and one at the events of unknown format."""

    unreadable: _Go
    unknown: _Go


def replay_sources(
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only what was taken in since then: a time, or 2h, 7d."),
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read quarantined records once more, and map stored events that no mapping knew.

    What is understood now is stored in its lane, and rules look at it. Nothing is ever stored
    twice, so it may be stopped and run again. What still can't be read stays, with its new reason;
    then the exit code is 2.
    """
    try:
        moment = parse_moment(since) if since else None
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
    reasons: Counter[str] = Counter()
    with _replays_in(home, config, source, moment) as replays, item_progress() as progress:
        task = progress.add_task("trying again", total=None)
        read: Counter[str] = Counter()
        for done in _goes(replays.unreadable):
            read.update({name: done[name] for name in ("tried", "stored", "failed")})
            reasons.update(done["reasons"])
            whole = max(read["tried"], read["stored"] + done["left"])
            progress.update(task, completed=read["tried"], total=whole)
        mapped: Counter[str] = Counter()
        for done in _goes(replays.unknown):
            mapped.update({name: done[name] for name in ("tried", "recognized", "unknown")})
    if as_json:
        counts = {name: read[name] for name in ("tried", "stored", "failed")}
        unknown = {name: mapped[name] for name in ("tried", "recognized", "unknown")}
        print_json({**counts, "reasons": reasons, "of_unknown_format": unknown})
    else:
        out.print(
            f"{read['tried']} records tried: {read['stored']} stored, "
            f"{read['failed']} still unreadable",
            markup=False,
        )
        out.print(
            f"{mapped['tried']} events of unknown format tried: {mapped['recognized']} recognized, "
            f"{mapped['unknown']} still unknown",
            markup=False,
        )
        if reasons:
            print_table("still unreadable", ("records", "reason"), _by_count(reasons))
    raise typer.Exit(Exit.BAD_CONTENT if read["failed"] else Exit.DONE)


def _goes(go: _Go) -> Iterator[dict[str, Any]]:
    """One part after the other, until all were tried."""
    after: str | None = ""
    while after is not None:
        done = go(after)
        yield done
        after = done["next_after"]


def _by_count(reasons: Counter[str]) -> Iterator[tuple[int, str]]:
    return ((count, reason) for reason, count in reasons.most_common(20))


@contextmanager
def _replays_in(
    home: Any, config: Any, source: str | None, since: datetime | None
) -> Iterator[_Replays]:
    facts = server_of(home, config)
    if facts:
        remote = Remote(facts)
        asked = {"source": source, "since": since.isoformat() if since else None}

        def posting(path: str) -> _Go:
            return lambda after: remote.post(path, json={**asked, "after": after})

        yield _Replays(posting("/api/v1/sources/replay"), posting("/api/v1/sources/recognize"))
        return
    house = open_house(home, config)
    try:

        def read(after: str) -> dict[str, Any]:
            done = house.replay.go(
                by="cli", now=datetime.now(UTC), after=after, source=source, since=since
            )
            return done.as_json(house.replay.waiting(source, since))

        def recognize(after: str) -> dict[str, Any]:
            done = house.unknown.go(
                by="cli", now=datetime.now(UTC), after=after, source=source, since=since
            )
            return done.as_json()

        yield _Replays(read, recognize)
    finally:
        house.close()
