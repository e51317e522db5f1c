"""A program that was started bound to its parent's life ends with it, without any guardian."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from fleet_core.deploy import die_with_parent
from tests.support.processes import alive
from tests.support.waiting import eventually

if TYPE_CHECKING:
    import pytest

PARENT = """
import subprocess, sys, time
from fleet_core.deploy import die_with_parent
code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
command = die_with_parent.wrap((sys.executable, "-c", code))
child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""


def test_it_becomes_the_program_with_its_arguments_and_exit_code() -> None:
    command = die_with_parent.wrap(("/bin/sh", "-c", "echo $$ $1; exit 7", "sh", "a b"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate()
    assert said == f"{process.pid} a b\n"
    assert process.returncode == 7


def start_parent() -> tuple[subprocess.Popen[bytes], int]:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


async def test_kill_9_of_the_parent_kills_it() -> None:
    parent, child = start_parent()
    assert alive(child)
    parent.kill()
    parent.communicate()
    await eventually(lambda: not alive(child))


def test_it_does_not_start_when_the_parent_has_died_already(
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = list(die_with_parent.wrap(("/bin/echo", "started")))
    command[command.index(str(os.getpid()))] = str(os.getppid())
    assert subprocess.run(command, check=False).returncode == 0
    assert capfd.readouterr().out == ""


def test_a_program_that_cannot_be_executed_is_named_in_the_log(
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = die_with_parent.wrap(("/no/such/program",))
    assert subprocess.run(command, check=False).returncode == 126
    assert capfd.readouterr().err == "/no/such/program: No such file or directory\n"
