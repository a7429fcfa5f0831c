"""Keeps the state of correlations in the state store, in the transaction of the turn that made it."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, delete, insert, select

from tocsin.app.flow.watch_tables import CORRELATION_STATE
from tocsin.detect.correlate.correlated import Saved
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.errors import DetectError
from tocsin.detect.rules.stateful_rule import CorrelationRule, StatefulRule
from tocsin.store.ports import StateStore

_log = structlog.get_logger()
_MEASURES = "measures"
"""The key under which is kept what a rule measured when its state was made."""

_FORGET = delete(CORRELATION_STATE).where(
    CORRELATION_STATE.c.rule_id == bindparam("of_rule"),
    CORRELATION_STATE.c.key == bindparam("of_key"),
)


def remember(state: StateStore, correlator: Correlator, rules: Sequence[StatefulRule]) -> None:
    """Give a new correlator what was kept; a rule whose state can't be read starts afresh."""
    with state.begin() as tx:
        forget_changed(tx, rules)
        saved = list(_saved(tx))
        try:
            correlator.restore(saved)
        except DetectError:
            broken = _unreadable(saved, rules)
            _log.exception("correlation_state_unreadable", rules=sorted(broken))
            keep_state(
                tx, [Saved(one.rule_id, one.key, None) for one in saved if one.rule_id in broken]
            )
            correlator.restore(one for one in saved if one.rule_id not in broken)


def forget_changed(tx: Connection, rules: Sequence[StatefulRule]) -> None:
    """Delete the state of rules that are gone or measure something else than they did."""
    columns = CORRELATION_STATE.c
    wanted = {one.rule.id: _measures(one) for one in rules}
    query = select(columns.rule_id, columns.content).where(columns.key == _MEASURES)
    known = {rule_id: content for rule_id, content in tx.execute(query)}
    for rule_id in known.keys() - {one for one in known if known[one] == wanted.get(one)}:
        tx.execute(delete(CORRELATION_STATE).where(columns.rule_id == rule_id))
    fresh = [
        {"rule_id": rule_id, "key": _MEASURES, "content": content}
        for rule_id, content in wanted.items()
        if known.get(rule_id) != content
    ]
    if fresh:
        tx.execute(insert(CORRELATION_STATE), fresh)


def _measures(rule: StatefulRule) -> bytes:
    """A digest of what a rule measures; title, level and bounds may change without harm."""
    if isinstance(rule, CorrelationRule):
        aliases = sorted((name, sorted(of.items())) for name, of in rule.aliases.items())
        facts: tuple[object, ...] = (
            *(rule.type.value, rule.rules, rule.timespan, rule.group_by, aliases, rule.fields),
            rule.percentile,
        )
    else:
        facts = ("new_terms", rule.fields, rule.window, rule.learning, rule.group_by)
    return hashlib.sha256(repr(facts).encode()).digest()


def _unreadable(saved: Sequence[Saved], rules: Sequence[StatefulRule]) -> set[str]:
    """The rules whose own pieces can't be read; all of them when the shared ones can't."""
    everyone = {one.rule_id for one in saved}
    shared = [one for one in saved if not one.rule_id]
    broken = set()
    for rule_id in everyone:
        own = [one for one in saved if one.rule_id == rule_id and rule_id]
        try:
            Correlator(rules).restore([*shared, *own])
        except DetectError:
            broken.add(rule_id)
    return everyone if "" in broken else broken


def _saved(tx: Connection) -> Iterator[Saved]:
    query = select(CORRELATION_STATE).where(CORRELATION_STATE.c.key != _MEASURES)
    for row in tx.execute(query).mappings():
        yield Saved(row["rule_id"], row["key"], row["content"])


def keep_state(tx: Connection, changes: Sequence[Saved]) -> None:
    """Write the pieces, the last one of a key winning; those without content are deleted."""
    latest = {(one.rule_id, one.key): one.content for one in changes}
    if latest:
        tx.execute(_FORGET, [{"of_rule": rule_id, "of_key": key} for rule_id, key in latest])
    rows: list[dict[str, Any]] = [
        {"rule_id": rule_id, "key": key, "content": content}
        for (rule_id, key), content in latest.items()
        if content is not None
    ]
    if rows:
        tx.execute(insert(CORRELATION_STATE), rows)
