"""The pages about sources without a browser: what is sick and why, and counts that add up."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from anyio.from_thread import BlockingPortal

from tests.console.conftest import Visitor, Visitors
from tests.console.living import open_house
from tocsin.app.wiring import Tocsin
from tocsin.console.hour_chart import hour_chart
from tocsin.console.sender_texts import Doors, fill, read_senders, senders_file
from tocsin.console.source_list import SourcesState
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.sources.source_hours import SourceHour, source_hours
from tocsin.ingest.sources.source_turn import SourceTurn
from tocsin.model.intake import Intake, IntakeState
from tocsin.model.record import Framing

HOSTILE = '"><script>alert(1)</script>'
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def send(
    house: Tocsin, name: str, *, until: datetime, unreadable: int = 0, every_s: int = 60
) -> None:
    """An hour of events up to ``until``, one at least every ``every_s``."""
    times = [until - timedelta(seconds=at) for at in range(0, 3600, every_s)]
    micros = np.array([int(one.timestamp() * 1e6) for one in times], np.int64)
    with house.state.begin() as tx:
        turn = SourceTurn(
            source=name,
            received=len(times),
            stored=len(times),
            quarantined=0,
            unrecognized=0,
            received_bytes=100 * len(times),
            first_time=times[-1],
            last_time=times[0],
            lanes=["windows.process_creation"] if "win" in name else ["linux.sshd"],
            times_us=micros,
        )
        house.sources.add(tx, [turn], until + timedelta(seconds=2))
    broken = b'{"a": "' + HOSTILE.encode() + b"\n"
    house.spool.append(split_lines(broken * unreadable, name, until, framing=Framing.W3C))
    house.flow.drain()


@pytest.fixture(scope="module")
def now() -> datetime:
    """When the house was made: a quarter of an hour later all its sources are silent."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> Iterator[Tocsin]:
    """A house of three sources: one well, one silent, one of which much can't be read."""
    opened = open_house(tmp_path_factory.mktemp("sources") / "home")
    send(opened, "syslog/nh-web01", until=now - timedelta(seconds=5))
    send(opened, "hec/win/silent", until=now - timedelta(hours=9))
    send(opened, "hec/web/broken", until=now - timedelta(seconds=5), unreadable=100)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def engineer(own: Tocsin, portal: BlockingPortal) -> Iterator[Visitor]:
    made = Visitors(portal, own)
    yield made("ebba.only")
    made.close()


def names(page: str) -> list[str]:
    return re.findall(r'class="row-link" href="[^"]+">([^<]+)<', page)


def test_what_is_sick_comes_first_with_its_reason(engineer: Visitor) -> None:
    page = engineer.get("/sources").text
    assert names(page)[:2] == ["hec/win/silent", "hec/web/broken"]
    assert "syslog/nh-web01" in names(page)[2:]
    assert "Log source fell silent" in page
    assert "usually one at least every" in page
    assert "Much of a log source can&#39;t be read" in page
    assert "62.5%" in page


def test_the_address_narrows_and_sorts(engineer: Visitor) -> None:
    assert names(engineer.get("/sources?health=silent").text) == ["hec/win/silent"]
    assert names(engineer.get("/sources?q=sshd+web").text) == ["hec/web/broken", "syslog/nh-web01"]
    assert names(engineer.get("/sources?sort=name").text)[0] == "hec/web/broken"
    assert names(engineer.get("/sources?sort=-name").text)[0] == "syslog/nh-web01"
    assert names(engineer.get("/sources?sort=received").text)[0] == "hec/web/broken"
    assert "No source matches" in engineer.get("/sources?q=nothing-of-the-kind").text
    state = SourcesState(q="web", sort="lag")
    assert state.sorted_by("lag") == "/sources?q=web&sort=-lag"
    assert state.aria_sort("lag") == "descending"


def test_a_source_says_what_only_it_feeds(engineer: Visitor, own: Tocsin) -> None:
    page = engineer.get("/sources/source?name=hec/win/silent").text
    assert "Blind while it is silent" in page
    assert "Every record received is accounted for." in page
    assert re.search(r'id="blind".*?<strong class="num">\d+</strong> rules? ha', page, re.DOTALL)
    answer = engineer.get("/sources/source?name=unheard-of")
    assert answer.status_code == 404
    assert "unheard-of" in answer.text


def test_what_is_fetched_says_how_that_goes(
    engineer: Visitor, own: Tocsin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before anything came; what the other side says is text."""
    away = Intake(
        *("kafka/edge", "kafka", "kafka/edge", IntakeState.FAILING),
        since=datetime.now(UTC) - timedelta(minutes=2),
        error=f"Kafka at kafka-1:9093: refused {HOSTILE}",
        position="events[0]@17",
        lag=1234,
    )
    door = Intake("webhook/chat", "webhook", "webhook/chat", refused={"wrong signature": 3})
    monkeypatch.setattr(Tocsin, "intakes", lambda _house: [away, door])
    page = engineer.get("/sources").text
    assert {"kafka/edge", "webhook/chat"} <= set(names(page))
    assert "Can&#39;t be fetched" in page or "Can't be fetched" in page
    page = engineer.get("/sources/source?name=kafka/edge").text
    assert "How it is fetched" in page
    assert "kafka-1:9093" in page
    assert "<script>alert" not in page
    assert "events[0]@17" in page
    assert "1,234" in page
    page = engineer.get("/sources/source?name=webhook/chat").text
    assert "wrong signature" in page


def test_an_owner_is_found_by_the_machine(engineer: Visitor, own: Tocsin) -> None:
    asset = own.assets.asset("nh-web01")
    assert asset is not None
    assert asset.owner in engineer.get("/sources/source?name=syslog/nh-web01").text
    assert names(engineer.get("/sources", params={"owner": asset.owner}).text) == [
        "syslog/nh-web01"
    ]


def test_a_record_in_quarantine_is_shown_whole_as_text(engineer: Visitor) -> None:
    page = engineer.get("/sources/quarantine?source=hec/web/broken").text
    assert "50 of 100 records" in page
    found = re.search(r'id="row-(unreadable-[^"]+)"', page)
    assert found is not None
    panel = engineer.get(
        f"/sources/quarantine?source=hec/web/broken&open={found.group(1)}",
        headers={"hx-request": "true", "hx-target": "panel"},
    ).text
    assert "record without a #Fields line above it" in panel
    assert "{&#34;a&#34;: &#34;" in panel
    assert "<script>alert" not in panel
    assert "not on this page" in engineer.get("/sources/quarantine?open=unreadable-x").text


def test_samples_are_shown_as_they_came_were_read_and_mean(engineer: Visitor, own: Tocsin) -> None:
    line = b"<86>Nov 22 05:00:00 nh-web01 sshd[77]: Failed password for root from 203.0.113.9 port 22 ssh2\n"
    own.spool.append(split_lines(line, "hec/zz/samples", datetime.now(UTC), framing=Framing.SYSLOG))
    own.flow.drain()
    page = engineer.get("/sources/source?name=hec/zz/samples&tab=samples").text
    assert "As it came" in page
    assert "Failed password for root from 203.0.113.9" in page
    fields = page.replace("<wbr>", "")
    assert re.search(r"<dt>src_endpoint.ip</dt><dd class=\"mono\">203.0.113.9</dd>", fields)
    assert (
        "is no event"
        in engineer.get("/sources/source?name=hec/zz/samples&tab=samples&event=gone").text
    )


def test_hours_are_summed_and_none_is_left_out(own: Tocsin, now: datetime) -> None:
    with own.state.read() as tx:
        hours = source_hours(tx, now, 24)["default", "hec/web/broken"]
    assert len(hours) == 24
    assert hours[-1].start <= now < hours[-1].start + timedelta(hours=1)
    assert sum(one.events for one in hours) == 60
    assert sum(one.unreadable for one in hours) == 100


def test_the_smallest_hour_is_always_to_be_seen() -> None:
    hours = [SourceHour(NOW), SourceHour(NOW, 1), SourceHour(NOW, 10_000, unreadable=3)]
    chart = hour_chart(hours)
    assert [bar.height for bar in chart.bars] == [0.0, 1.5, 100.0]
    assert chart.bars[2].bad == 1.5
    assert chart.bad_total == 3


def test_records_are_tried_again_and_the_answer_counts_them(engineer: Visitor, own: Tocsin) -> None:
    answer = engineer.post(
        "/sources/quarantine/replay",
        source="hec/web/broken",
        back="/sources/quarantine?source=hec/web/broken",
    )
    assert answer.status_code == 303
    page = engineer.get(answer.headers["location"]).text
    assert "100 tried again: 0 stored, 100 still can&#39;t be read." in page
    assert "50 of 100 records" in page


def test_a_token_is_shown_once_and_may_only_send(engineer: Visitor, own: Tocsin) -> None:
    plain = engineer.get("/sources/add?sender=vector").text
    assert "http://console.test" in plain
    assert "toc_TOKEN" in plain
    made = engineer.post("/sources/add/token", sender="vector", name="web-agents", days="365").text
    (secret,) = set(re.findall(r"toc_[A-Za-z0-9_-]{20,}", made))
    assert "toc_TOKEN" not in made
    assert secret not in engineer.get("/sources/add?sender=vector").text
    token = own.access.tokens()[0]
    assert [one.value for one in token.permissions] == ["events:ingest"]
    assert token.created_by == "ebba.only"
    refused = engineer.post("/sources/add/token", sender="vector", name="", days="365")
    assert refused.status_code == 303
    assert len(own.access.tokens()) == 1


def test_an_owner_takes_a_reason(engineer: Visitor) -> None:
    address = "/sources/source/owner"
    engineer.post(address, source="hec/win/silent", owner="ana", reason="")
    page = engineer.get("/sources/source?name=hec/win/silent").text
    assert "Nobody: its troubles open no task." in page
    engineer.post(address, source="hec/win/silent", owner="ana", reason=HOSTILE)
    page = engineer.get("/sources/source?name=hec/win/silent").text
    assert "<strong>ana</strong>" in page
    assert "<script>alert" not in page
    answer = engineer.post(address, source="unheard-of", owner="ana", reason="why")
    assert answer.status_code == 303
    assert engineer.get("/sources/source?name=unheard-of").status_code == 404


def test_records_in_quarantine_are_drafted_as_lines_of_text(engineer: Visitor) -> None:
    page = engineer.get("/sources/draft?name=hec/web/broken&of=quarantine").text
    assert "each was taken as one line of text" in page
    assert "connector: broken" in page
    assert "<script>alert" not in page
    assert "Every stored event of it is known" in engineer.get("/sources/draft?name=nobody").text


DOOR = """connector: broken
vendor: Example
product_name: Door
product: door
recognize: {message: {present: true}}
shapes:
  - {name: line, class: base_event, activity: 99}
"""


@pytest.mark.parametrize(
    ("text", "do", "told"),
    [
        (DOOR, "try", "100 of 100 records recognized"),
        (DOOR, "try", "class_uid"),
        (DOOR.replace("vendor", "vendors"), "save", "mapping.yml:2: vendors: Extra inputs"),
        (DOOR.replace("broken", f"'{HOSTILE}'"), "try", "mapping.yml:1: connector is"),
        (DOOR.replace("message:", "nothing:"), "try", "0 of 100 records recognized"),
    ],
)
def test_a_draft_is_tried_before_it_counts(
    engineer: Visitor, own: Tocsin, text: str, do: str, told: str
) -> None:
    page = engineer.post(
        *("/sources/draft",),
        **{"source": "hec/web/broken", "of": "quarantine", "connector": "broken", "text": text},
        do=do,
    ).text
    assert told in page
    assert "<script>alert" not in page
    assert own.mappings.text_of("broken") is None


def test_the_ports_shown_are_those_that_are_bound(engineer: Visitor, own: Tocsin) -> None:
    assert "not listening" in engineer.get("/sources/add").text
    more = {"edge": {"udp": 0, "tcp": 40517}}
    own.home.facts = {
        **{"syslog_tcp": 40514, "syslog_udp": 40515, "otlp_grpc": 40516},
        "syslog_listeners": more,
    }
    page = engineer.get("/sources/add?sender=rsyslog-and-syslog-ng").text
    assert "TCP 40514, UDP 40515" in page
    assert "Syslog edge" in page
    assert "TCP 40517" in page
    assert "40516" in page
    assert "port=&#34;40514&#34;" in page


def test_only_engineers_set_senders_up(own: Tocsin, portal: BlockingPortal) -> None:
    made = Visitors(portal, own)
    assert made("nils.only").get("/sources/add").status_code == 403
    made.close()


def test_every_sender_of_the_page_is_offered_with_this_servers_address() -> None:
    doors = Doors("http://logs.corp:8600", 6601)
    texts = read_senders(senders_file())
    assert {"fluent-bit", "vector", "logstash", "splunk-hec", "rsyslog-and-syslog-ng"} <= {
        one.slug for one in texts
    }
    for text in texts:
        blocks = [part.text for part in text.parts if part.language is not None]
        filled = "\n".join(fill(block, doors, "toc_abc") for block in blocks)
        assert "tocsin.example" not in filled
        assert "toc_TOKEN" not in filled
        assert not re.search(r"https://([^@/]*@)?logs\.corp", filled)
        assert "5514" not in filled
        assert ("logs.corp" in filled) == any("tocsin.example" in block for block in blocks)


def test_an_address_keeps_its_port_and_encryption() -> None:
    fluent = "host: tocsin.example\nport: 443\ntls: on"
    assert (
        fill(fluent, Doors("https://logs.corp", 5514), "") == "host: logs.corp\nport: 443\ntls: on"
    )
    assert fill(fluent, Doors("http://[::1]:8600", 0), "").endswith("port: 8600\ntls: off")
    assert fill("https://tocsin.example:443", Doors("https://logs.corp", 0), "") == (
        "https://logs.corp:443"
    )
    held = "https://any:toc_TOKEN@tocsin.example/push"
    filled = fill(held, Doors("http://logs.corp:8600", 0), "toc_abc")
    assert filled == "http://any:toc_abc@logs.corp:8600/push"


def test_headings_and_paragraphs_are_told_apart(tmp_path: Path) -> None:
    page = tmp_path / "senders.md"
    page.write_text(
        "# T\n## A b\nOne\nline.\n### More\nText.\n```yaml\na: 1\n```\n## No block\nx\n"
    )
    (text,) = read_senders(page)
    assert text.slug == "a-b"
    assert [(part.text, part.language, part.is_heading) for part in text.parts] == [
        ("One line.", None, False),
        ("More", None, True),
        ("Text.", None, False),
        ("a: 1", "yaml", False),
    ]
