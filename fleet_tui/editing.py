"""A text edited in the person's own editor, while the app gives the terminal away."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fleet_core.errors import BrokenError, RefusedError

if TYPE_CHECKING:
    from fleet_tui.terminal.terminal_app import TerminalApp

FALLBACK_EDITOR: Final = "vi"


def editor_command() -> list[str]:
    """Return the editor that the environment names, as every Unix program reads it."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or FALLBACK_EDITOR
    return shlex.split(named)


async def edit(app: TerminalApp, text: str) -> bytes | None:
    """Return what the person made of a text; None where it was left as it is.

    Raises:
        RefusedError: the terminal cannot be given away.
        BrokenError: the editor cannot be run, or failed.
    """
    with tempfile.TemporaryDirectory(prefix="fleet-") as directory:
        path = Path(directory) / "deployment.yaml"
        path.write_text(text, encoding="utf-8")
        await _run_editor(app, path)
        edited = path.read_bytes()
    return None if edited == text.encode() else edited


async def _run_editor(app: TerminalApp, path: Path) -> None:
    command = [*editor_command(), str(path)]
    if not app.can_suspend:
        raise RefusedError("this terminal cannot be given to an editor")
    with app.given_away():
        try:
            editor = await asyncio.create_subprocess_exec(*command)
        except OSError as error:
            raise BrokenError(
                f"cannot run {command[0]}: {error.strerror}", remedy="set EDITOR"
            ) from error
        try:
            code = await editor.wait()
        except asyncio.CancelledError:
            editor.terminate()
            raise
    if code:
        raise BrokenError(f"{command[0]} ended with exit code {code}; nothing was applied")
