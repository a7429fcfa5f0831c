"""A lived-in house, clients for it in the process, and a real browser before a real server."""

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.console.living import PASSWORD, PEOPLE, Living, live_a_day, open_house
from tests.places import REPOSITORY
from tocsin.app.wiring import Tocsin
from tocsin.console.application import create_console

RESULTS = REPOSITORY / "test-results"
STANDARD = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa"]},
    "resultTypes": ["violations"],
    "preload": False,
}
COLORS = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
    "preload": False,
}
"""What a theme can change: it is colors alone."""
THEMES = ("light", "dark")
NEXT_TURN = "() => new Promise(done => setTimeout(done))"
UNDER_WAY = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added"
"""Parts of a page that are asked for, or about to be put in; those in them follow at once."""
PATIENCE_MS = 30_000
"""A machine under load answers late; what never comes is found out all the same."""
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A house in which the sample company's day has happened, and people have worked on it."""
    house = open_house(tmp_path_factory.mktemp("living") / "home")
    try:
        yield live_a_day(house)
    finally:
        house.close()


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    """A house without a day, with the people of the tests; each test plants what it needs."""
    opened = open_house(tmp_path_factory.mktemp("quiet") / "home")
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="package")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as started:
        yield started


class Visitor:
    """Someone at the console without a browser: keeps cookies, fills in the form's token."""

    def __init__(self, portal: BlockingPortal, app: FastAPI, name: str = "") -> None:
        self._portal = portal
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx2.AsyncClient(transport=transport, base_url="http://console.test")
        self._csrf = ""
        if name:
            session = app.state.tocsin.access.sign_in(name, PASSWORD, name, datetime.now(UTC))
            self.come_back(session.cookie)

    def come_back(self, cookie: str) -> None:
        """Go on with the session of this cookie."""
        self._client.cookies.set("tocsin_session", cookie)
        self._csrf = ""

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx2.Response:
        answer = self.send("POST", "/sign-in", data={"name": name, "password": password})
        self._csrf = ""
        return answer

    @property
    def cookies(self) -> httpx2.Cookies:
        return self._client.cookies

    @property
    def csrf(self) -> str:
        """The token in the forms of this session's pages."""
        if not self._csrf:
            found = re.search(r'name="csrf" value="([^"]+)"', self.get("/password").text)
            assert found is not None
            self._csrf = found.group(1)
        return self._csrf

    def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        async def ask() -> httpx2.Response:
            return await self._client.request(method, path, **options)

        return self._portal.call(ask)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.send("GET", path, **options)

    def post(self, path: str, **fields: Any) -> httpx2.Response:
        return self.send("POST", path, data={"csrf": self.csrf, **fields})

    def close(self) -> None:
        self._portal.call(self._client.aclose)


class Visitors:
    """Makes visitors of one house and closes them."""

    def __init__(self, portal: BlockingPortal, house: Tocsin) -> None:
        self.app = create_console(house)
        self._portal = portal
        self._made: list[Visitor] = []
        self._cookies: dict[str, str] = {}

    def __call__(self, name: str = "", *, anew: bool = False) -> Visitor:
        """Someone signed in (in one session for all tests, or ``anew``), or a stranger."""
        known = self._cookies.get(name, "")
        visitor = Visitor(self._portal, self.app, "" if known and not anew else name)
        if known and not anew:
            visitor.come_back(known)
        elif name and not anew:
            self._cookies[name] = visitor.cookies["tocsin_session"]
        self._made.append(visitor)
        return visitor

    def close(self) -> None:
        for visitor in self._made:
            visitor.close()


@pytest.fixture(scope="package")
def visitors(portal: BlockingPortal, house: Tocsin) -> Iterator[Visitors]:
    """Visitors of the quiet house: ``visitors("ada.lind")`` is signed in, ``visitors()`` is not."""
    made = Visitors(portal, house)
    yield made
    made.close()


@pytest.fixture(scope="package")
def living_visitors(portal: BlockingPortal, living: Living) -> Iterator[Visitors]:
    """Visitors of the lived-in house."""
    made = Visitors(portal, living.house)
    yield made
    made.close()


@dataclass
class Served:
    """A console on a real port."""

    url: str
    living: Living
    cookies: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="package")
def served(living: Living, portal: BlockingPortal) -> Iterator[Served]:
    """The lived-in house's console behind uvicorn on loopback."""
    app = create_console(living.house)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="console")
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start within 30 s"
        time.sleep(0.01)
    found = Served(f"http://127.0.0.1:{listener.getsockname()[1]}", living)
    for name in PEOPLE:
        visitor = Visitor(portal, app, name)
        found.cookies[name] = visitor.cookies["tocsin_session"]
        visitor.close()
    yield found
    server.should_exit = True
    thread.join(timeout=30)
    listener.close()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed; apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Desk:
    """A browser page of one signed-in person, and what must stay empty while it is used."""

    page: Page
    url: str
    complaints: list[str]
    session: str = ""
    has_script: bool = True

    def begin(self, theme: str, width: int, height: int = 900) -> None:
        """Leave what was open and what it left behind, but for the files the browser keeps."""
        self.page.goto("about:blank")
        self.page.context.clear_cookies()
        given = {"tocsin_view": f"{theme}.comfortable.utc", "tocsin_session": self.session}
        self.page.context.add_cookies(
            [
                {"name": name, "value": value, "url": self.url}
                for name, value in given.items()
                if value
            ]
        )
        self.page.set_viewport_size({"width": width, "height": height})
        self.complaints.clear()

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")
        self.ready()

    def ready(self) -> None:
        """Wait until the keys work (pages for strangers have none)."""
        if self.has_script and self.page.locator('script[type="module"]').count():
            self.page.locator("html[data-ready]").wait_for(state="attached")

    def press(self, key: str) -> None:
        """Press a key once the page answers keys: a link may just have brought a new one."""
        self.ready()
        self.page.keyboard.press(key)

    def look(self, name: str) -> None:
        """Keep a picture of the page in each theme, and find no barrier in it (WCAG 2.1 AA)."""
        RESULTS.mkdir(exist_ok=True)
        self.page.evaluate(NEXT_TURN)  # what the last key has to ask for is asked for
        expect(self.page.locator(UNDER_WAY)).to_have_count(0)
        root = self.page.locator("html")
        served = root.get_attribute("data-theme")
        for theme in sorted(THEMES, key=lambda one: one != served):
            root.evaluate("(root, theme) => { root.dataset.theme = theme }", theme)
            self.page.screenshot(path=RESULTS / f"{name}-{theme}.png", animations="disabled")
            if theme == served:
                found = Axe().run(self.page, options=STANDARD)
            else:  # axe is in the page by now
                found = AxeResults(self.page.evaluate("options => axe.run(options)", COLORS))
            assert found.violations_count == 0, f"{theme}: {found.generate_report()}"
        root.evaluate("(root, theme) => { root.dataset.theme = theme }", served)
        assert not self.page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")

    def assert_quiet(self) -> None:
        """No console error, no CSP report, no failed script, no request to anyone else."""
        assert self.complaints == []


class Desks:
    """Makes desks; each has a fresh profile."""

    def __init__(self, browser: Browser, served: Served) -> None:
        self._browser = browser
        self._served = served
        self._contexts: list[BrowserContext] = []

    def __call__(
        self,
        name: str = "ada.lind",
        *,
        theme: str = "light",
        width: int = 1440,
        height: int = 900,
        script: bool = True,
    ) -> Desk:
        context = self._browser.new_context(java_script_enabled=script)
        self._contexts.append(context)
        url = self._served.url
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        page.on("console", lambda message: _complain(complaints, message))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((f"{url}/", "data:"))
                else complaints.append(f"asked {request.url}")
            ),
        )
        session = self._served.cookies[name] if name else ""
        desk = Desk(page, url, complaints, session, script)
        desk.begin(theme, width, height)
        return desk

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def _complain(complaints: list[str], message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        complaints.append(f"{message.type}: {message.text}")


@pytest.fixture
def desks(chromium: Browser, served: Served) -> Iterator[Desks]:
    made = Desks(chromium, served)
    yield made
    made.close()
