"""On a real podman: a container's log, however long, torn, odd or old it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from fleet_agent.runtime.contract import RunState
from fleet_core.errors import NotFoundError
from tests.agent.podman.containers import SHOP, init, service
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]
KEY = init("").key


async def ran(runtime: PodmanRuntime, script: str) -> None:
    await runtime.run_to_completion(init(script), 30)


async def texts(runtime: PodmanRuntime, tail: int = 100) -> list[str]:
    return [line.text for line in await runtime.logs(KEY, tail=tail)]


async def test_the_last_lines_of_an_exited_container_in_order(runtime: PodmanRuntime) -> None:
    await ran(runtime, "for i in $(seq 30); do echo line $i; done; exit 3")
    assert await texts(runtime, 3) == ["line 28", "line 29", "line 30"]
    assert len(await texts(runtime, 30)) == len(await texts(runtime, 1000)) == 30
    assert await texts(runtime, 0) == []


async def test_five_thousand_lines_are_all_there(runtime: PodmanRuntime) -> None:
    await ran(runtime, "seq 5000")
    found = await texts(runtime, 5000)
    assert found == [str(number) for number in range(1, 5001)]
    assert (await texts(runtime, 4999))[0] == "2"


async def test_from_a_moment_on_and_to_the_microsecond(runtime: PodmanRuntime) -> None:
    await ran(runtime, "echo one; sleep 0.3; echo two; sleep 0.3; echo three")
    lines = await runtime.logs(KEY, tail=10)
    one, two, three = (line.at_s for line in lines)
    assert one + 0.25 < two < three - 0.25
    assert abs(time.time() - three) < 5
    for since_s, expected in ((two, ["two", "three"]), (two + 1e-5, ["three"]), (three + 1, [])):
        found = await runtime.logs(KEY, tail=10, since_s=since_s)
        assert [line.text for line in found] == expected
    (last,) = await runtime.logs(KEY, tail=1, since_s=one)
    assert last.text == "three"


@pytest.mark.parametrize("length", [8191, 8192, 8193, 20_000, 200_000])
async def test_a_long_line_is_one_line(runtime: PodmanRuntime, length: int) -> None:
    await ran(
        runtime, f"echo before; head -c {length} /dev/zero | busybox tr '\\0' x; echo; echo z"
    )
    found = await texts(runtime)
    assert [len(text) for text in found] == [6, length, 1]
    assert [len(text) for text in await texts(runtime, 2)] == [length, 1]


async def test_the_last_line_without_an_end_is_a_line(runtime: PodmanRuntime) -> None:
    await ran(runtime, "echo whole; echo -n torn")
    assert await texts(runtime) == ["whole", "torn"]


async def test_both_streams_in_the_order_in_which_they_were_written(
    runtime: PodmanRuntime,
) -> None:
    script = "for i in 1 2 3; do echo out $i; sleep 0.1; echo err $i >&2; sleep 0.1; done"
    await ran(runtime, script)
    assert await texts(runtime) == ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]


async def test_bytes_that_are_no_text_are_marked_and_hurt_no_other_line(
    runtime: PodmanRuntime,
) -> None:
    await ran(
        runtime, "echo ä; busybox printf 'x\\377\\376y\\n'; busybox printf 'a\\0b\\rc\\n'; echo"
    )
    assert await texts(runtime) == ["ä", "x��y", "a\0b\rc", ""]


async def test_a_running_service_is_read_while_it_writes(runtime: PodmanRuntime) -> None:
    script = "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done"
    await runtime.ensure_service_running(service(script, stop_grace_s=0))
    seen: list[str] = []
    since_s = 0.0

    async def follows() -> bool:
        nonlocal since_s
        for line in await runtime.logs(SHOP, tail=1000, since_s=since_s):
            seen.append(line.text)
            since_s = line.at_s + 1e-6
        return len(seen) >= 10

    await eventually_reads(follows, expected=True)
    assert seen == [str(number + 1) for number in range(len(seen))]


async def test_a_replacement_has_a_log_of_its_own(runtime: PodmanRuntime) -> None:
    for attempt in range(2):
        script = f"echo attempt {attempt}; exit 1"
        await runtime.ensure_service_running(service(script, attempt=attempt))

        async def ended() -> object:
            found = await runtime.container_status(SHOP)
            return found and found.state

        await eventually_reads(ended, RunState.EXITED)
    assert [line.text for line in await runtime.logs(SHOP, tail=10)] == ["attempt 1"]


async def test_without_a_container_there_is_no_log_and_without_a_start_an_empty_one(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    with pytest.raises(NotFoundError, match=r"fleet-shop\.migrate"):
        await runtime.logs(KEY, tail=1)
    podman.run("create", "--name", KEY.runtime_name, "localhost/fleet-test:1", "true")
    assert await texts(runtime) == []
