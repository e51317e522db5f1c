"""What the kernel's log says of a container that was killed: whether it had used up its memory.

podman 4 is not told: its conmon leaves a file named ``oom`` in whatever folder podman was started
in (seen with podman 4.3.1 and conmon 2.1.6, in both versions of control groups). The kernel names
the control group in its log, and podman names that by the container's id. Only root may read it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

KERNEL_LOG: Final = Path("/dev/kmsg")
_RECORD_MAX_BYTES: Final = 8_192
"""A longer record is refused by the kernel (Documentation/ABI/testing/dev-kmsg)."""
_RECORDS_MAX: Final = 100_000


def tells_of_oom(container_id: str, log: Path = KERNEL_LOG) -> bool:
    """Tell whether the kernel killed a process of this container for want of memory.

    Reads the whole ring buffer, which is bounded; not for an event loop.
    """
    try:
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return any(
            b"oom-kill:" in record and container_id.encode() in record
            for record in _records(descriptor)
        )
    finally:
        os.close(descriptor)


def _records(descriptor: int) -> list[bytes]:
    records: list[bytes] = []
    while len(records) < _RECORDS_MAX:
        try:
            record = os.read(descriptor, _RECORD_MAX_BYTES)
        except BlockingIOError:
            break  # all of it was read
        except BrokenPipeError:
            continue  # this one was overwritten meanwhile
        except OSError:
            break
        if not record:
            break
        records.append(record)
    return records
