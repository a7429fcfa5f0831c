"""Where a data folder's cold segments lie, kept in the folder so that every reader finds them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tocsin.app.home.backup_place import open_bucket
from tocsin.app.settings.cold_settings import ColdSettings
from tocsin.app.settings.config_errors import ConfigError
from tocsin.store.vault import Vault

_NAME = "cold.json"


def note_cold(home: Path, settings: ColdSettings) -> None:
    """Remember the bucket. Without one in the settings what is remembered stays: so do segments."""
    if not settings.target:
        return
    told = settings.model_dump(include={"target", "cache_bytes", "endpoint_url", "region"})
    draft = home / f"{_NAME}.new"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(told, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(home / _NAME)


def cold_options(home: Path) -> dict[str, Any]:
    """What ``ParquetEvents`` needs to know to fetch cold segments; nothing when there are none."""
    try:
        told = ColdSettings(**json.loads((home / _NAME).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ConfigError(
            f"{home / _NAME} can't be read ({error}): it says where cold segments lie; restore it "
            "from a backup, or start the server with [cold] in its settings"
        ) from error
    return {
        "cold": partial(open_bucket, told.target, told.endpoint_url, told.region),
        "cold_cache_bytes": told.cache_bytes,
    }


@contextmanager
def cold_vault(home: Path) -> Iterator[Vault | None]:
    """The bucket of a data folder's cold segments; None when it has none."""
    opening = cold_options(home).get("cold")
    if opening is None:
        yield None
        return
    vault: Vault = opening()
    try:
        yield vault
    finally:
        vault.close()
