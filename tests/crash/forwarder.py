"""A real rsyslog with queues on disk that forwards numbered lines of a file in several ways."""

import json
import re
import shutil
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ingest.certificates import Authority

_PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"
RSYSLOGD = shutil.which("rsyslogd", path=_PROGRAMS)
_MODULES = Path("/usr/lib")
# What finds a queue full for too long is dropped, and by default 1,000 messages fill one.
_QUEUE_KEPT = (
    'queue.type="Disk" queue.size="1000000" queue.maxDiskSpace="200m" queue.timeoutEnqueue="60000"'
)
_WITHOUT_END = 'action.resumeRetryCount="-1" action.resumeInterval="1"'
_EVERY_S = 0.1
_LINES = 10
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the server takes in what rsyslog sends, and who vouches for both over TLS."""

    syslog_tcp: int
    syslog_tls: int
    http: int
    token: str
    authority: Authority


class Forwarder:
    """Writes a line to a file again and again; rsyslog takes each to every door it has."""

    def __init__(self, folder: Path, doors: Doors) -> None:
        self._folder = folder
        self.ways = ["rsyslog-tcp"]
        if _has("lmnsd_ossl"):
            self.ways.append("rsyslog-tls")
        if _has("omelasticsearch"):
            self.ways.append("rsyslog-elastic")
        folder.mkdir()
        (folder / "rsyslog.conf").write_text(self._configuration(doors))
        (folder / "app.log").touch()
        self._stop_asked = threading.Event()
        self._writer = threading.Thread(target=self._write, name="application", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.written = 0

    def start(self) -> None:
        assert RSYSLOGD is not None
        conf, pid = self._folder / "rsyslog.conf", self._folder / "rsyslogd.pid"
        with (self._folder / "rsyslogd.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [RSYSLOGD, "-n", "-f", str(conf), "-i", str(pid)], stdout=log, stderr=log
            )
        self._writer.start()

    def stop_writing(self) -> None:
        self._stop_asked.set()
        self._writer.join(PATIENCE_S)

    def stop(self) -> None:
        self.stop_writing()
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=PATIENCE_S)

    def told_of_itself(self) -> dict[str, Any]:
        """What it said (of its queues, say; digits as #), and the last counts of its parts."""
        said = Counter(re.sub(r"\d+", "#", line) for line in self._lines("rsyslogd.log"))
        counts = {}
        for line in self._lines("counts.log"):
            told = json.loads(line[line.index("{") :])
            if told.pop("origin") in ("core.queue", "core.action", "omelasticsearch"):
                counts[told.pop("name")] = told
        return {"said": dict(said.most_common(50)), "counts": counts}

    def _lines(self, name: str) -> list[str]:
        path = self._folder / name
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def _write(self) -> None:
        with (self._folder / "app.log").open("a") as file:
            while not self._stop_asked.wait(_EVERY_S):
                numbers = range(self.written, self.written + _LINES)
                file.write("".join(json.dumps({"number": n}) + "\n" for n in numbers))
                file.flush()
                self.written += _LINES

    def _configuration(self, doors: Doors) -> str:
        return "\n".join(
            (
                f'global(workDirectory="{self._folder}")',
                'module(load="impstats" interval="5" format="json" log.syslog="off" '
                f'log.file="{self._folder}/counts.log")',
                'module(load="imfile" mode="inotify")',
                f'input(type="imfile" File="{self._folder}/app.log" Tag="app:")',
                _template("rsyslog-tcp", is_syslog=True),
                _template("rsyslog-tls", is_syslog=True),
                _template("rsyslog-elastic", is_syslog=False),
                *(self._action(way, doors) for way in self.ways),
            )
        )

    def _action(self, way: str, doors: Doors) -> str:
        common = f'template="{way}" queue.filename="{way}" {_QUEUE_KEPT} {_WITHOUT_END}'
        forward = 'type="omfwd" target="127.0.0.1" protocol="tcp" TCP_Framing="octet-counted"'
        match way:
            case "rsyslog-tcp":
                return f'action({forward} port="{doors.syslog_tcp}" {common})'
            case "rsyslog-tls":
                tls = (
                    'StreamDriver="ossl" StreamDriverMode="1" '
                    'StreamDriverAuthMode="x509/certvalid" '
                    f'StreamDriver.CAFile="{doors.authority.certificate}"'
                )
                return f'action({forward} port="{doors.syslog_tls}" {tls} {common})'
        target = (
            f'type="omelasticsearch" server="127.0.0.1" serverport="{doors.http}" '
            f'uid="soak" pwd="{doors.token}" searchIndex="soak" searchType="" bulkmode="on" '
            'retryfailures="on" retryruleset="again" ratelimit.interval="0" '
            f'errorfile="{self._folder}/elastic.errors"'
        )
        return f"""
module(load="omelasticsearch")
template(name="again" type="string" string="%$!%")
ruleset(name="again" queue.filename="again" {_QUEUE_KEPT}) {{
  if $.omes!status >= 200 and $.omes!status < 300 then stop
  if $.omes!status == 429 or $.omes!status >= 500 then {{
    action({target} template="again" {_WITHOUT_END})
  }} else {{
    action(type="omfile" file="{self._folder}/elastic.errors")
  }}
}}
action({target} {common})"""


def _template(way: str, *, is_syslog: bool) -> str:
    """The line's object with the way it took; behind a header of RFC 5424 for syslog."""
    header = "<%PRI%>1 %TIMESTAMP:::date-rfc3339% soak app - - - " if is_syslog else ""
    inside = f'{{\\"sender\\":\\"{way}\\",%msg:F,123:2%'
    return f'template(name="{way}" type="string" string="{header}{inside}")'


def _has(module: str) -> bool:
    return any(_MODULES.glob(f"*/rsyslog/{module}.so"))
