"""A disk that is full: the device works on, says so, and writes when there is room again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleet_agent.storage import writer as writer_module
from fleet_agent.storage.documents import read_document
from fleet_agent.storage.writer import DocumentWriter
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KIND = "test"


async def test_what_does_not_fit_is_kept_and_written_later(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "RETRY_S", 0.05)
    ballast = small_disk / "ballast"
    writer = DocumentWriter()
    path = small_disk / "document.json"
    running = asyncio.create_task(writer.run())
    writer.offer(path, KIND, b"first")
    await eventually(lambda: path.exists() and not writer.problem)
    await asyncio.to_thread(ballast.write_bytes, b"x" * 52 * 1024)
    writer.offer(path, KIND, b"second" * 4_000)
    await eventually(lambda: writer.problem)
    assert "No space left" in writer.problem
    assert await asyncio.to_thread(read_document, path, KIND) == b"first"
    writer.offer(path, KIND, b"third" * 4_000)
    await asyncio.to_thread(ballast.unlink)
    await eventually(lambda: not writer.problem)
    assert await asyncio.to_thread(read_document, path, KIND) == b"third" * 4_000
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_was_offered_last_is_written_when_it_ends(tmp_path: Path) -> None:
    writer = DocumentWriter()
    running = asyncio.create_task(writer.run())
    await asyncio.sleep(0)
    for count in range(100):
        writer.offer(tmp_path / "document.json", KIND, str(count).encode())
    writer.offer(tmp_path / "other.json", KIND, None)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await asyncio.to_thread(read_document, tmp_path / "document.json", KIND) == b"99"
