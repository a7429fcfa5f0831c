"""Log lines on standard error; one that can't be written there is counted and stops nobody."""

import logging
import sys
import threading

import structlog


class StderrLines:
    """The logger behind structlog: where a full disk takes no line, the work goes on without it.

    Lines that were not written are told of, by their number, before the next one that is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lost = 0

    def msg(self, message: str) -> None:
        """Write a line to what standard error is now."""
        with self._lock:
            try:
                if self._lost:
                    sys.stderr.write(f"{self._lost} log lines could not be written before this\n")
                sys.stderr.write(f"{message}\n")
                sys.stderr.flush()
            except (OSError, ValueError):  # no space, nobody reads any more; closed
                self._lost += 1
            else:
                self._lost = 0

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def configure_logs() -> None:
    """Logs go to stderr, one line an event."""
    lines = StderrLines()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
    )
