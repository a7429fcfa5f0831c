"""Every route asks for the permission the table gives it, from every role."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from tests.docs.generate import api_routes, permission_of
from tocsin.api.application import create_api
from tocsin.app.access.permissions import ROLE_PERMISSIONS
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.principal import Permission, Role

OPEN = {
    *("/healthz", "/readyz", "/metrics", "/feeds/blocklist.txt"),
    *("/services/collector/health", "/services/collector/health/1.0", "/ready"),
    "/in/{name}",
}
SIGNED = {"/in/{name}"}
"""Asks for a signature instead of a token."""
_ELASTIC_THINGS = [
    *("_ilm/policy", "_index_template", "_component_template", "_template"),
    *("_ingest/pipeline", "_data_stream", "_alias"),
]
_ELASTIC = {
    *(("POST", path) for path in ("/_bulk", "/{index}/_bulk", "/{index}/_doc")),
    *(("PUT", path) for path in ("/_bulk", "/{index}/_bulk")),
    *(
        (verb, f"/{{index}}/{kind}/{{id}}")
        for verb in ("POST", "PUT")
        for kind in ("_doc", "_create")
    ),
    *(("GET", path) for path in ("/_license", "/_xpack", "/_cluster/health")),
    *(
        (verb, f"/{kind}/{{name}}")
        for verb in ("GET", "HEAD", "POST", "PUT")
        for kind in _ELASTIC_THINGS
    ),
}
SENDERS = {
    *_ELASTIC,
    *((verb, f"/elastic{path}") for verb, path in _ELASTIC),
    *((verb, "/elastic") for verb in ("GET", "HEAD")),
    *((verb, "/elastic/") for verb in ("GET", "HEAD")),
    *((verb, "/elastic/{path:path}") for verb in ("GET", "HEAD", "POST", "PUT", "DELETE")),
    ("POST", "/loki/api/v1/push"),
    ("POST", "/v1/logs"),
    ("POST", "/v1/metrics"),
    ("POST", "/services/collector"),
    ("POST", "/services/collector/event"),
    ("POST", "/services/collector/event/1.0"),
    ("POST", "/services/collector/raw"),
    ("POST", "/services/collector/raw/1.0"),
    ("POST", "/services/collector/ack"),
}
"""Routes of other products' protocols: all ask for ``events:ingest``, errors are in their words."""
EXPECTED = {
    ("POST", "/api/v1/events"): Permission.EVENTS_INGEST,
    ("POST", "/api/v1/quarantine"): Permission.EVENTS_INGEST,
    ("GET", "/api/v1/search"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/search/histogram"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/search/top"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/search/fields"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/search/statistics"): Permission.EVENTS_SEARCH,
    ("POST", "/api/v1/search/sql"): Permission.EVENTS_SEARCH,
    ("POST", "/api/v1/search/sql/plan"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/search/export"): Permission.EVENTS_SEARCH,
    ("POST", "/api/v1/search/sql/export"): Permission.EVENTS_SEARCH,
    ("POST", "/api/v1/search/jobs"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/search/jobs"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/search/jobs/{job_id}"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/search/jobs/{job_id}/events"): Permission.EVENTS_SEARCH,
    ("DELETE", "/api/v1/search/jobs/{job_id}"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/events/{event_id}"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/searches"): Permission.EVENTS_SEARCH,
    ("POST", "/api/v1/searches"): Permission.EVENTS_SEARCH,
    ("DELETE", "/api/v1/searches/{search_id}"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/alerts"): Permission.ALERTS_READ,
    ("GET", "/api/v1/alerts/{alert_id}"): Permission.ALERTS_READ,
    ("POST", "/api/v1/alerts/change"): Permission.ALERTS_WRITE,
    ("GET", "/api/v1/entities"): Permission.ALERTS_READ,
    ("GET", "/api/v1/entities/{key}"): Permission.ALERTS_READ,
    ("GET", "/api/v1/cases"): Permission.CASES_READ,
    ("GET", "/api/v1/cases/{case_id}"): Permission.CASES_READ,
    ("POST", "/api/v1/cases"): Permission.CASES_WRITE,
    ("POST", "/api/v1/cases/{case_id}/notes"): Permission.CASES_WRITE,
    ("POST", "/api/v1/cases/{case_id}/tasks"): Permission.CASES_WRITE,
    ("POST", "/api/v1/cases/{case_id}/tasks/{task_id}/done"): Permission.CASES_WRITE,
    ("POST", "/api/v1/cases/{case_id}/move"): Permission.CASES_WRITE,
    ("GET", "/api/v1/playbooks"): Permission.RESPONSE_READ,
    ("GET", "/api/v1/runs"): Permission.RESPONSE_READ,
    ("GET", "/api/v1/runs/{run_id}"): Permission.RESPONSE_READ,
    ("POST", "/api/v1/runs"): Permission.RESPONSE_REQUEST,
    ("GET", "/api/v1/approvals"): Permission.RESPONSE_READ,
    ("POST", "/api/v1/approvals/{approval_id}/decide"): Permission.RESPONSE_APPROVE,
    ("GET", "/api/v1/leases"): Permission.RESPONSE_READ,
    ("POST", "/api/v1/leases/{lease_id}/undo"): Permission.RESPONSE_UNDO,
    ("GET", "/api/v1/sources"): Permission.SOURCES_READ,
    ("GET", "/api/v1/sources/files"): Permission.SOURCES_READ,
    ("GET", "/api/v1/sources/quarantine"): Permission.SOURCES_READ,
    ("POST", "/api/v1/sources/owner"): Permission.SOURCES_WRITE,
    ("POST", "/api/v1/sources/recognize"): Permission.SOURCES_WRITE,
    ("POST", "/api/v1/sources/replay"): Permission.SOURCES_WRITE,
    ("GET", "/api/v1/rules"): Permission.RULES_READ,
    ("POST", "/api/v1/rules/{rule_id}/explain"): Permission.RULES_READ,
    ("GET", "/api/v1/rules/coverage"): Permission.RULES_READ,
    ("GET", "/api/v1/rules/health"): Permission.RULES_READ,
    ("GET", "/api/v1/rules/fields"): Permission.RULES_READ,
    ("GET", "/api/v1/rules/{rule_id}"): Permission.RULES_READ,
    ("GET", "/api/v1/backups"): Permission.METRICS_READ,
    ("POST", "/api/v1/backups"): Permission.ACCESS_ADMIN,
    ("GET", "/api/v1/packs"): Permission.RULES_READ,
    ("POST", "/api/v1/packs"): Permission.RULES_WRITE,
    ("POST", "/api/v1/pack-uploads"): Permission.RULES_WRITE,
    ("POST", "/api/v1/packs/{name}/preview"): Permission.RULES_WRITE,
    ("POST", "/api/v1/packs/{name}/update"): Permission.RULES_WRITE,
    ("POST", "/api/v1/packs/{name}/rollback"): Permission.RULES_WRITE,
    ("POST", "/api/v1/packs/{name}/pin"): Permission.RULES_WRITE,
    ("DELETE", "/api/v1/packs/{name}"): Permission.RULES_WRITE,
    ("POST", "/api/v1/rules/reload"): Permission.RULES_WRITE,
    ("POST", "/api/v1/rules/draft"): Permission.RULES_WRITE,
    ("POST", "/api/v1/rules/state"): Permission.RULES_WRITE,
    ("GET", "/api/v1/rules/{rule_id}/overlay"): Permission.RULES_READ,
    ("PUT", "/api/v1/rules/{rule_id}/overlay"): Permission.RULES_WRITE,
    ("POST", "/api/v1/rules/{rule_id}/level"): Permission.RULES_WRITE,
    ("POST", "/api/v1/rules/{rule_id}/schedule"): Permission.RULES_WRITE,
    ("POST", "/api/v1/rules/{rule_id}/exceptions"): Permission.RULES_WRITE,
    ("DELETE", "/api/v1/rules/{rule_id}/exceptions/{exception_id}"): Permission.RULES_WRITE,
    ("GET", "/api/v1/rules/{rule_id}/history"): Permission.RULES_READ,
    ("POST", "/api/v1/rules/{rule_id}/revert"): Permission.RULES_WRITE,
    ("POST", "/api/v1/rules/{rule_id}/settle"): Permission.RULES_WRITE,
    ("POST", "/api/v1/rules/{rule_id}/backtest"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/rules/{rule_id}/looks"): Permission.RULES_READ,
    ("POST", "/api/v1/rules/{rule_id}/fill"): Permission.RULES_WRITE,
    ("GET", "/api/v1/rule-jobs"): Permission.RULES_READ,
    ("GET", "/api/v1/rule-jobs/{job_id}"): Permission.EVENTS_SEARCH,
    ("DELETE", "/api/v1/rule-jobs/{job_id}"): Permission.EVENTS_SEARCH,
    ("POST", "/api/v1/rule-jobs/{job_id}/resume"): Permission.EVENTS_SEARCH,
    ("GET", "/api/v1/storage"): Permission.SOURCES_READ,
    ("GET", "/api/v1/retention"): Permission.SOURCES_READ,
    ("POST", "/api/v1/retention/preview"): Permission.SOURCES_READ,
    ("POST", "/api/v1/retention/rules"): Permission.RETENTION_WRITE,
    ("DELETE", "/api/v1/retention/rules"): Permission.RETENTION_WRITE,
    ("POST", "/api/v1/retention/go-on"): Permission.RETENTION_WRITE,
    ("GET", "/api/v1/holds"): Permission.HOLDS_WRITE,
    ("POST", "/api/v1/holds"): Permission.HOLDS_WRITE,
    ("POST", "/api/v1/holds/{hold_id}/lift"): Permission.HOLDS_WRITE,
    ("GET", "/api/v1/audit"): Permission.AUDIT_READ,
    ("GET", "/api/v1/audit/verify"): Permission.AUDIT_READ,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    opened = open_tocsin(load_settings(home=tmp_path_factory.mktemp("home"), syslog__enabled=False))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(house: Tocsin) -> Iterator[TestClient]:
    with TestClient(create_api(house), raise_server_exceptions=False) as opened:
        yield opened


def test_the_table_names_every_route_with_its_permission(house: Tocsin) -> None:
    found = {
        (method, route.path): permission_of(route)
        for route in api_routes(create_api(house))
        for method in route.methods or ()
        if route.path not in OPEN
    }
    who_is_there = {(verb, "/") for verb in ("GET", "HEAD")}
    asked_openly = {("OPTIONS", f"/services/collector/event{end}"): None for end in ("", "/1.0")}
    ingest = dict.fromkeys(SENDERS | who_is_there, Permission.EVENTS_INGEST)
    assert found == EXPECTED | ingest | asked_openly


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("method", "path"), EXPECTED)
def test_a_role_gets_in_where_the_table_says(
    house: Tocsin, client: TestClient, role: Role, method: str, path: str
) -> None:
    token = house.access.create_token(
        f"test {role}", [role], lifetime_s=3600, by="test", now=datetime.now(UTC)
    )
    answer = client.request(
        method,
        path.replace("{", "").replace("}", ""),
        headers={"Authorization": f"Bearer {token}"},
        json={},
    )
    allowed = EXPECTED[method, path] in ROLE_PERMISSIONS[role]
    assert (answer.status_code != 403) == allowed, answer.text
    assert answer.status_code != 401
    assert answer.status_code != 500, answer.text


@pytest.mark.parametrize(("method", "path"), EXPECTED)
def test_no_token_no_entry(client: TestClient, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer toc_wrong"}, {"Authorization": "Basic eDp5"}):
        answer = client.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("scheme", ["Bearer", "Splunk", "ApiKey", "Basic"])
@pytest.mark.parametrize(("method", "path"), sorted(SENDERS))
def test_no_token_no_sending(client: TestClient, method: str, path: str, scheme: str) -> None:
    for authorization in ("", f"{scheme} eDp5", scheme):
        headers = {"Authorization": authorization, "Accept": "application/json"}
        answer = client.request(method, path, headers=headers, content=b"x")
        assert answer.status_code in (401, 403)


@pytest.mark.parametrize("role", set(Role) - {Role.ENGINEER, Role.ADMINISTRATOR})
def test_only_roles_that_may_send_do(house: Tocsin, client: TestClient, role: Role) -> None:
    token = house.access.create_token(
        f"sends {role}", [role], lifetime_s=3600, by="test", now=datetime.now(UTC)
    )
    for method, path in sorted(SENDERS):
        headers = {"Authorization": f"Bearer {token}"}
        assert client.request(method, path, headers=headers, content=b"x").status_code == 403


@pytest.mark.parametrize("path", sorted(OPEN - SIGNED))
def test_health_and_feeds_need_no_token(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_an_unknown_route_is_told_in_json(client: TestClient) -> None:
    answer = client.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
