"""Storage: what fills the disk, when it will be full, how long events are kept, and what is held."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.moment import parse_moment
from tocsin.app.storage.holds import HoldError, scope_in_words
from tocsin.app.storage.retention import Due
from tocsin.app.storage.retention_account import Share, shares
from tocsin.app.storage.retention_book import RetentionError, in_words
from tocsin.app.storage.storage import Storage, storage_now
from tocsin.console.choosing import choice
from tocsin.console.panes import attempt
from tocsin.console.storage_chart import day_chart, disk_parts
from tocsin.console.visit import Needs, Refused, Visit
from tocsin.model.principal import Permission
from tocsin.model.retention import CountedFrom, RetentionRule

router = APIRouter(prefix="/storage")
Reader = Annotated[Visit, Depends(Needs(Permission.SOURCES_READ))]
Keeper = Annotated[Visit, Depends(Needs(Permission.RETENTION_WRITE))]
Holder = Annotated[Visit, Depends(Needs(Permission.HOLDS_WRITE))]
_MOST_SHOWN = 200
_GB = 1_000_000_000
_SOON_DAYS = 21


@dataclass(frozen=True, slots=True)
class Preview:
    """What putting a rule in force, or removing one, would delete; ``before`` is the rule now."""

    is_removal: bool
    rule: RetentionRule
    before: RetentionRule | None
    after: RetentionRule | None
    due: Due
    shares: tuple[Share, ...]


@router.get("")
def storage(visit: Reader) -> Response:
    tocsin = visit.tocsin
    found = attempt(
        "What is stored",
        lambda: storage_now(tocsin.home.folder, tocsin.events, tocsin.retention, visit.now),
    )
    one = found.value
    return visit.page(
        "storage.html",
        storage=found,
        chart=day_chart(one.days, visit.now.date()) if one else None,
        disk=disk_parts(one) if one else (),
        is_soon=one is not None and _is_soon(one),
        due_shares=_shares(one.due) if one else (),
        holds=tocsin.retention.holds.all() if visit.may(Permission.HOLDS_WRITE.value) else (),
        kept=tocsin.safekeeping.kept(visit.now),
        most_shown=_MOST_SHOWN,
        in_words=in_words,
        scope_in_words=scope_in_words,
    )


@router.post("/preview")
def preview(visit: Keeper) -> Response:
    """What a change would delete; nothing changes yet."""
    retention = visit.tocsin.retention
    is_removal = visit.text("do") == "remove"
    name = visit.required("name", "the rule's name")
    known = {one.name: one for one in retention.book.rules()}
    with _refusals():
        if is_removal:
            rules = retention.book.without_rule(name)
            rule = known[name]
        else:
            rule = _rule(visit, name)
            rules = retention.book.with_rule(rule)
    due = retention.due(visit.now, rules)
    after = next((one for one in rules if one.name == name), None)
    return visit.page(
        "storage_preview.html",
        preview=Preview(is_removal, rule, known.get(name), after, due, _shares(due)),
        most_shown=_MOST_SHOWN,
        in_words=in_words,
    )


@router.post("/rules")
def carry_out(visit: Keeper) -> Response:
    """Put the rule in force, or remove it, as it was looked at."""
    retention, by = visit.tocsin.retention, visit.principal.name
    name = visit.required("name", "the rule's name")
    seen = _whole(visit, "seen_events")
    with _refusals():
        if visit.text("do") == "remove":
            retention.remove(name, by=by, now=visit.now, seen_events=seen)
            told = f"The rule {name} is removed."
        else:
            kept = retention.put(_rule(visit, name), by=by, now=visit.now, seen_events=seen)
            told = f"In force: {in_words(kept)}."
    visit.tocsin.storage_watch.look_again()
    return visit.done(told, to="/storage")


@router.post("/go-on")
def go_on(visit: Keeper) -> Response:
    with _refusals():
        due = visit.tocsin.retention.go_on(
            by=visit.principal.name, now=visit.now, seen_events=_whole(visit, "seen_events") or 0
        )
    visit.tocsin.storage_watch.look_again()
    return visit.done(f"{due.events:,} events are being deleted.", to="/storage")


@router.post("/holds")
def place(visit: Holder) -> Response:
    with _refusals():
        hold = visit.tocsin.retention.holds.place(
            visit.required("name", "the hold's name"),
            visit.required("reason", "the reason"),
            by=visit.principal.name,
            now=visit.now,
            sources=re.split(r"[\s,]+", visit.text("sources")),
            tenant=visit.text("tenant"),
            start=_moment(visit, "from"),
            until=_moment(visit, "to"),
            matching=visit.text("matching"),
        )
    return visit.done(f"Held from now on: {scope_in_words(hold)}.", to="/storage")


@router.post("/holds/lift")
def lift(visit: Holder) -> Response:
    with _refusals():
        hold = visit.tocsin.retention.holds.lift(
            visit.required("hold", "the hold"),
            visit.required("because", "the reason"),
            by=visit.principal.name,
            now=visit.now,
        )
    return visit.done(
        f"{hold.name} is lifted. What it held stays for one more day: place it again if need be.",
        to="/storage",
    )


def _rule(visit: Visit, name: str) -> RetentionRule:
    return RetentionRule(
        name,
        source=visit.text("source") or "*",
        tenant=visit.text("tenant"),
        keep_days=_number(visit, "keep_days", 1),
        most_bytes=_bytes(visit, "most_gb"),
        least_free_bytes=_bytes(visit, "least_free_gb"),
        counted_from=choice(CountedFrom, visit.text("counted_from")) or CountedFrom.INTAKE,
    )


def _bytes(visit: Visit, name: str) -> int | None:
    number = _number(visit, name, 0)
    return None if number is None else round(number * _GB)


def _number(visit: Visit, name: str, least: float) -> float | None:
    text = visit.text(name).replace(",", ".")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text) or float(text) < least:
        raise Refused(f"Give a number from {least:g} on, such as 90, instead of {text[:40]}.")
    return float(text)


def _whole(visit: Visit, name: str) -> int | None:
    text = visit.text(name)
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None


def _moment(visit: Visit, name: str) -> datetime | None:
    text = visit.text(name)
    try:
        return parse_moment(text, visit.now) if text else None
    except ValueError as error:
        raise Refused(f"{error}.") from error


def _shares(due: Due) -> tuple[Share, ...]:
    found = shares(due.aged_lots, due.aged) + shares(due.large_lots, due.large)
    return tuple(sorted(found, key=lambda one: (one.first, one.source)))


def _is_soon(one: Storage) -> bool:
    days = one.forecast.full_in_days
    return one.free_share < 0.1 or (days is not None and days < _SOON_DAYS)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (RetentionError, HoldError) as error:
        told = str(error)
        raise Refused(f"{told[:1].upper()}{told[1:]}.") from error
