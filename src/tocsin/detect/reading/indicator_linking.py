"""Putting the values of list files into the conditions of indicator rules."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import All, Any, Matcher, Operator
from tocsin.detect.rules.rule_draft import IndicatorDraft
from tocsin.detect.rules.simplify import simplify
from tocsin.detect.rules.value_list import ListKind, ValueList, lines_of_values, spelled
from tocsin.model.rule import RuleProblem

_MOST_TOLD: Final = 20
_LARGEST_BYTES: Final = 512 * 1024 * 1024


def with_values(draft: IndicatorDraft, problems: list[RuleProblem]) -> SigmaMatchRule | None:
    """The match rule of an indicator; None (told in ``problems``) when its list can't be used.

    Lines of a list that are no such value are told, too; the others count.
    """
    listed = ValueList.of(draft.kind, draft.values)
    values = _of_file(draft, problems) if draft.file else listed
    if values is None:
        return None
    looked_up = Any(
        tuple(Matcher(name, Operator.LISTED, values, part=draft.kind) for name in draft.fields)
    )
    condition = simplify(All((draft.match.condition, looked_up)))
    return replace(draft.match, condition=condition)


def _of_file(draft: IndicatorDraft, problems: list[RuleProblem]) -> ValueList | None:
    rule = draft.rule
    path = Path(rule.path).parent / draft.file
    try:
        status = path.stat()
        if status.st_size > _LARGEST_BYTES:
            reason = f"{path} has more than {_LARGEST_BYTES // 2**20} MiB"
            raise ValueError(reason)
        values, bad = _read(path, draft.kind, status.st_mtime_ns, status.st_size)
        if not values:
            reason = f"{path} lists no {draft.kind}"
            raise ValueError(reason)
    except (OSError, ValueError) as error:
        reason = f"the list can't be used: {error}"
        problems.append(RuleProblem(rule.path, reason, draft.file_line, rule.id, rule.title))
        return None
    for line, value in bad:
        reason = f"{value[:100]} is no {draft.kind}: the line is left out"
        problems.append(RuleProblem(str(path), reason, line, rule.id, rule.title))
    return values


@lru_cache(maxsize=8)
def _read(
    path: Path, kind: ListKind, changed_ns: int, size_bytes: int
) -> tuple[ValueList, Sequence[tuple[int, str]]]:
    """The values of a list file as it was at that time, and the first lines that are none."""
    good: list[str] = []
    bad: list[tuple[int, str]] = []
    for line, value in lines_of_values(path.read_text(encoding="utf-8")):
        one = spelled(value, kind)
        if one is not None:
            good.append(one)
        elif len(bad) < _MOST_TOLD:
            bad.append((line, value))
    return ValueList.of(kind, good), bad
