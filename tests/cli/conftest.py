"""One small fleet of real processes for each module that wants one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from fleet_core.cli.running import run_command
from tests.support.stack import Finished, Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEVICES = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with running_stack(Path(__file__).with_name("fleet.toml"), DEVICES) as stack:
        yield stack


@pytest.fixture
def fleet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Finished]:
    """Runs a command line in this process, where no config file and no variable names a fleet."""
    monkeypatch.delenv("FLEET_NATS_URL", raising=False)
    monkeypatch.delenv("FLEET_DEBUG", raising=False)
    monkeypatch.setenv("FLEET_CONFIG", str(tmp_path / "config.toml"))

    def run(*words: str) -> Finished:
        code = run_command(words)
        told = capsys.readouterr()
        return Finished(code, told.out, told.err)

    return run
