"""Settings come from file, environment and flags, and wrong ones are named."""

from pathlib import Path

import pytest

from tocsin.app.settings.config import load_settings
from tocsin.app.settings.config_errors import ConfigError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOCSIN_HOME", "TOCSIN_HTTP__PORT"):
        monkeypatch.delenv(name, raising=False)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tocsin.toml"
    path.write_text(text)
    return path


def test_defaults_listen_on_loopback_only() -> None:
    settings = load_settings()
    assert settings.http.host == "127.0.0.1"
    assert settings.syslog.host == "127.0.0.1"
    assert settings.home == Path("tocsin-data")


def test_flags_win_over_environment_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _file(tmp_path, "[http]\nport = 1111\nhost = '127.0.0.2'\n")
    assert load_settings(path).http.port == 1111
    monkeypatch.setenv("TOCSIN_HTTP__PORT", "2222")
    assert load_settings(path).http.port == 2222
    loaded = load_settings(path, http__port=3333)
    assert loaded.http.port == 3333
    assert loaded.http.host == "127.0.0.2"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[http]\nport = 99999\n", "http.port"),
        ("[htpp]\nport = 1\n", "htpp"),
        ("[spool]\nlimit_bytes = 'much'\n", "spool.limit_bytes"),
        ("not toml at all", "not valid TOML"),
        ("[[syslog.listeners]]\nname = 'a'\n", "syslog.listeners.0"),
        ("[[syslog.listeners]]\nname = 'a/b'\nudp_port = 1\n", "syslog.listeners.0.name"),
        ("[[syslog.listeners]]\nname = 'a'\nudp_port = 1\n" * 2, "two listeners are named 'a'"),
        (
            "[[syslog.listeners]]\nname = 'a'\ntcp_port = 1\ntls_key = 'k'\n",
            "tls_certificate and tls_key together",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, text: str, named: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError, match=r"tocsin\.toml") as caught:
        load_settings(path)
    assert named in str(caught.value)


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(Path("/nowhere/tocsin.toml"))
