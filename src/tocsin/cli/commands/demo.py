"""``tocsin demo``: a sample company under attack, end to end."""

import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from tocsin.app.flow.assets import dump_assets
from tocsin.app.rehearsals.delivery import Doors
from tocsin.app.rehearsals.rehearsal import Rehearsal
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.cli.output import Exit, err, item_progress, print_json
from tocsin.cli.server import Listening, serve_house
from tocsin.exercise.company import Company, load_company
from tocsin.exercise.day import DAY_EVENTS
from tocsin.model.principal import Role

app = typer.Typer()

_LEASE_S = 4 * 3600
_log = structlog.get_logger()


@app.command("demo")
def demo(
    check: Annotated[
        bool, typer.Option("--check", help="Headless: play the day, print one JSON summary, stop.")
    ] = False,
    port: Annotated[int, typer.Option("--port", help="HTTP port; 0 picks a free one.")] = 8600,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Keep the data in this (new) folder.", metavar="DIR"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed plays another day.")] = 7,
) -> None:
    """Play a day of a sample company under attack through the real listeners, and let you look round.

    Everything runs on this machine, on loopback, in a folder of its own that is removed at the end.
    """
    started = time.monotonic()
    company = load_company()
    with _folder(keep) as folder:
        dump_assets(folder / "assets.yml", company.assets, company.services)
        settings = load_settings(
            None,
            home=folder,
            http__port=0 if check else port,
            syslog__udp_port=0,
            syslog__tcp_port=0,
        )
        house = open_tocsin(settings)
        try:
            failure = asyncio.run(_play(house, company, check=check, seed=seed, started=started))
        finally:
            house.close()
    if failure:
        err.print(f"tocsin: the demo did not hold: {failure}", markup=False)
        raise typer.Exit(Exit.BAD_CONTENT)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=False, mode=0o700)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


async def _play(
    house: Tocsin, company: Company, *, check: bool, seed: int, started: float
) -> str | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    failures: list[str] = []
    stopped = threading.Event()

    def on_ready(listening: Listening) -> None:
        def act() -> None:
            try:
                rehearsal = Rehearsal(house, company, _doors(house, listening), seed=seed)
                if check:
                    failures.extend(_check(rehearsal, started))
                else:
                    _show(rehearsal, listening, started)
                    rehearsal.live_on(stopped)
            except Exception as error:
                if not stopped.is_set():
                    failures.append(f"{type(error).__name__}: {error}")
                    _log.exception("rehearsal_failed")
            finally:
                if check or failures:
                    loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=act, name="rehearsal", daemon=True).start()

    try:
        await serve_house(house, on_ready, stop)
    finally:
        stopped.set()
    return "; ".join(failures) or None


def _doors(house: Tocsin, listening: Listening) -> Doors:
    syslog = listening.syslog[0]  # the demo's settings always listen
    token = house.access.create_token(
        "demo senders", [Role.ENGINEER], lifetime_s=86400, by="demo", now=datetime.now(UTC)
    )
    return Doors(
        url=listening.url,
        token=token,
        syslog_host=house.settings.syslog.host,
        udp_port=listening.syslog_udp,
        tcp_port=listening.syslog_tcp,
        udp_received=lambda: syslog.udp_received,
    )


def _deliver(rehearsal: Rehearsal) -> None:
    with item_progress() as progress:
        task = progress.add_task("a day's records", total=DAY_EVENTS)
        rehearsal.deliver(
            lambda now: progress.update(task, completed=now.sent, total=max(now.total, now.sent))
        )


def _check(rehearsal: Rehearsal, started: float) -> list[str]:
    """Play everything, print the summary, and say which bars were missed."""
    rehearsal.bring_people()
    _deliver(rehearsal)
    case = rehearsal.open_case()
    address = rehearsal.attacker_addresses()[0]
    lease = rehearsal.approve(rehearsal.ask_to_block(case, address, _LEASE_S))
    rehearsal.undo(lease)
    summary = rehearsal.summary(started)
    print_json(summary)
    return _missed(summary, rehearsal)


def _missed(summary: dict[str, Any], rehearsal: Rehearsal) -> list[str]:
    bars = {
        "at least 50,000 events": summary["events"] >= 50_000,
        "every record sent is stored or in quarantine": summary["events"] + summary["unreadable"]
        == rehearsal.sent,
        f"unreadable = {rehearsal.broken}, the broken records planted": summary["unreadable"]
        == rehearsal.broken,
        f"every stage seen (missing: {', '.join(rehearsal.unseen_stages())})": summary[
            "stages_seen"
        ]
        == summary["stages_total"],
        "at most 60 alerts": summary["alerts"] <= 60,
        "a lease created and undone": summary["leases_created"] >= 1 <= summary["leases_undone"],
    }
    return [bar for bar, holds in bars.items() if not holds]


def _show(rehearsal: Rehearsal, listening: Listening, started: float) -> None:
    """Print where to look at once, then fill the house and leave it running."""
    cast = rehearsal.bring_people()
    err.print(
        f"\nTocsin is ready after {time.monotonic() - started:.1f} s: {listening.url}\n",
        markup=False,
    )
    width = max(len(one.name) for one in cast)
    for one in cast:
        err.print(f"  {one.name:<{width}}  {one.password}  {one.does}", markup=False)
    err.print("")
    _deliver(rehearsal)
    case = rehearsal.open_case()
    addresses = rehearsal.attacker_addresses()
    if len(addresses) > 1:
        rehearsal.approve(rehearsal.ask_to_block(case, addresses[1], _LEASE_S))
    rehearsal.ask_to_block(case, addresses[0], _LEASE_S)
    err.print(
        f"The day is in. Sign in, begin with the Queue; an approval waits for henrik.ostrow; "
        f"the blocklist is at {listening.url}/feeds/blocklist.txt\nStop with Ctrl-C.",
        markup=False,
    )
    sys.stderr.flush()
