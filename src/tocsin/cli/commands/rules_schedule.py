"""``tocsin rules schedule``: when a rule pages, by hours of the week."""

from typing import Annotated, Any

import typer

from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, out, print_json
from tocsin.cli.rule_decisions import decide
from tocsin.detect.rules.schedule import DAYS, BadSchedule, Schedule, read_schedule
from tocsin.model.severity import Level


def schedule_rule(
    rule: Annotated[str, typer.Argument(help="A rule's id or title.", metavar="RULE")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the rule's history.")],
    hours: Annotated[
        str, typer.Option("--hours", help="As 08:00-18:00; 22:00-06:00 goes over midnight.")
    ] = "",
    days: Annotated[
        str, typer.Option("--days", help="As mon-fri or sat,sun (default: every day).")
    ] = "mon-sun",
    zone: Annotated[
        str, typer.Option("--zone", help="IANA time zone, such as Europe/Berlin.")
    ] = "UTC",
    outside: Annotated[
        bool, typer.Option("--outside", help="Page at all other times instead.")
    ] = False,
    otherwise: Annotated[
        Level | None,
        typer.Option("--otherwise", help="Level of alerts at other times (default: no alert)."),
    ] = None,
    always: Annotated[bool, typer.Option("--always", help="Page at any time again.")] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say when a rule pages. What it finds at other times is stored and counted all the same."""
    if always is bool(hours):
        fail("give --hours, or --always to page at any time", Exit.BAD_CONFIGURATION)
    wanted = None if always else _schedule(hours, days, zone, outside, otherwise)
    body: dict[str, Any] = {"schedule": wanted.as_json() if wanted else None, "reason": reason}
    decide(
        *(rule, home, config),
        remote=lambda client, path: client.post(f"{path}/schedule", json=body),
        local=lambda book, rule_id, by: book.set_schedule(rule_id, wanted, reason=reason, by=by),
    )
    found = decide(
        *(rule, home, config),
        remote=lambda client, path: client.get(f"{path}/overlay"),
        local=lambda book, rule_id, _: book.life(rule_id),
    )
    if as_json:
        print_json(found)
    else:
        told = wanted.in_words() if wanted else "pages at any time"
        out.print(f"{found['title']}: {told}", markup=False)


def _schedule(hours: str, days: str, zone: str, outside: bool, otherwise: Level | None) -> Schedule:
    start, _, end = hours.partition("-")
    content = {"days": _days(days), "start": start.strip(), "end": end.strip(), "zone": zone}
    try:
        return read_schedule({**content, "outside": outside, "otherwise": otherwise})
    except BadSchedule as error:
        fail(f"the schedule can't be used: {error}", Exit.BAD_CONFIGURATION)


def _days(text: str) -> list[str]:
    """``mon-wed,sun`` as days; what is no day stays, to be refused by its name."""
    found: list[str] = []
    for part in text.lower().split(","):
        first, dash, last = part.strip().partition("-")
        if dash and first in DAYS and last in DAYS:
            begin, count = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
            found += [DAYS[(begin + at) % 7] for at in range(count)]
        else:
            found.append(part.strip())
    return found
