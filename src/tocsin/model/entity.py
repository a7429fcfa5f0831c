"""Entities: the people, machines, addresses and accounts that findings are about."""

from dataclasses import dataclass
from enum import StrEnum


class EntityKind(StrEnum):
    """What an entity is."""

    HOST = "host"
    USER = "user"
    SERVICE_ACCOUNT = "service_account"
    ADDRESS = "address"
    CLOUD_ACCOUNT = "cloud_account"
    CLUSTER = "cluster"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """One entity, named in lower case without its domain decoration."""

    kind: EntityKind
    name: str

    @property
    def key(self) -> str:
        """``kind:name``, unique within a tenant."""
        return f"{self.kind}:{self.name}"

    @classmethod
    def from_key(cls, key: str) -> "Entity":
        kind, _, name = key.partition(":")
        return cls(EntityKind(kind), name)
