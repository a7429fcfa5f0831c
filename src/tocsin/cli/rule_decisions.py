"""Decisions on rules from the command line: through the server that runs, or the data folder."""

import getpass
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tocsin.app.plain import as_json
from tocsin.app.rules.rule_book import RuleBook
from tocsin.app.rules.rule_choice import NoSuchRule, rule_named
from tocsin.cli.data_folder import open_house, server_of
from tocsin.cli.output import fail
from tocsin.cli.remote import Remote
from tocsin.detect.rules.overlay import LifeState

_RULES = "/api/v1/rules"


def decide(
    rule: str,
    home: Path | None,
    config: Path | None,
    *,
    remote: Callable[[Remote, str], dict[str, Any]],
    local: Callable[[RuleBook, str, str], object],
) -> dict[str, Any]:
    """Do something with one rule and give what the API would.

    ``rule`` is an id or title. ``remote`` gets the client and the rule's path, ``local`` the book,
    the rule's id and who asks.
    """
    facts = server_of(home, config)
    if facts:
        client = Remote(facts)
        return remote(client, f"{_RULES}/{quote(id_there(client, rule), safe='')}")
    house = open_house(home, config)
    try:
        rule_id = rule
        with suppress(NoSuchRule):  # of a rule that is gone, what was decided is still there
            rule_id = rule_named(house.rule_keeper.written, rule).id
        answer = as_json(local(house.rule_book, rule_id, _asker()))
        return answer if isinstance(answer, dict) else {"items": answer}
    finally:
        house.close()


def move_rules(
    rules: list[str], state: str, reason: str, home: Path | None, config: Path | None
) -> list[dict[str, Any]]:
    """Move rules (ids or titles) to another state; each with what became of it."""
    facts = server_of(home, config)
    if facts:
        client = Remote(facts)
        ids = [id_there(client, rule) for rule in rules]
        body = {"rule_ids": ids, "state": state, "reason": reason}
        return list(client.post(f"{_RULES}/state", json=body)["moved"])
    house = open_house(home, config)
    try:
        written = house.rule_keeper.written
        ids = [rule_named(written, rule).id for rule in rules]
        moved = house.rule_book.set_state(ids, LifeState(state), reason=reason, by=_asker())
        return list(as_json(moved))
    except NoSuchRule as error:
        fail(str(error))
    finally:
        house.close()


def id_there(client: Remote, rule: str) -> str:
    """The id of the rule a running server knows by that id or title; else ``rule`` as it is."""
    listed = client.get(_RULES)["rules"]
    named = [one["id"] for one in listed if one["title"].casefold() == rule.casefold()]
    if len(named) > 1:
        fail(f"{rule}: {len(named)} rules are named so, give an id: {', '.join(named)}")
    return named[0] if named else rule


def _asker() -> str:
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "command line"
