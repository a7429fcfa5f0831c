"""The API as one FastAPI application."""

from fastapi import FastAPI

from tocsin import __version__
from tocsin.api.problem import Problem, install_problem_handlers
from tocsin.api.routes import (
    alerts,
    audit,
    backups,
    cases,
    elastic,
    elastic_handshake,
    feeds,
    followed_files,
    hec,
    holds,
    ingest,
    loki,
    otlp,
    packs,
    platform_health,
    response,
    retention,
    rule_coverage,
    rule_drafting,
    rule_explain,
    rule_life,
    rule_looking,
    rule_reach,
    rules,
    saved_searches,
    search,
    search_export,
    search_fields,
    search_jobs,
    sources,
    storage,
    webhooks,
)
from tocsin.app.wiring import Tocsin

ROUTERS = (
    ingest,
    hec,
    elastic,
    elastic_handshake,
    otlp,
    loki,
    webhooks,
    search_jobs,
    search_export,
    search_fields,
    search,
    saved_searches,
    alerts,
    cases,
    response,
    sources,
    followed_files,
    rule_reach,
    rule_coverage,
    rule_drafting,
    rule_explain,
    rule_life,
    rule_looking,
    rules,
    packs,
    storage,
    retention,
    holds,
    audit,
    backups,
    feeds,
    platform_health,
)


def create_api(tocsin: Tocsin) -> FastAPI:
    """Routes under /api/v1, /feeds, /healthz, /readyz and /metrics over the wired house."""
    app = FastAPI(
        title="Tocsin",
        version=__version__,
        summary="The SecOps platform that security and IT operations share.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.state.tocsin = tocsin
    install_problem_handlers(app)
    for module in ROUTERS:
        app.include_router(module.router)

    @app.api_route(
        "/api/{path:path}",
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        include_in_schema=False,
    )
    def unknown(path: str) -> None:
        """Keeps the console's page for people out of programs' answers."""
        raise Problem(404, "No such route", f"/api/{path} is not there; see /api/openapi.json")

    return app
