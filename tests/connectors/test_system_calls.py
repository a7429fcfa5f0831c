"""System calls have the names that rules ask for, whoever writes them: auditd or we."""

from datetime import UTC, datetime

import pytest

from tocsin.ingest.decode import decode
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.normalizer import Normalizer

RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ("arch=c000003e syscall=319 success=yes exit=3", "memfd_create"),
        ("arch=c000003e syscall=59 success=no exit=-13", "execve"),
        ("arch=40000003 syscall=59 success=yes exit=0", None),  # other numbers: not told wrongly
        ('arch=c000003e syscall=59 success=yes\x1dARCH=x86_64 SYSCALL="mine"', "mine"),
    ],
)
def test_a_number_of_x86_64_has_its_name(
    record: str, name: str | None, normalizer: Normalizer
) -> None:
    line = f"type=SYSCALL msg=audit(1782829800.1:7): {record}".encode()
    decoded = decode(RawBatch("real", line, RECEIVED))
    (batch,) = normalizer.normalize(decoded, Origin("real", RECEIVED, "test", 1))
    assert batch.native_rows([0])[0].get("SYSCALL") == name
