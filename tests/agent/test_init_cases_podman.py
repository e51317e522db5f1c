"""The cases of init containers on a device with a real podman."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.agent.case_bench import PodmanBench
from tests.agent.init_cases import CASES
from tests.support.fast_time import FastLoop

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(120)]


@pytest.mark.parametrize("number", CASES)
def test_case(number: str, podman: PodmanMachine, tmp_path: Path) -> None:
    play, speed = CASES[number]

    async def played() -> None:
        bench = PodmanBench(podman, tmp_path)
        try:
            await play(bench)
        finally:
            await bench.close()

    with asyncio.Runner(loop_factory=lambda: FastLoop(speed)) as runner:
        runner.run(played())
