"""The gate: what it refuses, whom it asks, and that no input gets past the never-touch list."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.respond.rig import POLICIES
from tocsin.model.asset import Asset, BusinessService
from tocsin.model.response import Impact, Target, Verb
from tocsin.respond.blast_radius import BlastRadius
from tocsin.respond.gate import Decision, Ruling, judge
from tocsin.respond.policy import Policy, load_policy
from tocsin.respond.target import network_of, network_target

POLICY = load_policy(POLICIES)
NOTHING = BlastRadius((), (), 0)


def ruled(
    value: str,
    lease_s: int = 3600,
    radius: BlastRadius = NOTHING,
    policy: Policy = POLICY,
    reversible: bool = True,
) -> Ruling:
    target = Target("ipv6_net" if ":" in value else "ipv4_net", value)
    impact = Impact("blocklist", target, f"deny {value}", reversible=reversible)
    return judge("blocklist", Verb.DENY, target, lease_s, impact, radius, policy)


def automatic() -> Policy:
    return replace(POLICY, limits=POLICY.limits.model_copy(update={"automatic": True}))


@pytest.mark.parametrize(
    "value",
    [
        "0.0.0.0/0",
        "::/0",
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:0/104",
        "169.254.169.254",
        "224.0.0.251",
        "255.255.255.255",
        "fe80::1",
        "192.168.1.1",
        "192.168.1.0/24",
        "8.8.8.8",
        "2606:4700:4700::1111",
        "203.0.0.0/16",
        "2001:db8::/32",
    ],
)
def test_what_must_never_be_touched_is_refused(value: str) -> None:
    ruling = ruled(value)
    assert ruling.decision is Decision.REFUSE
    assert ruling.plan.impact.forbidden
    assert ruling.reasons


def test_an_asset_tagged_never_touch_is_refused_by_name() -> None:
    for asset in (
        Asset("nh-x", "server", "a", 1, tags=("never-touch",)),
        Asset("nh-dc01", "domain_controller", "a", 0),
    ):
        ruling = ruled("203.0.113.7", radius=BlastRadius((asset,), (), 0))
        assert ruling.decision is Decision.REFUSE
        assert asset.name in ruling.reasons[0]


def test_what_the_operator_lists_is_refused_too() -> None:
    policy = POLICY.also_never("site", "ours", ["203.0.113.0/24", "NH-Fw01"])
    assert ruled("203.0.113.7", policy=policy).decision is Decision.REFUSE
    radius = BlastRadius((Asset("nh-fw01", "server", "a", 1),), (), 0)
    assert ruled("198.51.100.1", radius=radius, policy=policy).decision is Decision.REFUSE


@pytest.mark.parametrize("lease_s", [0, -1, 7 * 86400 + 1])
def test_a_lease_out_of_bounds_is_refused(lease_s: int) -> None:
    assert ruled("203.0.113.7", lease_s).decision is Decision.REFUSE


def test_the_approver_of_the_most_critical_service_is_asked() -> None:
    services = (
        BusinessService("Directory", "h", "marit", 60, 0),
        BusinessService("Mail", "h", "henrik", 60, 1),
    )
    asset = Asset("nh-mail01", "mail_server", "h", 1)
    ruling = ruled("198.51.100.25", radius=BlastRadius((asset,), services, 120))
    assert (ruling.decision, ruling.asked_of) == (Decision.ASK, "marit")
    assert ruling.plan.impact.services == ("Directory", "Mail")
    assert ruling.plan.impact.users == 120


def test_only_a_short_reversible_block_of_one_foreign_address_is_automatic() -> None:
    policy = automatic()
    assert ruled("203.0.113.7").decision is Decision.ASK
    assert ruled("203.0.113.7", policy=policy).decision is Decision.AUTO
    assert ruled("203.0.113.0/28", policy=policy).decision is Decision.ASK
    assert ruled("203.0.113.7", 3601, policy=policy).decision is Decision.ASK
    assert ruled("203.0.113.7", policy=policy, reversible=False).decision is Decision.ASK
    radius = BlastRadius((Asset("nh-ws01", "workstation", "a", 3),), (), 0)
    assert ruled("203.0.113.7", radius=radius, policy=policy).decision is Decision.ASK


networks = st.one_of(
    st.builds(
        lambda number, prefix: ipaddress.ip_network((number, prefix), strict=False),
        st.one_of(
            st.integers(0, 2**32 - 1),
            st.sampled_from([0x7F000001, 0xE0000001, 0xA9FEA9FE, 0x08080808, 0x0A000001]),
        ),
        st.integers(0, 32),
    ),
    st.builds(
        lambda number, prefix: ipaddress.IPv6Network((number, prefix), strict=False),
        st.one_of(
            st.integers(0, 2**128 - 1),
            st.integers(0, 2**32 - 1).map(lambda low: (0xFFFF << 32) | low),
            st.sampled_from([1, 0xFE80 << 112, 0xFF02 << 112]),
        ),
        st.integers(0, 128),
    ),
)


@settings(deadline=None)
@given(networks, st.integers(-10, 10 * 86400), st.booleans())
def test_nothing_forbidden_is_ever_let_through(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, lease_s: int, is_automatic: bool
) -> None:
    policy = automatic() if is_automatic else POLICY
    ruling = ruled(str(network), lease_s, policy=policy)
    meant = network_of(Target(f"ipv{network.version}_net", str(network)))
    touches = any(
        meant.version == other.version and meant.overlaps(other)
        for entry in POLICY.never_touch
        for other in entry.networks
    )
    too_large = meant.prefixlen < (24 if meant.version == 4 else 64)
    too_long = not 1 <= lease_s <= 7 * 86400
    if touches or too_large or too_long:
        assert ruling.decision is Decision.REFUSE
    else:
        assert ruling.decision is not Decision.REFUSE
        assert ruling.decision is Decision.AUTO or ruling.asked_of
    assert (ruling.decision is Decision.REFUSE) == ruling.plan.impact.forbidden


@settings(deadline=None)
@given(networks, st.integers(1, 86400), st.integers(0, 5000))
def test_the_digest_is_the_plan_and_nothing_else(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, lease_s: int, users: int
) -> None:
    value = str(network)
    first = ruled(value, lease_s, BlastRadius((), (), users))
    assert ruled(value, lease_s, BlastRadius((), (), users)).plan.digest == first.plan.digest
    assert ruled(value, lease_s, BlastRadius((), (), users + 1)).plan.digest != first.plan.digest
    assert ruled(value, lease_s + 1, BlastRadius((), (), users)).plan.digest != first.plan.digest


@settings(deadline=None)
@given(networks)
def test_a_target_has_one_text(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    target = network_target(str(network))
    assert network_target(target.value) == target
    assert network_of(target) == network_of(Target(f"ipv{network.version}_net", str(network)))
