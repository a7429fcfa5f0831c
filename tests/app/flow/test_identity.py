"""An address of ours is the machine that has it."""

from tocsin.app.flow.assets import AssetRegister
from tocsin.app.flow.identity import entities_with
from tocsin.model.asset import Asset
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

ASSETS = AssetRegister([Asset("WS-07", "workstation", "ann", 3, addresses=("10.0.0.7",))])
RULE = Rule("r", "r", Level.LOW, LogSource(product="zeek"))


def _keys(ocsf: dict[str, object], rule: Rule = RULE) -> list[str]:
    return [entity.key for entity in entities_with(ASSETS)(rule, ocsf)]


def test_the_machine_comes_before_its_address() -> None:
    assert _keys({"src_endpoint.ip": "10.0.0.7"}) == ["host:ws-07", "address:10.0.0.7"]


def test_an_address_of_nobody_stays_an_address() -> None:
    assert _keys({"src_endpoint.ip": "203.0.113.9"}) == ["address:203.0.113.9"]


def test_no_entity_is_named_twice() -> None:
    keys = _keys({"device.hostname": "ws-07", "src_endpoint.ip": "10.0.0.7"})
    assert sorted(keys) == sorted(set(keys))
    assert keys[0] == "host:ws-07"
