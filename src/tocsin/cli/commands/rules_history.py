"""``tocsin rules history``, ``rules revert`` and ``rules settle``: what changed, and going back."""

from typing import Annotated

import typer

from tocsin.cli.commands.rules_state import Reason
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, fail, out, plain, print_json
from tocsin.cli.rule_decisions import decide

Rule = Annotated[str, typer.Argument(help="A rule's id or title.", metavar="RULE")]


def show_rule_history(
    rule: Rule,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every decision on a rule and every change of its text: who, when, why, and the diff."""
    entries = decide(
        *(rule, home, config),
        remote=lambda client, path: client.get(f"{path}/history"),
        local=lambda book, rule_id, _: {"history": book.history(rule_id)},
    )["history"]
    if as_json:
        print_json(entries)
        return
    if not entries:
        out.print("nobody has decided anything: the rule runs as it came", markup=False)
    for one in entries:
        why = f": {one['reason']}" if one["reason"] else ""
        head = f"version {one['version']}  {one['at']}  {one['by']}  {one['what']}{why}"
        out.print(plain(head), markup=False, style="bold")
        out.print(plain(one["diff"]), markup=False, soft_wrap=True)


def revert_rule(
    rule: Rule,
    version: Annotated[
        int, typer.Argument(min=0, help="The version to bring back; 0: as it came.")
    ],
    reason: Reason,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """Bring back what was decided at an earlier version, as a new version."""
    kept = decide(
        *(rule, home, config),
        remote=lambda client, path: client.post(
            f"{path}/revert", json={"version": version, "reason": reason}
        ),
        local=lambda book, rule_id, by: book.revert(rule_id, version, reason=reason, by=by),
    )
    out.print(f"version {kept['version']} says what version {version} said", markup=False)


def settle_rule(
    rule: Rule,
    ours: Annotated[
        bool, typer.Option("--ours", help="What was decided here stays in force.")
    ] = False,
    theirs: Annotated[
        bool, typer.Option("--theirs", help="The changed rule's own level comes in force.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """End a conflict between what was decided on a rule and its changed text."""
    if ours == theirs:
        fail("say either --ours or --theirs", Exit.BAD_CONFIGURATION)
    kept = decide(
        *(rule, home, config),
        remote=lambda client, path: client.post(
            f"{path}/settle", json={"keep_ours": ours, "reason": reason}
        ),
        local=lambda book, rule_id, by: book.settle(rule_id, keep_ours=ours, reason=reason, by=by),
    )
    out.print(f"settled as version {kept['version']}", markup=False)
