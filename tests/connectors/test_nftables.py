"""nftables for real, in a network namespace of the test's own, down to the dropped packet."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.respond.rig import until
from tocsin.connectors.nftables.actions import Nftables, make_actions
from tocsin.connectors.nftables.ruleset import elements_in
from tocsin.model.response import Target
from tocsin.respond.action import ActionContext
from tocsin.respond.errors import ActionFailed
from tocsin.store.engines.state.sqlite_state import SqliteState

PROBE = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
receiver = socket.socket(family, socket.SOCK_DGRAM)
receiver.bind((sys.argv[1], 0))
receiver.settimeout(float(sys.argv[2]))
sender = socket.socket(family, socket.SOCK_DGRAM)
try:
    sender.sendto(b"ping", receiver.getsockname())
    receiver.recv(16)
except (TimeoutError, PermissionError):
    sys.exit(7)
"""


def utc_now() -> datetime:
    return datetime.now(UTC)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603


class Namespace:
    """A network namespace with its loopback up; ``inside`` is the command that runs within."""

    def __init__(self, name: str) -> None:
        self.inside = (shutil.which("ip") or "ip", "netns", "exec", name)
        self._name = name

    def make(self) -> None:
        for arguments in (
            ("ip", "netns", "add", self._name),
            (*self.inside, "ip", "link", "set", "lo", "up"),
            (*self.inside, "ip", "address", "add", "198.51.100.7/32", "dev", "lo"),
            (*self.inside, "ip", "address", "add", "2001:db8::7/128", "dev", "lo", "nodad"),
        ):
            done = run(*arguments)
            if done.returncode != 0:
                self.remove()
                pytest.skip(f"network namespaces are not allowed here: {done.stderr.strip()}")

    def remove(self) -> None:
        run("ip", "netns", "delete", self._name)

    def packet_arrives(self, address: str, patience_s: float) -> bool:
        done = run(*self.inside, sys.executable, "-c", PROBE, address, str(patience_s))
        assert done.returncode in (0, 7), done.stderr
        return done.returncode == 0

    def nft(self, *arguments: str) -> str:
        done = run(*self.inside, "nft", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    for tool in ("nft", "ip"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian: nftables, iproute2)")
    if os.geteuid() != 0:
        pytest.skip("making a network namespace needs root")
    made = Namespace(f"tocsin-test-{os.getpid()}-{os.urandom(3).hex()}")
    made.make()
    yield made
    made.remove()


@pytest.fixture
def nftables(namespace: Namespace) -> Nftables:
    action = Nftables(utc_now, (*namespace.inside, "nft"))
    missing = action.missing()
    if missing:
        pytest.skip(f"nftables does not work in a namespace here: {missing}")
    return action


def in_s(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "target", [Target("ipv4_net", "198.51.100.7"), Target("ipv6_net", "2001:db8::7")]
)
def test_packets_are_dropped_while_the_block_holds(
    namespace: Namespace, nftables: Nftables, target: Target
) -> None:
    assert namespace.packet_arrives(target.value, 5)
    handle = nftables.apply("run:1", target, in_s(600))
    assert handle == nftables.handle_of("run:1", target)
    verdict = nftables.verify(handle)
    assert verdict.holds
    assert "s left" in verdict.why
    assert not namespace.packet_arrives(target.value, 0.3)
    nftables.undo(handle)
    assert not nftables.verify(handle).holds
    assert namespace.packet_arrives(target.value, 5)


def test_the_kernel_ends_a_block_by_itself(namespace: Namespace, nftables: Nftables) -> None:
    target = Target("ipv4_net", "198.51.100.7")
    handle = nftables.apply("run:1", target, in_s(1))
    until(lambda: not nftables.verify(handle).holds, "the end of the block")
    assert namespace.packet_arrives(target.value, 5)
    nftables.undo(handle)


def test_a_network_is_one_element_and_repeating_changes_nothing(
    namespace: Namespace, nftables: Nftables
) -> None:
    target = Target("ipv4_net", "203.0.113.0/28")
    handle = nftables.apply("run:1", target, in_s(600))
    nftables.apply("run:1", target, in_s(600))
    listing = json.loads(namespace.nft("-j", "list", "set", "inet", "tocsin", "deny4"))
    assert [str(network) for network in elements_in(listing)] == ["203.0.113.0/28"]
    assert namespace.nft("list", "table", "inet", "tocsin").count("drop") == 12
    nftables.apply("run:2", target, in_s(6000))
    listing = json.loads(namespace.nft("-j", "list", "set", "inet", "tocsin", "deny4"))
    (left_s,) = elements_in(listing).values()
    assert left_s > 600
    nftables.undo(handle)
    nftables.undo(handle)


def test_planning_checks_with_the_kernel_and_writes_nothing(
    namespace: Namespace, nftables: Nftables
) -> None:
    impact = nftables.plan(Target("ipv4_net", "203.0.113.7"), 3600)
    assert not impact.forbidden
    assert impact.summary == "drop 203.0.113.7 on this machine with nftables for 1 h"
    assert "tocsin" not in namespace.nft("list", "tables")


def test_other_tables_are_left_alone(namespace: Namespace, nftables: Nftables) -> None:
    namespace.nft("add", "table", "inet", "mine")
    namespace.nft("add", "chain", "inet", "mine", "keep")
    before = namespace.nft("list", "table", "inet", "mine")
    handle = nftables.apply("run:1", Target("ipv4_net", "203.0.113.7"), in_s(60))
    nftables.undo(handle)
    assert namespace.nft("list", "table", "inet", "mine") == before


def test_what_would_be_late_is_not_written(nftables: Nftables) -> None:
    with pytest.raises(ActionFailed, match="would have expired"):
        nftables.apply("run:1", Target("ipv4_net", "203.0.113.7"), in_s(-1))


@pytest.mark.parametrize("command", [("/nonexistent/nft",), ("false",)])
def test_a_missing_or_failing_nft_is_told(command: Sequence[str]) -> None:
    action = Nftables(utc_now, command)
    assert action.missing()
    with pytest.raises(ActionFailed, match="nft"):
        action.verify("203.0.113.7/32")
    assert action.plan(Target("ipv4_net", "203.0.113.7"), 60).forbidden


def test_it_is_offered_only_when_switched_on(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "state.sqlite")
    assert make_actions(ActionContext(state, utc_now)) == []
    (action,) = make_actions(ActionContext(state, utc_now, {"nftables": "on"}))
    assert action.name == "nftables"
    state.close()


def test_the_probe_works_without_a_namespace() -> None:
    """The packet check itself must be able to pass, or the tests above prove nothing."""
    assert socket.has_ipv6 in (True, False)
    assert run(sys.executable, "-c", PROBE, "127.0.0.1", "5").returncode == 0
