"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.app.settings.config import Settings, load_settings

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Data folder (default: TOCSIN_HOME, else ./tocsin-data)."),
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def settings_for(home: Path | None, config: Path | None = None, **flags: object) -> Settings:
    return load_settings(config, home=home, **flags)
