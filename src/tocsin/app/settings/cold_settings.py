"""The settings of cold segments."""

from pydantic import BaseModel, ConfigDict, Field


class ColdSettings(BaseModel):
    """Old segments in a bucket instead of on this disk; searches still find them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = Field(
        "", description="`s3://bucket/prefix` of this data folder; none without it."
    )
    after_days: float = Field(
        90.0, gt=0, description="Age of its newest event at which a segment moves, in days."
    )
    cache_bytes: int = Field(
        10 * 1024**3, ge=1024**2, description="Most that is fetched back at a time, in bytes."
    )
    interval_h: float = Field(6.0, gt=0, description="Time between looks for old ones, in h.")
    bytes_per_s: int = Field(
        50_000_000,
        ge=1_000_000,
        description="Most that is sent and read back in a second, in bytes.",
    )
    endpoint_url: str | None = Field(
        None, description="Address of a storage that speaks S3, when it is not AWS."
    )
    region: str | None = Field(None, description="Region of the bucket.")
