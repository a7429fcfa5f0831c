"""Everything people search with: turns, jobs, and processes for exports and SQL."""

from pathlib import Path

from tocsin.app.searches.search_jobs import SearchJobs
from tocsin.app.searches.search_process import SearchProcesses
from tocsin.app.searches.search_turns import SearchTurns
from tocsin.app.settings.search_settings import SearchSettings
from tocsin.store.ports import EventStore


class SearchDesk:
    """One for the house; what it holds is bounded as the settings say."""

    def __init__(self, home: Path, events: EventStore, settings: SearchSettings) -> None:
        wait_s = settings.wait_s
        self.turns = SearchTurns(
            settings.at_once, settings.at_once_each, wait_s=wait_s, limit_s=settings.limit_s
        )
        self.export_turns = SearchTurns(
            settings.exports_at_once, 1, wait_s=wait_s, limit_s=settings.export_limit_s
        )
        self.exports = SearchProcesses(
            home,
            most=settings.exports_at_once,
            memory_mb=settings.process_memory_mb,
            wait_s=wait_s,
        )
        self.sql = SearchProcesses(
            home, most=settings.sql_at_once, memory_mb=settings.process_memory_mb, wait_s=wait_s
        )
        self._job_sql = SearchProcesses(
            home, most=1, memory_mb=settings.process_memory_mb, wait_s=settings.job_limit_s
        )
        self.jobs = SearchJobs(events, settings, self._job_sql.parts)

    def close(self) -> None:
        """End what runs."""
        self.jobs.close()
        self.exports.close()
        self.sql.close()
        self._job_sql.close()
