"""A vault in a bucket of any storage that speaks S3; keys as the files of a folder vault."""

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
)

from tocsin.store.engines.vaults.folder_vault import PIECE_BYTES, opened, pieces_of, write_whole
from tocsin.store.vault import MissingObject, OnBytes, VaultError, WrongContent

_AT_ONCE_BYTES = 64 << 20
"""Larger files go up in parts."""
_GONE = {"NoSuchKey", "404", "NotFound"}


class S3Vault:
    """``Vault`` below ``prefix`` in ``bucket``; who may in is found as boto3 does (environment, role).

    Nobody locks a bucket: one data folder has a prefix of its own.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        patience_s: float = 30,
    ) -> None:
        """Connects to nothing yet. ``patience_s`` bounds each wait for an answer."""
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        config = Config(
            connect_timeout=min(5.0, patience_s),
            read_timeout=patience_s,
            retries={"mode": "standard", "total_max_attempts": 3},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if endpoint_url else {},
        )
        try:
            self._s3 = boto3.session.Session(region_name=region).client(
                "s3", endpoint_url=endpoint_url, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise VaultError(f"{self.url} can't be used: {error}") from error

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def held(self) -> dict[str, int]:
        return {key.rpartition("/")[2]: size for key, size in self._keys(f"{self._prefix}objects/")}

    def keep(self, file: Path, length: int, expected: str | None, on_bytes: OnBytes) -> str:
        """Read twice: for the checksum, which the storage is told, then to send it."""
        running = hashlib.sha256()
        with opened(file) as source:
            for piece in pieces_of(source, length, file):
                running.update(piece)
        checksum = running.hexdigest()
        if expected is not None and checksum != expected:
            raise WrongContent(str(file), checksum)
        with opened(file) as source, self._troubles():
            self._send(self._key(checksum), _Beginning(source, length), length, running.digest())
        on_bytes(length)
        return checksum

    def fetch(self, checksum: str, to: Path, on_bytes: OnBytes) -> None:
        named = f"{self.url}/objects/{checksum}"
        write_whole(self.read(checksum), to, checksum, named, on_bytes)

    def read(self, checksum: str) -> Iterator[bytes]:
        with self._troubles():
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._key(checksum))
            yield from answer["Body"].iter_chunks(PIECE_BYTES)

    def drop(self, checksum: str) -> None:
        with self._troubles():
            self._s3.delete_object(Bucket=self._bucket, Key=self._key(checksum))

    def documents(self) -> list[str]:
        folder = f"{self._prefix}documents/"
        return sorted(key.removeprefix(folder) for key, _ in self._keys(folder))

    def write_document(self, name: str, content: bytes) -> None:
        with self._troubles():
            digest = hashlib.sha256(content).digest()
            self._send(self._document(name), io.BytesIO(content), len(content), digest)

    def read_document(self, name: str) -> bytes | None:
        try:
            with self._troubles():
                answer = self._s3.get_object(Bucket=self._bucket, Key=self._document(name))
                content: bytes = answer["Body"].read()
        except MissingObject:
            return None
        return content

    def drop_document(self, name: str) -> None:
        with self._troubles():
            self._s3.delete_object(Bucket=self._bucket, Key=self._document(name))

    def close(self) -> None:
        self._s3.close()

    def _send(self, key: str, body: io.IOBase, length: int, digest: bytes) -> None:
        """What arrives changed is refused by the storage."""
        if length > _AT_ONCE_BYTES:
            self._s3.upload_fileobj(body, self._bucket, key)
            return
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=body.read(length),
            ChecksumSHA256=base64.b64encode(digest).decode(),
        )

    def _keys(self, prefix: str) -> Iterator[tuple[str, int]]:
        with self._troubles():
            pages = self._s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for one in page.get("Contents", ()):
                    yield one["Key"], one["Size"]

    def _key(self, checksum: str) -> str:
        return f"{self._prefix}objects/{checksum[:2]}/{checksum}"

    def _document(self, name: str) -> str:
        return f"{self._prefix}documents/{name}"

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            told: dict[str, Any] = error.response.get("Error", {})
            if told.get("Code") in _GONE:
                raise MissingObject(f"{self.url} does not hold it") from error
            raise VaultError(
                f"{self.url} refuses ({told.get('Code')}: {told.get('Message')}); check the "
                "bucket, and that its policy lets objects be listed, read, written and deleted"
            ) from error
        except BotoCoreError as error:
            raise VaultError(
                f"{self.url} can't be reached ({error}); check the network, the address and the "
                "credentials (as the AWS tools take them: environment, profile or role)"
            ) from error


class _Beginning(io.RawIOBase):
    """The first ``length`` bytes of a file that may be growing."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left = file, length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(piece)
        return piece
