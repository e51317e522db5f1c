"""What is guarded ends with the guarded program, however that one ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_core.deploy.guard import Guard
from fleet_core.deploy.guardian import end_processes, read_orders, remove_directory, start_ticks
from fleet_core.errors import BrokenError
from tests.support.processes import alive
from tests.support.waiting import eventually

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
GUARDED = """
import asyncio, subprocess, sys
from fleet_core.deploy.guard import Guard

async def main():
    async with Guard() as guard:
        child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], start_new_session=True,
                                 stdout=subprocess.PIPE)
        child.stdout.readline()
        guard.watch(child.pid)
        (guard.directory / "store").mkdir()
        print(guard.directory, child.pid, guard.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def sleeper(code: str = SLEEPER) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def dispose(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def start_guarded(child: str) -> tuple[subprocess.Popen[bytes], Path, int, int]:
    """Start a guarded program; return it, its run directory, its child and its guardian."""
    guarded = subprocess.Popen(
        [sys.executable, "-c", GUARDED, child], stdout=subprocess.PIPE, start_new_session=True
    )
    assert guarded.stdout is not None
    directory, child_pid, guardian_pid = guarded.stdout.readline().split()
    return guarded, Path(os.fsdecode(directory)), int(child_pid), int(guardian_pid)


@pytest.mark.parametrize("child", [SLEEPER, STUBBORN], ids=["obedient child", "stubborn child"])
@pytest.mark.timeout(20)
async def test_kill_9_of_the_guarded_program_leaves_no_process_and_no_directory(child: str) -> None:
    guarded, directory, child_pid, guardian_pid = start_guarded(child)
    assert directory.exists()
    assert alive(child_pid)

    os.killpg(guarded.pid, signal.SIGKILL)
    guarded.communicate()

    await eventually(lambda: not alive(child_pid), timeout_s=8)
    await eventually(lambda: not directory.exists(), timeout_s=8)
    await eventually(lambda: not alive(guardian_pid), timeout_s=8)


async def test_the_run_directory_lives_from_entering_to_leaving() -> None:
    async with Guard() as guard:
        assert guard.directory.is_dir()
        assert guard.directory.stat().st_mode & 0o077 == 0
        (guard.directory / "file").write_text("x")
    assert not guard.directory.exists()
    assert not alive(guard.pid)


async def test_leaving_ends_what_is_still_watched() -> None:
    process = sleeper()
    async with Guard() as guard:
        guard.watch(process.pid)
    assert process.wait(timeout=2) == -signal.SIGTERM
    dispose(process)


async def test_what_was_forgotten_is_left_alone() -> None:
    process = sleeper()
    async with Guard() as guard:
        guard.watch(process.pid)
        guard.forget(process.pid)
    assert process.poll() is None
    dispose(process)


async def test_a_guardian_that_is_killed_is_replaced_by_one_that_knows_everything() -> None:
    process = sleeper()
    async with Guard() as guard:
        keeper = asyncio.create_task(guard.keep())
        guard.watch(process.pid)
        first = guard.pid

        os.kill(first, signal.SIGKILL)

        await eventually(lambda: guard.pid != first and alive(guard.pid))
        assert guard.directory.is_dir()
        keeper.cancel()
        await asyncio.wait([keeper])
    assert process.wait(timeout=2) == -signal.SIGTERM
    assert not guard.directory.exists()
    dispose(process)


def test_a_pid_that_was_given_to_a_stranger_is_not_signalled() -> None:
    process = sleeper()
    started = start_ticks(process.pid)
    assert started is not None

    end_processes({process.pid: started - 1}, grace_s=0.05)

    assert process.poll() is None
    dispose(process)


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace() -> None:
    process = sleeper(STUBBORN)
    started = start_ticks(process.pid)
    assert started is not None

    end_processes({process.pid: started}, grace_s=0.2)

    assert process.wait(timeout=2) == -signal.SIGKILL
    dispose(process)


def test_a_zombie_counts_as_ended() -> None:
    process = sleeper()
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert start_ticks(process.pid) is None
    dispose(process)


def test_orders_are_followed_to_the_last_and_foreign_lines_ignored() -> None:
    own = start_ticks(os.getpid())
    gone = sleeper()
    dispose(gone)
    lines = ["nonsense\n", f"watch {os.getpid()}\n", f"watch {gone.pid}\n", "\n"]

    assert read_orders(lines) == {os.getpid(): own}
    assert read_orders([*lines, f"forget {os.getpid()}\n"]) == {}


def test_removing_tries_again_while_something_is_still_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    attempts = []

    def second_time_lucky(path: Path, *, ignore_errors: bool) -> None:
        attempts.append(ignore_errors)
        if len(attempts) > 1:
            path.rmdir()

    monkeypatch.setattr("shutil.rmtree", second_time_lucky)

    assert not remove_directory(directory, deadline_s=-1)
    assert remove_directory(directory)
    assert len(attempts) == 2


async def test_a_guardian_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(BrokenError, match="no run directory could be made"):
        async with Guard():
            raise AssertionError("entered")
