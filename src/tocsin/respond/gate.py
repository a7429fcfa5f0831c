"""The gate before every write: pure, it judges a planned action and never does anything."""

from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from tocsin.model.response import Impact, Plan, Target, Verb
from tocsin.respond.blast_radius import BlastRadius
from tocsin.respond.canonical import digest_of
from tocsin.respond.policy import Limits, Policy
from tocsin.respond.target import Network, network_of


class Decision(StrEnum):
    """What the gate says."""

    REFUSE = "refuse"
    ASK = "ask"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision, who is to be asked (empty unless ``ASK``), the plan and the reasons."""

    decision: Decision
    asked_of: str
    plan: Plan
    reasons: tuple[str, ...]


def judge(
    action: str,
    verb: Verb,
    target: Target,
    lease_s: int,
    impact: Impact,
    radius: BlastRadius,
    policy: Policy,
) -> Ruling:
    """Judge one action; ``impact`` is what the action itself told, ``radius`` what we know.

    Refused: a never-touch entry, a lease out of bounds, a network too large, an objection the
    action calls forbidden. Asked: all else, unless the policy allows automatic containment and
    the action is reversible, short, and touches one address that is no asset of ours.
    """
    network = network_of(target)
    forbidden = _forbidden(network, radius, policy)
    bounds = _out_of_bounds(network, lease_s, policy.limits)
    told = replace(
        impact,
        assets=tuple(asset.name for asset in radius.assets),
        services=tuple(service.name for service in radius.services),
        users=radius.users,
        objections=(*impact.objections, *forbidden, *bounds, *_warnings(radius, impact)),
        forbidden=impact.forbidden or bool(forbidden) or bool(bounds),
    )
    plan = planned(action, verb, target, lease_s, told)
    if told.forbidden:
        return Ruling(Decision.REFUSE, "", plan, told.objections)
    if _is_automatic(network, lease_s, told, policy.limits):
        return Ruling(Decision.AUTO, "", plan, ("the policy allows it without asking",))
    return Ruling(Decision.ASK, _approver(radius, policy.limits), plan, told.objections)


def planned(action: str, verb: Verb, target: Target, lease_s: int, impact: Impact) -> Plan:
    """The plan with its digest: SHA-256 over the canonical JSON of everything else in it."""
    content = {
        "action": action,
        "verb": verb.value,
        "target": asdict(target),
        "lease_s": lease_s,
        "impact": asdict(impact),
    }
    return Plan(action, verb, target, lease_s, impact, digest_of(content))


def _forbidden(network: Network, radius: BlastRadius, policy: Policy) -> list[str]:
    found = [
        f"never touch {entry.name}: {entry.reason}"
        for entry in policy.never_touch
        if entry.covers(network)
    ]
    for asset in radius.assets:
        entry = next((one for one in policy.never_touch if one.covers_asset(asset)), None)
        if entry is not None:
            found.append(f"{asset.name} is never touched ({entry.name}): {entry.reason}")
    return found


def _out_of_bounds(network: Network, lease_s: int, limits: Limits) -> list[str]:
    shortest = limits.shortest_prefix_ipv4 if network.version == 4 else limits.shortest_prefix_ipv6
    found: list[str] = []
    if network.prefixlen < shortest:
        found.append(
            f"/{network.prefixlen} is larger than the largest network allowed, /{shortest}"
        )
    if not limits.shortest_lease_s <= lease_s <= limits.longest_lease_s:
        found.append(
            f"a lease of {lease_s} s is outside {limits.shortest_lease_s} to "
            f"{limits.longest_lease_s} s"
        )
    return found


def _warnings(radius: BlastRadius, impact: Impact) -> list[str]:
    found = [
        f"carries {service.name} (tier {service.tier}, {service.users} users)"
        for service in radius.services
    ]
    if not impact.reversible:
        found.append("can't be undone")
    return found


def _is_automatic(network: Network, lease_s: int, impact: Impact, limits: Limits) -> bool:
    return (
        limits.automatic
        and impact.reversible
        and not impact.assets
        and not impact.objections
        and network.num_addresses == 1
        and lease_s <= limits.automatic_longest_lease_s
    )


def _approver(radius: BlastRadius, limits: Limits) -> str:
    for service in radius.services:
        if service.approver:
            return service.approver
    return limits.ask
