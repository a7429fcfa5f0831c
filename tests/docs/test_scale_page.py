"""The page on growing names commands, settings and files that are there."""

import re
import tomllib

import pytest
import typer.main

from tests.places import REPOSITORY
from tocsin.app.home.stores import PLACE, Stores, check_addresses
from tocsin.app.settings.config import StoreSettings
from tocsin.cli.commands.admin import app

PAGE = (REPOSITORY / "docs" / "scale.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^tocsin admin .+", PAGE, re.MULTILINE)))


def test_the_example_is_a_configuration_that_is_taken() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    store = StoreSettings(**tomllib.loads(block)["store"])
    check_addresses(Stores(store.state, store.events))
    assert f"`{PLACE}`" in PAGE


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_exists(line: str) -> None:
    words = line.split()
    command = typer.main.get_command(app).commands[words[2]]  # type: ignore[attr-defined]
    known = {name for parameter in command.params for name in parameter.opts}
    options = {word for word in words if word.startswith("--")}
    assert options
    assert options <= known
