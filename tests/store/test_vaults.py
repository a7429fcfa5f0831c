"""A vault keeps bytes by their checksum and gives back exactly those, whichever engine it is."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.ingest.aws_server import aws_server
from tests.kept_home import KeptHome
from tocsin.app.backups.backup_generation import generation_ids
from tocsin.app.backups.backup_round import back_up
from tocsin.app.backups.restore import restore
from tocsin.app.home.backup_place import open_vault
from tocsin.app.settings.config import load_settings
from tocsin.store.engines.vaults.folder_vault import FolderVault
from tocsin.store.engines.vaults.s3_vault import S3Vault
from tocsin.store.vault import MissingObject, Unreadable, VaultError, WrongContent

CONTENT = b"events " * 400_000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with aws_server() as opened:
        client = boto3.client(
            "s3",
            endpoint_url=opened,
            config=Config(request_checksum_calculation="when_required"),
            aws_access_key_id="AKIDTEST",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="vaults")
        client.close()
        yield opened


@pytest.fixture(params=["folder", "bucket"])
def vault(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "folder":
        opened: Any = FolderVault(tmp_path / "vault", writing=True)
    else:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        address = request.getfixturevalue("address")
        opened = S3Vault("vaults", tmp_path.name, endpoint_url=address, region="us-east-1")
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def told() -> tuple[list[int], Callable[[int], None]]:
    seen: list[int] = []
    return seen, seen.append


def test_what_is_kept_comes_back(vault: Any, file: Path, tmp_path: Path) -> None:
    seen, count = told()
    checksum = vault.keep(file, len(CONTENT), None, count)
    assert checksum == hashlib.sha256(CONTENT).hexdigest()
    assert sum(seen) == len(CONTENT)
    assert vault.held() == {checksum: len(CONTENT)}
    assert b"".join(vault.read(checksum)) == CONTENT
    vault.fetch(checksum, tmp_path / "deep" / "back", count)
    assert (tmp_path / "deep" / "back").read_bytes() == CONTENT
    assert sum(seen) == 2 * len(CONTENT)
    vault.drop(checksum)
    assert vault.held() == {}


def test_only_the_beginning_of_a_growing_file_is_kept(vault: Any, file: Path) -> None:
    checksum = vault.keep(file, 7, None, lambda _: None)
    assert checksum == hashlib.sha256(b"events ").hexdigest()
    assert vault.held() == {checksum: 7}


def test_what_is_not_what_was_expected_is_not_kept(vault: Any, file: Path) -> None:
    with pytest.raises(WrongContent, match="not what was written"):
        vault.keep(file, len(CONTENT), "0" * 64, lambda _: None)
    assert vault.held() == {}


def test_files_that_can_not_be_read_are_told_apart(vault: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        vault.keep(tmp_path / "nowhere", 1, None, lambda _: None)
    with pytest.raises(Unreadable, match="directory"):
        vault.keep(tmp_path, 1, None, lambda _: None)


def test_what_is_not_there_is_missing(vault: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingObject):
        vault.fetch("0" * 64, tmp_path / "back", lambda _: None)
    assert not (tmp_path / "back").exists()
    assert vault.read_document("none.json") is None


def test_documents_are_kept_by_name(vault: Any) -> None:
    vault.write_document("b.json", b"1")
    vault.write_document("a.json", b"2")
    vault.write_document("b.json", b"3")
    assert vault.documents() == ["a.json", "b.json"]
    assert vault.read_document("b.json") == b"3"
    vault.drop_document("b.json")
    assert vault.documents() == ["a.json"]


def test_a_large_file_goes_up_in_parts(
    file: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.store.engines.vaults.s3_vault._AT_ONCE_BYTES", 1000)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    vault = S3Vault("vaults", tmp_path.name, endpoint_url=address, region="us-east-1")
    checksum = vault.keep(file, len(CONTENT), None, lambda _: None)
    assert b"".join(vault.read(checksum)) == CONTENT
    vault.close()


def test_a_bucket_that_is_away_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with aws_server() as address:
        away = S3Vault("nobodys", "x", endpoint_url=address, region="us-east-1", patience_s=5)
        with pytest.raises(VaultError, match="NoSuchBucket"):
            away.held()
        away.close()
    away = S3Vault("nobodys", "x", endpoint_url=address, region="us-east-1", patience_s=5)
    with pytest.raises(VaultError, match="can't be reached"):
        away.held()
    away.close()


def test_a_backup_goes_to_a_bucket_and_comes_back(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    place = f"s3://vaults/{tmp_path.name}"
    settings = load_settings(
        home=tmp_path / "home", backup__endpoint_url=address, backup__region="us-east-1"
    )
    with KeptHome(settings.home).fill() as kept:
        made, _ = back_up(settings, place, 1, by="test")
        kept.store(2)
        again, gone = back_up(settings, place, 1, by="test")
    assert gone == [made.id]
    with open_vault(place, settings.backup) as vault:
        assert generation_ids(vault) == [again.id]
        assert restore(vault, tmp_path / "new").events == 12
    with KeptHome(tmp_path / "new") as new:
        assert new.numbers() == [0] * 4 + [1] * 4 + [2] * 4
