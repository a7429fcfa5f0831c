"""The sample company: its people, machines, accounts and business services, as content tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

import tocsin
from tocsin.model.asset import Asset, BusinessService

COMPANY_FOLDER = Path(tocsin.__file__).parent / "content" / "company"


class ExerciseError(Exception):
    """Root of what the exercise room raises; says what, where and what to do."""


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who works here. ``workstation`` is empty for those who share terminals."""

    name: str
    department: str
    title: str
    workstation: str = ""
    admin: bool = False


@dataclass(frozen=True)
class Company:
    """Everything the day's events are about; ``accounts`` maps machine identities to owners."""

    name: str
    domain: str
    windows_domain: str
    windows_dns: str
    office_egress: str
    cluster: str
    github_org: str
    okta: str
    aws_account: str
    aws_region: str
    accounts: Mapping[str, str]
    people: tuple[Person, ...]
    assets: tuple[Asset, ...]
    services: tuple[BusinessService, ...]

    @cached_property
    def _by_name(self) -> dict[str, Asset]:
        return {asset.name: asset for asset in self.assets}

    def asset(self, name: str) -> Asset:
        """The asset called ``name``; raises ``ExerciseError`` when there is none."""
        try:
            return self._by_name[name]
        except KeyError:
            raise ExerciseError(
                f"the sample company has no asset {name!r}; add it to {COMPANY_FOLDER}/hosts.yml"
            ) from None

    def address(self, name: str) -> str:
        """The private address of a machine."""
        return self.asset(name).addresses[0]

    def public_address(self, name: str) -> str:
        """The address the internet knows a machine by."""
        return self.asset(name).addresses[1]

    def hosts(self, tag: str) -> tuple[Asset, ...]:
        """Machines carrying ``tag`` (``windows``, ``linux``, ``internet-facing`` …)."""
        return tuple(asset for asset in self.assets if tag in asset.tags)

    def at_desks(self) -> tuple[Person, ...]:
        """People with a workstation of their own."""
        return tuple(person for person in self.people if person.workstation)

    def computer(self, name: str) -> str:
        """A Windows machine's full name as it writes it into its events."""
        return f"{name.upper()}.{self.windows_dns}"


def load_company(folder: Path = COMPANY_FOLDER) -> Company:
    """The company told by the YAML files of ``folder``; ``ExerciseError`` when they disagree."""
    about = _read(folder / "company.yml")
    company = Company(
        name=about["name"],
        domain=about["domain"],
        windows_domain=about["windows_domain"],
        windows_dns=about["windows_dns"],
        office_egress=about["office_egress"],
        cluster=about["cluster"],
        github_org=about["github_org"],
        okta=about["okta"],
        aws_account=about["aws"]["account"],
        aws_region=about["aws"]["region"],
        accounts=about["accounts"],
        people=tuple(Person(**entry) for entry in _read(folder / "people.yml")),
        assets=tuple(_asset(entry) for entry in _read(folder / "hosts.yml")),
        services=tuple(_service(entry) for entry in _read(folder / "services.yml")),
    )
    _check(company, folder)
    return company


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ExerciseError(f"{path} can't be read: {error}; restore the shipped file") from error


def _asset(entry: dict[str, Any]) -> Asset:
    users = (entry["owner"],) if entry["kind"] == "workstation" else ()
    return Asset(
        name=entry["name"],
        kind=entry["kind"],
        owner=entry["owner"],
        tier=entry["tier"],
        addresses=tuple(entry["addresses"]),
        services=tuple(entry["services"]),
        users=users,
        site=entry["site"],
        tags=(entry["system"], *entry.get("tags", ())),
    )


def _service(entry: dict[str, Any]) -> BusinessService:
    return BusinessService(**{**entry, "depends_on": tuple(entry.get("depends_on", ()))})


def _check(company: Company, folder: Path) -> None:
    people = {person.name for person in company.people}
    services = {service.name for service in company.services}
    names = {asset.name for asset in company.assets}
    wrong = [f"asset {a.name}: owner {a.owner}" for a in company.assets if a.owner not in people]
    wrong += [
        f"asset {asset.name}: service {service}"
        for asset in company.assets
        for service in asset.services
        if service not in services
    ]
    wrong += [
        f"service {service.name}: {who}"
        for service in company.services
        for who in (service.owner, service.approver, *service.depends_on)
        if who not in people | services
    ]
    wrong += [
        f"person {person.name}: workstation {person.workstation}"
        for person in company.people
        if person.workstation and person.workstation not in names
    ]
    if wrong:
        raise ExerciseError(f"{folder} names what is not there: {'; '.join(wrong)}")
