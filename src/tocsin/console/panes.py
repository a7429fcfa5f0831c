"""Parts of a page that fail alone: the rest of the page stays usable."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from tocsin.console.visit import ConsoleError

Value = TypeVar("Value")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pane(Generic[Value]):
    """What one part shows, or why it can't."""

    value: Value | None
    error: str = ""


def attempt(what: str, make: Callable[[], Value]) -> Pane[Value]:
    """The value ``make`` gives, or an error that names ``what`` could not be shown."""
    try:
        return Pane(make())
    except ConsoleError as error:
        return Pane(None, str(error))
    except Exception as error:
        return failed(what, error)


def failed(what: str, error: Exception) -> Pane[Any]:
    """The pane of a part that failed; the trace goes to the log."""
    trace = "".join(traceback.format_exception(error))  # as text: locals may hold secrets
    _log.warning("console_pane_failed", pane=what, trace=trace)
    return Pane(None, f"{what} can't be shown now: {type(error).__name__}: {error}")
