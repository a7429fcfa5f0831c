"""A trouble of a source becomes a task for whoever looks after it, in a case of that source."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from tocsin.app.flow.assets import AssetRegister
from tocsin.cases.casebook import CaseBook
from tocsin.model.alert import Alert
from tocsin.model.case import CaseStatus
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding
from tocsin.model.source import SourceLedger
from tocsin.store.ports import StateStore
from tocsin.triage.alerts import AlertBook

_BY = "source health"
_TITLE_LENGTH = 500
_MOST_ALERTS = 100


def owner_of(ledger: SourceLedger, assets: AssetRegister) -> str:
    """Who was named, or else who answers for the machine it is named after; empty for nobody."""
    if ledger.owner:
        return ledger.owner
    for part in reversed(ledger.name.split("/")):
        asset = assets.asset(part) or assets.by_address(part)
        if asset is not None:
            return asset.owner
    return ""


class SourceTasks:
    """Opens tasks for the owners of sources; those nobody owns stay alerts."""

    def __init__(
        self, state: StateStore, alerts: AlertBook, cases: CaseBook, assets: AssetRegister
    ) -> None:
        self._state = state
        self._assets = assets
        self._alerts = alerts
        self._cases = cases

    def open(
        self, findings: Sequence[Finding], ledgers: Sequence[SourceLedger], now: datetime
    ) -> int:
        """Open a task for each finding whose source has an owner; how many are new.

        The findings must be in the alerts already. Told again, a finding opens nothing while its
        task is open.
        """
        owners: Mapping[tuple[str, str], str] = {
            (ledger.tenant, ledger.name): owner_of(ledger, self._assets) for ledger in ledgers
        }
        opened = 0
        for finding in findings:
            owner = owners.get((finding.tenant, finding.source))
            if owner:
                with self._state.begin() as tx:
                    opened += self._open_one(tx, finding, owner, now)
        return opened

    def _open_one(self, tx: Connection, finding: Finding, owner: str, now: datetime) -> bool:
        key = Entity(EntityKind.SOURCE, finding.source.lower()).key
        found = self._alerts.page(
            tx,
            is_open=True,
            entity_key=key,
            rule_id=finding.rule_id,
            tenant=finding.tenant,
            size=_MOST_ALERTS,
        ).items
        if not found:
            return False  # an exception or a state of the rule keeps it from people
        case_id = self._case(tx, finding, found, now)
        title = f"{finding.rule_title}: {finding.fields.get('because', finding.source)}"
        if len(title) > _TITLE_LENGTH:
            title = title[: _TITLE_LENGTH - 1] + "…"
        tasks = self._cases.tasks(tx, case_id)
        begins = f"{finding.rule_title}: "
        if any(task.done_at is None and task.title.startswith(begins) for task in tasks):
            return False
        self._cases.add_task(tx, case_id, title=title, assignee=owner, by=_BY, now=now)
        return True

    def _case(
        self, tx: Connection, finding: Finding, alerts: Sequence[Alert], now: datetime
    ) -> str:
        """The open case of these alerts or of this source; otherwise a new one."""
        free = [alert for alert in alerts if not alert.case_id]
        known = next((alert.case_id for alert in alerts if alert.case_id), "")
        if not known:
            title = f"Health of source {finding.source}"
            key = alerts[0].entity.key
            cases = self._cases.page(tx, entity_key=key, size=50).items
            known = next(
                (
                    case.id
                    for case in cases
                    if case.title == title
                    and case.status is not CaseStatus.CLOSED
                    and case.tenant == finding.tenant
                ),
                "",
            )
            if not known:
                case = self._cases.open(tx, title=title, alerts=free, by=_BY, now=now)
                self._alerts.link_case(tx, [alert.id for alert in free], case.id, now)
                return case.id
        if free and self._is_open(tx, known):
            self._cases.add_alerts(tx, known, free, by=_BY, now=now)
            self._alerts.link_case(tx, [alert.id for alert in free], known, now)
        return known

    def _is_open(self, tx: Connection, case_id: str) -> bool:
        case = self._cases.get(tx, case_id)
        return case is not None and case.status is not CaseStatus.CLOSED
