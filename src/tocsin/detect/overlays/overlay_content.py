"""Overlays as JSON and as text to compare; damaged content is told, the sound part of it kept."""

import difflib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tocsin.detect.errors import DetectError
from tocsin.detect.rules.overlay import LifeState, Overlay, RuleException, Scalar
from tocsin.detect.rules.schedule import BadSchedule, read_schedule
from tocsin.model.severity import Level

_SCALARS = (str, int, float, bool, type(None))
_MOST_LISTED = 200
"""Values of one field that a diff shows when they are on both sides."""


class DamagedOverlay(DetectError):
    """The content of an overlay can't be read at all."""


def written(overlay: Overlay) -> str:
    """The overlay as JSON text, the same for the same overlay."""
    return json.dumps(_content(overlay), ensure_ascii=False, sort_keys=True, indent=1)


def read_overlay(text: str, rule_id: str) -> tuple[Overlay, list[str]]:
    """The overlay in ``text`` and what of it could not be used.

    Raises ``DamagedOverlay`` when not even its state can be told.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DamagedOverlay(f"its content is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise DamagedOverlay("its content is no JSON object")
    try:
        state = LifeState(content.get("state", LifeState.ACTIVE))
    except ValueError as error:
        raise DamagedOverlay(f"its state can't be read: {error}") from error
    damage: list[str] = []
    level = None
    if content.get("level") is not None:
        try:
            level = Level(content["level"])
        except ValueError as error:
            damage.append(f"the level can't be read ({error}): the rule keeps its own")
    listed = content.get("exceptions") or []
    if not isinstance(listed, list):
        damage.append("the exceptions are no list: none applies")
        listed = []
    exceptions = []
    for at, one in enumerate(listed):
        try:
            exceptions.append(read_exception(one))
        except DamagedOverlay as error:
            damage.append(f"exception {at + 1} can't be read ({error}): it hides nothing")
    notes, digest = content.get("notes") or "", content.get("base_digest") or ""
    schedule = None
    if content.get("schedule") is not None:
        try:
            schedule = read_schedule(content["schedule"])
        except BadSchedule as error:
            damage.append(f"the schedule can't be used ({error}): the rule pages at any time")
    overlay = Overlay(
        *(rule_id, state, level, tuple(exceptions), str(notes), str(digest)), schedule=schedule
    )
    return overlay, damage


def read_exception(content: object) -> RuleException:
    """Raises ``DamagedOverlay`` with what is wrong."""
    if not isinstance(content, Mapping):
        raise DamagedOverlay("it is no map")
    texts = {name: content.get(name) for name in ("id", "owner", "reason")}
    for name, value in texts.items():
        if not isinstance(value, str) or not value:
            raise DamagedOverlay(f"its {name} is missing")
    return RuleException(
        id=str(texts["id"]),
        owner=str(texts["owner"]),
        reason=str(texts["reason"]),
        fields=read_fields(content.get("fields")),
        expires=_moment(content, "expires"),
        created_by=str(content.get("created_by") or ""),
        created_at=_moment(content, "created_at"),
        expired_at=_moment(content, "expired_at"),
    )


def read_fields(content: object) -> dict[str, tuple[Scalar, ...]]:
    """``field|modifier`` to one value or a list of them. Raises ``DamagedOverlay``."""
    if not isinstance(content, Mapping) or not content:
        raise DamagedOverlay("its fields must be a map such as {'User': 'svc-backup'}")
    found: dict[str, tuple[Scalar, ...]] = {}
    for name, value in content.items():
        values = tuple(value) if isinstance(value, list | tuple) else (value,)
        if not isinstance(name, str) or not name.partition("|")[0]:
            raise DamagedOverlay(f"{name!r} is no field name")
        if not values:
            raise DamagedOverlay(f"{name} has no value: nothing would match it")
        for one in values:
            if not isinstance(one, _SCALARS):
                raise DamagedOverlay(f"a value of {name} is no text, number, boolean or null")
        found[name] = values
    return found


def unified_diff(before: Overlay, after: Overlay, old_name: str, new_name: str) -> str:
    """What changed between two overlays, as a unified diff; empty when nothing did.

    Of fields with very many values it shows those that came or went, and counts the others.
    """
    lines = (list(_lines(before, after)), list(_lines(after, before)))
    return "\n".join(difflib.unified_diff(*lines, old_name, new_name, lineterm="", n=3))


def text_diff(before: str, after: str, old_name: str, new_name: str) -> str:
    """The same of two texts of a rule."""
    return "\n".join(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), old_name, new_name, lineterm="", n=3
        )
    )


def _content(overlay: Overlay) -> dict[str, Any]:
    return {
        "state": overlay.state.value,
        "level": overlay.level.value if overlay.level else None,
        "notes": overlay.notes,
        "base_digest": overlay.base_digest,
        **({"schedule": overlay.schedule.as_json()} if overlay.schedule else {}),
        "exceptions": [_exception(one) for one in overlay.exceptions],
    }


def _exception(one: RuleException) -> dict[str, Any]:
    times = {"expires": one.expires, "created_at": one.created_at, "expired_at": one.expired_at}
    return {
        "id": one.id,
        "owner": one.owner,
        "reason": one.reason,
        "fields": {name: list(values) for name, values in one.fields.items()},
        "created_by": one.created_by,
        **{name: moment.isoformat() if moment else None for name, moment in times.items()},
    }


def _moment(content: Mapping[Any, Any], name: str) -> datetime | None:
    value = content.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise DamagedOverlay(f"its {name} is no time: {error}") from error
    if moment.tzinfo is None:
        raise DamagedOverlay(f"its {name} has no time zone")
    return moment


def _lines(overlay: Overlay, other: Overlay) -> Iterator[str]:
    yield f"state: {overlay.state.value}"
    if overlay.level:
        yield f"level: {overlay.level.value}"
    if overlay.schedule:
        yield f"schedule: {overlay.schedule.in_words()}"
    for line in overlay.notes.splitlines():
        yield f"note: {line}"
    for one in overlay.exceptions:
        yield f"exception {one.id}:"
        yield f"    owner: {one.owner}"
        yield f"    reason: {one.reason}"
        yield f"    expires: {one.expires.isoformat() if one.expires else 'never'}"
        if one.expired_at:
            yield f"    expired at: {one.expired_at.isoformat()}"
        there = other.exception(one.id)
        for name, values in one.fields.items():
            yield f"    {name}:"
            yield from _values(values, there.fields.get(name, ()) if there else ())


def _values(values: tuple[Scalar, ...], theirs: tuple[Scalar, ...]) -> Iterator[str]:
    if max(len(values), len(theirs)) <= _MOST_LISTED:
        yield from (f"        - {json.dumps(one, ensure_ascii=False)}" for one in values)
        return
    both = set(values) & set(theirs)
    own = [one for one in values if one not in both]
    if both:
        yield f"        ({len(both):,} values on both sides)"
    yield from (f"        - {json.dumps(one, ensure_ascii=False)}" for one in own[:_MOST_LISTED])
    if len(own) > _MOST_LISTED:
        yield f"        … and {len(own) - _MOST_LISTED:,} more"
