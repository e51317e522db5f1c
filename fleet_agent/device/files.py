"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(file: Path, text: str, mode: int) -> None:
    """Put a text into a file that nobody ever sees half written; folders are made as needed.

    Raises:
        OSError: it cannot be written; what was there is there still.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    written = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        written.replace(file)
    except BaseException:
        written.unlink(missing_ok=True)
        raise
