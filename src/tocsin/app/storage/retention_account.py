"""What was deleted, as the audit chain tells it: how many events, of which sources, by which rule."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from tocsin.app.storage.retention_book import in_words
from tocsin.app.storage.retention_plan import Planned, rules_of
from tocsin.model.retention import RetentionRule
from tocsin.store.keeping import Lot

_SOURCES_AN_ENTRY = 80


@dataclass(frozen=True, slots=True)
class Share:
    """Events of one source that go, or went, by one rule. Moments are of their intake."""

    rule: RetentionRule
    tenant: str
    source: str
    events: int
    size_bytes: int
    first: datetime
    last: datetime


def shares(lots: Iterable[Lot], planned: Iterable[Planned]) -> list[Share]:
    """By rule and source, the oldest first."""
    rules = rules_of(planned)
    grouped: dict[tuple[str, str], list[Lot]] = defaultdict(list)
    for lot in lots:
        grouped[lot.tenant, lot.source].append(lot)
    found = [
        Share(
            rules[pair],
            *pair,
            sum(lot.events for lot in own),
            sum(lot.size_bytes for lot in own),
            min(lot.first_received for lot in own),
            max(lot.last_received for lot in own),
        )
        for pair, own in grouped.items()
    ]
    return sorted(found, key=lambda one: (one.first, one.source, one.tenant))


def deleted_in_words(lots: Sequence[Lot], planned: Sequence[Planned]) -> list[tuple[str, str, str]]:
    """Audit entries: action, the rule's name, and what went of which source."""
    by_rule: dict[str, list[Share]] = defaultdict(list)
    for one in shares(lots, planned):
        by_rule[one.rule.name].append(one)
    told = []
    for name, own in by_rule.items():
        for part in _pieces(own):
            events, size = sum(one.events for one in part), sum(one.size_bytes for one in part)
            rule = in_words(part[0].rule)
            sources = "; ".join(_source_in_words(one) for one in part)
            detail = f"{events:,} events, {size / 1e6:,.1f} MB, by the rule {rule}: {sources}"
            told.append(("retention.delete", name, detail))
    return told


def _source_in_words(share: Share) -> str:
    whose = f" of {share.tenant}" if share.tenant != "default" else ""
    return (
        f"{share.source}{whose} {share.events:,} taken in from {share.first:%Y-%m-%dT%H:%M:%SZ} "
        f"to {share.last:%Y-%m-%dT%H:%M:%SZ}"
    )


def _pieces(shares: Sequence[Share]) -> Iterator[list[Share]]:
    rest = iter(shares)
    while part := list(islice(rest, _SOURCES_AN_ENTRY)):
        yield part
