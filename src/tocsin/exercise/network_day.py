"""An ordinary day on the wire, as the Zeek and Suricata sensors write it."""

from collections.abc import Mapping
from random import Random
from typing import Any

from tocsin.exercise.clock import Clock, iso
from tocsin.exercise.company import Company
from tocsin.exercise.sending import Channel
from tocsin.exercise.tape import Sender, Tape

ZEEK = Sender(Channel.HTTP, "zeek")
SURICATA = Sender(Channel.HTTP, "suricata")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TSV_FIELDS = {
    "ssl": (
        ("ts", "time"), ("uid", "string"), ("id.orig_h", "addr"), ("id.orig_p", "port"),
        ("id.resp_h", "addr"), ("id.resp_p", "port"), ("version", "string"), ("cipher", "string"),
        ("server_name", "string"), ("resumed", "bool"), ("established", "bool"),
        ("validation_status", "string"),
    ),
    "files": (
        ("ts", "time"), ("fuid", "string"), ("uid", "string"), ("id.orig_h", "addr"),
        ("id.orig_p", "port"), ("id.resp_h", "addr"), ("id.resp_p", "port"), ("source", "string"),
        ("mime_type", "string"), ("filename", "string"), ("seen_bytes", "count"),
        ("sha256", "string"),
    ),
    "notice": (
        ("ts", "time"), ("uid", "string"), ("id.orig_h", "addr"), ("id.orig_p", "port"),
        ("id.resp_h", "addr"), ("id.resp_p", "port"), ("note", "enum"), ("msg", "string"),
        ("sub", "string"), ("src", "addr"), ("dst", "addr"), ("p", "port"),
    ),
}  # fmt: skip
_NAMES = (
    *("outlook.mailhost.example", "telemetry.officeware.example", "teams.meetwell.example"),
    *("intranet.larkmoor.example", "portal.larkmoor.example", "news.dailybrook.example"),
    *("nh-fs01.corp.larkmoor.example", "nh-dc01.corp.larkmoor.example", "time.north.example"),
    *("cdn.fontlight.example", "updates.gaugeworks.example", "api.bearingsource.example"),
)
_SERVICES = (
    ("tcp", 443, "ssl", 2_000, 40_000),
    ("tcp", 443, "ssl", 9_000, 900_000),
    ("tcp", 445, "gssapi,smb", 40_000, 700_000),
    ("tcp", 5432, "postgresql", 3_000, 90_000),
    ("udp", 53, "dns", 60, 180),
    ("tcp", 25, "smtp", 20_000, 900),
    ("udp", 123, "ntp", 48, 48),
)


def _tsv(path: str) -> Sender:
    """A file of Zeek's own tab-separated form, header first."""
    fields = _TSV_FIELDS[path]
    header = "\n".join(
        (
            "#separator \\x09",
            "#set_separator\t,",
            "#empty_field\t(empty)",
            "#unset_field\t-",
            f"#path\t{path}",
            "#fields\t" + "\t".join(name for name, _ in fields),
            "#types\t" + "\t".join(kind for _, kind in fields),
        )
    ).encode()

    def join(lines: list[bytes]) -> bytes:
        return b"\n".join((header, *lines, b""))

    return Sender(Channel.FILE, "zeek", join, f"{path}.log")


class NetworkWriter:
    """Writes one connection, look-up or alert onto the tape."""

    def __init__(self, tape: Tape, rng: Random) -> None:
        self._tape = tape
        self._rng = rng
        self._files = {path: _tsv(path) for path in _TSV_FIELDS}

    def uid(self) -> str:
        return "C" + "".join(self._rng.choices(_LETTERS, k=16))

    def zeek(
        self,
        path: str,
        at: float,
        ends: tuple[str, int, str, int],
        fields: dict[str, Any],
    ) -> None:
        """One JSON record of ``path``; ``ends`` are originator and responder with their ports."""
        record = {
            "_path": path,
            "ts": round(at, 6),
            "uid": self.uid(),
            "id.orig_h": ends[0],
            "id.orig_p": ends[1],
            "id.resp_h": ends[2],
            "id.resp_p": ends[3],
            **fields,
        }
        self._tape.write_json(ZEEK, at, record)

    def zeek_row(self, path: str, at: float, values: Mapping[str, object]) -> None:
        """One row of a tab-separated log; fields not given are unset."""
        given = {"ts": f"{at:.6f}", "uid": self.uid(), **values}
        row = "\t".join(str(given.get(name, "-")) for name, _ in _TSV_FIELDS[path])
        self._tape.write(self._files[path], at, row.encode())

    def connection(
        self,
        at: float,
        ends: tuple[str, int, str, int],
        service: tuple[str, str],
        sent: int,
        received: int,
        state: str = "SF",
        duration_s: float = 1.0,
    ) -> None:
        """One ``conn`` record; ``service`` is transport and application protocol."""
        local = ("10.", "192.168.")
        self.zeek(
            "conn",
            at,
            ends,
            {
                "proto": service[0],
                "service": service[1],
                "duration": round(duration_s, 6),
                "orig_bytes": sent,
                "resp_bytes": received,
                "conn_state": state,
                "local_orig": ends[0].startswith(local),
                "local_resp": ends[2].startswith(local),
                "missed_bytes": 0,
                "history": "ShADadFf" if service[0] == "tcp" else "Dd",
                "orig_pkts": sent // 900 + 2,
                "orig_ip_bytes": sent + 120,
                "resp_pkts": received // 900 + 2,
                "resp_ip_bytes": received + 120,
            },
        )

    def lookup(self, at: float, client: str, name: str, kind: str, answers: list[str]) -> None:
        """One ``dns`` record of a client asking the first controller."""
        kinds = {"A": 1, "TXT": 16, "AAAA": 28, "PTR": 12}
        self.zeek(
            "dns",
            at,
            (client, self._rng.randrange(40000, 65000), "10.20.30.11", 53),
            {
                "proto": "udp",
                "trans_id": self._rng.getrandbits(16),
                "query": name,
                "qclass": 1,
                "qclass_name": "C_INTERNET",
                "qtype": kinds[kind],
                "qtype_name": kind,
                "rcode": 0 if answers else 3,
                "rcode_name": "NOERROR" if answers else "NXDOMAIN",
                "AA": False,
                "RD": True,
                "RA": True,
                "answers": answers,
                "TTLs": [300.0] * len(answers),
            },
        )

    def request(self, at: float, client: str, to: str, host: str, uri: str, agent: str) -> None:
        """One ``http`` record answered with 200."""
        self.zeek(
            "http",
            at,
            (client, self._rng.randrange(40000, 65000), to, 80),
            {
                "trans_depth": 1,
                "method": "GET",
                "host": host,
                "uri": uri,
                "version": "1.1",
                "user_agent": agent,
                "request_body_len": 0,
                "response_body_len": self._rng.randrange(400, 90_000),
                "status_code": 200,
                "status_msg": "OK",
            },
        )

    def eve(
        self, at: float, kind: str, ends: tuple[str, int, str, int], fields: dict[str, Any]
    ) -> None:
        """One Suricata record."""
        record = {
            "timestamp": iso(at, 6)[:-1] + "+0000",
            "flow_id": self._rng.getrandbits(50),
            "in_iface": "ens5",
            "event_type": kind,
            "src_ip": ends[0],
            "src_port": ends[1],
            "dest_ip": ends[2],
            "dest_port": ends[3],
            "proto": "TCP",
            **fields,
        }
        self._tape.write_json(SURICATA, at, record)

    def alert(
        self,
        at: float,
        ends: tuple[str, int, str, int],
        signature: tuple[int, str, str, int],
    ) -> None:
        """A Suricata alert: signature id, text, category and severity (1 worst)."""
        number, text, category, severity = signature
        alert = {
            "action": "allowed",
            "gid": 1,
            "signature_id": number,
            "rev": 1,
            "signature": text,
            "category": category,
            "severity": severity,
        }
        self.eve(at, "alert", ends, {"alert": alert, "app_proto": "http"})


class NetworkDay:
    """Everyone talks to the servers and the outside; the sensors write it down."""

    def __init__(self, tape: Tape, company: Company, clock: Clock, rng: Random) -> None:
        self.write = NetworkWriter(tape, rng)
        self._clock = clock
        self._rng = rng
        self._desks = [company.address(person.workstation) for person in company.at_desks()]
        self._servers = [
            company.address(asset.name)
            for asset in company.hosts("linux") + company.hosts("windows")
            if asset.kind != "workstation" and asset.addresses[0].startswith("10.20.30.")
        ]

    def live_zeek(self, count: int) -> None:
        """``count`` records: connections, look-ups, requests, TLS, files."""
        acts = (self._connection, self._lookup, self._request, self._tls, self._file)
        for act in self._rng.choices(acts, (40, 36, 10, 11, 3), k=count):
            act()

    def live_suricata(self, count: int) -> None:
        """``count`` records, nearly all of them flows, names and handshakes."""
        rng = self._rng
        for at in self._clock.every(rng, count):
            client, outside = self._client(), f"198.51.100.{rng.randrange(130, 190)}"
            ends = (client, rng.randrange(40000, 65000), outside, 443)
            kind = rng.choice(("flow", "flow", "tls", "dns", "http"))
            if kind == "flow":
                flow = {"pkts_toserver": 12, "bytes_toserver": 2400, "state": "closed"}
                self.write.eve(at, kind, ends, {"flow": flow, "app_proto": "tls"})
            elif kind == "tls":
                tls = {"sni": rng.choice(_NAMES), "version": "TLS 1.3"}
                self.write.eve(at, kind, ends, {"tls": tls})
            elif kind == "dns":
                dns = {"type": "query", "rrname": rng.choice(_NAMES), "rrtype": "A"}
                self.write.eve(at, kind, (client, ends[1], "10.20.30.11", 53), {"dns": dns})
            else:
                http = {"hostname": rng.choice(_NAMES), "url": "/", "status": 200}
                self.write.eve(at, kind, (client, ends[1], outside, 80), {"http": http})

    def _client(self) -> str:
        return self._rng.choice(self._desks if self._rng.random() < 0.7 else self._servers)

    def _when(self, client: str) -> float:
        is_desk = client.startswith("10.20.10.")
        return self._clock.at_work(self._rng) if is_desk else self._clock.any_time(self._rng)

    def _outside(self) -> str:
        return f"198.51.100.{self._rng.randrange(130, 190)}"

    def _connection(self) -> None:
        rng = self._rng
        client = self._client()
        proto, port, service, sent, received = rng.choice(_SERVICES)
        inside = port in (445, 5432, 53)
        to = rng.choice(self._servers) if inside else self._outside()
        self.write.connection(
            self._when(client),
            (client, rng.randrange(40000, 65000), to, port),
            (proto, service),
            int(sent * (0.3 + rng.random())),
            int(received * (0.3 + rng.random())),
            rng.choice(("SF", "SF", "SF", "S1", "RSTO")),
            rng.random() * 40,
        )

    def _lookup(self) -> None:
        client = self._client()
        answers = [self._outside()] if self._rng.random() < 0.95 else []
        self.write.lookup(self._when(client), client, self._rng.choice(_NAMES), "A", answers)

    def _request(self) -> None:
        client = self._client()
        host = self._rng.choice(("ocsp.trustmark.example", "updates.gaugeworks.example"))
        uri = self._rng.choice(("/ocsp", "/catalog.json", "/v2/check?build=8812", "/agent.msi"))
        agent = "Velo-Agent/3.1" if self._rng.random() < 0.3 else "Mozilla/5.0"
        self.write.request(self._when(client), client, self._outside(), host, uri, agent)

    def _tls(self) -> None:
        client = self._client()
        row = {
            "id.orig_h": client,
            "id.orig_p": self._rng.randrange(40000, 65000),
            "id.resp_h": self._outside(),
            "id.resp_p": 443,
            "version": "TLSv13",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "server_name": self._rng.choice(_NAMES),
            "resumed": "F",
            "established": "T",
            "validation_status": "ok",
        }
        self.write.zeek_row("ssl", self._when(client), row)

    def _file(self) -> None:
        client = self._client()
        row = {
            "fuid": "F" + self.write.uid()[1:],
            "id.orig_h": client,
            "id.orig_p": self._rng.randrange(40000, 65000),
            "id.resp_h": self._outside(),
            "id.resp_p": 80,
            "source": "HTTP",
            "mime_type": self._rng.choice(("application/json", "application/ocsp-response")),
            "seen_bytes": self._rng.randrange(400, 90_000),
            "sha256": f"{self._rng.getrandbits(256):064x}",
        }
        self.write.zeek_row("files", self._when(client), row)


def live_network_noise(day: NetworkDay, company: Company, clock: Clock, rng: Random) -> None:
    """The scanner's window and the off-site backup."""
    write = day.write
    scanner = company.address("nh-scan01")
    scan = clock.before_end(16.5)
    for number, target in enumerate(("nh-web01", "nh-app01", "nh-erp01", "nh-db02")):
        notice = {
            "note": "Scan::Port_Scan",
            "msg": f"{scanner} scanned at least 100 unique ports of {company.address(target)}",
            "id.orig_h": scanner,
            "id.resp_h": company.address(target),
            "src": scanner,
            "dst": company.address(target),
        }
        write.zeek_row("notice", scan + number * 200, notice)
    backup = company.address("nh-backup01")
    write.connection(
        clock.before_end(17.2),
        (backup, 44120, "198.51.100.201", 22),
        ("tcp", "ssh"),
        3_400_000_000 + rng.randrange(10**8),
        2_100_000,
        duration_s=2400,
    )
