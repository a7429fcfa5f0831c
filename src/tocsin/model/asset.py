"""Assets, the services they carry, and who answers for them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BusinessService:
    """Something the business does for people; ``approver`` decides what may touch it."""

    name: str
    owner: str
    approver: str
    users: int
    tier: int
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """A machine, device or account we run. ``tier`` 0 is the most critical, 3 the least."""

    name: str
    kind: str
    owner: str
    tier: int
    addresses: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    site: str = ""
    tags: tuple[str, ...] = ()
