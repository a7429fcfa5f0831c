"""docs/senders.md can be copied from: its settings parse, its addresses are there."""

import json
import re
import tomllib

import pytest
import yaml
from fastapi import FastAPI

from tests.docs.generate import api_routes
from tests.places import REPOSITORY
from tocsin.app.settings.config import Settings

PAGE = (REPOSITORY / "docs" / "senders.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
READERS = {"yaml": yaml.safe_load, "toml": tomllib.loads, "json": json.loads}


@pytest.mark.parametrize(("language", "text"), [block for block in BLOCKS if block[0] in READERS])
def test_settings_parse_and_name_the_server(language: str, text: str) -> None:
    settings = READERS[language](text)
    if settings.keys() <= Settings.model_fields.keys():  # ours, not a sender's
        read = Settings(**settings)
        assert settings.keys() <= read.model_fields_set
        return
    if "Statement" in settings:  # what AWS is to allow us
        assert {one["Effect"] for one in settings["Statement"]} == {"Allow"}
        return
    assert "tocsin.example" in json.dumps(settings)
    is_syslog = "://tocsin.example:5514" in json.dumps(settings)
    assert is_syslog or "toc_TOKEN" in json.dumps(settings)


def test_addresses_are_there() -> None:
    routes = {route.path for route in api_routes(FastAPI())}
    told = set(re.findall(r"`(/(?:services|_bulk|loki|\{index\}|v1|api)[^`?]*)`", PAGE))
    told |= set(re.findall(r"""tocsin\.example(/[^\s'"?]+)""", PAGE))
    assert len(told) > 8
    assert told <= routes
