"""The health of the platform in eight numbers that are read from across a room."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.app.health_now import HealthNow, Trouble
from tocsin.app.moment import span
from tocsin.app.storage.forecast import HORIZON_DAYS
from tocsin.console.display import short_count, size
from tocsin.console.sparkline import Sparkline, sparkline

GOOD, WARN, BAD = "good", "warn", "bad"


@dataclass(frozen=True, slots=True)
class Tile:
    """One number. ``kind`` is good, warn or bad; ``detail`` says what it is made of."""

    title: str
    value: str
    detail: str
    kind: str = GOOD
    picture: Sparkline | None = None


def kind_of(troubles: Sequence[Trouble]) -> str:
    """Bad from level high on, warn for any other trouble."""
    if not troubles:
        return GOOD
    return BAD if max(one.level.rank for one in troubles) >= 3 else WARN


def health_tiles(health: HealthNow, flow_error: str, rule_count: int) -> list[Tile]:
    """Sources, rate, lag, spool, flow, disk, memory, rules."""
    return [
        _sources(health),
        _rate(health),
        _lag(health),
        _spool(health),
        Tile(
            "Flow",
            "Failing" if flow_error else "Storing",
            flow_error or "what comes in is stored",
            BAD if flow_error else GOOD,
        ),
        _disk(health),
        Tile(
            "Memory",
            size(health.number("platform", "rss_bytes")),
            f"{health.number('platform', 'rss_share'):.0%} of this machine's",
            _kind(health, "platform", "rss_bytes", "rss_share"),
        ),
        _rules(health, rule_count),
    ]


def _disk(health: HealthNow) -> Tile:
    """Full at its present growth within ``HORIZON_DAYS``, or not told."""
    full_in_s = health.number("disk", "full_in_s")
    ends = f", full in {span(full_in_s)}" if 0 < full_in_s < HORIZON_DAYS * 86_400 else ""
    return Tile(
        "Disk free",
        f"{health.number('disk', 'free_share'):.0%}",
        f"{size(health.number('disk', 'free_bytes'))} left{ends}",
        _kind(health, "disk", "free_share", "free_bytes", "full_in_s", "free_files_share"),
    )


def _sources(health: HealthNow) -> Tile:
    silent = sum(one.is_silent for one in health.sources)
    sick = sum(bool(one.troubles) for one in health.sources) - silent
    parts = [f"{silent} silent"] * bool(silent) + [f"{sick} in trouble"] * bool(sick)
    value = f"{len(health.sources) - silent} of {len(health.sources)}"
    of_sources = [one for one in health.troubles if one.subject == "source"]
    well = "all are well" if health.sources else "none has sent anything yet"
    return Tile("Sources", value, ", ".join(parts) or well, kind_of(of_sources))


def _rate(health: HealthNow) -> Tile:
    per_minute = sum(one.rate.events_per_minute or 0.0 for one in health.sources)
    columns = [[hour.events for hour in one.hours] for one in health.sources if one.hours]
    hours = [sum(column) for column in zip(*columns, strict=True)]
    return Tile(
        "Events a minute",
        short_count(per_minute),
        f"{short_count(sum(hours))} in 24 hours",
        _kind(health, "source", "rate_share"),
        sparkline(hours),
    )


def _lag(health: HealthNow) -> Tile:
    late = max(health.sources, key=lambda one: one.rate.lag_s or 0.0, default=None)
    lag_s = late.rate.lag_s if late is not None else None
    kind = _kind(health, "source", "lag_s", "extra_lag_s")
    if late is None or lag_s is None:
        return Tile("Greatest lag", "?", "no source is known well enough", kind)
    return Tile("Greatest lag", "< 1 s" if lag_s < 1 else span(lag_s), late.ledger.name, kind)


def _spool(health: HealthNow) -> Tile:
    waiting = health.number("platform", "spool_bytes")
    age_s = health.number("platform", "spool_age_s")
    share = health.number("platform", "spool_share")
    detail = f"oldest {span(age_s)}, {share:.1%} of its limit" if waiting else "nothing waits"
    kind = _kind(health, "platform", "spool_bytes", "spool_share", "spool_age_s")
    return Tile("Spool", size(waiting), detail, kind)


def _rules(health: HealthNow, rule_count: int) -> Tile:
    paused = int(health.number("platform", "paused_rules"))
    over = sum(1 for one in health.numbers if one.metric == "paused_s" and one.value > 0)
    unusable = int(health.number("platform", "rule_problems"))
    detail = f"of {rule_count:,}" + (f", {unusable:,} can't be used" if unusable else "")
    kind = _kind(health, "platform", "paused_rules", "rule_problems")
    if kind == GOOD and (paused or over):
        kind = WARN
    return Tile("Rules paused", f"{max(paused, over):,}", detail, kind)


def _kind(health: HealthNow, subject: str, *metrics: str) -> str:
    return kind_of(
        [one for one in health.troubles if one.subject == subject and one.metric in metrics]
    )
