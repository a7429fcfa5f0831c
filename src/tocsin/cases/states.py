"""Which states a case may go to, and when a reason is owed."""

from tocsin.cases.errors import CaseError
from tocsin.model.case import CaseStatus

ALLOWED_MOVES: dict[CaseStatus, tuple[CaseStatus, ...]] = {
    CaseStatus.OPEN: (CaseStatus.INVESTIGATING, CaseStatus.CLOSED),
    CaseStatus.INVESTIGATING: (CaseStatus.CONTAINED, CaseStatus.RESOLVED, CaseStatus.CLOSED),
    CaseStatus.CONTAINED: (CaseStatus.INVESTIGATING, CaseStatus.RESOLVED),
    CaseStatus.RESOLVED: (CaseStatus.INVESTIGATING, CaseStatus.CLOSED),
    CaseStatus.CLOSED: (CaseStatus.INVESTIGATING,),
}
"""From each state, where to. A contained case is resolved before it is closed, since something may
still be blocked for it; a false alarm may be closed at once; a closed one re-opens into
``investigating``."""

_ORDER = {status: place for place, status in enumerate(CaseStatus)}


def check_move(case_id: str, before: CaseStatus, after: CaseStatus, reason: str) -> None:
    """Raise ``CaseError`` unless the case may go from ``before`` to ``after`` for ``reason``."""
    if after not in ALLOWED_MOVES[before]:
        allowed = " or ".join(status.value for status in ALLOWED_MOVES[before])
        raise CaseError(
            f"{case_id} is {before.value} and can't become {after.value}; from here it can become "
            f"{allowed}"
        )
    if needs_reason(before, after) and not reason.strip():
        verb = "closing" if after is CaseStatus.CLOSED else "going back"
        raise CaseError(f"{verb} {case_id} from {before.value} needs a reason; say why")


def needs_reason(before: CaseStatus, after: CaseStatus) -> bool:
    """Closing owes a reason, and so does every step back."""
    return after is CaseStatus.CLOSED or _ORDER[after] < _ORDER[before]
