"""Commands that are imported when they are asked for, so that each starts as fast as it can.

Typer keeps its own copy of click, which has no public names for types: hence ``Any``.
"""

import importlib
from typing import Any

import typer.main
from typer.core import TyperGroup


class LazyCommands(TyperGroup):
    """A group whose commands live in ``tocsin.cli.commands``, one module each."""

    names: tuple[str, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.names)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; its module's ``app`` says what it is."""
        if cmd_name not in self.names:
            return None
        module = importlib.import_module(f"tocsin.cli.commands.{cmd_name}")
        return typer.main.get_command(module.app)
