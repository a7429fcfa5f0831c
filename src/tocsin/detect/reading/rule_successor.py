"""Which rule carries on another one under a new id, and what tells so."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from tocsin.detect.reading.rule_document import read_documents
from tocsin.model.rule import Rule


class Because(StrEnum):
    """What tells that two ids are one rule, the surest first."""

    RELATED = "related"
    """The new rule says so itself: ``related`` with the type ``renamed`` (Sigma 2.1)."""
    LOG_SOURCE = "title and log source"
    FILE = "title and file"


@dataclass(frozen=True, slots=True)
class Successor:
    """The id under which a rule goes on."""

    id: str
    because: Because


def successors(gone: Mapping[str, Rule], come: Mapping[str, Rule]) -> dict[str, Successor]:
    """Old ids to those that carry them on; what several could carry on is left out."""
    found: dict[str, Successor] = {}
    for new_id, rule in come.items():
        for old_id in renamed_from(rule):
            if old_id in gone and old_id not in found:
                found[old_id] = Successor(new_id, Because.RELATED)
    ways: tuple[tuple[Because, Callable[[Rule], Hashable]], ...] = (
        (Because.LOG_SOURCE, lambda one: (one.title.casefold(), one.kind, one.logsource)),
        (Because.FILE, lambda one: (one.title.casefold(), PurePosixPath(one.path).name)),
    )
    for because, key in ways:
        taken = {one.id for one in found.values()}
        old = _alone({one: rule for one, rule in gone.items() if one not in found}, key)
        new = _alone({one: rule for one, rule in come.items() if one not in taken}, key)
        found |= {old[each]: Successor(new[each], because) for each in old if each in new}
    return found


def renamed_from(rule: Rule) -> list[str]:
    """Ids under which the rule says it was known before."""
    if "renamed" not in rule.source_text:
        return []
    related = [one.content.get("related") for one in read_documents(rule.source_text)]
    return [
        str(each["id"])
        for of_document in related
        if isinstance(of_document, list)
        for each in of_document
        if isinstance(each, dict) and each.get("type") == "renamed" and "id" in each
    ]


def _alone(rules: Mapping[str, Rule], key: Callable[[Rule], Hashable]) -> dict[Hashable, str]:
    """Ids by what the key says of their rules, where no two say the same."""
    found: dict[Hashable, list[str]] = {}
    for rule_id, rule in rules.items():
        found.setdefault(key(rule), []).append(rule_id)
    return {each: ids[0] for each, ids in found.items() if len(ids) == 1}
