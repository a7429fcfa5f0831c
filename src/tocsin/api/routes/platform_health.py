"""Whether the platform itself is well: /healthz, /readyz, /metrics."""

import psutil
from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from tocsin.api.guard import House

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive")
def alive() -> dict[str, str]:
    """Always ``ok`` while the process answers."""
    return {"status": "ok"}


@router.get("/readyz", summary="Can it take records")
def ready(house: House) -> JSONResponse:
    """503 with the reason while the flow can't store what it takes in."""
    error = house.flow.error
    if error:
        return JSONResponse({"status": "not ready", "reason": error}, status_code=503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics", summary="Counters for Prometheus", response_class=PlainTextResponse)
def metrics(house: House) -> str:
    """Prometheus text format 0.0.4."""
    counts = house.flow.counts
    values = {
        "tocsin_records_total": ("counter", "Records taken from the spool", counts.records),
        "tocsin_events_total": ("counter", "Events stored", counts.events),
        "tocsin_unreadable_total": ("counter", "Records put in quarantine", counts.unreadable),
        "tocsin_findings_total": ("counter", "Findings made", counts.findings),
        "tocsin_spool_bytes": (
            "gauge",
            "Bytes taken in, not yet stored",
            house.spool.backlog_bytes(),
        ),
        "tocsin_rules_over_budget": (
            "gauge",
            "Rules that pause as they cost too much",
            len(house.budget.over()),
        ),
        "tocsin_rules_being_filled": (
            "gauge",
            "Rules of which a gap is being filled",
            len(filling.rule_ids) if (filling := house.gap_filler.now_filling) else 0,
        ),
        "tocsin_resident_bytes": ("gauge", "Resident memory", psutil.Process().memory_info().rss),
    }
    lines = []
    for name, (kind, words, value) in values.items():
        lines += [f"# HELP {name} {words}.", f"# TYPE {name} {kind}", f"{name} {value}"]
    return "\n".join(lines) + "\n"
