"""Every page, dark and light: seen, quiet, and without a barrier; screenshots in test-results/."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.console.conftest import THEMES, Desk, Desks, Served
from tests.console.known_sources import DOOR
from tests.detect.rule_texts import rule_text
from tests.server_process import wait_until
from tocsin.app.backtests.history_jobs import JobKind, JobState
from tocsin.app.home.pack_shelf import Manifest
from tocsin.app.packs.pack_change import PackAccount
from tocsin.app.packs.pack_desk import PackPlan
from tocsin.app.rule_jobs import start_replay
from tocsin.app.wiring import Tocsin
from tocsin.detect.overlays.rule_update import updates
from tocsin.detect.reading.ruleset import load_rules
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
    Look("source-usual", "/sources/source?name={door}", wait=".days .usual"),
    Look("source-draft", "/sources/draft?name={door}", wait="textarea"),
    Look("source-draft-narrow", "/sources/draft?name={door}", wait="textarea", width=420),
    Look("source-samples", "/sources/source?name={source}&tab=samples", wait="#samples pre"),
    Look("source-samples-narrow", "/sources/source?name={source}&tab=samples", width=420),
    Look("source-add", "/sources/add?sender=fluent-bit", wait="pre"),
    Look("quarantine", "/sources/quarantine"),
    Look("quarantine-record", "/sources/quarantine", ("j", "Enter"), "#panel pre"),
    Look("health", "/health", person="root.admin", wait=".tile", width=1920),
    Look("health-narrow", "/health", person="root.admin", wait=".tile", width=420),
    Look("storage", "/storage", person="root.admin", wait=".disk"),
    Look("storage-narrow", "/storage", person="root.admin", wait=".disk", width=420),
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
    Look("pack-replay", "/packs/replays/{replay}", wait="#replay .facts"),
    Look("pack-replay-narrow", "/packs/replays/{replay}", wait="#replay .facts", width=420),
    Look("pack-replay-interrupted", "/packs/replays/{cut}", wait="#replay .notice"),
    Look("problems", "/rules?tab=problems"),
    Look("palette", "/queue", ("Control+k",), "#palette[open]"),
    Look("keys", "/queue", ("?",), "#help[open]"),
    Look("nothing-here", "/nothing-here"),
]


@pytest.fixture(scope="package")
def names(served: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    living = served.living
    replay, cut = replays(living.house, tmp_path_factory.mktemp("versions"))
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
        "door": DOOR,
        "pending": living.pending.id,
        "undone": living.undone.id,
        "run": living.active.run_id,
        "replay": replay,
        "cut": cut,
    }


def replays(house: Tocsin, folder: Path) -> tuple[str, str]:
    """Ids of two jobs that try an update on the day: one that is done, one that was cut off."""
    versions = {"old": {1: "svchost", 2: "whoami"}, "new": {1: "power", 3: "exe"}}
    loaded = []
    for version, rules in versions.items():
        (folder / version).mkdir()
        for number, image in rules.items():
            text = rule_text(
                f"  s: {{Image|contains: {image}}}\n  condition: s",
                rule_id=f"5f0b7f3e-0000-4000-8000-00000000010{number}",
            )
            text = text.replace("title: A rule", f"title: Own rule {number}")
            (folder / version / f"{number}.yml").write_text(text)
        loaded.append(load_rules([folder / version]))
    changed = tuple(updates(*loaded, {}))
    plan = PackPlan(
        Manifest("own-rules", "0" * 64, "upload:own"),
        PackAccount((), (), ()),
        None,
        updates=changed,
        before=loaded[0],
        after=loaded[1],
    )
    done = start_replay(house, plan, days=2, seconds=60, by="ebba")
    cut = house.history_jobs.submit(JobKind.REPLAY, "own-rules", "ebba", lambda job: None)
    wait_until(lambda: cut.is_over, "the update to be tried")
    cut.state = JobState.INTERRUPTED
    assert done.result is not None, done.error
    return done.id, cut.id


class Seats:
    """One desk a person, used again: a new browser profile would ask for every file anew."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks
        self._free: dict[str, Desk] = {}

    def take(self, person: str) -> Desk:
        return self._free.pop(person, None) or self._desks(person)

    def give_back(self, person: str, desk: Desk) -> None:
        """Only after all went well there: whoever comes next finds it in order."""
        self._free[person] = desk


@pytest.fixture(scope="module")
def seats(chromium: Browser, served: Served) -> Iterator[Seats]:
    desks = Desks(chromium, served)
    yield Seats(desks)
    desks.close()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_a_page_looks_right(seats: Seats, names: dict[str, str], look: Look) -> None:
    theme = THEMES[LOOKS.index(look) % 2]  # the other is put on once the page is there
    desk = seats.take(look.person)
    desk.begin(theme, look.width)
    page = desk.page
    desk.open(look.path.format(**names))
    for key in look.keys:
        desk.press(key)
    page.locator(look.wait).first.wait_for()
    desk.look(look.name)
    expected = ["error: Failed to load resource"] if look.name == "nothing-here" else []
    assert [one[:30] for one in desk.complaints] == expected
    seats.give_back(look.person, desk)


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
