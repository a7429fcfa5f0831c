"""The rules of retention in force: those of the configuration, and those set at run time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import Connection, delete, insert, select

from tocsin.app.access.audit import AuditLog
from tocsin.app.settings.retention_settings import RetentionRuleSettings
from tocsin.app.storage.retention_tables import RETENTION_RULES
from tocsin.model.retention import CountedFrom, RetentionRule
from tocsin.store.ports import StateStore

MOST_RULES = 500


class RetentionError(Exception):
    """What can't be done about retention; the message says why and what to do."""


class RetentionBook:
    """Rules by name. One set at run time stands in the place of the configuration's of its name."""

    def __init__(
        self, state: StateStore, audit: AuditLog, configured: Sequence[RetentionRuleSettings]
    ) -> None:
        self._state = state
        self._audit = audit
        self._configured = tuple(one.rule() for one in configured)

    def rules(self) -> tuple[RetentionRule, ...]:
        """By name."""
        with self._state.read() as tx:
            return self.in_force(tx)

    def in_force(self, tx: Connection) -> tuple[RetentionRule, ...]:
        found = {one.name: one for one in self._configured}
        for row in tx.execute(select(RETENTION_RULES)).mappings():
            values = {**row, "counted_from": CountedFrom(row["counted_from"])}
            found[row["name"]] = RetentionRule(**values)
        return tuple(sorted(found.values(), key=lambda one: one.name))

    def with_rule(self, rule: RetentionRule) -> tuple[RetentionRule, ...]:
        """The rules as they would be with ``rule``; raises RetentionError when it can't be."""
        check(rule)
        others = [one for one in self.rules() if one.name != rule.name]
        if len(others) >= MOST_RULES:
            raise RetentionError(f"there are {len(others)} rules; remove one first")
        return tuple(sorted((*others, rule), key=lambda one: one.name))

    def without_rule(self, name: str) -> tuple[RetentionRule, ...]:
        """The rules as they would be without the one set at run time under ``name``."""
        found = next((one for one in self.rules() if one.name == name), None)
        if found is None:
            raise RetentionError(f"there is no rule of retention named {name[:120]!r}")
        if not found.changed_by:
            raise RetentionError(
                f"the rule {name!r} is of the configuration: change it there, or set one of the "
                "same name with no bound, which keeps what it covers"
            )
        others = [one for one in self.rules() if one.name != name]
        others += [one for one in self._configured if one.name == name]
        return tuple(sorted(others, key=lambda one: one.name))

    def put(self, rule: RetentionRule, *, by: str, now: datetime) -> RetentionRule:
        """Put a rule in force, in the place of one of its name."""
        self.with_rule(rule)
        values = {
            "name": rule.name,
            "source": rule.source,
            "tenant": rule.tenant,
            "keep_days": rule.keep_days,
            "most_bytes": rule.most_bytes,
            "least_free_bytes": rule.least_free_bytes,
            "counted_from": rule.counted_from.value,
            "changed_by": by,
            "changed_at": now,
        }
        with self._state.begin() as tx:
            before = next((one for one in self.in_force(tx) if one.name == rule.name), None)
            tx.execute(delete(RETENTION_RULES).where(RETENTION_RULES.c.name == rule.name))
            tx.execute(insert(RETENTION_RULES).values(values))
            was = f"; before: {in_words(before)}" if before is not None else ""
            self._note(tx, "retention.set", rule.name, f"{in_words(rule)}{was}", by, now)
        return replace(rule, changed_by=by, changed_at=now)

    def remove(self, name: str, *, by: str, now: datetime) -> None:
        """Take a rule set at run time out of force; the configuration's of its name comes back."""
        before = next((one for one in self.rules() if one.name == name), None)
        after = next((one for one in self.without_rule(name) if one.name == name), None)
        with self._state.begin() as tx:
            tx.execute(delete(RETENTION_RULES).where(RETENTION_RULES.c.name == name))
            was = in_words(before) if before is not None else ""
            back = f"; in force again: {in_words(after)}" if after is not None else ""
            self._note(tx, "retention.remove", name, f"{was}{back}", by, now)

    def _note(
        self, tx: Connection, action: str, subject: str, detail: str, by: str, now: datetime
    ) -> None:
        self._audit.append(tx, actor=by, action=action, subject=subject, detail=detail, now=now)


def check(rule: RetentionRule) -> None:
    """Raises RetentionError with each field that is wrong."""
    names = RetentionRuleSettings.model_fields
    try:
        RetentionRuleSettings(**{name: getattr(rule, name) for name in names})
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'the rule'}: {one['msg']}"
            for one in error.errors()
        )
        raise RetentionError(f"the rule can't be: {told}") from error


def in_words(rule: RetentionRule) -> str:
    """``syslog/*: 90 days, at most 50.0 GB`` and so on."""
    bounds = []
    if rule.keep_days is not None:
        age = f"{rule.keep_days:g} day{'' if rule.keep_days == 1 else 's'}"
        bounds.append(
            age + (" by their own time" if rule.counted_from is CountedFrom.EVENT else "")
        )
    if rule.most_bytes is not None:
        bounds.append(f"at most {rule.most_bytes / 1e9:,.3g} GB")
    if rule.least_free_bytes is not None:
        bounds.append(f"{rule.least_free_bytes / 1e9:,.3g} GB of the disk stay free")
    whose = f" of {rule.tenant}" if rule.tenant else ""
    return f"{rule.source}{whose}: {', '.join(bounds) or 'kept for ever'}"
