"""The ``tocsin`` command: one file a command, gathered here."""

import sys
from types import MappingProxyType

import typer

from tocsin import __version__
from tocsin.app.access.access_errors import AccessError
from tocsin.app.collector import setting_aside
from tocsin.app.rehearsals.rehearsal_errors import RehearsalError
from tocsin.app.settings.config_errors import ConfigError
from tocsin.cli.lazy import LazyCommands
from tocsin.cli.log_lines import configure_logs
from tocsin.cli.output import Exit, err
from tocsin.detect.errors import DetectError
from tocsin.exercise.company import ExerciseError
from tocsin.ingest.errors import IngestError
from tocsin.normalize.errors import NormalizeError
from tocsin.respond.errors import RespondError
from tocsin.store.errors import StoreError


class _Commands(LazyCommands):
    told = MappingProxyType(
        {
            "demo": "Play a day of a sample company under attack.",
            "serve": "Take events in, detect, and serve the console and the API.",
            "ingest": "Take log files in.",
            "search": "Find events, newest first.",
            "searches": "List, keep and forget saved searches.",
            "hunt": "Run Sigma rules over log files offline.",
            "rules": "Check, test and list detection rules.",
            "sources": "See who sends, how much, and what could not be read.",
            "case": "Read cases.",
            "playbook": "Check, simulate and list CACAO playbooks.",
            "bench": "Measure this machine: reproducible, prints JSON.",
            "admin": "Users, tokens and the audit chain; backup, restore, check and export.",
        }
    )


app = typer.Typer(
    name="tocsin",
    cls=_Commands,
    help="The SecOps platform that security and IT operations share.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=False)
def _options(
    version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and stop.",
        is_eager=True,
        callback=lambda on: _version(on),
    ),
) -> None:
    """Exit codes: 0 done, 1 findings, 2 bad content, 3 bad configuration."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tocsin {__version__}")
        raise typer.Exit(Exit.DONE)


_KNOWN = (
    StoreError,
    IngestError,
    NormalizeError,
    DetectError,
    RespondError,
    AccessError,
    ExerciseError,
    RehearsalError,
)


def main() -> None:
    """Run the command line; known errors become one clear line and an exit code."""
    configure_logs()
    try:
        with setting_aside():
            _import_asked(sys.argv[1:2])
        app()
    except ConfigError as error:
        err.print(f"tocsin: {error}", markup=False)
        sys.exit(Exit.BAD_CONFIGURATION)
    except _KNOWN as error:
        err.print(f"tocsin: {error}", markup=False)
        sys.exit(Exit.BAD_CONTENT)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(Exit.DONE)


def _import_asked(first: list[str]) -> None:
    for name in first:
        if name in _Commands.told:
            _Commands.module(name)
