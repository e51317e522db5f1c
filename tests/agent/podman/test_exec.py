"""On a real podman: a program run in a container, bounded in time and in what it writes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from fleet_core.errors import NotFoundError
from tests.agent.podman.containers import SHOP, run, said, service
from tests.support.waiting import eventually_reads

if TYPE_CHECKING:
    from fleet_agent.runtime.podman import PodmanRuntime
    from tests.support.podman import PodmanMachine

pytestmark = [pytest.mark.podman, pytest.mark.timeout(60)]


@pytest.fixture
async def running(runtime: PodmanRuntime) -> PodmanRuntime:
    await runtime.ensure_service_running(service(tmpfs=["/run"]))
    return runtime


async def processes(runtime: PodmanRuntime, mark: str) -> int:
    """Return how many processes of the container have the mark in their command line."""
    listed = await said(runtime, "busybox ps -o args")
    return sum(mark in line and "busybox ps" not in line for line in listed.splitlines())


async def test_its_exit_code_and_its_streams_apart(running: PodmanRuntime) -> None:
    outcome = await run(running, "echo out; echo err >&2; exit 42")
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (42, b"out\n", b"err\n")
    assert not outcome.truncated
    outcome = await running.exec(SHOP, ["echo", "a b", "$HOME", "ü"], 5, 100)
    assert (outcome.exit_code, outcome.stdout) == (0, "a b $HOME ü\n".encode())


async def test_all_bytes_as_they_are(running: PodmanRuntime) -> None:
    script = 'for i in $(seq 0 255); do busybox printf "\\\\x$(busybox printf %02x $i)"; done'
    assert (await run(running, script)).stdout == bytes(range(256))


async def test_it_runs_as_the_containers_user_with_its_environment(
    runtime: PodmanRuntime,
) -> None:
    spec = service(user="1000:2000", env={"COLOUR": "blue"}, working_dir="/data")
    await runtime.ensure_service_running(spec)
    assert await said(runtime, "echo $(id -u) $(id -g) $COLOUR $(pwd)") == "1000 2000 blue /data"


async def test_much_is_cut_at_the_limit_of_each_stream_and_said_so(
    running: PodmanRuntime,
) -> None:
    script = "head -c 300000 /dev/zero; head -c 10 /dev/zero >&2; exit 5"
    outcome = await running.exec(SHOP, ["sh", "-c", script], 20, 1000)
    assert (len(outcome.stdout), len(outcome.stderr)) == (1000, 10)
    assert (outcome.exit_code, outcome.truncated) == (5, True)
    exact = await running.exec(SHOP, ["head", "-c", "1000", "/dev/zero"], 5, 1000)
    assert (len(exact.stdout), exact.truncated) == (1000, False)


async def test_at_its_timeout_the_program_is_killed(running: PodmanRuntime) -> None:
    begun = time.monotonic()
    outcome = await running.exec(SHOP, ["sleep", "4242"], 1, 100)
    assert outcome.exit_code is None
    assert 1 <= time.monotonic() - begun < 2.5
    await eventually_reads(lambda: processes(running, "4242"), 0)


@pytest.mark.parametrize(
    "script",
    [
        "echo begun; sleep 4242; true",
        "echo begun; (sleep 4242; true); true",
        "echo begun; busybox setsid sleep 4242; true",
        "trap '' TERM INT; echo begun; while true; do sleep 4242; done",
    ],
    ids=["child", "grandchild", "own session", "ignores signals"],
)
async def test_at_its_timeout_what_it_began_is_killed_too(
    running: PodmanRuntime, script: str
) -> None:
    begun = time.monotonic()
    outcome = await run(running, script, timeout_s=1)
    assert (outcome.exit_code, outcome.stdout) == (None, b"begun\n")
    assert time.monotonic() - begun < 2.5
    await eventually_reads(lambda: processes(running, "4242"), 0)


async def test_who_writes_without_end_is_killed_too(running: PodmanRuntime) -> None:
    begun = time.monotonic()
    outcome = await running.exec(SHOP, ["sh", "-c", "yes; true"], 1, 100)
    assert (outcome.exit_code, outcome.truncated) == (None, True)
    assert time.monotonic() - begun < 3
    await eventually_reads(lambda: processes(running, "yes"), 0)


async def test_what_is_left_in_the_background_does_not_hold_up_the_answer_for_ever(
    running: PodmanRuntime,
) -> None:
    """A program that ended, whose child holds its output: over at the timeout, not later."""
    begun = time.monotonic()
    outcome = await run(running, "sleep 4242 & echo begun", timeout_s=1)
    assert outcome.stdout == b"begun\n"
    assert time.monotonic() - begun < 4


async def test_many_at_once_have_each_their_own_answer(running: PodmanRuntime) -> None:
    outcomes = await asyncio.gather(*(run(running, f"echo {n}; exit {n}") for n in range(12)))
    found = [(outcome.exit_code, outcome.stdout) for outcome in outcomes]
    assert found == [(n, f"{n}\n".encode()) for n in range(12)]


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/etc", 126)])
async def test_a_program_that_cannot_run_is_told_as_podman_does(
    running: PodmanRuntime, program: str, code: int
) -> None:
    outcome = await running.exec(SHOP, [program], 5, 4096)
    assert outcome.exit_code == code
    assert program.encode() in outcome.stderr


async def test_without_a_running_container_there_is_nothing_to_run_in(
    runtime: PodmanRuntime, podman: PodmanMachine
) -> None:
    with pytest.raises(NotFoundError, match=r"fleet-shop\.web"):
        await run(runtime, "true")
    await runtime.ensure_service_running(service())
    podman.run("pause", SHOP.runtime_name)
    with pytest.raises(NotFoundError, match=r"fleet-shop\.web"):
        await run(runtime, "true")
    await runtime.stop(SHOP)
    with pytest.raises(NotFoundError, match=r"fleet-shop\.web"):
        await run(runtime, "true")
