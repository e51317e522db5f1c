"""Files that are whole or are known not to be: atomic, checksummed, versioned.

A document is one line ``fleet-agent 1 KIND SHA256`` and the payload behind it. It is written beside
its place, synced, and renamed into it (rename(2) is atomic; fsync(2) of the folder makes it last).
A file that does not hold to this is set aside, never obeyed and never deleted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)
VERSION: Final = 1
MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024
KEPT_ASIDE: Final = 5
"""So many damaged files are kept for whoever looks into it; older ones go."""
_HEADER_MAX_BYTES: Final = 256


class DamagedDocumentError(Exception):
    """The file is torn, corrupt, or of another version or kind."""


def write_document(path: Path, kind: str, payload: bytes) -> None:
    """Write a document so that after a crash either the old one or the new one is there.

    Raises:
        OSError: it could not be written; the old one is still there.
    """
    new = path.with_name(f".{path.name}.new")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with open(new, "wb", opener=_private) as file:
            file.write(_header(kind, payload))
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def read_document(path: Path, kind: str) -> bytes | None:
    """Return the payload; None where there is no file, or it was damaged and is now set aside."""
    try:
        return _read(path, kind)
    except FileNotFoundError:
        return None
    except (DamagedDocumentError, OSError) as error:
        _log.warning("%s: %s; it is set aside", path, error)
        set_aside(path)
        return None


def remove_document(path: Path) -> None:
    """Remove a document; absent is as good as removed."""
    path.unlink(missing_ok=True)


def set_aside(path: Path) -> None:
    """Rename a damaged file, so that it is neither read again nor lost."""
    try:
        path.replace(path.with_name(f"{path.name}.damaged-{time.time_ns()}"))
        damaged = sorted(path.parent.glob("*.damaged-*"), key=lambda each: each.stat().st_mtime)
        for old in damaged[:-KEPT_ASIDE]:
            old.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s cannot be set aside: %s", path, error)


def _read(path: Path, kind: str) -> bytes:
    with path.open("rb") as file:
        header = file.readline(_HEADER_MAX_BYTES)
        payload = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(payload) > MAX_DOCUMENT_BYTES:
        raise DamagedDocumentError("larger than any that was written")
    if header != _header(kind, payload):
        raise DamagedDocumentError("torn, corrupt, or of another version")
    return payload


def _header(kind: str, payload: bytes) -> bytes:
    return f"fleet-agent {VERSION} {kind} {hashlib.sha256(payload).hexdigest()}\n".encode()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
