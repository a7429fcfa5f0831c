"""Wires response: policy, actions of the connectors, the durable engine, the signing key."""

import importlib
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tocsin.app.home.shipped import PACKAGE, PLAYBOOKS, POLICIES
from tocsin.app.home.stores import open_runs
from tocsin.app.settings.config import Settings
from tocsin.model.response import Target
from tocsin.respond.action import Action, ActionContext
from tocsin.respond.blast_radius import AssetDirectory
from tocsin.respond.desk import ResponseDesk
from tocsin.respond.parts import ResponseParts
from tocsin.respond.policy import Policy, load_policy
from tocsin.respond.signature import open_signer
from tocsin.respond.witness import AuditTrail, CaseJournal
from tocsin.store.ports import StateStore


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who hears of every write, and who knows what it touches."""

    audit: AuditTrail
    journal: CaseJournal
    assets: AssetDirectory


def open_response(settings: Settings, state: StateStore, witnesses: Witnesses) -> ResponseDesk:
    """The response desk, its engine not yet open; own playbooks are in ``playbooks/`` of the home."""
    context = ActionContext(
        state=state,
        clock=_now,
        settings={"nftables": "on" if settings.respond.nftables else "off"},
    )
    own = settings.home / "playbooks"
    return ResponseDesk(
        ResponseParts(
            state=state,
            runs=open_runs(settings.home),
            actions={action.name: action for action in find_actions(context)},
            assets=witnesses.assets,
            audit=witnesses.audit,
            journal=witnesses.journal,
            signer=open_signer(settings.home / "signing-key.pem"),
            policy=response_policy(settings),
            clock=_now,
        ),
        [PLAYBOOKS, *([own] if own.is_dir() else [])],
    )


def find_actions(context: ActionContext) -> list[Action]:
    """Every action of every connector: ``make_actions`` in ``connectors/*/actions.py``."""
    found: list[Action] = []
    for path in sorted((PACKAGE / "connectors").glob("*/actions.py")):
        module = importlib.import_module(f"tocsin.connectors.{path.parent.name}.actions")
        made: Sequence[Action] = module.make_actions(context)
        found.extend(made)
    return found


def response_policy(settings: Settings) -> Policy:
    """The shipped policy with this machine's addresses and the operator's settings added."""
    policy = load_policy(POLICIES)
    limits = policy.limits.model_copy(
        update={
            "approval_deadline_s": settings.respond.approval_deadline_s,
            "longest_lease_s": settings.respond.longest_lease_s,
        }
    )
    policy = replace(policy, limits=limits).also_never(
        "this machine", "Tocsin would cut off itself", own_addresses()
    )
    if settings.respond.never_touch:
        policy = policy.also_never(
            "respond.never_touch", "the operator listed it", settings.respond.never_touch
        )
    return policy


def own_addresses() -> list[str]:
    """Every address of this machine's interfaces, without zone."""
    families = (socket.AF_INET, socket.AF_INET6)
    return sorted(
        {
            address.address.partition("%")[0]
            for addresses in psutil.net_if_addrs().values()
            for address in addresses
            if address.family in families
        }
    )


def address_target(text: str) -> Target:
    """The OpenC2 target of an address or network; ValueError when it is neither."""
    network = ipaddress.ip_network(text.strip(), strict=False)
    return Target(f"ipv{network.version}_net", str(network))


def playbook_files(paths: Iterable[Path]) -> list[Path]:
    """The playbook files in files and folders, by name."""
    return [
        file
        for path in paths
        for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])
    ]


def _now() -> datetime:
    return datetime.now(UTC)
