"""The cases of init containers on a simulated device, in made-up time."""

from __future__ import annotations

import asyncio

import pytest

from tests.agent.case_bench import SimulatedBench
from tests.agent.init_cases import CASES
from tests.support.virtual_time import VirtualTimeLoop


@pytest.mark.parametrize("number", CASES)
def test_case(number: str) -> None:
    play, _ = CASES[number]

    async def played() -> None:
        bench = SimulatedBench()
        try:
            await play(bench)
        finally:
            await bench.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(played())
