"""Other programs' commands as the checks ask them: to their end, or killed at the deadline."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

from fleet_core.errors import BrokenError, NotFoundError

if TYPE_CHECKING:
    from fleet_agent.device.machine import Machine


def find_program(machine: Machine, name: str) -> str | None:
    """Return the program's path as the machine's PATH has it; None if it is not there."""
    return shutil.which(name, path=machine.environ.get("PATH"))


async def ask(machine: Machine, *words: str) -> bytes:
    """Run a command and return what it wrote; a caller that is cancelled kills it.

    Raises:
        NotFoundError: there is no such program.
        BrokenError: it failed; its last line is told.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            env=dict(machine.environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise NotFoundError(f"{words[0]}: {error.strerror}") from error
    try:
        out, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else f"exit {process.returncode}"
        raise BrokenError(f"{' '.join(words)}: {said}")
    return out
