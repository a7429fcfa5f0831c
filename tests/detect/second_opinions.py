"""The differences from a second engine that have been looked into, and how often it was right."""

import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("second_opinions.yml")
NOT_READ = ".tar.gz"
"""Recordings the second engine didn't read."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why engines differ; ``verdict`` is theirs, ours or ambiguous (who or what is at fault)."""

    id: str
    title: str
    verdict: str
    why: str


@dataclass(frozen=True, slots=True)
class Opinions:
    """Reasons, and the rules they explain: (rule id, title, reason)."""

    reasons: Mapping[str, Reason]
    rules: Mapping[str, tuple[str, Reason]]


def opinions() -> Opinions:
    written = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    reasons = {
        one["id"]: Reason(one["id"], one["title"], one["verdict"], one["why"])
        for one in written["classes"]
    }
    rules = {
        rule: (given["title"], reasons[given["class"]]) for rule, given in written["rules"].items()
    }
    return Opinions(reasons, rules)


def reference(path: Path) -> dict[tuple[str, str], int]:
    """The second engine's hits by rule id and file."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {(row["rule_id"], row["file"]): row["hits"] for row in rows if row.get("rule_id")}


def explained(rule_id: str, file: str, known: Opinions) -> bool:
    return file.endswith(NOT_READ) or rule_id in known.rules
