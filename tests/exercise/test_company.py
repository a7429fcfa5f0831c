"""The sample company: large enough, owned, reserved addresses only."""

import ipaddress
from pathlib import Path

import pytest

from tocsin.exercise.company import COMPANY_FOLDER, Company, ExerciseError, load_company

RESERVED = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "192.168.0.0/16", "198.51.100.0/24", "2001:db8::/32")
]


def test_it_has_forty_machines_sixty_people_a_cluster_and_an_account(company: Company) -> None:
    machines = [asset for asset in company.assets if asset.addresses]
    assert len(machines) >= 40
    assert len(company.people) == 60
    kinds = {asset.kind for asset in company.assets}
    assert {"cloud_account", "cluster", "domain_controller", "jump_host", "firewall"} <= kinds
    assert len(company.accounts) >= 5


def test_every_asset_has_an_owner_and_carries_a_service_someone_approves(company: Company) -> None:
    people = {person.name for person in company.people}
    services = {service.name: service for service in company.services}
    for asset in company.assets:
        assert asset.owner in people
        assert asset.services
        assert {services[name].approver for name in asset.services} <= people
        assert 0 <= asset.tier <= 3


def test_addresses_are_reserved_and_belong_to_one_machine(company: Company) -> None:
    addresses = [address for asset in company.assets for address in asset.addresses]
    assert len(set(addresses)) == len(addresses)
    for address in addresses:
        parsed = ipaddress.ip_address(address)
        assert any(parsed in network for network in RESERVED if network.version == parsed.version)


def test_a_name_nobody_has_is_told_with_the_file_to_change(company: Company) -> None:
    with pytest.raises(ExerciseError, match=r"no asset 'nh-nowhere'.*hosts\.yml"):
        company.asset("nh-nowhere")


def test_an_owner_who_does_not_exist_is_refused(tmp_path: Path) -> None:
    for path in COMPANY_FOLDER.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(text.replace("owner: amara.quill", "owner: no.one"))
    with pytest.raises(ExerciseError, match=r"asset nh-db01: owner no\.one"):
        load_company(tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "company.yml").write_text("name: [")
    with pytest.raises(ExerciseError, match=r"company\.yml can't be read"):
        load_company(tmp_path)
