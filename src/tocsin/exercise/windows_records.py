"""Windows events as a forwarder sends them: flat JSON, event data beside the system fields."""

from random import Random
from typing import Any

from tocsin.exercise.clock import iso
from tocsin.exercise.company import Company
from tocsin.exercise.sending import Channel
from tocsin.exercise.tape import Sender, Tape

WINDOWS = Sender(Channel.HTTP, "windows")

SYSMON = ("Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon")
SECURITY = ("Security", "Microsoft-Windows-Security-Auditing")
POWERSHELL = ("Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell")
SERVICES = ("System", "Service Control Manager")

SYSTEM32 = "C:\\Windows\\System32\\"
PS_PATH = SYSTEM32 + "WindowsPowerShell\\v1.0\\powershell.exe"
OFFICE = "C:\\Program Files\\Microsoft Office\\root\\Office16\\"
EXPLORER = "C:\\Windows\\explorer.exe"
_DOMAIN_SID = "S-1-5-21-1404215938-2871104226-3309117604"


class WindowsWriter:
    """Writes one machine's or all machines' events onto the tape."""

    def __init__(self, tape: Tape, company: Company, rng: Random) -> None:
        self._tape = tape
        self._company = company
        self._rng = rng
        self._record = 4_100_000
        self._computers = {a.name: company.computer(a.name) for a in company.hosts("windows")}
        self._guids = {
            name: f"{rng.getrandbits(32):08X}-{rng.getrandbits(16):04X}" for name in self._computers
        }

    def event(
        self, at: float, host: str, log: tuple[str, str], event_id: int, data: dict[str, Any]
    ) -> None:
        """One event of ``log`` (channel and provider)."""
        self._record += 1
        self._tape.write_json(
            WINDOWS,
            at,
            {
                "@timestamp": iso(at, 6),
                "EventID": event_id,
                "Channel": log[0],
                "Provider_Name": log[1],
                "Computer": self._computers[host],
                "EventRecordID": self._record,
                **data,
            },
        )

    def account(self, user: str) -> str:
        r"""``DOMAIN\name``; machine-wide accounts stay as they are."""
        return user if "\\" in user else f"{self._company.windows_domain}\\{user}"

    def sid(self, user: str) -> str:
        return f"{_DOMAIN_SID}-{1100 + sum(map(ord, user)) % 4000}"

    def process(
        self,
        at: float,
        host: str,
        user: str,
        image: str,
        command: str,
        parent: str = EXPLORER,
        parent_command: str = "",
        original: str = "",
    ) -> None:
        """Sysmon 1, a process is created."""
        rng = self._rng
        system = user.startswith("NT AUTHORITY")
        self.event(
            at,
            host,
            SYSMON,
            1,
            {
                "UtcTime": iso(at).replace("T", " ")[:-1],
                "ProcessGuid": self._guid(host),
                "ProcessId": rng.randrange(1000, 32000, 4),
                "Image": image,
                "OriginalFileName": original or image.rpartition("\\")[2],
                "CommandLine": command,
                "CurrentDirectory": SYSTEM32 if system else f"C:\\Users\\{user}\\",
                "User": self.account(user),
                "LogonId": "0x3e7" if system else f"0x{rng.getrandbits(24):x}",
                "IntegrityLevel": "System" if system else "Medium",
                "Hashes": f"SHA256={hash_of(image)}",
                "ParentProcessGuid": self._guid(host),
                "ParentProcessId": rng.randrange(600, 9000, 4),
                "ParentImage": parent,
                "ParentCommandLine": parent_command or parent,
                "ParentUser": self.account(user),
            },
        )

    def connection(
        self,
        at: float,
        host: str,
        user: str,
        image: str,
        to: tuple[str, int],
        name: str = "",
        source_port: int = 0,
    ) -> None:
        """Sysmon 3, a network connection."""
        self.event(
            at,
            host,
            SYSMON,
            3,
            {
                "UtcTime": iso(at).replace("T", " ")[:-1],
                "ProcessGuid": self._guid(host),
                "ProcessId": self._rng.randrange(1000, 32000, 4),
                "Image": image,
                "User": self.account(user),
                "Protocol": "tcp",
                "Initiated": "true",
                "SourceIp": self._company.address(host),
                "SourceHostname": self._computers[host],
                "SourcePort": source_port or self._rng.randrange(49152, 65000),
                "DestinationIp": to[0],
                "DestinationHostname": name,
                "DestinationPort": to[1],
            },
        )

    def logon(
        self,
        at: float,
        host: str,
        user: str,
        kind: int,
        address: str = "-",
        process: str = "Kerberos",
        workstation: str = "-",
    ) -> None:
        """Security 4624; ``kind`` is the logon type."""
        self.event(
            at,
            host,
            SECURITY,
            4624,
            {
                "SubjectUserSid": "S-1-0-0",
                "SubjectUserName": "-",
                "TargetUserSid": self.sid(user),
                "TargetUserName": user,
                "TargetDomainName": self._company.windows_domain,
                "TargetLogonId": f"0x{self._rng.getrandbits(28):x}",
                "LogonType": kind,
                "LogonProcessName": process,
                "AuthenticationPackageName": "Kerberos" if kind == 3 else "Negotiate",
                "WorkstationName": workstation,
                "IpAddress": address,
                "IpPort": "0" if address == "-" else str(self._rng.randrange(49152, 65000)),
                "ElevatedToken": "%%1843",
            },
        )

    def failed_logon(self, at: float, host: str, user: str, kind: int, address: str) -> None:
        """Security 4625, a wrong password."""
        self.event(
            at,
            host,
            SECURITY,
            4625,
            {
                "TargetUserName": user,
                "TargetDomainName": self._company.windows_domain,
                "Status": "0xc000006d",
                "SubStatus": "0xc000006a",
                "FailureReason": "%%2313",
                "LogonType": kind,
                "LogonProcessName": "NtLmSsp" if kind == 3 else "User32",
                "WorkstationName": host.upper(),
                "IpAddress": address,
                "IpPort": str(self._rng.randrange(49152, 65000)),
            },
        )

    def script(self, at: float, host: str, user: str, text: str) -> None:
        """PowerShell 4104, a script block."""
        self.event(
            at,
            host,
            POWERSHELL,
            4104,
            {
                "UserID": self.sid(user),
                "MessageNumber": 1,
                "MessageTotal": 1,
                "ScriptBlockText": text,
                "ScriptBlockId": f"{self._rng.getrandbits(128):032x}",
                "Path": "",
            },
        )

    def service_installed(self, at: float, host: str, user: str, name: str, path: str) -> None:
        """System 7045, a service is installed."""
        self.event(
            at,
            host,
            SERVICES,
            7045,
            {
                "ServiceName": name,
                "ImagePath": path,
                "ServiceType": "user mode service",
                "StartType": "demand start",
                "AccountName": "LocalSystem",
                "UserID": self.sid(user),
            },
        )

    def _guid(self, host: str) -> str:
        bits = self._rng.getrandbits(64)
        return f"{{{self._guids[host]}-{bits >> 48:04X}-0000-{bits & 0xFFFFFFFFFFFF:012X}}}"


def hash_of(image: str) -> str:
    """A made-up but stable SHA-256 of a program's file."""
    number = 0
    for character in image.lower():
        number = (number * 1_000_003 + ord(character)) % (1 << 256)
    return f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251 % (1 << 256):064X}"
