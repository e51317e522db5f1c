"""Writing documents in a thread, the newest of each; a full disk is waited out, and told."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from fleet_agent.storage.documents import remove_document, write_document
from fleet_agent.wake import Wake

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)
RETRY_S: Final = 10.0
"""A disk that was full is tried again this often."""


class DocumentWriter:
    """Keeps for each path only what was offered last; `run` writes it."""

    def __init__(self) -> None:
        self.problem = ""
        """Why what was offered is not on disk yet; empty where all is."""
        self._pending: dict[Path, tuple[str, bytes | None]] = {}
        self._wake = Wake()

    def offer(self, path: Path, kind: str, payload: bytes | None) -> None:
        """Have a document written, or removed where there is no payload."""
        self._pending[path] = (kind, payload)
        self._wake()

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while True:
                await self._wake.wait(RETRY_S if self._pending else None)
                await self.flush()
        finally:
            await asyncio.shield(self.flush())

    async def flush(self) -> None:
        """Write all that was offered; what cannot be written is kept for later."""
        while self._pending:
            pending, self._pending = self._pending, {}
            failed, problem = await asyncio.to_thread(_write_all, pending)
            if problem and problem != self.problem:
                _log.error("the agent's state cannot be kept on disk: %s", problem)
            self.problem = problem
            if failed:
                self._pending = {**failed, **self._pending}
                return


def _write_all(
    pending: dict[Path, tuple[str, bytes | None]],
) -> tuple[dict[Path, tuple[str, bytes | None]], str]:
    """Return what could not be written, and why."""
    failed: dict[Path, tuple[str, bytes | None]] = {}
    problem = ""
    for path, (kind, payload) in pending.items():
        try:
            if payload is None:
                remove_document(path)
            else:
                write_document(path, kind, payload)
        except OSError as error:
            failed[path] = (kind, payload)
            problem = f"{path}: {error.strerror}"
    return failed, problem
