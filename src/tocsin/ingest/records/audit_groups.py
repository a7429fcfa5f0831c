"""Which batches hold the beginning of a Linux audit event whose other records are still to come."""

import re
from collections.abc import Sequence

from tocsin.model.record import RawBatch

_PART = re.compile(
    rb"type=(?:(SYSCALL|EXECVE|PATH|CWD|SOCKADDR|130[02679])|PROCTITLE|EOE|1327|1320) (?:msg=)?"
    rb"audit\((\d{1,12}\.\d{1,9}:\d{1,20})\)"
)


def first_unfinished(batches: Sequence[RawBatch]) -> int | None:
    """The place of the first batch with records of a system call whose last one is in none.

    The kernel tells of a system call in several records, ``PROCTITLE`` and ``EOE`` at the end
    (linux/audit.h, audit_log_exit in kernel/auditsc.c). None when all are whole.
    """
    begun: dict[tuple[str, str, bytes], int] = {}
    ended: set[tuple[str, str, bytes]] = set()
    for place, batch in enumerate(batches):
        if b"audit(" not in batch.payload:
            continue
        for part in _PART.finditer(batch.payload):
            call = (batch.tenant, batch.source, part[2])
            if part[1] is None:
                ended.add(call)
                begun.pop(call, None)
            elif call not in ended:
                begun.setdefault(call, place)
    return min(begun.values(), default=None)
