"""What is known of addresses goes onto events, whatever becomes of the files it is known from."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.mmdb_writer import mmdb
from tocsin.app.flow.assets import AssetRegister
from tocsin.app.flow.enrichment import open_enricher
from tocsin.app.settings.config import load_settings
from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.model.asset import Asset
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.enrichment import Enricher
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.normalize.ocsf_object import to_ocsf

RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
ORIGIN = Origin("real", RECEIVED, "test", 1)
(LINUX,) = [load_mapping(path) for path in mapping_paths() if path.parent.name == "linux"]
CITY = {
    "country": {"iso_code": "NZ", "names": {"en": "New Zealand"}},
    "continent": {"names": {"en": "Oceania"}},
    "city": {"names": {"en": "Wellington"}},
    "subdivisions": [{"iso_code": "WGN"}],
}
OPERATOR = {
    "autonomous_system_number": 64511,
    "autonomous_system_organization": "Example Networks",
}


def _line(source: str) -> bytes:
    said = f"Failed password for ada from {source} port 4711 ssh2"
    return f"<38>Jun 30 14:31:00 node-1 sshd[500]: {said}".encode()


def _rows(normalizer: Normalizer, *sources: str) -> list[dict[str, Any]]:
    payload = b"\n".join(map(_line, sources))
    batches = normalizer.normalize(decode(RawBatch("real", payload, RECEIVED)), ORIGIN)
    assert sum(map(len, batches)) == len(sources)
    return [row for batch in batches for row in batch.ocsf_rows(range(len(batch)))]


class House:
    """A data folder with its files for enriching."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.city, self.operators = home / "city.mmdb", home / "asn.mmdb"
        self.city.write_bytes(mmdb({"198.51.100.0/24": CITY, "2001:db8::/32": CITY}))
        self.operators.write_bytes(mmdb({"198.51.100.0/25": OPERATOR}))
        self.enricher: Enricher | None = None

    def normalizer(self) -> Normalizer:
        settings = load_settings(home=self.home, enrich__geoip_files=[self.city, self.operators])
        register = AssetRegister([Asset("db-1", "server", "ada", 1, ("10.20.0.7",))])
        self.enricher = open_enricher(settings, register)
        return Normalizer([LINUX], self.enricher)

    @property
    def problems(self) -> Sequence[str]:
        assert self.enricher is not None
        return self.enricher.problems()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_places_and_operators_are_added(house: House) -> None:
    one, other, six = _rows(house.normalizer(), "198.51.100.9", "198.51.100.200", "2001:db8::7")
    assert one["src_endpoint.location.country"] == "NZ"
    assert one["src_endpoint.location.region"] == "NZ-WGN"
    assert one["src_endpoint.location.city"] == "Wellington"
    assert one["src_endpoint.autonomous_system.number"] == 64511
    assert one["src_endpoint.autonomous_system.name"] == "Example Networks"
    assert "src_endpoint.autonomous_system.number" not in other
    assert six["src_endpoint.location.country"] == "NZ"
    assert house.problems == []


def test_networks_and_assets_are_named(house: House) -> None:
    (house.home / "networks.yml").write_text(
        "networks:\n"
        "- {network: 10.0.0.0/8, name: offices}\n"
        "- {network: 10.20.0.0/16, name: data center, tags: [servers, north]}\n"
        "- {network: 203.0.113.0/24, name: partner, internal: false}\n"
    )
    server, office, partner, far, home = _rows(
        house.normalizer(), "10.20.0.7", "10.9.9.9", "203.0.113.4", "8.8.8.8", "192.168.1.2"
    )
    assert server["src_endpoint.zone"] == "data center"
    assert server["src_endpoint.name"] == "db-1"
    assert server["unmapped.src_endpoint.network_tags"] == "servers, north"
    assert office["src_endpoint.zone"] == "offices"
    assert partner["src_endpoint.zone"] == "partner"
    scopes = [row["src_endpoint.network_scope_id"] for row in (server, office, partner, far, home)]
    assert scopes == [1, 1, 2, 2, 1]


def test_enriched_events_are_valid_ocsf(
    house: House, validate: Callable[[dict[str, Any]], list[str]]
) -> None:
    decoded = decode(RawBatch("real", _line("198.51.100.9"), RECEIVED))
    (batch,) = house.normalizer().normalize(decoded, ORIGIN)
    event = to_ocsf(batch.ocsf_rows([0])[0], RECEIVED, batch.lane)
    assert event["src_endpoint"]["location"]["country"] == "NZ"
    assert validate(event) == []


def test_what_an_event_says_itself_stays(house: House) -> None:
    decoded = decode(RawBatch("real", _line("10.20.0.7"), RECEIVED))
    (batch,) = house.normalizer().normalize(decoded, ORIGIN)
    (house.home / "networks.yml").write_text("networks: [{network: 10.0.0.0/8, name: offices}]")
    named = batch.ocsf.append_column("src_endpoint.zone", pa.array(["its own"]))
    assert house.enricher is not None
    (again,) = house.enricher.enriched([replace(batch, ocsf=named)])
    assert again.ocsf_rows([0])[0]["src_endpoint.zone"] == "its own"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "can't be read"),
        (b"", "damaged"),
        (b"no database at all", "damaged"),
        (mmdb({"198.51.100.0/24": CITY})[40:], "damaged"),
    ],
)
def test_a_bad_file_is_told_and_events_go_on(
    house: House, content: bytes | None, reason: str
) -> None:
    house.city.unlink()
    if content is not None:
        house.city.write_bytes(content)
    (row,) = _rows(house.normalizer(), "198.51.100.9")
    assert row["src_endpoint.ip"] == "198.51.100.9"
    assert row["src_endpoint.autonomous_system.number"] == 64511
    (problem,) = house.problems
    assert str(house.city) in problem
    assert reason in problem


def test_cutting_a_file_short_disturbs_nothing_and_a_new_one_is_read(house: House) -> None:
    normalizer = house.normalizer()
    _rows(normalizer, "198.51.100.9")
    house.city.write_bytes(b"")
    (row,) = _rows(normalizer, "198.51.100.77")
    assert row["src_endpoint.location.country"] == "NZ"
    assert len(house.problems) == 1
    moved = CITY | {"country": {"iso_code": "AU"}}
    house.city.write_bytes(mmdb({"198.51.100.0/24": moved}))
    (row,) = _rows(normalizer, "198.51.100.77")
    assert row["src_endpoint.location.country"] == "AU"
    assert house.problems == []


@pytest.mark.parametrize(
    "text", ["networks: [{network: 10.0.0.0/99, name: x}]", "a: [", "just text", "\x00"]
)
def test_a_bad_list_of_networks_is_told_and_events_go_on(house: House, text: str) -> None:
    (house.home / "networks.yml").write_text(text)
    (row,) = _rows(house.normalizer(), "198.51.100.9")
    assert row["src_endpoint.location.country"] == "NZ"
    assert "networks.yml" in house.problems[0]
