"""Commands that are imported when they are asked for, so that each starts as fast as it can.

Typer keeps its own copy of click, which has no public names for types: hence ``Any``.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import typer.main
from typer.core import TyperGroup


class LazyCommands(TyperGroup):
    """A group whose commands live in ``tocsin.cli.commands``, one module each.

    ``told`` has a line on each, so that the list of commands needs none of them.
    """

    told: Mapping[str, str] = MappingProxyType({})

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.told)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, in the order of ``told``."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.told.items()))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; its module's ``app`` says what it is."""
        if cmd_name not in self.told:
            return None
        return typer.main.get_command(self.module(cmd_name).app)

    @classmethod
    def module(cls, name: str) -> Any:
        """Import the module of the command of that name."""
        return importlib.import_module(f"tocsin.cli.commands.{name}")
