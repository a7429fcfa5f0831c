"""The stages of the day, and how to see that each was seen."""

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.exercise.attack_cloud import KEY_MAKER, NEW_USER
from tocsin.exercise.attack_edge import ATTACKER, VICTIM
from tocsin.exercise.attack_inside import CONTROLLER, FILE_SERVER, PHISHED
from tocsin.exercise.linux_day import SILENT_HOST
from tocsin.exercise.trouble import DATABASE, NODE


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that happened. Seen when an alert of one of ``rules`` is about one of ``entities``.

    ``rules`` are names of shipped rules (``folder/file`` below ``content/rules``); a stage with
    ``silent_source`` is seen when that source is reported silent, by whatever rule.
    """

    name: str
    told: str
    rules: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    silent_source: str = ""
    operations: bool = False


STAGES = (
    Stage(
        "ssh guessing",
        "Passwords are guessed on the jump host from the internet",
        ("linux/ssh_guessing_cut_off", "zeek/password_guessing_noticed"),
        (f"address:{ATTACKER}",),
    ),
    Stage(
        "ssh break-in",
        "A guessed password is accepted",
        ("linux/ssh_password_from_internet",),
        (f"host:{VICTIM}",),
    ),
    Stage(
        "foothold",
        "A job and a program in shared memory are left on the jump host",
        ("linux/cron_runs_download", "linux/program_run_from_shared_memory"),
        (f"host:{VICTIM}",),
    ),
    Stage(
        "phished user",
        "A document starts PowerShell, which fetches code",
        ("windows/office_starts_interpreter", "windows/powershell_download_cradle"),
        (f"host:{PHISHED}",),
    ),
    Stage(
        "credential dumping",
        "The memory of LSASS is written to a file",
        ("windows/comsvcs_minidump", "windows/lsass_memory_read"),
        (f"host:{PHISHED}",),
    ),
    Stage(
        "lateral movement",
        "A remote execution service appears on the file server",
        ("windows/psexec_service_installed",),
        (f"host:{FILE_SERVER}",),
    ),
    Stage(
        "controller attempt",
        "A copy of the directory is tried on the controller",
        ("windows/directory_database_copied",),
        (f"host:{CONTROLLER}",),
    ),
    Stage(
        "new cloud key",
        "An access key is made, and used from abroad",
        ("aws/access_key_created", "aws/buckets_listed_with_key"),
        (f"user:{KEY_MAKER}", f"user:{NEW_USER}"),
    ),
    Stage(
        "trail switched off",
        "The cloud account's own log is stopped",
        ("aws/trail_tampered",),
        (f"user:{NEW_USER}",),
    ),
    Stage(
        "exfiltration",
        "Design files leave the file server, names carry data",
        ("windows/cloud_copy_tool", "zeek/dns_names_carry_data"),
        (f"host:{FILE_SERVER}", f"host:{PHISHED}"),
    ),
    Stage(
        "silent source",
        "The mail server stops sending logs",
        silent_source=f"syslog/{SILENT_HOST}",
        operations=True,
    ),
    Stage(
        "full disk",
        "The orders database has no space left",
        ("linux/disk_full",),
        (f"host:{DATABASE}",),
        operations=True,
    ),
    Stage(
        "node under pressure",
        "A cluster node runs out of disk",
        ("kubernetes/node_disk_pressure",),
        (f"host:{NODE}", "cluster:larkmoor-prod"),
        operations=True,
    ),
)


def stages_seen(
    alerts: Iterable[tuple[str, str]],
    silent_sources: Iterable[str],
    rule_names: dict[str, str],
) -> list[Stage]:
    """The stages that ``alerts`` (rule id, entity key) and ``silent_sources`` tell, in order.

    ``rule_names`` gives a rule's name (``linux/disk_full``) by its id.
    """
    told = {(rule_names.get(rule_id, ""), entity) for rule_id, entity in alerts}
    silent = set(silent_sources)
    return [
        stage
        for stage in STAGES
        if (stage.silent_source and stage.silent_source in silent)
        or any((rule, entity) in told for rule in stage.rules for entity in stage.entities)
    ]
