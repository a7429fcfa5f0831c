"""Counts who uses each ATT&CK technique and which log sources show it, from ATT&CK's STIX data.

Run again when ATT&CK has a new version, and commit what it writes:
``python scripts/attack_prevalence.py enterprise-attack.json.xz --attack 18``
"""

import argparse
import json
import lzma
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

ATTACK = Path(__file__).parent.parent / "src" / "tocsin" / "content" / "attack"
KINDS = {
    "intrusion-set": "groups",
    "malware": "software",
    "tool": "software",
    "campaign": "campaigns",
}
HEAD = """\
# How many groups, pieces of software and campaigns ATT&CK {attack} knows to use a technique, and
# which of the log sources in log_sources.yml show it. Facts only, of each technique by itself
# (without those of its sub-techniques), counted by scripts/attack_prevalence.py; ids of
# renumbered.yml count what any of the ids they replace had.
# © 2025 The MITRE Corporation. This work is reproduced and distributed with the permission of
# The MITRE Corporation.
attack: "{attack}"
data_of: {data_of}
techniques:
"""
Object = Mapping[str, Any]


def prevalence_of(objects: Iterable[Object], attack: str) -> str:
    """The text of ``prevalence.yml`` for the objects of one STIX bundle."""
    by_id = {one["id"]: one for one in objects if not _is_gone(one)}
    ids = {
        one["id"]: _technique_id(one) for one in by_id.values() if one["type"] == "attack-pattern"
    }
    users: dict[str, dict[str, set[str]]] = {one: defaultdict(set) for one in ids.values()}
    shown: dict[str, set[str]] = {one: set() for one in ids.values()}
    tactics = {ids[one]: _tactics(by_id[one]) for one in ids}
    sources = yaml.safe_load((ATTACK / "log_sources.yml").read_text(encoding="utf-8"))
    for one in by_id.values():
        if one["type"] != "relationship" or one["target_ref"] not in ids:
            continue
        technique, source = ids[one["target_ref"]], by_id.get(one["source_ref"])
        if source is None:
            continue
        if one["relationship_type"] == "uses":
            users[technique][KINDS[source["type"]]].add(source["id"])
        elif one["relationship_type"] == "detects":
            for analytic in source.get("x_mitre_analytic_refs", ()):
                shown[technique] |= _log_sources(by_id.get(analytic, {}), sources)
    renumbered = yaml.safe_load((ATTACK / "renumbered.yml").read_text(encoding="utf-8"))
    for new, old in renumbered.items():
        them = [one for one in (new, *old) if one in users]
        if not them:
            continue
        users[new] = {
            kind: set().union(*(users[one][kind] for one in them)) for kind in KINDS.values()
        }
        shown[new] = set().union(*(shown[one] for one in them))
        tactics.setdefault(new, sorted(set().union(*(tactics[one] for one in them))))
    data_of = max(one.get("modified", "") for one in by_id.values())[:10]
    lines = [
        f"  {one}: {{groups: {len(of['groups'])}, software: {len(of['software'])}, "
        f"campaigns: {len(of['campaigns'])}, tactics: [{', '.join(tactics[one])}], "
        f"shown: [{', '.join(sorted(shown[one]))}]}}\n"
        for one, of in sorted(users.items())
    ]
    return HEAD.format(attack=attack, data_of=data_of) + "".join(lines)


def _is_gone(one: Object) -> bool:
    return bool(one.get("revoked") or one.get("x_mitre_deprecated"))


def _technique_id(technique: Object) -> str:
    named = technique["external_references"]
    return next(str(one["external_id"]) for one in named if one["source_name"] == "mitre-attack")


def _tactics(technique: Object) -> list[str]:
    return [one["phase_name"] for one in technique["kill_chain_phases"]]


def _log_sources(analytic: Object, known: Mapping[str, Any]) -> set[str]:
    """Ours that an analytic reads: by ATT&CK's name of the log source, and the event codes."""
    found = set()
    for reference in analytic.get("x_mitre_log_source_references", ()):
        codes = {int(one) for one in re.findall(r"\d+", _codes(reference["channel"]))}
        for key, ours in known.items():
            wanted = ours["of"].get(reference["name"])
            if wanted is not None and (not wanted or codes & set(wanted)):
                found.add(key)
    return found


def _codes(channel: str) -> str:
    named = re.match(r"EventCode=([\d, ]+)", channel)
    return named[1] if named else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="STIX bundle of Enterprise ATT&CK (.json, .xz)")
    parser.add_argument("--attack", required=True, help="version of ATT&CK the bundle holds")
    parser.add_argument("--output", type=Path, default=ATTACK / "prevalence.yml")
    asked = parser.parse_args()
    opened = lzma.open if asked.bundle.suffix == ".xz" else open
    with opened(asked.bundle, "rb") as file:
        objects = json.load(file)["objects"]
    text = prevalence_of(objects, asked.attack)
    asked.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
