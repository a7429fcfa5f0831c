"""The stages of the day, and how to see that each was seen."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import tocsin
from tocsin.exercise.attack_cloud import KEY_MAKER, NEW_USER
from tocsin.exercise.attack_edge import ATTACKER, VICTIM
from tocsin.exercise.attack_inside import CONTROLLER, FILE_SERVER, PHISHED
from tocsin.exercise.company import ExerciseError
from tocsin.exercise.linux_day import SILENT_HOST
from tocsin.exercise.trouble import DATABASE, NODE

RULES_FOLDER = Path(tocsin.__file__).parent / "content" / "rules"
_ID = re.compile(r"^id: (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """One thing that happened. Seen when an alert of one of ``rules`` is about one of ``entities``.

    ``rules`` are names of shipped rules (``folder/file`` below ``content/rules``); empty when any
    alert about the entity tells the stage. ``entities`` are entity keys.
    """

    name: str
    told: str
    rules: tuple[str, ...]
    entities: tuple[str, ...]
    is_attack: bool = True

    @cached_property
    def rule_ids(self) -> tuple[str, ...]:
        """The ids of ``rules``; raises ``ExerciseError`` when one is not shipped."""
        return tuple(_rule_id(name) for name in self.rules)

    def is_told_by(self, rule_id: str, entity_key: str) -> bool:
        return entity_key in self.entities and (not self.rules or rule_id in self.rule_ids)


@cache
def _rule_id(name: str) -> str:
    path = RULES_FOLDER / f"{name}.yml"
    try:
        found = _ID.search(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExerciseError(
            f"{path}: a stage names this rule, but it can't be read: {error}"
        ) from error
    if found is None:
        raise ExerciseError(f"{path}: the rule has no id line; give it one")
    return found[1]


STAGES = (
    Stage(
        "ssh guessing",
        "Passwords are guessed on the jump host from the internet",
        ("linux/ssh_passwords_guessed", "zeek/password_guessing_noticed"),
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
        (),
        (f"source:syslog/{SILENT_HOST}",),
        is_attack=False,
    ),
    Stage(
        "full disk",
        "The orders database has no space left",
        ("linux/disk_full", "database/disk_full"),
        (f"host:{DATABASE}",),
        is_attack=False,
    ),
    Stage(
        "node under pressure",
        "A cluster node runs out of disk",
        ("kubernetes/node_disk_pressure",),
        (f"host:{NODE}", "cluster:larkmoor-prod", f"service_account:system:node:{NODE}"),
        is_attack=False,
    ),
)


def stages_seen(told: Iterable[tuple[str, str]]) -> list[Stage]:
    """The stages that alerts tell, in order; ``told`` are pairs of rule id and entity key."""
    pairs = set(told)
    return [stage for stage in STAGES if any(stage.is_told_by(*pair) for pair in pairs)]
