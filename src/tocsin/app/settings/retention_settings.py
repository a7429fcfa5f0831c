"""Settings of retention: the rules the configuration sets, and when deleting stops and asks."""

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tocsin.model.retention import CountedFrom, RetentionRule

LONGEST_KEEP_DAYS = 36_500


class RetentionRuleSettings(BaseModel):
    """A rule of retention: ``[[retention.rules]]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,119}$", description="What it is called by."
    )
    source: str = Field(
        "*", min_length=1, max_length=300, description="Sources it covers; `*`, `?`, `[…]`."
    )
    tenant: str = Field("", max_length=200, description="Tenant it covers; empty: every one.")
    keep_days: float | None = Field(
        None, ge=1, le=LONGEST_KEEP_DAYS, description="Age at which events go, in days."
    )
    most_bytes: int | None = Field(
        None, ge=1_000_000, description="Size at which the oldest go, in bytes."
    )
    least_free_bytes: int | None = Field(
        None, ge=1_000_000, description="Free bytes of the disk below which the oldest go."
    )
    counted_from: CountedFrom = Field(
        CountedFrom.INTAKE, description="`intake` or `event`: what the age is counted from."
    )

    @model_validator(mode="after")
    def _disk_is_of_all(self) -> "RetentionRuleSettings":
        if self.least_free_bytes is not None and (self.source, self.tenant) != ("*", ""):
            raise ValueError("least_free_bytes is for all sources: leave source and tenant out")
        return self

    def rule(self) -> RetentionRule:
        return RetentionRule(**self.model_dump())


class RetentionSettings(BaseModel):
    """How long events are kept; without a rule, for ever. Rules can be changed at run time too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[RetentionRuleSettings, ...] = Field(
        (),
        description="`[[retention.rules]]`, each with `name`, `source`, `tenant`, `keep_days`, "
        "`most_bytes`, `least_free_bytes`, `counted_from`.",
    )
    interval_s: float = Field(
        300.0, gt=0, description="Time between looks for events that may go, in s."
    )
    most_share: float = Field(
        0.2, gt=0, le=1, description="Share of all events beyond which deleting stops and asks."
    )
    most_leap_days: float = Field(
        7.0, gt=0, description="Leap of the clock beyond which deleting stops and asks, in days."
    )

    @field_validator("rules")
    @classmethod
    def _names_differ(
        cls, rules: tuple[RetentionRuleSettings, ...]
    ) -> tuple[RetentionRuleSettings, ...]:
        names = [one.name for one in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are named {twice[0]!r}; each needs its own")
        return rules
