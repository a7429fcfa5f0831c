"""``tocsin rules state`` and ``rules level``: where rules stand in their life, and their level."""

from typing import Annotated

import typer

from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, out, print_json, print_table
from tocsin.cli.rule_decisions import decide, move_rules
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.severity import Level

Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the rule's history.")]
OWN = "own"


def set_rule_state(
    rules: Annotated[list[str], typer.Argument(help="Ids or titles of rules.", metavar="RULE...")],
    state: Annotated[LifeState, typer.Argument(help="Where they are to go.", metavar="STATE")],
    reason: Reason,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move rules between draft, staging, active and retired. Exit code 2 when one can't move.

    A staging rule runs and its findings are stored, but it pages nobody. On the way to staging
    or active a rule's own tests run; one that fails keeps it where it is.
    """
    moved = move_rules(rules, state.value, reason, home, config)
    if as_json:
        print_json(moved)
    else:
        rows = (
            (
                one["title"] or one["rule_id"],
                one["before"],
                one["after"],
                one["refused"] or _tested(one["tests"], state),
            )
            for one in moved
        )
        print_table("", ("rule", "was", "is", ""), rows)
    refused = any(one["refused"] for one in moved)
    raise typer.Exit(Exit.BAD_CONTENT if refused else Exit.DONE)


def set_rule_level(
    rule: Annotated[str, typer.Argument(help="A rule's id or title.", metavar="RULE")],
    level: Annotated[
        str, typer.Argument(help="A Sigma level, or 'own' for the rule's own.", metavar="LEVEL")
    ],
    reason: Reason,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a rule another level here; its file stays as it came."""
    if level != OWN and level not in tuple(Level):
        fail(f"{level} is no level: give {', '.join(Level)} or {OWN}", Exit.BAD_CONFIGURATION)
    wanted = None if level == OWN else Level(level)
    decide(
        *(rule, home, config),
        remote=lambda client, path: client.post(
            f"{path}/level", json={"level": wanted, "reason": reason}
        ),
        local=lambda book, rule_id, by: book.set_level(rule_id, wanted, reason=reason, by=by),
    )
    found = decide(
        *(rule, home, config),
        remote=lambda client, path: client.get(f"{path}/overlay"),
        local=lambda book, rule_id, _: book.life(rule_id),
    )
    if as_json:
        print_json(found)
    else:
        out.print(
            f"{found['title']}: {found['level']} (the rule's own: {found['own_level']})",
            markup=False,
        )


def _tested(tests: int, state: LifeState) -> str:
    if state not in (LifeState.STAGING, LifeState.ACTIVE):
        return ""
    return f"{tests} of its own tests passed" if tests else "it has no tests of its own"
