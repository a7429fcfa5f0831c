"""The settings of backups."""

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
    endpoint_url: str | None = Field(
        None, description="Address of a storage that speaks S3, when it is not AWS."
    )
    region: str | None = Field(None, description="Region of the bucket.")
