"""``tocsin sources replay``: try quarantined records again, once a decoder has been mended."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tocsin.app.moment import parse_moment
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, item_progress, out, print_json, print_table
from tocsin.cli.remote import Remote

_Go = Callable[[str], dict[str, Any]]


def replay_quarantine(
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only what was taken in since then: a time, or 2h, 7d."),
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decode quarantined records once more; what can be read now is stored, and rules see it.

    Nothing is ever stored twice, so it may be stopped and run again. What still can't be read
    stays, with its new reason; then the exit code is 2.
    """
    try:
        moment = parse_moment(since) if since else None
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
    total: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with _replay_in(home, config, source, moment) as go, item_progress() as progress:
        task = progress.add_task("trying again", total=None)
        after = ""
        while True:
            done = go(after)
            total.update({name: done[name] for name in ("tried", "stored", "failed")})
            reasons.update(done["reasons"])
            if done["next_after"] is None:
                break
            after = done["next_after"]
            whole = max(total["tried"], total["stored"] + done["left"])
            progress.update(task, completed=total["tried"], total=whole)
    answer = {**{name: total[name] for name in ("tried", "stored", "failed")}, "reasons": reasons}
    if as_json:
        print_json(answer)
    else:
        out.print(
            f"{total['tried']} records tried: {total['stored']} stored, "
            f"{total['failed']} still unreadable",
            markup=False,
        )
        if reasons:
            print_table("still unreadable", ("records", "reason"), _by_count(reasons))
    raise typer.Exit(Exit.BAD_CONTENT if total["failed"] else Exit.DONE)


def _by_count(reasons: Counter[str]) -> Iterator[tuple[int, str]]:
    return ((count, reason) for reason, count in reasons.most_common(20))


@contextmanager
def _replay_in(home: Any, config: Any, source: str | None, since: datetime | None) -> Iterator[_Go]:
    facts = server_of(home, config)
    if facts:
        remote = Remote(facts)
        asked = {"source": source, "since": since.isoformat() if since else None}
        yield lambda after: remote.post("/api/v1/sources/replay", json={**asked, "after": after})
        return
    house = open_house(home, config)
    try:

        def go(after: str) -> dict[str, Any]:
            done = house.replay.go(
                by="cli", now=datetime.now(UTC), after=after, source=source, since=since
            )
            return done.as_json(house.replay.waiting(source, since))

        yield go
    finally:
        house.close()
