"""Which ATT&CK techniques a recorded attack shows, by its label or by what its name says."""

import re

from tocsin.app.coverage.attack_prevalence import successors

_ID = re.compile(r"(?i)(?<![a-z0-9])t(1\d{3})(?:\.(\d{3}))?(?!\d)")

_WORDS: tuple[tuple[str, str], ...] = (
    (r"(1102|104)_\w+_log_cleared|log_cleared", "T1685.005"),
    (r"eventlog", "T1685.001"),
    (r"dcsync", "T1003.006"),
    (r"dcshadow", "T1207"),
    (r"ntdsutil", "T1003.003"),
    (r"lsass|minidump|sekurlsa|memdump|mimikatz_powershell", "T1003.001"),
    (r"sam_registry|hashdump_cmd", "T1003.002"),
    (r"keepass", "T1555.005"),
    (r"ca_chrome_firefox", "T1555.003"),
    (r"memssp", "T1547.005"),
    (r"phish_windows_credentials|promptforcreds", "T1056.002"),
    (r"keylogger", "T1056.001"),
    (r"pwd_spray", "T1110.003"),
    (r"multiple_failed_logon", "T1110"),
    (r"zerologon", "T1210"),
    (r"spn_?add", "T1558.003"),
    (r"rdp.?tun", "T1572"),
    (r"tunna", "T1572"),
    (r"bits", "T1197"),
    (r"uac_?bypass|uacme|bypassuac", "T1548.002"),
    (r"uac_disabled", "T1548.002"),
    (r"timestomp", "T1070.006"),
    (r"portforward", "T1090.001"),
    (r"rdp_settings|enable_rdp", "T1112"),
    (r"scriptblocklogging_disabled|clm_disabled", "T1685"),
    (r"testsigning|dse_bypass", "T1553.006"),
    (r"byov", "T1068"),
    (r"herpaderping|hollowing", "T1055"),
    (r"codeinj|reflectivepe|psinject|migrate_to", "T1055"),
    (r"ppid_spoofing", "T1134.004"),
    (r"sideloading|dll_?hijack", "T1574.001"),
    (r"renamed_psexec", "T1036.003"),
    (r"attrib", "T1564.001"),
    (r"fake_computeraccount", "T1136"),
    (r"bloodhound", "T1087.002"),
    (r"local_(user_or_)?groups?", "T1069.001"),
    (r"domain_admins", "T1069.002"),
    (r"netsessenum|userhunter|psloggedon", "T1049"),
    (r"enum_shares", "T1135"),
    (r"compiledhtml", "T1218.001"),
    (r"_xsl", "T1220"),
    (r"mshta|lethalhta", "T1218.005"),
    (r"regsvr32", "T1218.010"),
    (r"rundll32", "T1218.011"),
    (r"cmstp", "T1218.003"),
    (r"rogue_msi|msipackage", "T1218.007"),
    (r"wuauclt", "T1218"),
    (r"desktopimgdownldr", "T1105"),
    (r"pcalua|_ftp|vshadow", "T1202"),
    (r"prebuild", "T1127.001"),
    (r"scheduled_?task|schtask|atsvc|remote[ _]task", "T1053.005"),
    (r"psexec|remcom|remote_service", "T1569.002"),
    (r"pth|pass the hash", "T1550.002"),
    (r"5145_remote_filecopy|remote_file_copy|smbmap_upload", "T1570"),
    (r"dcom|shellwindows|shellbrowser", "T1021.003"),
    (r"winrm_|powershellremoting|remotepowershell", "T1021.006"),
    (r"wmiexec|wmic_4648|lm_wmi_|wmi_remote", "T1047"),
    (r"sharprdp|tsclient", "T1021.001"),
    (r"webshell|iis_webshell", "T1505.003"),
    (r"xp_?cmdshell", "T1505.001"),
    (r"spoolsample", "T1187"),
    (r"startup", "T1547.001"),
    (r"run_?key", "T1547.001"),
    (r"comhijack", "T1546.015"),
    (r"silentprocessexit", "T1546.012"),
    (r"accessibility", "T1546.008"),
    (r"hidden_local_account", "T1564.002"),
    (r"rid_hijack|guest_added", "T1098"),
    (r"dcsync_right|dsrm", "T1098"),
    (r"shime", "T1546.011"),
    (r"winlogon_shell", "T1547.004"),
    (r"bootexecute", "T1547"),
    (r"commandlineeventconsumer|wmighost", "T1546.003"),
    (r"sidhistory", "T1134.005"),
    (r"potato|seimpersonate|getsystem|namedpipe_?(privesc|impersonation)", "T1134"),
    (r"unquoted_svc", "T1574.009"),
    (r"spoolfool|cve_20201030|spoolsv_spl", "T1068"),
    (r"samaccount_spoofing|cve-20\d\d-\d+_?\w*privesc|privesc_cve", "T1068"),
    (r"emotet", "T1059.001"),
    (r"bluekeep", "T1210"),
    (r"steal-instance-credentials", "T1552.005"),
    (r"cloudtrail-(stop|event-selectors)|dns-delete-logs|remove-flow-logs", "T1685.002"),
    (r"launch-unusual-instances", "T1496.001"),
    (r"ec2-user-data|ssm-send-command", "T1651"),
    (r"share-ami", "T1537"),
    (r"serial-console", "T1021.008"),
    (r"rolesanywhere", "T1098"),
)
"""What words in a recording's name say about the technique it shows; all that fit count."""

_READ = tuple((re.compile(words, re.IGNORECASE), technique) for words, technique in _WORDS)


def techniques_named(name: str) -> frozenset[str]:
    """Techniques a recording's file name states: written ids first, else words of the trade.

    The words are those of tools and technique names; a name that has none gives none, and the
    recording then counts in no recall.
    """
    written = {
        current(f"T{number}" + (f".{part}" if part else "")) for number, part in _ID.findall(name)
    }
    return frozenset(written or {technique for words, technique in _READ if words.search(name)})


def current(technique: str) -> str:
    """The id today's ATT&CK uses for ``technique`` (``T1562.002`` is ``T1685.001``)."""
    return successors().get(technique.upper(), technique.upper())


def is_seen(technique: str, tagged: frozenset[str]) -> bool:
    """True when a rule tagged with ``technique``, its parent or one of its children fired.

    A rule for the parent sees less than the label says, one for a child more; both tell the
    analyst where to look.
    """
    parent = technique.partition(".")[0]
    if technique in tagged or parent in tagged:
        return True
    return "." not in technique and any(tag.startswith(f"{technique}.") for tag in tagged)
