"""The machine's service manager, spoken to by its own commands: systemctl and loginctl."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.text import printable
from fleet_core.errors import BrokenError

if TYPE_CHECKING:
    from fleet_agent.device.machine import Machine

COMMAND_DEADLINE_S: Final = 90.0
"""A restart waits for the old agent to end (TimeoutStopSec=15) and for what else starts."""
_SAID_MAX_CHARS: Final = 500


class Systemd:
    """Runs systemctl, for the system or for one user's own manager, and loginctl."""

    def __init__(self, machine: Machine, *, for_user: bool) -> None:
        self._machine = machine
        self._for_user = for_user

    def words(self, *arguments: str) -> list[str]:
        """Return the command line that `control` runs."""
        return ["systemctl", *(["--user"] if self._for_user else []), *arguments]

    def control(self, *arguments: str) -> None:
        """Run systemctl.

        Raises:
            BrokenError: it is missing, it failed or it did not end; what it said is told.
        """
        self._run(self.words(*arguments))

    def enable_linger(self) -> None:
        """Have the user's services run while nobody is logged in; raises what `control` does."""
        self._run(["loginctl", "enable-linger", self._machine.user_name])

    def _run(self, words: list[str]) -> None:
        environ = dict(self._machine.environ)
        if self._for_user:
            # Not set after `su` or `sudo`, and systemctl --user finds its manager by it.
            environ.setdefault("XDG_RUNTIME_DIR", str(self._machine.runtime_folder()))
        line = " ".join(words)
        try:
            done = subprocess.run(  # noqa: S603 - its words are systemctl's and ours
                words,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=COMMAND_DEADLINE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BrokenError(f"{line}: it did not end within {COMMAND_DEADLINE_S:g} s") from error
        except OSError as error:
            raise BrokenError(
                f"{line}: {error.strerror}", remedy="is systemd installed?"
            ) from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip() or f"exit {done.returncode}"
            raise BrokenError(
                f"{line}: {printable(said, _SAID_MAX_CHARS)}", remedy=self._remedy(said)
            )

    def _remedy(self, said: str) -> str:
        if self._for_user and "bus" in said:
            return "log in as this user, or enable lingering first: loginctl enable-linger"
        return "journalctl -xe tells more"
