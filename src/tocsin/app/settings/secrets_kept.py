"""Reads the secrets that settings name by a file or an environment variable."""

from typing import Any

from tocsin.app.settings.config import secret_in_environment
from tocsin.ingest.pull.pull import PullError, Secrets


def secrets_of(settings: Any, where: str) -> Secrets:
    """Reads ``NAME_file`` or ``NAME_env`` of ``settings`` anew each time: secrets are changed.

    ``where`` names the settings in errors (``pull.kafka 'edge'``); no error holds a secret.
    """

    def read(name: str) -> str:
        path = getattr(settings, f"{name}_file", None)
        variable = getattr(settings, f"{name}_env", "")
        if path is not None:
            try:
                text: str = path.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise PullError(f"{where}: {name}_file {path}: {error.strerror}") from error
            except UnicodeDecodeError as error:
                raise PullError(f"{where}: {name}_file {path} is no text in UTF-8") from error
            if not text:
                raise PullError(f"{where}: {name}_file {path} is empty")
            return text
        if variable:
            found = secret_in_environment(variable)
            if not found:
                raise PullError(f"{where}: {name}_env: the environment has no {variable}")
            return found.strip()
        return ""

    return read
