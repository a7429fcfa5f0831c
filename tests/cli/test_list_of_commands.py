"""The list of commands is told without importing them, and tells what they say of themselves."""

from pathlib import Path

import pytest
import typer.main

from tocsin import cli
from tocsin.cli.main import app

GROUP = typer.main.get_command(app)
CONTEXT = GROUP.make_context("tocsin", ["--help"], resilient_parsing=True)


@pytest.mark.parametrize("name", GROUP.list_commands(CONTEXT))
def test_a_line_is_the_beginning_of_the_command_s_own_help(name: str) -> None:
    told = GROUP.told[name].removesuffix(".")
    assert GROUP.get_command(CONTEXT, name).help.startswith(told)


def test_every_command_is_told() -> None:
    modules = (Path(cli.__file__).parent / "commands").glob("*.py")
    commands = {path.stem for path in modules if "_" not in path.stem}
    assert set(GROUP.list_commands(CONTEXT)) == commands


def test_what_is_no_command_is_none() -> None:
    assert GROUP.get_command(CONTEXT, "nonsense") is None
