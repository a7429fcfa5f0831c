"""``tocsin rules except``: where a rule is to keep quiet, and what that hid."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tocsin.app.moment import parse_moment
from tocsin.app.plain import as_json as plain_json
from tocsin.app.rules.exception_fields import unseen_fields
from tocsin.cli.options import ConfigOption, HomeOption, JsonOption
from tocsin.cli.output import Exit, err, fail, out, print_json, print_table
from tocsin.cli.rule_decisions import decide
from tocsin.detect.reading.rule_section import span_of
from tocsin.detect.rules.overlay import fields_in_words


def except_from_rule(
    rule: Annotated[str, typer.Argument(help="A rule's id or title.", metavar="RULE")],
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            help="Fields that must all hold, as in Sigma: 'User=svc-backup', "
            "'Image|endswith=\\\\a.exe'; the same field again is an alternative, and "
            "'User=@FILE' takes the lines of a file.",
            metavar="[FIELD=VALUE...]",
        ),
    ] = None,
    owner: Annotated[str, typer.Option("--owner", help="Who answers for it.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why it is right to hide these.")] = "",
    expires: Annotated[
        str, typer.Option("--expires", help="When it ends: 2026-12-31, or in 30d (h, d, w, M, y).")
    ] = "",
    remove: Annotated[
        str, typer.Option("--remove", help="Take away the exception with this id.")
    ] = "",
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a rule quiet where fields hold; without fields, list its exceptions and what they hid."""
    if remove:
        _remove(rule, remove, reason, home, config)
    elif fields:
        made = _add(rule, _read(fields), owner, reason, expires, home, config)
        if as_json:
            print_json(made)
            return
        out.print(f"{made['exception']['id']} hides from now on", markup=False)
        for name in made["hides_tests"]:
            err.print(f"it would hide what the rule's own test “{name}” must find", markup=False)
        if made["unseen_fields"]:
            err.print(
                f"{_unseen(made['unseen_fields'])}; tocsin rules fields lists those seen",
                markup=False,
            )
        return
    _list(rule, home, config, as_json)


def _add(
    rule: str,
    fields: dict[str, list[str]],
    owner: str,
    reason: str,
    expires: str,
    home: Path | None,
    config: Path | None,
) -> dict[str, Any]:
    if not owner or not reason:
        fail("say --owner and --reason: someone must answer for it", Exit.BAD_CONFIGURATION)
    ends = _ends(expires)
    body = {
        "fields": fields,
        "owner": owner,
        "reason": reason,
        "expires": ends.isoformat() if ends else None,
    }

    def local(book: Any, rule_id: str, by: str) -> dict[str, Any]:
        made, hides = book.add_exception(
            rule_id, fields, owner=owner, reason=reason, by=by, expires=ends
        )
        unseen = unseen_fields(made.fields, book.shown_to(rule_id))
        return {"exception": plain_json(made), "hides_tests": hides, "unseen_fields": unseen}

    return decide(
        *(rule, home, config),
        remote=lambda client, path: client.post(f"{path}/exceptions", json=body),
        local=local,
    )


def _remove(
    rule: str, exception_id: str, reason: str, home: Path | None, config: Path | None
) -> None:
    decide(
        *(rule, home, config),
        remote=lambda client, path: client.delete(
            f"{path}/exceptions/{exception_id}", reason=reason
        ),
        local=lambda book, rule_id, by: book.remove_exception(
            rule_id, exception_id, reason=reason, by=by
        ),
    )


def _list(rule: str, home: Path | None, config: Path | None, as_json: bool) -> None:
    found = decide(
        *(rule, home, config),
        remote=lambda client, path: client.get(f"{path}/overlay"),
        local=lambda book, rule_id, _: book.life(rule_id),
    )
    if as_json:
        print_json(found["exceptions"])
        return
    if not found["exceptions"]:
        out.print(
            f"“{found['title'] or found['rule_id']}” has no exception. To add one: tocsin rules "
            "except RULE FIELD=VALUE --owner WHO --reason WHY --expires 30d",
            markup=False,
        )
        return
    rows = (
        (
            one["exception"]["id"],
            fields_in_words(one["exception"]["fields"]),
            one["exception"]["owner"],
            one["exception"]["reason"],
            "expired" if one["has_ended"] else one["exception"]["expires"] or "never",
            one["hidden"],
            one["problem"] or _unseen(one["unseen_fields"]),
        )
        for one in found["exceptions"]
    )
    columns = ("exception", "where", "owner", "reason", "expires", "hidden", "problem")
    print_table(found["title"], columns, rows)


def _unseen(names: list[str]) -> str:
    if not names:
        return ""
    return f"hides nothing so far: the events the rule looks at never had {', '.join(names)}"


def _read(fields: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for given in fields:
        name, equals, value = given.partition("=")
        if not equals or not name:
            fail(f"{given}: write FIELD=VALUE", Exit.BAD_CONFIGURATION)
        values = [value]
        if value.startswith("@"):
            try:
                lines = Path(value[1:]).read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                fail(f"{value[1:]} can't be read: {error}", Exit.BAD_CONFIGURATION)
            values = [line.strip() for line in lines if line.strip()]
        found.setdefault(name, []).extend(values)
    return found


def _ends(text: str) -> datetime | None:
    if not text:
        return None
    span = span_of(text)
    try:
        return parse_moment("now") + span if span else parse_moment(text)
    except ValueError as error:
        fail(f"--expires: {error}, or 30d from now", Exit.BAD_CONFIGURATION)
