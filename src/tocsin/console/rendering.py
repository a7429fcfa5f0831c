"""Turns a view into HTML: one Jinja environment, autoescape on, unknown names are errors."""

import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tocsin.app.coverage.attack_facts import technique_name
from tocsin.app.moment import span
from tocsin.console import display, fields
from tocsin.triage.attack import TACTICS, tactics_of

FOLDER = Path(__file__).resolve().parent
STATIC = FOLDER / "static"


class MissingFiles(Exception):
    """The browser files that the build puts into ``static/vendor`` are not there."""


def make_environment() -> Environment:
    """The environment all pages share; raises MissingFiles when the build step was skipped."""
    if not (STATIC / "vendor" / "htmx.min.js").is_file():
        raise MissingFiles(
            f"{STATIC / 'vendor' / 'htmx.min.js'} is missing: install the package again "
            "(`pip install -e .` runs the build hook), or run `python hatch_build.py` in its folder"
        )
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digests = {
        path.relative_to(STATIC).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in STATIC.rglob("*")
        if path.is_file()
    }
    environment.globals.update(
        asset=lambda name: f"/static/{name}?v={digests[name]}",
        ago=display.ago,
        clock=display.clock,
        exact=display.exact,
        stamp=display.stamp,
        marked=display.marked,
        tactic_names=TACTICS,
        tactics_of=tactics_of,
        value_title=fields.value_title,
    )
    environment.filters.update(
        visible=display.visible,
        count=display.count,
        short_count=display.short_count,
        share=display.share,
        size=display.size,
        span=span,
        cpu=display.cpu,
        words=display.words,
        initials=display.initials,
        technique_name=technique_name,
    )
    return environment
