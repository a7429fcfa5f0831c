"""Kills a real server and fills its disk under real senders, then looks for what they were told is safe.

``python -m tests.crash.soak --kills 50 --full-disk 10 --output FILE`` prints JSON; exit 1 when
anything is missing. Filling the disk mounts a small tmpfs, which needs root.
"""

import argparse
import contextlib
import json
import math
import random
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.crash.forwarder import RSYSLOGD, Doors, Forwarder
from tests.crash.senders import BATCH, CLIENTS, Sender
from tests.crash.small_disk import SmallDisk
from tests.crash.witness import Witness
from tests.ingest.certificates import Authority
from tests.server_process import ServerProcess, wait_until
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import open_tocsin
from tocsin.model.principal import Role

PATIENCE_S = 600.0
QUIET_S = 15.0
WORK_S = 4.0
BLOCK = 500
DISK_BYTES = 256 << 20


@dataclass(slots=True)
class Verdict:
    """What became of one sender's records."""

    sender: str
    told: int | None
    """Records it was told are safe; None where the protocol tells nothing."""
    sent: int
    stored: int
    missing: int
    """Of those told; of those sent where the protocol tells nothing."""
    extra: int
    """Copies beyond the first: of batches that were sent again because no answer came."""
    explained: int
    """The most copies that sending again can have made; none where what is sent has a name."""
    refusals: dict[str, int] = field(default_factory=dict)
    never_told: dict[str, str] = field(default_factory=dict)
    """Missing and never told safe: how many and which, by the answers they got."""

    @property
    def holds(self) -> bool:
        return self.told is None or (self.missing == 0 and self.extra <= self.explained)


class Soak:
    """One server on one data folder, its senders, and what is done to it."""

    def __init__(self, folder: Path, home: Path, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.kills = 0
        http, syslog, tls = _free_ports(3)
        authority = Authority(folder)
        pair = authority.issue("server")
        listener = {
            "name": "edge",
            "tcp_port": tls,
            "tls_certificate": str(pair.certificate),
            "tls_key": str(pair.key),
        }
        token = _token(home)
        self.server = ServerProcess(
            home,
            port=http,
            syslog_port=syslog,
            TOCSIN_SYSLOG__LISTENERS=json.dumps([listener]),
            TOCSIN_DETECT__SHIPPED_PACK="false",  # a quick start: more kills in the same time
        )
        url = f"http://127.0.0.1:{http}"
        self.senders = [Sender(name, connect(url, token)) for name, connect in CLIENTS.items()]
        self.witness = Witness(http)
        doors = Doors(syslog, tls, self.witness.port, token, authority)
        self.forwarder = Forwarder(folder / "rsyslog", doors) if RSYSLOGD else None

    def start_senders(self) -> None:
        for sender in self.senders:
            sender.start()
        if self.forwarder is not None:
            self.forwarder.start()

    def kill_once(self) -> None:
        """Kill the server at a random moment: of its start, every fifth time, or of its work."""
        self.server.spawn()
        if self.chance.random() < 0.2:
            self._kill_start()
        else:
            self.server.await_ready()
            self._kill_work()

    def _kill_start(self) -> None:
        time.sleep(self.chance.uniform(0.0, 2.5))
        self._kill()

    def _kill_work(self) -> None:
        self._let_senders_work(self.chance.randrange(30))
        time.sleep(self.chance.uniform(0.0, 0.5))
        self._kill()

    def _kill(self) -> None:
        self.server.kill()
        self.kills += 1

    def once_of_each(self, disk: SmallDisk | None) -> None:
        """Every kind of end with as few starts as it takes, as those are what is slow."""
        self.server.spawn()
        self._kill_start()
        self.server.start()
        if disk is not None:
            self.fill_once(disk, kill=False)
            self.fill_once(disk, kill=True)
            self.server.start()
        self._kill_work()

    def _let_senders_work(self, batches: int) -> None:
        """Until so many more were acknowledged, or ``WORK_S`` are over."""
        deadline = time.monotonic() + WORK_S
        wanted = self._acknowledged() + batches * BATCH
        while self._acknowledged() < wanted and time.monotonic() < deadline:
            time.sleep(0.01)

    def _acknowledged(self) -> int:
        return sum(sender.acknowledged for sender in self.senders)

    def fill_once(self, disk: SmallDisk, *, kill: bool) -> None:
        """Fill the disk under the working server, and free it; in between kill it, or do not."""
        if self.server.process is None or self.server.process.poll() is not None:
            self.server.start()
        time.sleep(self.chance.uniform(0.2, 1.0))
        disk.fill()
        time.sleep(self.chance.uniform(0.5, 3.0))
        if kill:
            self._kill()
        disk.free()

    def verdicts(self) -> list[Verdict]:
        """Let everything come home, then count."""
        if self.server.process is None or self.server.process.poll() is not None:
            self.server.start()
        if self.forwarder is not None:
            self.forwarder.stop_writing()
        for sender in self.senders:
            sender.ask_to_stop()
        for sender in self.senders:
            sender.join(PATIENCE_S)
            assert not sender.is_alive(), f"{sender.name} can't send: {sender.refusals}"
        told = [self._of_sender(sender) for sender in self.senders]
        if self.forwarder is not None:
            told += [self._of_way(self.forwarder, way) for way in self.forwarder.ways]
        return told

    def ledgers(self) -> list[dict[str, Any]]:
        """Per source; each adds up."""
        page = self.server.client.get("/api/v1/sources").json()
        names = ("name", "received", "stored", "quarantined", "duplicates")
        return [{name: one[name] for name in names} for one in page["sources"]]

    def close(self) -> None:
        if self.forwarder is not None:
            self.forwarder.stop()
        self.witness.close()
        if self.server.process is not None and self.server.process.poll() is None:
            self.server.kill()  # all is counted
        self.server.client.close()

    def _of_sender(self, sender: Sender) -> Verdict:
        self._await_empty_spool()
        stored, copies = self._stored(sender.name, sender.acknowledged)
        return Verdict(
            sender=sender.name,
            told=sender.acknowledged,
            sent=sender.acknowledged,
            stored=stored,
            missing=sender.acknowledged - stored,
            extra=copies - stored,
            explained=sender.most_copies,
            refusals=dict(sender.refusals),
        )

    def _of_way(self, forwarder: Forwarder, way: str) -> Verdict:
        if way == "rsyslog-elastic":
            return self._of_bulk(way, forwarder.written)
        last = forwarder.written - 1
        wait_until(lambda: self._has(way, last), f"the last of {way}", PATIENCE_S)
        self._await_empty_spool()
        stored, copies = self._stored(way, forwarder.written)
        missing = forwarder.written - stored
        return Verdict(way, None, forwarder.written, stored, missing, copies - stored, 0)

    def _of_bulk(self, way: str, sent: int) -> Verdict:
        """Judged by what the witness saw it being told, and not by what it had to send."""
        self._await_told(sent)
        self._await_empty_spool()
        told = self.witness.accepted()
        absent = self._absent(way, sent)
        _, copies = self._stored(way, sent)
        stored = sent - len(absent)
        return Verdict(
            sender=way,
            told=len(told),
            sent=sent,
            stored=stored,
            missing=len(absent & told),
            extra=copies - stored,
            explained=self.witness.sent_again(),
            never_told=self.witness.histories(absent - told),
        )

    def _await_told(self, count: int) -> None:
        """Until it was told of all, or has sent nothing for ``QUIET_S``: they come in any order."""
        requests, since = 0, time.monotonic()
        while len(self.witness.accepted()) < count and time.monotonic() - since < QUIET_S:
            now = len(self.witness.exchanges)
            if now > requests:
                requests, since = now, time.monotonic()
            time.sleep(0.2)

    def _await_empty_spool(self) -> None:
        client = self.server.client
        wait_until(
            lambda: client.get("/api/v1/sources").json()["waiting_bytes"] == 0,
            "the spool to be empty",
            PATIENCE_S,
        )

    def _stored(self, sender: str, below: int) -> tuple[int, int]:
        """How many different numbers of a sender are stored, and how many events they are."""
        ((different, events),) = self._ask(
            "SELECT count(DISTINCT n), count(*) FROM (SELECT CAST(native.number AS BIGINT) AS n, "  # noqa: S608
            "CAST(native.sender AS VARCHAR) AS sender FROM events) "
            f"WHERE sender = '{sender}' AND n >= 0 AND n < {below}"
        )
        return different, events

    def _absent(self, sender: str, below: int) -> set[int]:
        """The numbers that are not stored; asked for in blocks, as answers have a longest length."""
        numbers = (
            "SELECT DISTINCT CAST(native.number AS BIGINT) AS n FROM events "  # noqa: S608
            f"WHERE CAST(native.sender AS VARCHAR) = '{sender}'"
        )
        counted = self._ask(f"SELECT n // {BLOCK}, count(*) FROM ({numbers}) GROUP BY 1")  # noqa: S608
        counts = {block: count for block, count in counted}
        absent: set[int] = set()
        for first in range(0, below, BLOCK):
            there = range(first, min(first + BLOCK, below))
            if counts.get(first // BLOCK, 0) < len(there):
                end = first + BLOCK
                found = self._ask(f"SELECT n FROM ({numbers}) WHERE n >= {first} AND n < {end}")  # noqa: S608
                absent |= set(there) - {number for (number,) in found}
        return absent

    def _has(self, sender: str, number: int) -> bool:
        ((found,),) = self._ask(
            f"SELECT count(*) FROM events WHERE CAST(native.sender AS VARCHAR) = '{sender}' "  # noqa: S608
            f"AND CAST(native.number AS BIGINT) = {number}"
        )
        return bool(found)

    def _ask(self, sql: str) -> list[list[int]]:
        answer = self.server.client.post("/api/v1/search/sql", json={"sql": sql}, timeout=120.0)
        assert answer.status_code == 200, answer.text
        rows: list[list[int]] = answer.json()["rows"]
        return rows


@contextlib.contextmanager
def soaking(seed: int, disk: SmallDisk | None = None) -> Iterator[Soak]:
    """Senders at work on a server that is not running yet."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-soak-"))
    soak = Soak(folder, (disk.folder if disk else folder) / "home", seed)
    try:
        soak.start_senders()
        yield soak
    finally:
        soak.close()
        shutil.rmtree(folder)


def kill_runs(runs: int, seed: int, longest_s: float = math.inf) -> dict[str, Any]:
    """Fewer than ``runs`` when they take longer than ``longest_s``."""
    with soaking(seed) as soak:
        done = 0
        for done in _numbered(runs, longest_s):
            soak.kill_once()
            _say(f"kill {done} of {runs}")
        return _report(soak, done)


def full_disk_runs(runs: int, seed: int, longest_s: float = math.inf) -> dict[str, Any]:
    """The same; every other time the server is killed while the disk is full."""
    with SmallDisk(DISK_BYTES) as disk, soaking(seed, disk) as soak:
        done = 0
        for done in _numbered(runs, longest_s):
            soak.fill_once(disk, kill=done % 2 == 0)
            _say(f"full disk {done} of {runs}")
        return _report(soak, done)


def quick_run(seed: int, disk: SmallDisk | None) -> dict[str, Any]:
    """A kill of the start and one of the work; on a small disk it is full twice, killed once."""
    with soaking(seed, disk) as soak:
        soak.once_of_each(disk)
        return _report(soak, 1)


def _numbered(runs: int, longest_s: float) -> Iterator[int]:
    began = time.monotonic()
    for number in range(1, runs + 1):
        if time.monotonic() - began > longest_s:
            return
        yield number


def _report(soak: Soak, runs: int) -> dict[str, Any]:
    verdicts = soak.verdicts()
    told = soak.forwarder.told_of_itself() if soak.forwarder is not None else {}
    return {
        "runs": runs,
        "rsyslog": told,
        "kills": soak.kills,
        "holds": all(one.holds for one in verdicts),
        "senders": [asdict(one) for one in verdicts],
        "ledgers": soak.ledgers(),
    }


def _token(home: Path) -> str:
    house = open_tocsin(load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False))
    try:
        return house.access.create_token(
            "soak", [Role.ENGINEER], lifetime_s=86400, by="soak", now=datetime.now(UTC)
        )
    finally:
        house.close()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        open_now = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [one.getsockname()[1] for one in open_now]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--full-disk", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=math.inf, help="of each kind at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    told: dict[str, Any] = {"seed": asked.seed}
    if asked.kills:
        told["kill"] = kill_runs(asked.kills, asked.seed, asked.minutes * 60)
    if asked.full_disk:
        told["full_disk"] = full_disk_runs(asked.full_disk, asked.seed, asked.minutes * 60)
    text = json.dumps(told, indent=1)
    sys.stdout.write(text + "\n")
    if asked.output:
        asked.output.write_text(text + "\n")
    return 0 if all(told[kind]["holds"] for kind in ("kill", "full_disk") if kind in told) else 1


if __name__ == "__main__":
    raise SystemExit(main())
