"""ATT&CK tactics in the order of the kill chain, and how Sigma tags name them."""

from collections.abc import Iterable

ATTACK_VERSION = "19"
"""The ATT&CK release whose enterprise tactics are listed here; Defense Evasion, which it split
into Stealth and Defense Impairment, is kept for rules written before."""

TACTICS: dict[str, str] = {
    "reconnaissance": "Reconnaissance",
    "resource-development": "Resource Development",
    "initial-access": "Initial Access",
    "execution": "Execution",
    "persistence": "Persistence",
    "privilege-escalation": "Privilege Escalation",
    "stealth": "Stealth",
    "defense-impairment": "Defense Impairment",
    "defense-evasion": "Defense Evasion",
    "credential-access": "Credential Access",
    "discovery": "Discovery",
    "lateral-movement": "Lateral Movement",
    "collection": "Collection",
    "command-and-control": "Command and Control",
    "exfiltration": "Exfiltration",
    "impact": "Impact",
}
"""Tactic as Sigma 2.1 tags write it (after ``attack.``) to its name, in kill-chain order."""

_ORDER = {tactic: place for place, tactic in enumerate(TACTICS)}


def tactics_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The tactics among Sigma tags in kill-chain order; ``attack.credential_access`` is one too."""
    named = {
        tag.lower().removeprefix("attack.").replace("_", "-")
        for tag in tags
        if tag.lower().startswith("attack.")
    }
    return tuple(sorted(named & _ORDER.keys(), key=_ORDER.__getitem__))
