"""Trouble without an attacker: a disk that fills, and records broken on the way."""

from random import Random

from tocsin.exercise.clock import Clock
from tocsin.exercise.cloud_day import KUBERNETES, OKTA, CloudWriter, healthy_disk
from tocsin.exercise.company import Company
from tocsin.exercise.linux_day import LinuxWriter
from tocsin.exercise.network_day import ZEEK
from tocsin.exercise.tape import Tape
from tocsin.exercise.windows_records import WINDOWS

DATABASE = "nh-db01"
NODE = "nh-k8s03"
# Each looks like JSON and is none: cut off, glued together, or with bytes no JSON may hold.
_BROKEN = (
    (WINDOWS, b'{"@timestamp":"2026-11-21T09:14:02.112Z","EventID":4624,"Channel":"Secur'),
    (WINDOWS, b'{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Image":"C:\\W'),
    (WINDOWS, b'{"EventID":4688,"Channel":"Security","CommandLine":"\x00\x01\xff\xfe\x00'),
    (ZEEK, b'{"_path":"conn","ts":1795252442.118,"uid":"CqZ1","id.orig_h":"10.20.10.1'),
    (ZEEK, b'{"_path":"dns","ts":,"query":"intranet.larkmoor.example"}'),
    (OKTA, b'{"uuid":"7f0c","published":"2026-11-21T10:00:00Z","actor":{"id":"00u1"'),
    (KUBERNETES, b'{"kind":"Event","verb":"get","user":{"username":"system:node:nh-k8s0'),
)
BROKEN_RECORDS = len(_BROKEN)


def fill_disk(linux: LinuxWriter, cloud: CloudWriter, company: Company, clock: Clock) -> None:
    """The database's volume fills from 88 % to the brim; a cluster node follows."""
    begin = clock.before_end(6.0)
    for number in range(64):
        used = min(88 + number * 12 // 60, 100)
        free = max(0, 120 - number * 2)
        report = f"/var/lib/postgresql {used}% used, {free}G available"
        linux.say(begin + number * 320, DATABASE, "diskwatch", report, 28 if used > 94 else 30)
    full = begin + 61 * 320
    for number in range(24):
        failed = (
            f'ERROR:  could not extend file "base/16401/{24800 + number}": No space left on device'
        )
        linux.say(full + number * 41, DATABASE, "postgres", failed, 131)
    for number in range(3):
        failed = "backup of orders-db failed: source reported an error while reading WAL"
        linux.say(full + 300 + number * 60, "nh-backup01", "restic-backup", failed, 27)
    pressure = {
        "type": "DiskPressure",
        "status": "True",
        "reason": "KubeletHasDiskPressure",
        "message": "kubelet has disk pressure",
    }
    reference = {"resource": "nodes", "name": NODE, "subresource": "status"}
    address = company.address(NODE)
    for number in range(12):
        condition = pressure if number < 10 else healthy_disk()
        cloud.cluster(
            clock.before_end(1.5) + number * 300,
            "patch",
            reference,
            f"system:node:{NODE}",
            address,
            body={"status": {"conditions": [condition]}},
        )


def break_records(tape: Tape, clock: Clock, rng: Random) -> None:
    """Exactly ``BROKEN_RECORDS`` records that nobody can read, spread over the day."""
    for sender, line in _BROKEN:
        tape.write(sender, clock.any_time(rng), line, broken=True)
