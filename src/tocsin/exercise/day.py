"""A day of the sample company as raw vendor records, with the attack and the trouble in it."""

from collections.abc import Iterator
from datetime import datetime
from random import Random

from tocsin.exercise.attack_cloud import use_new_key
from tocsin.exercise.attack_edge import break_in
from tocsin.exercise.attack_inside import carry_out, dump_credentials, move_sideways, phish
from tocsin.exercise.clock import DAY_S, Clock
from tocsin.exercise.cloud_day import CloudDay, live_cloud_noise
from tocsin.exercise.company import Company, ExerciseError
from tocsin.exercise.linux_day import LinuxDay, live_linux_noise
from tocsin.exercise.network_day import NetworkDay, live_network_noise
from tocsin.exercise.sending import Sending
from tocsin.exercise.tape import Tape
from tocsin.exercise.trouble import break_records, fill_disk
from tocsin.exercise.windows_day import WindowsDay, live_windows_noise

DAY_EVENTS = 54_000
FEWEST_EVENTS = 8_000
# Parts of the ordinary day in thousandths; Windows takes what is left.
_SYSLOG, _MAIL, _AUDIT, _WEB, _ZEEK, _SURICATA = 120, 30, 30, 90, 210, 30
_TRAIL, _OKTA, _CLUSTER, _GITHUB = 22, 11, 30, 8


def sending_plan(
    company: Company, *, end: datetime, events: int = DAY_EVENTS, seed: int = 7
) -> Iterator[Sending]:
    """What everyone sends in the 24 hours before ``end``, by the time of its last record.

    Exactly ``events`` records (at least ``FEWEST_EVENTS``), the same for the same arguments;
    ``trouble.BROKEN_RECORDS`` of them are unreadable. The whole day is made in memory (about
    40 MB for 54,000 records).
    """
    yield from record_day(company, end=end, events=events, seed=seed, attacked=True).cut()


def quiet_plan(
    company: Company, *, end: datetime, events: int = DAY_EVENTS, seed: int = 7
) -> Iterator[Sending]:
    """The same company on a day without attack, trouble and broken records."""
    yield from record_day(company, end=end, events=events, seed=seed, attacked=False).cut()


def later_plan(
    company: Company, *, start: datetime, end: datetime, seed: int = 7, records: int | None = None
) -> Iterator[Sending]:
    """Ordinary life from ``start`` to ``end`` (less than a day) after the day has been sent.

    About ``records``, or 38 a minute, and at least one from everyone but the mail server, so that
    nobody else falls silent while people look round. Another ``start`` makes other records.
    """
    span_s = (end - start).total_seconds()
    if not 0 < span_s < DAY_S:
        raise ExerciseError(f"{start} to {end} is not within a day; ask for a shorter time")
    rng = Random(f"{seed} {start.timestamp()}")  # noqa: S311 - a story to be told again
    tape = Tape()
    life = _Life(tape, company, Clock(end.timestamp(), span_s), rng)
    wanted = DAY_EVENTS * span_s / DAY_S if records is None else records
    life.live_outside_windows(wanted / 1000)
    life.windows.live(max(1, round(wanted) - tape.records))
    yield from tape.cut()


class _Life:
    """Everyone who writes records in the company."""

    def __init__(self, tape: Tape, company: Company, clock: Clock, rng: Random) -> None:
        self.windows = WindowsDay(tape, company, clock, rng)
        self.linux = LinuxDay(tape, company, clock, rng)
        self.network = NetworkDay(tape, company, clock, rng)
        self.cloud = CloudDay(tape, company, clock, rng)

    def live_outside_windows(self, thousandth: float) -> None:
        """The ordinary records of all but Windows and the mail server."""
        for part, live in (
            (_SYSLOG, self.linux.live_syslog),
            (_AUDIT, self.linux.live_audit),
            (_WEB, self.linux.live_web),
            (_ZEEK, self.network.live_zeek),
            (_SURICATA, self.network.live_suricata),
            (_TRAIL, self.cloud.live_trail),
            (_OKTA, self.cloud.live_okta),
            (_CLUSTER, self.cloud.live_cluster),
            (_GITHUB, self.cloud.live_github),
        ):
            live(max(1, int(part * thousandth)))


def record_day(company: Company, *, end: datetime, events: int, seed: int, attacked: bool) -> Tape:
    """The tape of a whole day."""
    if events < FEWEST_EVENTS:
        raise ExerciseError(
            f"a day of {events} events can't hold the story; ask for {FEWEST_EVENTS} or more"
        )
    rng = Random(seed)  # noqa: S311 - a story to be told again, no secret
    clock = Clock(end.timestamp())
    tape = Tape()
    life = _Life(tape, company, clock, rng)
    windows, linux, network, cloud = life.windows, life.linux, life.network, life.cloud
    if attacked:
        break_in(linux.write, network.write, company, clock, rng)
        phish(windows.write, network.write, cloud.write, company, clock, rng)
        dump_credentials(windows.write, clock)
        move_sideways(windows.write, network.write, company, clock)
        use_new_key(cloud.write, company, clock)
        carry_out(windows.write, network.write, company, clock, rng)
        fill_disk(linux.write, cloud.write, company, clock)
        break_records(tape, clock, rng)
    live_windows_noise(windows, company, clock, rng)
    live_linux_noise(linux, company, clock, rng)
    live_network_noise(network, company, clock, rng)
    live_cloud_noise(cloud, company, clock)
    thousandth = (events - tape.records) / 1000
    linux.live_mail(int(_MAIL * thousandth))
    life.live_outside_windows(thousandth)
    windows.live(events - tape.records)
    return tape
