"""One fleet of real processes for each module of end-to-end tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.support.stack import Stack, running_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEVICES = 30


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with running_stack(Path(__file__).with_name("fleet.toml"), DEVICES) as stack:
        yield stack
