"""One server a data folder; a second one hears which process holds it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin.app.home.home import Home, running_server
from tocsin.store.ports import HomeInUse


def test_a_second_server_is_refused_with_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.announce({"url": "http://127.0.0.1:1", "token": "t"})
    with pytest.raises(HomeInUse, match="--home") as caught:
        Home(tmp_path / "home")
    assert str(os.getpid()) in str(caught.value)
    assert "http://127.0.0.1:1" in str(caught.value)
    home.release()
    Home(tmp_path / "home").release()


def test_the_announcement_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.announce({"url": "u", "token": "secret"})
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600
    home.release()


def test_a_running_server_is_found_and_a_dead_one_is_not(tmp_path: Path) -> None:
    assert running_server(tmp_path) is None
    home = Home(tmp_path)
    home.announce({"url": "u", "token": "t"})
    facts = running_server(tmp_path)
    assert facts is not None
    assert facts["url"] == "u"
    home.release()
    assert running_server(tmp_path) is None


def test_a_killed_server_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from tocsin.app.home.home import Home;"
        f"Home(Path({str(tmp_path)!r})).announce({{'url': 'u'}}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603
    assert running_server(tmp_path) is None
    Home(tmp_path).release()
