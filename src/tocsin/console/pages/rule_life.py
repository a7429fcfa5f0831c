"""What people decide about a rule: its state and level, and going back to earlier decisions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.rules.rule_life import Moved
from tocsin.console.choosing import choice
from tocsin.console.rule_list import FILTERS, RulesState
from tocsin.console.rule_view import every_row
from tocsin.console.visit import Needs, Refused, Visit
from tocsin.detect.errors import DetectError
from tocsin.detect.rules.overlay import LifeState, Overlay
from tocsin.model.principal import Permission
from tocsin.model.severity import Level
from tocsin.store.ports import StoreError

router = APIRouter(prefix="/rules")
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
_TOLD = 3


@router.post("/state")
def change_states(visit: Writer) -> Response:
    """Move the marked rules, or all that the filter finds; those that can't move are told."""
    return _moved(visit, asked_rules(visit))


@router.post("/{rule_id:path}/state")
def change_state(visit: Writer, rule_id: str) -> Response:
    return _moved(visit, [rule_id])


@router.post("/{rule_id:path}/decisions")
def decide(visit: Writer, rule_id: str) -> Response:
    """Level and notes, over the version the person saw; another's change meanwhile is told."""
    book = visit.tocsin.rule_book
    reason = visit.required("reason", "the reason for the change")
    seen = visit.text("version")
    with refusals():
        overlay = book.overlays().get(rule_id, Overlay(rule_id))
        wanted = replace(
            overlay,
            level=choice(Level, visit.text("level")),
            notes=visit.text("notes", limit=4_000).replace("\r\n", "\n"),
        )
        book.save(
            wanted,
            seen_version=int(seen) if seen.isdecimal() else -1,
            reason=reason,
            by=visit.principal.name,
        )
    return visit.done("Saved; in force now.")


@router.post("/{rule_id:path}/revert")
def revert(visit: Writer, rule_id: str) -> Response:
    reason = visit.required("reason", "the reason for going back")
    version = visit.text("version")
    if not version.isdecimal():
        raise Refused("Choose a version to go back to.")
    with refusals():
        visit.tocsin.rule_book.revert(rule_id, int(version), reason=reason, by=visit.principal.name)
    return visit.done(f"What was decided in version {version} is in force again.")


@router.post("/{rule_id:path}/settle")
def settle(visit: Writer, rule_id: str) -> Response:
    """End a conflict with a changed rule text."""
    keeps = visit.text("keep") == "ours"
    with refusals():
        visit.tocsin.rule_book.settle(
            rule_id, keep_ours=keeps, reason=visit.text("reason"), by=visit.principal.name
        )
    return visit.done("Settled: yours stays." if keeps else "Settled: the rule's own is in force.")


def asked_rules(visit: Visit) -> list[str]:
    """Ids of the marked rules, or of all that the filter finds; raises ``Refused`` for none."""
    if visit.text("scope") == "matching":
        only: dict[str, Any] = {name: visit.text(f"only_{name}") for name in FILTERS}
        ids = [row.rule.id for row in RulesState(**only).chosen(every_row(visit.tocsin)[0])]
    else:
        ids = [value for value in visit.form.getlist("id") if isinstance(value, str)]
    if not ids:
        raise Refused("Mark at least one rule first.")
    return ids


def _moved(visit: Visit, ids: list[str]) -> Response:
    state = choice(LifeState, visit.text("state"))
    if state is None:
        raise Refused("Choose a state to move to.")
    reason = visit.required("reason", "the reason for the change")
    with refusals():
        moved = visit.tocsin.rule_book.set_state(ids, state, reason=reason, by=visit.principal.name)
    refused = [one for one in moved if one.refused]
    done = sum(one.before is not one.after for one in moved)
    return visit.done(_in_words(done, state, refused), kind="bad" if refused else "good")


def _in_words(done: int, state: LifeState, refused: list[Moved]) -> str:
    told = f"{done:,} rule{'s are' if done != 1 else ' is'} {state.value} now."
    if not refused:
        return told
    reasons = " ".join(f"{one.title or one.rule_id}: {one.refused}." for one in refused[:_TOLD])
    more = f" And {len(refused) - _TOLD:,} more." if len(refused) > _TOLD else ""
    return f"{told} {len(refused):,} could not move. {reasons}{more}"


@contextmanager
def refusals() -> Iterator[None]:
    """What the book refuses, as a message on the page."""
    try:
        yield
    except (DetectError, StoreError) as error:
        told = str(error)
        raise Refused(f"{told[:1].upper()}{told[1:]}.") from error
