"""``tocsin rules fill``: let a rule look at stored events it has not seen."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tocsin.app.backtests.rule_fill import RuleFill
from tocsin.app.explaining.rule_ledger import ledger_of
from tocsin.app.moment import parse_moment
from tocsin.app.plain import as_json as plain
from tocsin.app.rules.rule_choice import NoSuchRule, rule_named
from tocsin.app.wiring import Tocsin
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, item_progress, out, print_json
from tocsin.cli.remote import Remote
from tocsin.cli.rule_decisions import id_there

_ASK_S = 0.5
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)

Rule = Annotated[str, typer.Argument(help="A rule's id or title.")]
Since = Annotated[
    str | None,
    typer.Option("--from", help="Events received from then on (default: the rule's gaps)."),
]
Until = Annotated[str | None, typer.Option("--to", help="Events received before then.")]


def fill_rule(
    rule: Rule,
    since: Since = None,
    until: Until = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill a rule's gaps from the store: findings are marked late and fold as all others do.

    May be done again: what is found already is left alone.
    """
    start, end = _moment(since), _moment(until)
    facts = server_of(home, config)
    if facts:
        fills = _asked(Remote(facts), rule, start, end)
    else:
        house = open_house(home, config)
        try:
            fills = _done(house, rule, start, end)
        finally:
            house.close()
    if as_json:
        print_json({"fills": fills})
    else:
        for one in fills:
            out.print(
                f"{one['since']} to {one['until']}: {one['events']:,} events, "
                f"{one['findings']:,} new findings",
                markup=False,
            )
        if not fills:
            out.print("the rule has no gap; look further back with --from", markup=False)
    damage = [one["damage"] for one in fills if one["damage"]]
    if damage:
        fail("; ".join(damage), Exit.BAD_CONTENT)


def _done(
    house: Tocsin, named: str, start: datetime | None, end: datetime | None
) -> list[dict[str, Any]]:
    try:
        rule_id = rule_named(house.ruleset, named).id
    except NoSuchRule as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
    now = datetime.now(UTC)
    ledger = ledger_of(house, rule_id)
    spans = [(gap.since, gap.until or now) for gap in ledger.looks.gaps] if ledger else []
    if start is not None or end is not None:
        spans = [(start or _BEGIN, end or now)]
    fills = []
    with item_progress() as progress:
        task = progress.add_task("looking at stored events", total=None)
        for span in spans:
            fill = RuleFill(house, rule_id, *span).run(
                "command line",
                now,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
            fills.append(plain(fill))
    return fills


def _asked(
    remote: Remote, rule: str, start: datetime | None, end: datetime | None
) -> list[dict[str, Any]]:
    """Have the running server do it, and watch."""
    wanted = {"from": plain(start), "to": plain(end)}
    path = f"/api/v1/rules/{quote(id_there(remote, rule), safe='')}/fill"
    job = remote.post(path, json=wanted)
    with item_progress() as progress:
        task = progress.add_task("looking at stored events", total=None)
        while job["finished_at"] is None:
            time.sleep(_ASK_S)
            job = remote.get(f"/api/v1/rule-jobs/{job['id']}")
            progress.update(task, completed=job["done"], total=job["total"] or None)
    if job["error"]:
        fail(job["error"])
    fills: list[dict[str, Any]] = job["result"] or []
    return fills


def _moment(text: str | None) -> datetime | None:
    try:
        return parse_moment(text) if text else None
    except ValueError as error:
        fail(str(error), Exit.BAD_CONFIGURATION)
