"""Every page, dark and light: seen, quiet, and without a barrier; screenshots in test-results/."""

from dataclasses import dataclass

import pytest

from tests.console.conftest import Desks, Served
from tocsin.model.principal import Permission

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Look:
    """A page to look at; ``{case}`` and such are filled in, ``keys`` pressed after it opened."""

    name: str
    path: str
    keys: tuple[str, ...] = ()
    wait: str = "main"
    person: str = "ada.lind"
    width: int = 1440


LOOKS = [
    Look("sign-in", "/sign-in", person=""),
    Look("password", "/password"),
    Look("queue", "/queue"),
    Look("queue-entity", "/queue", ("j", "Enter"), "#panel .block"),
    Look("queue-alerts", "/queue?tab=alerts"),
    Look("queue-alert", "/queue?tab=alerts", ("j", "Enter"), "#panel .block"),
    Look("queue-close", "/queue?tab=alerts", ("j", "x", "c"), ".bulk details[open] .drop-box"),
    Look("queue-empty", "/queue?tab=alerts&q=nothingofthekind", wait=".empty"),
    Look("queue-narrow", "/queue?tab=alerts", width=420),
    Look("alert", "/alerts/{alert}"),
    Look("alert-counted", "/alerts/{counted}", wait=".moments"),
    Look("alert-counted-narrow", "/alerts/{counted}", wait=".moments", width=420),
    Look("entity", "/entities/{entity}"),
    Look("search", "/search", wait=".top-values"),
    Look("search-record", "/search?q=source:windows", ("j", "Enter"), "#panel .block"),
    Look("search-fault", "/search?q=user%3Aalice+AND+(host%3A", wait="#query-fault"),
    Look("cases", "/cases"),
    Look("case", "/cases/{case}"),
    Look("approvals", "/approvals?open={pending}", person="otto.berg", wait="#panel .block"),
    Look("leases", "/leases?open={undone}", wait="#panel .block"),
    Look("run", "/runs/{run}"),
    Look("sources", "/sources", person="otto.berg"),
    Look("sources-narrow", "/sources", width=420),
    Look("source", "/sources/source?name={source}", wait=".facts"),
    Look("source-samples", "/sources/source?name={source}&tab=samples", wait="#samples pre"),
    Look("source-samples-narrow", "/sources/source?name={source}&tab=samples", width=420),
    Look("source-add", "/sources/add?sender=fluent-bit", wait="pre"),
    Look("quarantine", "/sources/quarantine"),
    Look("quarantine-record", "/sources/quarantine", ("j", "Enter"), "#panel pre"),
    Look("health", "/health", person="root.admin", wait=".tile", width=1920),
    Look("health-narrow", "/health", person="root.admin", wait=".tile", width=420),
    Look("rules", "/rules"),
    Look("rule", "/rules/{rule}"),
    Look("rule-correlation", "/rules/{correlation}"),
    Look("rule-text", "/rules/{rule}?tab=text", wait=".yaml"),
    Look("rule-tests", "/rules/{rule}?tab=tests&run=1", wait=".tests"),
    Look("rule-explain", "/rules/{rule}?tab=explain&event={event}", wait=".tree"),
    Look("rule-backtest", "/rules/{rule}?tab=backtest"),
    Look("rule-exceptions", "/rules/{rule}?tab=exceptions"),
    Look("rule-hide-event", "/rules/{rule}?tab=exceptions&event={event}", wait="#preview .notice"),
    Look("rule-hide-narrow", "/rules/{rule}?tab=exceptions&event={event}", width=420),
    Look("rule-ledger", "/rules/{rule}?tab=ledger", wait=".facts"),
    Look("rule-history", "/rules/{rule}?tab=history"),
    Look("rules-cannot", "/rules?health=cannot", wait=".fit-mark.cannot"),
    Look("rules-move", "/rules", ("j", "x", "s"), ".bulk details[open] .drop-box"),
    Look("rules-narrow", "/rules", width=420),
    Look("coverage", "/coverage?technique=T1059.001", wait=".heat"),
    Look("coverage-gaps", "/coverage?tab=gaps"),
    Look("coverage-narrow", "/coverage", width=420, wait=".heat"),
    Look("packs", "/packs"),
    Look("problems", "/rules?tab=problems"),
    Look("palette", "/queue", ("Control+k",), "#palette[open]"),
    Look("keys", "/queue", ("?",), "#help[open]"),
    Look("nothing-here", "/nothing-here"),
]


@pytest.fixture(scope="package")
def names(served: Served) -> dict[str, str]:
    living = served.living
    with living.house.state.read() as tx:
        worst = living.house.alerts.page(tx, case_id=living.case.id, size=1).items[0]
        everything = living.house.alerts.page(tx, size=1000).items
    counted = next(one for one in everything if one.exemplars and one.exemplars[-1].since)
    return {
        "alert": worst.id,
        "entity": worst.entity.key,
        "rule": worst.rule_id,
        "event": worst.exemplars[-1].event_id,
        "counted": counted.id,
        "correlation": counted.rule_id,
        "case": living.case.id,
        "source": "windows",
        "pending": living.pending.id,
        "undone": living.undone.id,
        "run": living.active.run_id,
    }


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_a_page_looks_right(desks: Desks, names: dict[str, str], look: Look, theme: str) -> None:
    desk = desks(look.person, theme=theme, width=look.width)
    page = desk.page
    desk.open(look.path.format(**names))
    for key in look.keys:
        desk.press(key)
    page.locator(look.wait).first.wait_for()
    desk.look(f"{look.name}-{theme}")
    expected = ["error: Failed to load resource"] if look.name == "nothing-here" else []
    assert [one[:30] for one in desk.complaints] == expected


def test_the_looks_cover_every_place_of_the_menu(served: Served) -> None:
    paths = {look.path.partition("?")[0] for look in LOOKS}
    assert {
        "/queue",
        "/cases",
        "/search",
        "/approvals",
        "/leases",
        "/sources",
        "/health",
        "/rules",
        "/coverage",
    } <= paths
    assert (
        Permission.RESPONSE_APPROVE in served.living.house.access.principal("otto.berg").permissions
    )
