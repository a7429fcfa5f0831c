"""Blocks on this machine with nftables: a table of our own with sets whose elements time out.

The kernel itself ends each block at the lease's end, so a block never outlives its lease even
if Tocsin is down. Commands go to ``nft -j -f -`` as JSON; no shell, no text put together.
"""

import ipaddress
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime
from math import ceil
from typing import Any

from tocsin.connectors.nftables.ruleset import (
    FAMILY,
    TABLE,
    Network,
    element_command,
    elements_in,
    set_name,
    table_commands,
)
from tocsin.model.response import Impact, Target, Verb
from tocsin.respond.action import ActionContext, Verdict
from tocsin.respond.duration import duration_text
from tocsin.respond.errors import ActionFailed
from tocsin.respond.target import NETWORK_KINDS, network_of

_LIMIT_S = 10.0


def make_actions(context: ActionContext) -> Sequence["Nftables"]:
    """The connector's action; setting ``nftables`` must be ``on`` for it to be offered."""
    if context.settings.get("nftables", "off") != "on":
        return []
    return [Nftables(context.clock)]


class Nftables:
    """nftables as an action. ``command`` is the argument list that runs ``nft``."""

    name = "nftables"
    title = "Block on this machine with nftables"
    verb = Verb.DENY
    target_kinds = NETWORK_KINDS

    def __init__(self, clock: Callable[[], datetime], command: Sequence[str] = ("nft",)) -> None:
        self._clock = clock
        self._command = tuple(command)

    def missing(self) -> str:
        if shutil.which(self._command[0]) is None:
            return f"{self._command[0]} is not installed (Debian: apt install nftables)"
        try:
            self._run(["list", "tables"])
        except ActionFailed as error:
            return f"nft may not be used here (it needs CAP_NET_ADMIN): {error}"
        return ""

    def plan(self, target: Target, lease_s: int) -> Impact:
        """What would be done, after ``nft`` itself has checked the commands (``nft -c``)."""
        network = network_of(target)
        commands = [*table_commands(), element_command("add", network, lease_s)]
        objections: tuple[str, ...] = ()
        try:
            self._run(["-c", "-f", "-"], commands)
        except ActionFailed as error:
            objections = (f"nft would refuse it: {error}",)
        return Impact(
            action=self.name,
            target=target,
            summary=f"drop {target.value} on this machine with nftables for {duration_text(lease_s)}",
            objections=objections,
            forbidden=bool(objections),
        )

    def handle_of(self, key: str, target: Target) -> str:
        """The network itself: the kernel keeps one element a network, whoever asked for it."""
        return str(network_of(target))

    def apply(self, key: str, target: Target, expires_at: datetime) -> str:
        network = network_of(target)
        left_s = ceil((expires_at - self._clock()).total_seconds())
        if left_s <= 0:
            raise ActionFailed(f"the block would have expired at {expires_at.isoformat()}")
        left_already = self._elements(network).get(network)
        if left_already is not None and left_already >= left_s - 1:
            return str(network)
        commands = table_commands()
        if left_already is not None:
            commands.append(element_command("delete", network))
        self._run(["-f", "-"], [*commands, element_command("add", network, left_s)])
        return str(network)

    def verify(self, handle: str) -> Verdict:
        network = _network(handle)
        left_s = self._elements(network).get(network)
        if left_s is None:
            return Verdict(False, f"{handle} is not in the nftables set {set_name(network)}")
        return Verdict(True, f"dropped by nftables, {left_s} s left")

    def undo(self, handle: str) -> None:
        network = _network(handle)
        if network in self._elements(network):
            try:
                self._run(["-f", "-"], [element_command("delete", network)])
            except ActionFailed:
                # It may have timed out between the look and the write; gone is what we want.
                if network in self._elements(network):
                    raise

    def _elements(self, network: Network) -> dict[Network, int]:
        """What the set of that family holds; empty while our table does not exist."""
        tables = self._run(["list", "tables"])
        names = [
            (item["table"]["family"], item["table"]["name"])
            for item in tables.get("nftables", [])
            if "table" in item
        ]
        if (FAMILY, TABLE) not in names:
            return {}
        return elements_in(self._run(["list", "set", FAMILY, TABLE, set_name(network)]))

    def _run(
        self, arguments: Sequence[str], commands: Sequence[dict[str, Any]] = ()
    ) -> dict[str, Any]:
        given = json.dumps({"nftables": list(commands)}) if commands else None
        try:
            done = subprocess.run(  # noqa: S603 -- a fixed argument list, no shell
                [*self._command, "-j", *arguments],
                input=given,
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ActionFailed(f"nft did not run: {error}") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise ActionFailed(f"nft: {said[0] if said else f'exit {done.returncode}'}")
        answer: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {}
        return answer


def _network(handle: str) -> Network:
    return ipaddress.ip_network(handle)
