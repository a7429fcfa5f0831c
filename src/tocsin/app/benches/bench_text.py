"""Lines of text as daemons and firewalls write them, for benchmarks of what has no columns."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

_LINES_A_SECOND = 40
_USERS = ("ola.admin", "maja.lind", "ada.brook", "root", "backup", "oracle", "git", "postgres")
_PATHS = ("/", "/orders", "/orders/%d", "/static/site-%d.css", "/api/stock?item=%d", "/login")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0",
    "curl/8.14.1",
    "portal-health/2.1",
)

Writer = Callable[[random.Random, datetime, int], str]


def _syslog(moment: datetime, priority: int, host: str, tag: str, message: str) -> str:
    return f"<{priority}>{moment:%b} {moment.day:>2} {moment:%H:%M:%S} {host} {tag}: {message}"


def _outside(rng: random.Random) -> str:
    return f"203.0.113.{rng.randrange(256)}" if rng.random() < 0.5 else _any(rng, "198.51.100")


def _inside(rng: random.Random) -> str:
    return _any(rng, f"10.20.{rng.randrange(40)}")


def _any(rng: random.Random, network: str) -> str:
    return f"{network}.{rng.randrange(256)}"


def _sshd(rng: random.Random, moment: datetime, number: int) -> str:
    user, source, port = rng.choice(_USERS), _outside(rng), rng.randrange(1024, 65536)
    message = rng.choice(
        (
            f"Failed password for {user} from {source} port {port} ssh2",
            f"Failed password for invalid user {user} from {source} port {port} ssh2",
            f"Invalid user {user} from {source} port {port}",
            f"Accepted publickey for {user} from {source} port {port} ssh2: ED25519 SHA256:mJ0x{number:08}",
            f"pam_unix(sshd:session): session opened for user {user}(uid=1001) by (uid=0)",
            f"Connection closed by authenticating user {user} {source} port {port} [preauth]",
            f"Connection from {source} port {port} on 10.20.30.5 port 22",
            f"Received disconnect from {source} port {port}:11: disconnected by user",
        )
    )
    return _syslog(
        moment, 86, f"bastion-{number % 7:02}", f"sshd[{2000 + number % 30000}]", message
    )


def _access(rng: random.Random, moment: datetime, number: int) -> str:
    path = rng.choice(_PATHS)
    path = path % (number % 5000) if "%" in path else path
    status, size = rng.choice((200, 200, 200, 301, 404, 500)), rng.randrange(20_000)
    referrer = rng.choice(("-", "https://portal.larkmoor.example/"))
    return (
        f"{_outside(rng)} - {rng.choice(('-', '-', *_USERS))} [{moment:%d/%b/%Y:%H:%M:%S} +0000] "
        f'"{rng.choice(("GET", "GET", "POST"))} {path} HTTP/1.1" {status} {size} "{referrer}" '
        f'"{rng.choice(_AGENTS)}"'
    )


def _asa(rng: random.Random, moment: datetime, number: int) -> str:
    far, near = _outside(rng), _inside(rng)
    port, own, link = rng.choice((443, 80, 53, 22)), rng.randrange(1024, 65536), 144_000 + number
    code, message = rng.choice(
        (
            (
                "6-302013",
                f"Built outbound TCP connection {link} for outside:{far}/{port} ({far}/{port}) "
                f"to inside:{near}/{own} (198.51.100.3/{own})",
            ),
            (
                "6-302014",
                f"Teardown TCP connection {link} for outside:{far}/{port} to inside:{near}/{own} "
                f"duration 0:00:{number % 60:02} bytes {number % 90_000} TCP FINs",
            ),
            (
                "4-106023",
                f"Deny tcp src outside:{far}/{own} dst dmz:192.0.2.6/{port} by access-group "
                '"outside_in" [0x0, 0x0]',
            ),
        )
    )
    return _syslog(moment, 166, "asa-1", f"%ASA-{code}", message)


def _iptables(rng: random.Random, moment: datetime, number: int) -> str:
    message = (
        f"[{number}.{number % 1_000_000:06}] [UFW BLOCK] IN=eth0 OUT= "
        f"MAC=02:00:5e:10:00:01:02:00:5e:10:00:02:08:00 SRC={_outside(rng)} DST=192.0.2.10 "
        f"LEN={rng.randrange(40, 1500)} TOS=0x00 PREC=0x00 TTL={rng.randrange(30, 250)} "
        f"ID={rng.randrange(65536)} PROTO=TCP SPT={rng.randrange(1024, 65536)} "
        f"DPT={rng.choice((22, 23, 80, 443, 3389))} WINDOW=1024 RES=0x00 SYN URGP=0"
    )
    return _syslog(moment, 4, f"gw-{number % 3}", "kernel", message)


def _fortigate(rng: random.Random, moment: datetime, number: int) -> str:
    return (
        f'<189>date={moment:%Y-%m-%d} time={moment:%H:%M:%S} devname="fgt-branch-1" '
        f'devid="FGT60FTK00000001" eventtime={int(moment.timestamp())}{number % 10**9:09} tz="+0000" '
        'logid="0000000013" type="traffic" subtype="forward" level="notice" vd="root" '
        f'srcip={_inside(rng)} srcport={rng.randrange(1024, 65536)} srcintf="lan" '
        f'srcintfrole="lan" dstip={_outside(rng)} dstport={rng.choice((53, 80, 443))} '
        f'dstintf="wan1" dstintfrole="wan" sessionid={880_000 + number} proto=6 '
        f'action="{rng.choice(("close", "accept", "timeout", "deny"))}" policyid={number % 40} '
        f'policytype="policy" service="HTTPS" dstcountry="Reserved" trandisp="snat" '
        f"duration={rng.randrange(300)} sentbyte={rng.randrange(90_000)} "
        f"rcvdbyte={rng.randrange(900_000)} sentpkt={rng.randrange(90)} rcvdpkt={rng.randrange(900)}"
    )


WRITERS: dict[str, Writer] = {
    "sshd": _sshd,
    "access": _access,
    "asa": _asa,
    "iptables": _iptables,
    "fortigate": _fortigate,
}


def text_lines(kind: str, lines: int, *, until: datetime | None = None) -> Iterator[str]:
    """So many lines of one kind of ``WRITERS``, some a second, the last one ``until`` (now)."""
    rng, write = random.Random(7), WRITERS[kind]  # noqa: S311 - repeatable, guards nothing
    last = until or datetime.now(UTC)
    for number in range(lines):
        moment = last - timedelta(seconds=(lines - 1 - number) // _LINES_A_SECOND)
        yield write(rng, moment, number)
