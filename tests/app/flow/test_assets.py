"""The asset register finds assets, and the services that would feel it."""

from pathlib import Path

import pytest

from tocsin.app.flow.assets import AssetRegister, dump_assets, load_assets
from tocsin.app.settings.config_errors import ConfigError
from tocsin.model.asset import Asset, BusinessService
from tocsin.model.entity import Entity, EntityKind

DATABASE = Asset(
    "db-01", "server", "ops", 0, addresses=("10.0.0.5", "fd00::5"), services=("orders-db",)
)
SHOP = BusinessService("shop", "sales", "boss", 5000, 1, depends_on=("orders-db",))
ORDERS = BusinessService("orders-db", "ops", "head", 10, 0)
REGISTER = AssetRegister([DATABASE], [SHOP, ORDERS])


def test_an_asset_is_found_by_name_domain_name_and_address() -> None:
    assert REGISTER.asset("DB-01.corp.example") is DATABASE
    assert REGISTER.by_address("10.0.0.5") is DATABASE
    assert REGISTER.asset("db-02") is None


def test_a_network_finds_what_lies_in_it_of_its_own_family() -> None:
    assert REGISTER.within("10.0.0.0/24") == [DATABASE]
    assert REGISTER.within("fd00::/64") == [DATABASE]
    assert REGISTER.within("10.1.0.0/16") == []


def test_services_that_depend_are_touched_too() -> None:
    assert [service.name for service in REGISTER.services_of(DATABASE)] == ["orders-db", "shop"]


def test_the_tier_of_an_entity_is_that_of_its_asset() -> None:
    assert REGISTER.tier_of(Entity(EntityKind.HOST, "db-01")) == 0
    assert REGISTER.tier_of(Entity(EntityKind.ADDRESS, "10.0.0.5")) == 0
    assert REGISTER.tier_of(Entity(EntityKind.USER, "alice")) is None


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "assets.yml"
    dump_assets(path, REGISTER.all(), REGISTER.services())
    loaded = load_assets(path)
    assert loaded.all() == REGISTER.all()
    assert loaded.services() == REGISTER.services()


def test_no_file_is_an_empty_register(tmp_path: Path) -> None:
    assert load_assets(tmp_path / "assets.yml").all() == []


@pytest.mark.parametrize("text", ["assets: 5", "- a", "assets: [{name: x}]", "{", "\x00"])
def test_a_wrong_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "assets.yml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"assets\.yml"):
        load_assets(path)
