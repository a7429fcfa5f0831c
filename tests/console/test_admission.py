"""Who gets in, what each may do, and what a form must bring along."""

import re
from datetime import UTC, datetime

import pytest
from fastapi.routing import APIRoute

from tests.console.conftest import Visitor, Visitors
from tests.console.living import PASSWORD, PEOPLE, plant_alert
from tocsin.app.access.permissions import permissions_of
from tocsin.app.wiring import Tocsin
from tocsin.console.pages import PAGES
from tocsin.console.visit import Needs
from tocsin.model.principal import Permission, Role

OPEN = {("GET", "/sign-in"), ("POST", "/sign-in")}
ROUTES = [
    (method, route.path, route)
    for router in PAGES
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]


def guard_of(route: APIRoute) -> Needs | None:
    return next(
        (one.call for one in route.dependant.dependencies if isinstance(one.call, Needs)), None
    )


GUARDED = [
    pytest.param(method, path, route, id=f"{method} {path}")
    for method, path, route in ROUTES
    if (method, path) not in OPEN
]


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "host:none", path)


@pytest.mark.parametrize(("method", "path", "route"), GUARDED)
def test_every_page_asks_for_a_session(
    visitors: Visitors, method: str, path: str, route: APIRoute
) -> None:
    assert guard_of(route) is not None
    answer = visitors().send(method, filled(path))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_every_page_opens_to_those_who_may_and_to_no_one_else(visitors: Visitors) -> None:
    wrong = []
    for name, roles in PEOPLE.items():
        visitor = visitors(name)
        held = permissions_of(roles)
        for method, path, route in ROUTES:
            guard = guard_of(route)
            if guard is None or guard.permission is None:
                continue
            answer = visitor.get(filled(path)) if method == "GET" else visitor.post(filled(path))
            may = guard.permission in held
            if (answer.status_code != 403) != may or answer.status_code >= 500:
                wrong.append(f"{name}: {method} {path} answers {answer.status_code}")
    assert wrong == []


def test_every_write_names_a_permission() -> None:
    own = {"/sign-out", "/password", "/preferences"}
    for method, path, route in ROUTES:
        guard = guard_of(route)
        if method == "POST" and path not in own and (method, path) not in OPEN:
            assert guard is not None, path
            assert isinstance(guard.permission, Permission), path


def test_a_wrong_password_says_the_same_as_an_unknown_name(visitors: Visitors) -> None:
    wrong = visitors().sign_in("ada.lind", "not the password")
    unknown = visitors().sign_in("nobody.here", "not the password")
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.text.replace("ada.lind", "") == unknown.text.replace("nobody.here", "")
    assert "set-cookie" not in wrong.headers


def test_signing_in_sets_a_cookie_scripts_and_other_sites_never_see(visitors: Visitors) -> None:
    answer = visitors().sign_in("ada.lind")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie


def test_signing_in_leads_back_to_the_page_one_wanted(visitors: Visitors) -> None:
    visitor = visitors()
    answer = visitor.get("/rules?q=ssh")
    assert answer.headers["location"] == "/sign-in?next=%2Frules%3Fq%3Dssh"
    fields = {"name": "ada.lind", "password": PASSWORD, "next": "/rules?q=ssh"}
    assert visitor.send("POST", "/sign-in", data=fields).headers["location"] == "/rules?q=ssh"


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\tx", "javascript:1"]
)
def test_signing_in_never_leads_to_another_site(visitors: Visitors, wanted: str) -> None:
    fields = {"name": "ada.lind", "password": PASSWORD, "next": wanted}
    assert visitors().send("POST", "/sign-in", data=fields).headers["location"] == "/"


def test_a_one_time_password_opens_nothing_but_its_change(
    visitors: Visitors, house: Tocsin
) -> None:
    from_start = house.access.create_user(
        "new.here", [Role.MANAGER], by="test", now=datetime.now(UTC)
    )
    visitor = visitors()
    assert visitor.sign_in("new.here", from_start).headers["location"] == "/password"
    assert visitor.get("/queue").headers["location"] == "/password"
    part = visitor.get("/counters", headers={"hx-request": "true"})
    assert part.headers["hx-redirect"] == "/password"
    new = "four geese over the lake"
    refused = visitor.post("/password", old=from_start, new=new, again="something else now")
    assert refused.headers["location"] == "/"
    changed = visitor.post("/password", old=from_start, new=new, again=new)
    assert changed.status_code == 303
    assert visitor.get("/queue").status_code == 200
    assert visitors().sign_in("new.here", new).headers["location"] == "/"


def test_signing_out_ends_the_session(visitors: Visitors) -> None:
    visitor = visitors("ada.lind", anew=True)
    cookie = visitor.cookies["tocsin_session"]
    visitor.post("/sign-out")
    again = visitors()
    again.come_back(cookie)
    assert again.get("/queue").headers["location"].startswith("/sign-in")


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"csrf": "guessed"}, {}),
        ({"csrf": "clé"}, {}),
        ({"csrf": "TOKEN"}, {"origin": "https://evil.example"}),
        ({"csrf": "TOKEN"}, {"origin": "null"}),
        ({"csrf": "TOKEN"}, {"sec-fetch-site": "cross-site"}),
    ],
)
def test_a_form_without_its_token_or_from_elsewhere_changes_nothing(
    visitors: Visitors, house: Tocsin, fields: dict[str, str], headers: dict[str, str]
) -> None:
    alert = plant_alert(house, "A form from elsewhere")
    visitor = visitors("ada.lind")
    data = {name: visitor.csrf if value == "TOKEN" else value for name, value in fields.items()}
    answer = visitor.send("POST", f"/alerts/{alert.id}/acknowledge", data=data, headers=headers)
    assert answer.status_code == 403
    with house.state.read() as tx:
        unchanged = house.alerts.get(tx, alert.id)
    assert unchanged is not None
    assert unchanged.status.value == "new"


def test_a_token_of_another_session_is_refused(visitors: Visitors) -> None:
    ada, otto = visitors("ada.lind"), visitors("otto.berg")
    answer = ada.send("POST", "/preferences", data={"csrf": otto.csrf, "theme": "dark"})
    assert answer.status_code == 403


def test_the_token_may_come_as_a_header(visitors: Visitors) -> None:
    ada = visitors("ada.lind")
    answer = ada.send(
        "POST", "/preferences", data={"theme": "dark"}, headers={"x-csrf-token": ada.csrf}
    )
    assert answer.status_code == 303
    assert 'data-theme="dark"' in ada.get("/queue").text


def test_a_sign_in_form_from_elsewhere_is_refused(visitors: Visitors) -> None:
    fields = {"name": "ada.lind", "password": PASSWORD}
    answer = visitors().send(
        "POST", "/sign-in", data=fields, headers={"origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert "tocsin_session" not in answer.headers.get("set-cookie", "")


def test_a_form_that_is_too_large_is_refused(visitors: Visitors) -> None:
    visitor = visitors("ada.lind")
    answer = visitor.post("/preferences", back="x" * 2_000_000)
    assert answer.status_code == 413


def test_each_role_starts_where_its_work_is(visitors: Visitors) -> None:
    starts = {
        "nils.only": "/queue",
        "rita.only": "/cases",
        "hans.only": "/search",
        "ebba.only": "/sources",
        "otto.berg": "/approvals",
    }
    found = {name: visitors(name).get("/").headers["location"] for name in starts}
    assert found == starts


def test_buttons_one_may_not_press_are_not_shown(visitors: Visitors, house: Tocsin) -> None:
    alert = plant_alert(house, "Only for some")
    for action in ("acknowledge", "close", "contain"):
        form = f'action="/alerts/{alert.id}/{action}"'
        assert form in _alert_page(visitors("ada.lind"), alert.id)
        assert form not in _alert_page(visitors("otto.berg"), alert.id)


def _alert_page(visitor: Visitor, alert_id: str) -> str:
    answer = visitor.get(f"/alerts/{alert_id}")
    assert answer.status_code == 200
    return answer.text
