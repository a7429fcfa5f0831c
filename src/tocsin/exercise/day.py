"""A day of the sample company as raw vendor records, with the attack and the trouble in it."""

from collections.abc import Iterator
from datetime import datetime
from random import Random

from tocsin.exercise.attack_cloud import use_new_key
from tocsin.exercise.attack_edge import break_in
from tocsin.exercise.attack_inside import carry_out, dump_credentials, move_sideways, phish
from tocsin.exercise.clock import Clock
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


def record_day(company: Company, *, end: datetime, events: int, seed: int, attacked: bool) -> Tape:
    """The tape of a whole day."""
    if events < FEWEST_EVENTS:
        raise ExerciseError(
            f"a day of {events} events can't hold the story; ask for {FEWEST_EVENTS} or more"
        )
    rng = Random(seed)  # noqa: S311 - a story to be told again, no secret
    clock = Clock(end.timestamp())
    tape = Tape()
    windows = WindowsDay(tape, company, clock, rng)
    linux = LinuxDay(tape, company, clock, rng)
    network = NetworkDay(tape, company, clock, rng)
    cloud = CloudDay(tape, company, clock, rng)
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
    linux.live_syslog(int(_SYSLOG * thousandth))
    linux.live_mail(int(_MAIL * thousandth))
    linux.live_audit(int(_AUDIT * thousandth))
    linux.live_web(int(_WEB * thousandth))
    network.live_zeek(int(_ZEEK * thousandth))
    network.live_suricata(int(_SURICATA * thousandth))
    cloud.live_trail(int(_TRAIL * thousandth))
    cloud.live_okta(int(_OKTA * thousandth))
    cloud.live_cluster(int(_CLUSTER * thousandth))
    cloud.live_github(int(_GITHUB * thousandth))
    windows.live(events - tape.records)
    return tape
