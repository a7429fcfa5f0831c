"""How a command reaches a data folder: through the server that runs on it, or by opening it."""

from pathlib import Path

from tocsin.app.home.home import running_server
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.cli.options import settings_for

CLI_TOKEN = "commands on this machine"  # noqa: S105 - its name
"""The token by which commands speak to the server on their machine."""


def open_house(home: Path | None, config: Path | None = None) -> Tocsin:
    """Open the data folder in this process, its listeners closed; raises HomeInUse."""
    return open_tocsin(settings_for(home, config, http__port=0, syslog__enabled=False))


def server_of(home: Path | None, config: Path | None = None) -> dict[str, str] | None:
    """Address and token of the server running on the data folder, None when none is."""
    facts = running_server(settings_for(home, config).home)
    return facts if facts and "url" in facts and "token" in facts else None
