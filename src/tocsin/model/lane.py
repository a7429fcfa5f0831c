"""A lane: the stream of events of one shape, and which Sigma log sources it answers for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogSource:
    """What a Sigma rule asks for (Sigma 2.1, ``logsource``); None means "not asked"."""

    product: str | None = None
    category: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One product that events may be asked for by, with the categories and services they are of."""

    product: str
    categories: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    def fits(self, logsource: LogSource) -> bool:
        """True when every part the rule sets is one of this answer's."""
        return (
            (logsource.product is None or logsource.product == self.product)
            and (logsource.category is None or logsource.category in self.categories)
            and (logsource.service is None or logsource.service in self.services)
        )


@dataclass(frozen=True, slots=True)
class Lane:
    """Events of one connector and one shape: same native fields, same OCSF class.

    ``categories`` and ``services`` are what Sigma rules may ask of these events; a Windows
    process creation of Sysmon, say, answers for category ``process_creation`` and for
    service ``sysmon``. ``also`` are answers under further products: a line of PostgreSQL that
    came by syslog is one of Linux's syslog too, and rules for that must still see it.
    """

    connector: str
    shape: str
    product: str
    categories: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    also: tuple[Answer, ...] = ()

    @property
    def id(self) -> str:
        """``connector.shape``, as stored with every event."""
        return f"{self.connector}.{self.shape}"

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Its own answer, then the further ones."""
        return (Answer(self.product, self.categories, self.services), *self.also)

    def accepts(self, logsource: LogSource) -> bool:
        """True when every part the rule sets is one of one answer's (conflict: never).

        Parts of different answers are never put together.
        """
        return any(answer.fits(logsource) for answer in self.answers)
