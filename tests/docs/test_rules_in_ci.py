"""The snippets that gate a rule repository are valid and use options that exist."""

import re

import pytest
import typer.main
import yaml

from tests.places import REPOSITORY
from tocsin.cli.commands.rules import app

TEXT = (REPOSITORY / "docs" / "rules-in-ci.md").read_text(encoding="utf-8")
SNIPPETS = [yaml.safe_load(found) for found in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
COMMANDS = sorted(set(re.findall(r"tocsin rules [^|`\n#]+", TEXT)))


def test_both_build_servers_have_a_snippet() -> None:
    actions, gitlab = SNIPPETS
    steps = [step.get("run", "") for step in actions["jobs"]["rules"]["steps"]]
    for wanted in ("tocsin rules lint", "tocsin rules test"):
        assert any(wanted in step for step in steps)
        assert any(wanted in step for step in gitlab["rules"]["script"])
    assert gitlab["rules"]["artifacts"]["reports"]["junit"] == ["lint.xml", "test.xml"]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_exists(line: str) -> None:
    words = line.split()
    group = typer.main.get_command(app)
    command = group.commands[words[2]]  # type: ignore[attr-defined]  # a click group
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
