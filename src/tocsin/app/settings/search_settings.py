"""Bounds on what people search for."""

from pydantic import BaseModel, ConfigDict, Field


class SearchSettings(BaseModel):
    """What people's searches may take, so that what comes in never waits for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: int = Field(8, ge=1, le=32, description="Searches that run at once.")
    at_once_each: int = Field(4, ge=1, description="Of these, most of one person.")
    wait_s: float = Field(20.0, gt=0, description="Longest wait for a search's turn, in s.")
    limit_s: float = Field(60.0, gt=0, description="Longest time a search may take, in s.")
    jobs_at_once: int = Field(2, ge=1, description="Search jobs that run at once, one a person.")
    job_limit_s: float = Field(1800.0, gt=0, description="Longest time a search job may run, in s.")
    sql_at_once: int = Field(2, ge=1, description="SQL statements that run at once.")
    exports_at_once: int = Field(2, ge=1, description="Exports that run at once, one a person.")
    export_limit_s: float = Field(
        4 * 3600.0, gt=0, description="Longest time an export may run, in s."
    )
    process_memory_mb: int = Field(
        1024, ge=128, description="Memory of a process that exports or answers SQL, in MB."
    )
    jobs_each: int = Field(20, ge=1, description="Search jobs kept of a person.")
    results_each_bytes: int = Field(
        32 * 1024**2, ge=1024, description="Results kept of a person's jobs, packed, in bytes."
    )
    results_kept_s: float = Field(
        3600.0, gt=0, description="Time results are kept after they were last asked for, in s."
    )
