"""The settings of backups, and of the check of what is kept."""

from pydantic import BaseModel, ConfigDict, Field


class BackupSettings(BaseModel):
    """Backups by themselves; `tocsin admin backup` makes one at any time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = Field(
        "",
        description="Folder on another disk, or `s3://bucket/prefix`; none without it.",
    )
    interval_h: float = Field(24.0, gt=0, description="Time from one backup to the next, in h.")
    keep: int = Field(14, ge=1, description="Backups kept; older ones are dropped.")
    bytes_per_s: int = Field(
        100_000_000, ge=1_000_000, description="Most that is copied in a second, in bytes."
    )
    endpoint_url: str | None = Field(
        None, description="Address of a storage that speaks S3, when it is not AWS."
    )
    region: str | None = Field(None, description="Region of the bucket.")


class IntegritySettings(BaseModel):
    """The regular check of everything that is kept, slow so that it disturbs nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interval_h: float = Field(168.0, gt=0, description="Time from one check to the next, in h.")
    bytes_per_s: int = Field(
        20_000_000, ge=1_000_000, description="Most that is read in a second, in bytes."
    )
