"""An ordinary day on the company's Linux machines: syslog, audit trail and web access logs."""

from random import Random

from tocsin.exercise.clock import Clock, common_log, iso, rfc3164
from tocsin.exercise.company import Company
from tocsin.exercise.sending import Channel
from tocsin.exercise.tape import Sender, Tape

_LINUX_UID = {"root": 0, "www-data": 33, "postgres": 109, "svc-backup": 998, "svc-deploy": 997}
# These few still send datagrams; everything that matters to the story goes over TCP.
_ON_UDP = frozenset({"nh-app01", "nh-app02", "nh-mon01"})
_IN_5424 = frozenset({"nh-k8s01", "nh-k8s02", "nh-k8s03", "nh-build01", "nh-mon01"})
SSHD = "sshd"
SILENT_HOST = "nh-mail01"
SILENT_HOURS = 5.6

_JOBS = (
    ("root", "/usr/local/bin/diskwatch --report"),
    ("root", "test -x /usr/sbin/anacron || run-parts /etc/cron.hourly"),
    ("root", "curl -fsS https://health.larkmoor.example/ping >/dev/null"),
    ("svc-monitor", "/usr/local/bin/collect-metrics --once"),
    ("www-data", "/usr/bin/php /srv/portal/cron.php"),
)
_UNITS = ("apt-daily", "logrotate", "man-db", "fstrim", "systemd-tmpfiles-clean", "certwatch")
_PAGES = (
    *("/", "/orders", "/orders/new", "/orders/environment", "/catalog", "/catalog/gauge-72"),
    *("/static/site.css", "/static/site.js", "/api/v2/orders", "/api/v2/stock", "/login"),
)
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/152.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_7) AppleWebKit/605.1.15 Version/20.0 Safari/605.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0",
    "LarkmoorApp/4.2 (Android 17)",
)
_COMMANDS = (
    ("/usr/bin/apt", ("apt", "list", "--upgradable")),
    ("/usr/bin/systemctl", ("systemctl", "status", "nginx")),
    ("/usr/bin/ls", ("ls", "-l", "/var/log")),
    ("/usr/bin/df", ("df", "-h")),
    ("/usr/bin/ps", ("ps", "aux")),
    ("/usr/bin/python3.13", ("python3", "/usr/local/bin/collect-metrics", "--once")),
)


class LinuxWriter:
    """Writes syslog messages, audit records and access lines of one or another machine."""

    def __init__(self, tape: Tape, rng: Random) -> None:
        self._tape = tape
        self._rng = rng
        self._serial = 880_000
        self._senders: dict[str, Sender] = {}

    def say(self, at: float, host: str, program: str, message: str, priority: int = 30) -> None:
        """One message; ``priority`` is facility * 8 + severity (RFC 5424 §6.2.1)."""
        sender = self._senders.get(host)
        if sender is None:
            channel = Channel.SYSLOG_UDP if host in _ON_UDP else Channel.SYSLOG_TCP
            sender = self._senders[host] = Sender(channel, f"syslog/{host}")
        kernel = program == "kernel"
        pid = 300 + self._rng.getrandbits(14)
        if host in _IN_5424:
            proc = "-" if kernel else str(pid)
            line = f"<{priority}>1 {iso(at, 6)} {host} {program} {proc} - - {message}"
        else:
            tag = program if kernel else f"{program}[{pid}]"
            line = f"<{priority}>{rfc3164(at)} {host} {tag}: {message}"
        self._tape.write(sender, at, line.encode())

    def audit(self, at: float, host: str, records: list[str]) -> None:
        """One audit event of several records, as the syslog plug-in forwards them."""
        self._serial += 1
        for record in records:
            kind, _, rest = record.partition(" ")
            stamp = f"audit({at:.3f}:{self._serial})"
            self.say(at, host, "audisp-syslog", f"type={kind} msg={stamp}: {rest}", 13)

    def executed(
        self, at: float, host: str, user: str, exe: str, arguments: tuple[str, ...]
    ) -> None:
        """The audit event of a program being started (``execve``)."""
        uid = _LINUX_UID.get(user, 1000 + sum(map(ord, user)) % 60)
        pid = 300 + self._rng.getrandbits(14)
        comm = exe.rpartition("/")[2][:15]
        vector = " ".join(f'a{at}="{argument}"' for at, argument in enumerate(arguments))
        self.audit(
            at,
            host,
            [
                f"SYSCALL arch=c000003e syscall=59 success=yes exit=0 a0=55d1 a1=55d2 a2=55d3 a3=8"
                f" items=2 ppid={pid - 1} pid={pid} auid={uid} uid={uid} gid={uid} euid={uid}"
                f" suid={uid} fsuid={uid} egid={uid} sgid={uid} fsgid={uid} tty=pts0 ses=41"
                f' comm="{comm}" exe="{exe}" key="exec"',
                f"EXECVE argc={len(arguments)} {vector}",
            ],
        )

    def visited(
        self, at: float, host: str, address: str, request: str, status: int, agent: str
    ) -> None:
        """One line of the access log, sent by nginx itself over syslog."""
        size = self._rng.randrange(180, 48_000) if status < 400 else 153
        self.say(
            at,
            host,
            "nginx",
            f'{address} - - [{common_log(at)}] "{request} HTTP/1.1" {status} {size} "-" "{agent}"',
            190,
        )


class LinuxDay:
    """Servers run their jobs at all hours; people look in during theirs."""

    def __init__(self, tape: Tape, company: Company, clock: Clock, rng: Random) -> None:
        self.write = LinuxWriter(tape, rng)
        self._company = company
        self._clock = clock
        self._rng = rng
        self._hosts = [a.name for a in company.hosts("linux") if a.name != SILENT_HOST]
        self._admins = ("dario.fenwick", "elin.haugen", "tomas.veldt", "kofi.ansah-reed")

    def live_syslog(self, count: int) -> None:
        """``count`` messages or one a machine: each in turn, so that none is quiet for long."""
        rng = self._rng
        hosts = self._hosts
        count = max(count, len(hosts))
        for number, at in enumerate(self._clock.every(rng, count)):
            host = hosts[number % len(hosts)]
            chance = rng.random()
            if chance < 0.45:
                user, job = rng.choice(_JOBS)
                self.write.say(at, host, "CRON", f"({user}) CMD ({job})", 78)
            elif chance < 0.75:
                unit = rng.choice(_UNITS)
                verb = rng.choice(("Starting", "Finished"))
                self.write.say(at, host, "systemd", f"{verb} {unit}.service - {unit}.", 30)
            elif chance < 0.85:
                self.write.say(
                    at, host, "diskwatch", f"/ {rng.randrange(31, 62)}% used, 41G available", 30
                )
            else:
                self._someone_looks_in(host)

    def live_mail(self, count: int) -> None:
        """The mail server's steady chatter, which ends before the day does."""
        rng = self._rng
        last = self._clock.before_end(SILENT_HOURS)
        step = (last - self._clock.start) / max(count, 1)
        for number in range(count):
            at = self._clock.start + (number + 0.2 + 0.6 * rng.random()) * step
            queue = f"{rng.getrandbits(40):010X}"
            message = rng.choice(
                (
                    f"{queue}: from=<orders@larkmoor.example>, size={rng.randrange(900, 90000)}",
                    f"{queue}: to=<desk@partner.example>, relay=mx.partner.example, status=sent",
                    "connect from mx.partner.example[198.51.100.140]",
                    "disconnect from mx.partner.example[198.51.100.140] ehlo=1 quit=1",
                )
            )
            self.write.say(at, SILENT_HOST, "postfix/smtpd", message, 22)

    def live_audit(self, count: int) -> None:
        """``count`` programs started; each is two records."""
        for _ in range(count):
            exe, arguments = self._rng.choice(_COMMANDS)
            host = self._rng.choice(("nh-jump01", "nh-web01", "nh-web02", "nh-db01", "nh-build01"))
            user = self._rng.choice(("root", "svc-monitor", "www-data"))
            self.write.executed(self._clock.any_time(self._rng), host, user, exe, arguments)

    def live_web(self, count: int) -> None:
        """``count`` visits to the customer portal."""
        rng = self._rng
        for _ in range(count):
            at = self._clock.at_work(rng) if rng.random() < 0.8 else self._clock.any_time(rng)
            address = f"198.51.100.{rng.randrange(128, 250)}"
            if rng.random() < 0.04:
                address = f"2001:db8:77:{rng.randrange(1, 90):x}::{rng.randrange(2, 4000):x}"
            method, status = rng.choice((("GET", 200), ("GET", 200), ("GET", 304), ("POST", 302)))
            if rng.random() < 0.02:
                status = rng.choice((404, 404, 500))
            host = rng.choice(("nh-web01", "nh-web02"))
            page = rng.choice(_PAGES)
            self.write.visited(at, host, address, f"{method} {page}", status, rng.choice(_AGENTS))

    def _someone_looks_in(self, host: str) -> None:
        rng = self._rng
        at = self._clock.at_work(rng)
        user = rng.choice(self._admins)
        address = self._company.address("nh-mgmt01")
        port = rng.randrange(40000, 65000)
        chance = rng.random()
        if chance < 0.5:
            message = (
                f"Accepted publickey for {user} from {address} port {port} ssh2: ED25519 SHA256:k"
            )
            self.write.say(at, host, SSHD, message, 38)
        elif chance < 0.6:
            message = f"Failed password for {user} from {address} port {port} ssh2"
            self.write.say(at, host, SSHD, message, 38)
        elif chance < 0.8:
            message = f"pam_unix(sshd:session): session closed for user {user}"
            self.write.say(at, host, SSHD, message, 86)
        else:
            command = rng.choice(("/usr/bin/systemctl status nginx", "/usr/bin/journalctl -n 100"))
            message = f"{user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND={command}"
            self.write.say(at, host, "sudo", message, 85)


def live_linux_noise(day: LinuxDay, company: Company, clock: Clock, rng: Random) -> None:
    """What looks a little like trouble on every day and is none: the internet, the scanner."""
    write = day.write
    for at in clock.every(rng, 60):
        name = rng.choice(("oracle", "pi", "test", "minecraft"))
        message = f"Invalid user {name} from 203.0.113.7 port {rng.randrange(30000, 60000)}"
        write.say(at, "nh-jump01", SSHD, message, 38)
    for at in clock.every(rng, 30):
        path = rng.choice(("/.env", "/.git/config", "/wp-login.php", "/phpmyadmin/index.php"))
        write.visited(at, "nh-web02", "203.0.113.21", f"GET {path}", 404, "curl/8.15.0")
    scan = clock.before_end(16.5)
    agent = "Mozilla/5.00 (Nikto/2.6.0) (Evasions:None)"
    for number in range(120):
        path = rng.choice(("/cgi-bin/test", "/old/", "/manual/", "/admin", "/backup.zip"))
        scanner = company.address("nh-scan01")
        write.visited(scan + number * 2, "nh-web01", scanner, f"GET {path}", 404, agent)
    shell = "elin.haugen : TTY=pts/0 ; PWD=/home/elin.haugen ; USER=root ; COMMAND=/usr/bin/bash"
    write.say(clock.before_end(7.3), "nh-app01", "sudo", shell, 85)
    write.say(
        clock.before_end(11.0),
        "nh-web01",
        "certwatch",
        "certificate CN=portal.larkmoor.example expires in 9 days",
        28,
    )
    gave_up = "label-printer.service: Start request repeated too quickly."
    write.say(clock.before_end(9.8), "nh-app02", "systemd", gave_up, 28)
    for number in range(9):
        at = clock.before_end(6.4) + number * 3
        visitor = f"198.51.100.{140 + number}"
        write.visited(at, "nh-web02", visitor, "GET /orders", 502, _AGENTS[number % 4])
