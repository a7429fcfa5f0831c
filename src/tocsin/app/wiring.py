"""Wires the house: chooses the engines, opens them in order, closes them in reverse."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from tocsin.app.access.access import Access
from tocsin.app.access.audit import AuditLog
from tocsin.app.access.doorkeeper import open_access
from tocsin.app.backtests.gap_filling import GapFiller
from tocsin.app.backtests.history_jobs import HistoryJobs
from tocsin.app.backtests.kept_jobs import KeptJobs
from tocsin.app.backups.safekeeping import Safekeeping
from tocsin.app.flow.assets import AssetRegister, load_assets
from tocsin.app.flow.correlation_memory import remember
from tocsin.app.flow.decoding_ahead import DecodingAhead
from tocsin.app.flow.enrichment import open_enricher
from tocsin.app.flow.flow import Flow, FlowParts
from tocsin.app.flow.identity import entities_with
from tocsin.app.flow.joining_memory import recall
from tocsin.app.flow.rule_budget import RuleBudget
from tocsin.app.health.health_round import HealthRound, Watched
from tocsin.app.health.source_tasks import SourceTasks
from tocsin.app.home.cold_place import note_cold
from tocsin.app.home.home import Home
from tocsin.app.home.shipped import rule_paths
from tocsin.app.home.stores import Stores, open_events, open_state, settle_stores
from tocsin.app.packs.pack_desk import PackDesk
from tocsin.app.response import Witnesses, open_response
from tocsin.app.rules.look_ledger import LookLedger
from tocsin.app.rules.overlay_laying import OverlayLaying
from tocsin.app.rules.rule_book import RuleBook
from tocsin.app.rules.rule_keeper import RuleKeeper
from tocsin.app.rules.rule_reach import ReachBoard
from tocsin.app.searches.search_desk import SearchDesk
from tocsin.app.senders.file_following import FileFollowing
from tocsin.app.senders.mapping_keeper import MappingKeeper
from tocsin.app.senders.pulls import Pulls
from tocsin.app.senders.quarantine_replay import QuarantineReplay
from tocsin.app.senders.unknown_replay import UnknownReplay
from tocsin.app.senders.webhook_doors import WebhookDoors
from tocsin.app.settings.config import Settings
from tocsin.app.storage.retention import Retention
from tocsin.app.storage.storage_watch import StorageWatch
from tocsin.app.upkeep import Upkeep
from tocsin.cases.casebook import CaseBook
from tocsin.connectors.blocklist.actions import Blocklist
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.matching.engine import Engine
from tocsin.detect.overlays.overlay_book import OverlayBook
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.ingest.sources.health_rules import HEALTH_RULES
from tocsin.ingest.sources.ledger import SourceBook
from tocsin.ingest.sources.seen_fields import SeenFields
from tocsin.ingest.sources.seen_ids import SeenIds
from tocsin.model.intake import Intake
from tocsin.model.record import RawBatch
from tocsin.model.rule import Rule
from tocsin.normalize.normalizer import Normalizer
from tocsin.respond.desk import ResponseDesk
from tocsin.store.engines.spool.file_spool import FileSpool
from tocsin.store.engines.vaults.folder_blobs import FolderBlobs
from tocsin.store.ports import BlobStore, EventStore, Note, StateStore, WorkQueue
from tocsin.triage.alerts import AlertBook
from tocsin.triage.risk import RiskBoard


@dataclass(slots=True)
class Tocsin:
    """The wired house that the doors work with."""

    settings: Settings
    home: Home
    state: StateStore
    events: EventStore
    blobs: BlobStore
    spool: WorkQueue
    sources: SourceBook
    rule_keeper: RuleKeeper
    rule_book: RuleBook
    reach: ReachBoard
    engine: Engine
    correlator: Correlator
    mappings: MappingKeeper
    alerts: AlertBook
    risk: RiskBoard
    cases: CaseBook
    audit: AuditLog
    access: Access
    assets: AssetRegister
    blocklist: Blocklist
    response: ResponseDesk
    decoding: DecodingAhead
    flow: Flow
    upkeep: Upkeep
    budget: RuleBudget
    history_jobs: HistoryJobs
    packs: PackDesk
    replay: QuarantineReplay
    closers: list[Callable[[], None]]
    unknown: UnknownReplay = field(init=False)
    gap_filler: GapFiller = field(init=False)
    files: FileFollowing = field(init=False)
    seen_ids: SeenIds = field(init=False)
    pulls: Pulls = field(init=False)
    webhooks: WebhookDoors = field(init=False)
    retention: Retention = field(init=False)
    storage_watch: StorageWatch = field(init=False)
    safekeeping: Safekeeping = field(init=False)
    searching: SearchDesk = field(init=False)

    def __post_init__(self) -> None:
        self.unknown = UnknownReplay(
            *(self.state, self.events, self.sources, self.flow, self.normalizer, self.audit)
        )
        self.files = FileFollowing(
            *(self.settings.files, self.state, self.keep, self.flow.add_unreadable),
            spool_limit_bytes=self.settings.spool.limit_bytes,
        )
        known = self.settings.duplicates
        folder = self.settings.home / "seen-ids"
        self.seen_ids = SeenIds(folder, most=2 * known.most_ids, hours=known.hours)
        self.pulls = Pulls(self.settings.pull, self.state, self.keep, self.flow.add_unreadable)
        self.webhooks = WebhookDoors(
            *(self.settings.webhooks, self.state, self.keep), self.home.folder / "seen-webhooks"
        )
        self.closers.append(self.webhooks.close)
        for source, keys in self.spool.kept_keys():
            self.seen_ids.learn(keys)
            self.webhooks.learn(source, keys)
        self.searching = SearchDesk(self.home.folder, self.events, self.settings.search)
        self.closers.append(self.searching.close)
        self.upkeep.watch_intakes(self.intakes)
        keeping, folder = self.settings.retention, self.home.folder
        self.retention = Retention(keeping, self.state, self.events, self.audit)
        self.storage_watch = StorageWatch(folder, self.events, self.retention, keeping.interval_s)
        self.upkeep.watch_storage(self.storage_watch)
        self.safekeeping = Safekeeping(self.settings, self.state)
        self.upkeep.watch_safekeeping(self.safekeeping.measured)
        self.gap_filler = GapFiller(
            self, self.settings.detect.fill_days, lambda: self.history_jobs.is_busy
        )

    @property
    def normalizer(self) -> Normalizer:
        """What turns records into events, with the mappings in force."""
        return self.mappings.normalizer

    @property
    def ruleset(self) -> RuleSet:
        """The rules in force, and what can't be."""
        return self.rule_keeper.ruleset

    def rules(self) -> list[Rule]:
        """Every rule that runs, of every kind, and the platform's own health rules."""
        return [*self.ruleset.all_rules(), *HEALTH_RULES]

    def rule(self, rule_id: str) -> Rule | None:
        found = self.ruleset.rule(rule_id)
        if found is None:
            found = next((rule for rule in HEALTH_RULES if rule.id == rule_id), None)
        return found

    async def take_in(self, batches: Sequence[RawBatch]) -> int:
        """Make raw batches durable, then let the flow know; for listeners on the event loop."""
        return await asyncio.to_thread(self.keep, batches)

    def keep(self, batches: Sequence[RawBatch], note: Note | None = None) -> int:
        """Make raw batches durable, then let the flow know; from any other thread."""
        position = self.spool.append(batches, note)
        self.flow.wake()
        return position

    def intakes(self) -> list[Intake]:
        """How it is going with files, with what is pulled, and what doors of webhooks refused."""
        return [*self.files.intakes(), *self.pulls.look(), *self.webhooks.look()]

    def start(self) -> None:
        """Start what runs: durable runs are taken up, the flow and the upkeep get threads."""
        self.closers.append(self.response.close)
        self.response.open()
        self.closers.append(self.upkeep.stop)
        self.upkeep.start()
        self.closers.append(self.gap_filler.stop)
        self.gap_filler.start()
        self.closers.append(self.safekeeping.stop)
        self.safekeeping.start()
        self.closers.append(self.pulls.stop)
        self.pulls.start()
        self.closers.append(self.files.stop)
        self.files.start()

    def close(self) -> None:
        """Stop what runs, then close what is open, in reverse order."""
        while self.closers:
            self.closers.pop()()


def open_tocsin(settings: Settings) -> Tocsin:
    """Open the data folder and everything in it; raises HomeInUse when it is taken.

    Nothing runs yet: ``start`` does that, or the caller turns the flow itself.
    """
    home = Home(settings.home)
    closers: list[Callable[[], None]] = [home.release]
    try:
        return _open(settings, home, closers)
    except BaseException:
        while closers:
            closers.pop()()
        raise


def _open_rules(
    settings: Settings, state: StateStore, blobs: BlobStore, audit: AuditLog
) -> tuple[RuleKeeper, RuleBook]:
    """The rules in force, and the book of what people decide about them."""
    overlays = OverlayBook(blobs)
    laying = OverlayLaying(state, blobs, overlays)
    cache = settings.home / "cache" / "rules"
    keeper = RuleKeeper(lambda: rule_paths(settings), cache, state, audit, lay_over=laying)
    return keeper, RuleBook(state, audit, keeper, overlays, laying)


def _open(settings: Settings, home: Home, closers: list[Callable[[], None]]) -> Tocsin:
    folder = settings.home
    state, events, blobs, spool = _open_stores(settings, closers)
    assets = load_assets(folder / "assets.yml")
    sources, alerts, cases, audit = SourceBook(), AlertBook(assets), CaseBook(), AuditLog()
    rule_keeper, rule_book = _open_rules(settings, state, blobs, audit)
    engine = Engine(rule_keeper.ruleset, folder / "cache" / "engine")
    correlator = Correlator(rule_keeper.ruleset.stateful)
    remember(state, correlator, rule_keeper.ruleset.stateful)
    mappings = MappingKeeper(folder, state, audit, open_enricher(settings, assets))
    normalizer = mappings.normalizer
    response = open_response(settings, state, Witnesses(audit, cases, assets))
    parts = FlowParts(
        *(state, events, blobs, spool, sources, normalizer, engine, correlator, alerts),
        entities_with(assets),
    )
    flow = _open_flow(settings, parts, rule_keeper)
    budget = _open_budget(settings, engine, flow)
    closers.append(flow.close)
    history_jobs = HistoryJobs(KeptJobs(state))
    closers.append(history_jobs.close)
    return Tocsin(
        settings=settings,
        home=home,
        state=state,
        events=events,
        blobs=blobs,
        spool=spool,
        sources=sources,
        rule_keeper=rule_keeper,
        rule_book=rule_book,
        reach=_open_reach(parts, rule_keeper, rule_book, budget),
        engine=engine,
        correlator=correlator,
        mappings=mappings,
        alerts=alerts,
        risk=RiskBoard(),
        cases=cases,
        audit=audit,
        access=open_access(settings, state, audit),
        assets=assets,
        blocklist=Blocklist(state),
        response=response,
        decoding=parts.decoding,
        flow=flow,
        upkeep=_open_upkeep(
            *(settings, parts, flow, rule_keeper, rule_book, budget),
            SourceTasks(state, alerts, cases, assets),
            mappings,
        ),
        budget=budget,
        history_jobs=history_jobs,
        packs=PackDesk(settings, state, blobs, audit),
        replay=QuarantineReplay(state, blobs, sources, flow, audit),
        closers=closers,
    )


def _open_budget(settings: Settings, engine: Engine, flow: Flow) -> RuleBudget:
    detect = settings.detect
    return RuleBudget(engine, flow, share=detect.rule_cpu_share, burst_s=detect.rule_cpu_burst_s)


def _open_stores(
    settings: Settings, closers: list[Callable[[], None]]
) -> tuple[StateStore, EventStore, FolderBlobs, FileSpool]:
    """The four stores of the data folder; segments no manifest names are swept."""
    folder = settings.home
    chosen = settle_stores(folder, Stores(settings.store.state, settings.store.events))
    state = open_state(folder, chosen, is_server=True)
    closers.append(state.close)
    note_cold(folder, settings.cold)
    events = open_events(folder, state, chosen)
    closers.append(events.close)
    spool = FileSpool(folder / "spool", state, limit_bytes=settings.spool.limit_bytes)
    closers.append(spool.close)
    events.sweep_orphans()
    return state, events, FolderBlobs(folder / "blobs"), spool


def _open_flow(settings: Settings, parts: FlowParts, rule_keeper: RuleKeeper) -> Flow:
    """The flow, with the ledger opened for the rules in force and every later change of them."""
    flow = Flow(parts, batch_bytes=settings.flow.batch_bytes)
    now = datetime.now(UTC)
    recall(parts.normalizer, parts.events, now)
    with parts.state.begin() as tx:
        parts.looks.open(tx, rule_keeper.ruleset, flow.unlooked_from(now), now)
    rule_keeper.on_change(flow.change_rules)
    return flow


def _open_reach(
    parts: FlowParts, rule_keeper: RuleKeeper, rule_book: RuleBook, budget: RuleBudget
) -> ReachBoard:
    """The verdicts on rules; the book asks it for the fields that exceptions can hold on."""
    reach = ReachBoard(
        parts.state,
        *(lambda: rule_keeper.ruleset, lambda: parts.normalizer.lanes, SeenFields()),
        budget.reach,
    )
    rule_book.shown_to = reach.shown_to
    return reach


def _open_upkeep(
    settings: Settings,
    parts: FlowParts,
    flow: Flow,
    rule_keeper: RuleKeeper,
    rule_book: RuleBook,
    budget: RuleBudget,
    tasks: SourceTasks,
    mappings: MappingKeeper,
) -> Upkeep:
    watched = Watched(
        *(parts.state, parts.sources, parts.spool, settings.spool.limit_bytes, settings.home),
        *(flow, rule_keeper, parts.correlator, parts.engine),
        lanes=lambda: parts.normalizer.lanes,
        budget=budget,
        tasks=tasks,
        unusable=parts.normalizer.enrichment_problems,
        unmapped=mappings.problems,
    )
    return Upkeep(
        settings,
        *(flow, parts.events, parts.spool, HealthRound(watched), rule_keeper, rule_book),
        budget=budget,
        mappings=mappings,
        beat=partial(_beat, parts.state, parts.looks),
    )


def _beat(state: StateStore, looks: LookLedger, now: datetime) -> None:
    with state.begin() as tx:
        looks.beat(tx, now)
