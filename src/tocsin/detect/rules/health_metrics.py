"""The measurements health rules can watch, by kind of subject, and what each number means."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

METRICS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("source", "events_per_minute"): "events a minute over the last hour",
        ("source", "rate_share"): "events over the last hour, as a share of the least (or the most) that is usual in this hour of the week",
        ("source", "lag_s"): "age of the freshest record on arrival, in s",
        ("source", "extra_lag_s"): "age of the freshest record on arrival beyond the usual, in s",
        ("source", "silence_s"): "time since its last event, in s",
        ("source", "silence_share"): "time since its last event, as a share of what its cadence allows",
        ("source", "unreadable_share"): "share of the records of the last half hour that can't be read",
        ("source", "unrecognized_share"): "share of the records of the last half hour no mapping knows",
        ("source", "late_share"): "share of the records of the last half hour that came more than an hour late",
        ("source", "clock_ahead_s"): "how far its clock is ahead of this machine's, in s",
        ("source", "new_fields"): "fields it had never sent before, within the last hour",
        ("source", "dropped"): "records the kernel dropped of its listener, within the last half hour",
        ("source", "tls_refused"): "connections on which no TLS came about, within the last half hour",
        ("source", "connections_share"): "connections open at its listener, as a share of those it lets in at once",
        ("source", "unreachable_s"): "time for which what it is fetched from can't be reached or refuses, in s",
        ("disk", "free_share"): "free share of the disk of the data folder",
        ("disk", "free_bytes"): "free bytes of the disk of the data folder",
        ("disk", "free_files_share"): "free share of the files (inodes) the disk of the data folder can hold",
        ("disk", "full_in_s"): "time until the disk of the data folder is full, at its present growth and with what retention frees, in s",
        ("platform", "retention_stopped"): "1 while retention has stopped deleting and waits for someone's word, else 0",
        ("platform", "spool_bytes"): "bytes taken in and not yet stored",
        ("platform", "spool_share"): "bytes taken in and not yet stored, as a share of the limit",
        ("platform", "spool_age_s"): "age of the oldest record not yet stored, in s",
        ("platform", "rss_bytes"): "resident memory of this process",
        ("platform", "rss_share"): "resident memory of this process, as a share of the machine's memory",
        ("platform", "flow_failing"): "1 while the flow can't store what it takes in, else 0",
        ("platform", "rule_problems"): "rules that can't be used",
        ("platform", "paused_rules"): "rules of which a pattern is paused because it used up its time",
        ("platform", "enrichment_problems"): "files events are enriched from that can't be used",
        ("platform", "mapping_problems"): "problems of one's own mappings, which are not in force as written",
        ("platform", "backup_age_share"): "age of the last good backup, as a share of the time set between two",
        ("platform", "backup_failing"): "1 while the last backup has failed, else 0",
        ("platform", "damaged_files"): "files of the store that the last check found damaged",
        ("platform", "cold_failing"): "1 while old segments can't be moved to their bucket, else 0",
        ("rule", "paused_s"): "time for which it has been pausing, as it is over its budget of processor time",
        ("rule", "cpu_share"): "share of a processor core it uses",
        ("platform", "evicted_entries"): "entries correlations gave up for want of room",
        ("platform", "late_events"): "events that came too late for a correlation's window",
    }
)  # fmt: skip
"""What is measured, by kind of subject and metric. Each is measured by ``app.health_measures``."""

SUBJECTS = tuple(dict.fromkeys(subject for subject, _ in METRICS))


def why_unmeasured(subject: str, metric: str) -> str:
    """Why a rule can't watch ``metric`` of a ``subject``, with what it may mean; "" when it can."""
    if (subject, metric) in METRICS:
        return ""
    known = [name for of, name in METRICS if of == subject]
    elsewhere = [of for of, name in METRICS if name == metric]
    close = get_close_matches(metric, known, n=1)
    if elsewhere:
        meant = f"it is measured of a {elsewhere[0]}: write subject: {elsewhere[0]}; "
    elif close:
        meant = f"did you mean {close[0]}? "
    else:
        meant = ""
    return f"nothing measures {metric} of a {subject}: {meant}known are {', '.join(known)}"
