"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.config import Settings, load_settings
from tocsin.app.home import running_server
from tocsin.app.wiring import Tocsin, open_tocsin

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Data folder (default: TOCSIN_HOME, else ./tocsin-data)."),
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def settings_for(home: Path | None, config: Path | None = None, **flags: object) -> Settings:
    return load_settings(config, home=home, **flags)


def open_house(home: Path | None, config: Path | None = None) -> Tocsin:
    """Open the data folder in this process, its listeners closed; raises HomeInUse."""
    return open_tocsin(settings_for(home, config, http__port=0, syslog__enabled=False))


def server_of(home: Path | None, config: Path | None = None) -> dict[str, str] | None:
    """Address and token of the server running on the data folder, None when none is."""
    facts = running_server(settings_for(home, config).home)
    return facts if facts and "url" in facts and "token" in facts else None
