"""An ordinary day on the company's Windows machines."""

from collections.abc import Callable
from random import Random

from tocsin.exercise.clock import Clock, iso
from tocsin.exercise.company import Company, Person
from tocsin.exercise.tape import Tape
from tocsin.exercise.windows_records import (
    EXPLORER,
    OFFICE,
    POWERSHELL,
    PS_PATH,
    SECURITY,
    SERVICES,
    SYSMON,
    SYSTEM32,
    WindowsWriter,
)

_CHROME = "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"
_TEAMS = "C:\\Program Files\\WindowsApps\\MSTeams\\ms-teams.exe"
_CAD = "C:\\Program Files\\Gaugeworks\\gaugecad.exe"
_SVCHOST = SYSTEM32 + "svchost.exe"
_SYSTEM = "NT AUTHORITY\\SYSTEM"
_DEFENDER = "C:\\Program Files\\Windows Defender\\MsMpEng.exe"
_AGENT = "C:\\Program Files\\Velo\\agent.exe"

# image, command line, parent
_AT_DESK = (
    (_CHROME, f'"{_CHROME}" --type=renderer --lang=en-GB', _CHROME),
    (_CHROME, f'"{_CHROME}" --type=utility --utility-sub-type=network', _CHROME),
    (_CHROME, f'"{_CHROME}"', EXPLORER),
    (OFFICE + "WINWORD.EXE", f'"{OFFICE}WINWORD.EXE" /n "H:\\Letters\\offer.docx"', EXPLORER),
    (OFFICE + "EXCEL.EXE", f'"{OFFICE}EXCEL.EXE" "H:\\Plans\\capacity.xlsx"', EXPLORER),
    (OFFICE + "OUTLOOK.EXE", f'"{OFFICE}OUTLOOK.EXE"', EXPLORER),
    (SYSTEM32 + "splwow64.exe", "splwow64.exe 12288", OFFICE + "WINWORD.EXE"),
    (_TEAMS, f'"{_TEAMS}" --system-initiated', EXPLORER),
    (_CAD, f'"{_CAD}" H:\\Design\\gauge-72.gcd', EXPLORER),
    (SYSTEM32 + "notepad.exe", "notepad.exe H:\\notes.txt", EXPLORER),
    (SYSTEM32 + "SearchProtocolHost.exe", "SearchProtocolHost.exe Global\\UsGthrFltPipe", _SVCHOST),
    (SYSTEM32 + "dllhost.exe", "dllhost.exe /Processid:{AB8902B4}", _SVCHOST),
    (SYSTEM32 + "taskhostw.exe", "taskhostw.exe Install", _SVCHOST),
)
_ON_SERVER = (
    (_SVCHOST, "svchost.exe -k netsvcs -p -s Schedule", SYSTEM32 + "services.exe"),
    (SYSTEM32 + "taskhostw.exe", "taskhostw.exe", _SVCHOST),
    (_AGENT, f'"{_AGENT}" --collect', SYSTEM32 + "services.exe"),
    (SYSTEM32 + "wbem\\WmiPrvSE.exe", "wmiprvse.exe -secured -Embedding", _SVCHOST),
    (SYSTEM32 + "conhost.exe", "conhost.exe 0xffffffff -ForceV1", PS_PATH),
    (PS_PATH, "powershell.exe -NonInteractive -File C:\\Scripts\\InventoryReport.ps1", _SVCHOST),
    (SYSTEM32 + "wevtutil.exe", "wevtutil.exe gli Security", _AGENT),
    (SYSTEM32 + "dism.exe", "dism.exe /online /get-features", SYSTEM32 + "TiWorker.exe"),
)
_NAMES = (
    *("outlook.mailhost.example", "telemetry.officeware.example", "teams.meetwell.example"),
    *("intranet.larkmoor.example", "portal.larkmoor.example", "news.dailybrook.example"),
    *("maps.wayfarer.example", "cdn.fontlight.example", "ads.bannerfall.example"),
    *("updates.gaugeworks.example", "shop.bearingsource.example", "weather.northcoast.example"),
)
OUTSIDE = tuple(f"198.51.100.{last}" for last in range(130, 190))
_SCRIPTS = (
    "Get-ADUser -Filter * -Properties LastLogonDate | Export-Csv C:\\Reports\\users.csv",
    "Get-Service | Where-Object Status -eq 'Stopped' | Select-Object Name, StartType",
    "Get-WinEvent -LogName System -MaxEvents 200 | Format-Table TimeCreated, Id, Message",
    "Test-NetConnection nh-db01 -Port 5432",
    "Get-SmbOpenFile | Group-Object ClientUserName | Sort-Object Count -Descending",
    "Invoke-WebRequest -Uri https://packages.larkmoor.example/agent.msi -OutFile C:\\Temp\\a.msi",
    "Restart-Service -Name Spooler -WhatIf",
)
_SERVERS = ("nh-dc01", "nh-dc02", "nh-fs01", "nh-erp01", "nh-print01", "nh-mgmt01")


class WindowsDay:
    """Habits: people use their own machine at their hours, servers run their jobs."""

    def __init__(self, tape: Tape, company: Company, clock: Clock, rng: Random) -> None:
        self.write = WindowsWriter(tape, company, rng)
        self._company = company
        self._clock = clock
        self._rng = rng
        self._people = company.at_desks()
        self._admins = [person for person in self._people if person.admin]
        self._kinds: tuple[tuple[int, Callable[[], None]], ...] = (
            (22, self._desk_process),
            (10, self._server_process),
            (14, self._desk_connection),
            (12, self._name_lookup),
            (6, self._file_created),
            (4, self._registry_value),
            (3, self._memory_access),
            (12, self._server_logon),
            (4, self._desk_logon),
            (6, self._logoff),
            (7, self._ticket),
            (3, self._share),
            (2, self._admin_script),
            (2, self._service_state),
        )

    def live(self, count: int) -> None:
        """``count`` ordinary events."""
        kinds = [kind for _, kind in self._kinds]
        for act in self._rng.choices(kinds, [weight for weight, _ in self._kinds], k=count):
            act()

    def _person(self) -> tuple[Person, float]:
        return self._rng.choice(self._people), self._clock.at_work(self._rng)

    def _server(self) -> tuple[str, float]:
        return self._rng.choice(_SERVERS), self._clock.any_time(self._rng)

    def _desk_process(self) -> None:
        person, at = self._person()
        image, command, parent = self._rng.choice(_AT_DESK)
        self.write.process(at, person.workstation, person.name, image, command, parent)

    def _server_process(self) -> None:
        host, at = self._server()
        image, command, parent = self._rng.choice(_ON_SERVER)
        self.write.process(at, host, _SYSTEM, image, command, parent)

    def _desk_connection(self) -> None:
        person, at = self._person()
        rng = self._rng
        if rng.random() < 0.6:
            to = (rng.choice(OUTSIDE), 443)
        else:
            server, port = rng.choice((("nh-fs01", 445), ("nh-dc01", 389), ("nh-erp01", 8443)))
            to = (self._company.address(server), port)
        image = rng.choice((_CHROME, _CHROME, OFFICE + "OUTLOOK.EXE", _TEAMS))
        self.write.connection(at, person.workstation, person.name, image, to)

    def _name_lookup(self) -> None:
        person, at = self._person()
        data = {
            "UtcTime": iso(at).replace("T", " ")[:-1],
            "QueryName": self._rng.choice(_NAMES),
            "QueryStatus": "0",
            "QueryResults": f"::ffff:{self._rng.choice(OUTSIDE)};",
            "Image": _CHROME,
            "User": self.write.account(person.name),
        }
        self.write.event(at, person.workstation, SYSMON, 22, data)

    def _file_created(self) -> None:
        person, at = self._person()
        name = self._rng.choice(
            ("offer.docx", "plan.xlsx", "~$offer.docx", "gauge-72.gcd", "a.tmp")
        )
        data = {
            "UtcTime": iso(at).replace("T", " ")[:-1],
            "Image": self._rng.choice((OFFICE + "WINWORD.EXE", _CHROME, _CAD)),
            "TargetFilename": f"C:\\Users\\{person.name}\\Documents\\{name}",
            "CreationUtcTime": iso(at).replace("T", " ")[:-1],
            "User": self.write.account(person.name),
        }
        self.write.event(at, person.workstation, SYSMON, 11, data)

    def _registry_value(self) -> None:
        person, at = self._person()
        value = self._rng.choice(("Explorer\\RecentDocs\\MRUListEx", "Run\\MeetwellTray"))
        data = {
            "EventType": "SetValue",
            "UtcTime": iso(at).replace("T", " ")[:-1],
            "Image": EXPLORER,
            "TargetObject": f"HKU\\{self.write.sid(person.name)}\\Software\\Microsoft\\Windows"
            f"\\CurrentVersion\\{value}",
            "Details": '"C:\\Program Files\\Meetwell\\tray.exe"',
            "User": self.write.account(person.name),
        }
        self.write.event(at, person.workstation, SYSMON, 13, data)

    def _memory_access(self) -> None:
        person, at = self._person()
        source, rights = self._rng.choice(
            ((_DEFENDER, "0x1410"), (SYSTEM32 + "csrss.exe", "0x1fffff"), (_AGENT, "0x1000"))
        )
        data = {
            "UtcTime": iso(at).replace("T", " ")[:-1],
            "SourceImage": source,
            "TargetImage": SYSTEM32 + "lsass.exe",
            "GrantedAccess": rights,
            "CallTrace": f"{SYSTEM32}ntdll.dll+9fc24",
            "SourceUser": _SYSTEM,
            "TargetUser": _SYSTEM,
        }
        self.write.event(at, person.workstation, SYSMON, 10, data)

    def _server_logon(self) -> None:
        host, at = self._server()
        if self._rng.random() < 0.4:
            account = self._rng.choice(("svc-monitor", "svc-sql", "svc-backup"))
            address = self._company.address("nh-mon01")
            self.write.logon(at, host, account, 3, address)
            return
        person, at = self._person()
        address = self._company.address(person.workstation)
        self.write.logon(at, host, person.name, 3, address)

    def _desk_logon(self) -> None:
        person, at = self._person()
        kind = self._rng.choice((2, 7, 7, 11))
        self.write.logon(at, person.workstation, person.name, kind, "127.0.0.1", "User32")

    def _logoff(self) -> None:
        person, at = self._person()
        host = self._rng.choice((person.workstation, "nh-fs01", "nh-dc01"))
        data = {
            "TargetUserName": person.name,
            "TargetDomainName": self._company.windows_domain,
            "TargetUserSid": self.write.sid(person.name),
            "TargetLogonId": f"0x{self._rng.getrandbits(28):x}",
            "LogonType": 3,
        }
        self.write.event(at, host, SECURITY, 4634, data)

    def _ticket(self) -> None:
        person, at = self._person()
        realm = self._company.windows_dns.upper()
        data = {
            "TargetUserName": f"{person.name}@{realm}",
            "TargetDomainName": realm,
            "IpAddress": f"::ffff:{self._company.address(person.workstation)}",
            "IpPort": str(self._rng.randrange(49152, 65000)),
            "TicketOptions": "0x40810000",
            "TicketEncryptionType": "0x12",
            "Status": "0x0",
            "ServiceName": self._rng.choice(("NH-FS01$", "NH-ERP01$", "svc-sql", "krbtgt")),
        }
        self.write.event(at, self._rng.choice(("nh-dc01", "nh-dc02")), SECURITY, 4769, data)

    def _share(self) -> None:
        person, at = self._person()
        data = {
            "SubjectUserName": person.name,
            "SubjectUserSid": self.write.sid(person.name),
            "SubjectDomainName": self._company.windows_domain,
            "ObjectType": "File",
            "IpAddress": self._company.address(person.workstation),
            "IpPort": str(self._rng.randrange(49152, 65000)),
            "ShareName": self._rng.choice(("\\\\*\\Design", "\\\\*\\Sales", "\\\\*\\Home")),
            "AccessMask": "0x1",
        }
        self.write.event(at, "nh-fs01", SECURITY, 5140, data)

    def _admin_script(self) -> None:
        admin = self._rng.choice(self._admins)
        at = self._clock.at_work(self._rng)
        host = self._rng.choice(("nh-mgmt01", "nh-mgmt01", admin.workstation))
        self.write.script(at, host, admin.name, self._rng.choice(_SCRIPTS))

    def _service_state(self) -> None:
        host, at = self._server()
        name = self._rng.choice(("Windows Update", "Software Protection", "Print Spooler"))
        if self._rng.random() < 0.2:
            self.write.event(at, host, POWERSHELL, 40961, {"UserID": "S-1-5-18"})
            return
        state = self._rng.choice(("running", "stopped"))
        self.write.event(at, host, SERVICES, 7036, {"param1": name, "param2": state})


def live_windows_noise(day: WindowsDay, company: Company, clock: Clock, rng: Random) -> None:
    """What looks a little like trouble on every working day and is none."""
    write = day.write
    for person in rng.sample(company.at_desks(), 12):
        at = clock.at_work(rng)
        for slip in range(rng.choice((1, 1, 2))):
            write.failed_logon(at + slip * 4, person.workstation, person.name, 2, "127.0.0.1")
        write.logon(at + 15, person.workstation, person.name, 2, "127.0.0.1", "User32")
    locked = {"TargetUserName": "ada.wrenn", "TargetDomainName": "NH-WS09"}
    write.event(clock.before_end(8.7), "nh-dc01", SECURITY, 4740, locked)
    encoded = "RwBlAHQALQBDAG8AdQBuAHQAZQByACAAJwBcAFAAcgBvAGMAZQBzAHMAbwByACcA"
    command = f"powershell.exe -NoProfile -NonInteractive -EncodedCommand {encoded}"
    for at in clock.every(rng, 24):
        write.process(at, "nh-erp01", _SYSTEM, PS_PATH, command, _AGENT)
    added = {
        "MemberName": "CN=Owen Tarrant,OU=Staff,DC=corp,DC=larkmoor,DC=example",
        "MemberSid": write.sid("owen.tarrant"),
        "TargetUserName": "Administrators",
        "TargetDomainName": "Builtin",
        "TargetSid": "S-1-5-32-544",
        "SubjectUserName": "elin.haugen",
        "SubjectDomainName": company.windows_domain,
    }
    write.event(clock.before_end(5.2), "nh-ws04", SECURITY, 4732, added)
    for hours in (15.0, 9.1, 3.4):
        ended = {"param1": "Print Spooler", "param2": "1", "param5": "Restart the service"}
        write.event(clock.before_end(hours), "nh-print01", SERVICES, 7031, ended)
