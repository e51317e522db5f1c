"""One installation of the agent's service: where its files lie, and whether it may be changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet_agent.device.systemd import Systemd
from fleet_agent.device.unit import is_ours
from fleet_core.errors import BrokenError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from fleet_agent.device.machine import Machine


@dataclass(frozen=True, slots=True)
class Service:
    """The system's service, or one user's own (rootless podman)."""

    machine: Machine
    for_user: bool

    @property
    def unit(self) -> Path:
        """Where its unit lies."""
        return self.machine.unit_file(for_user=self.for_user)

    @property
    def systemd(self) -> Systemd:
        """The manager that runs it."""
        return Systemd(self.machine, for_user=self.for_user)

    def command(self, verb: str) -> str:
        """Return what a person types to do something with it."""
        return " ".join(self.systemd.words(verb, "fleet-agent"))

    def journal(self) -> str:
        """Return what a person types to read its log."""
        return f"journalctl {'--user ' if self.for_user else ''}-u fleet-agent -f"

    def present(self) -> str | None:
        """Return the unit's text as it lies there; None where there is none.

        Raises:
            BrokenError: it cannot be read.
        """
        try:
            return self.unit.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BrokenError(f"{self.unit}: cannot be read: {error.strerror}") from error

    def obstacle(self, *, force: bool) -> RefusedError | None:
        """Return why the service may not be changed from here; None if it may."""
        machine = self.machine
        if not self.for_user and not machine.is_root:
            return RefusedError(
                "only root may change the system's services",
                remedy="call it with sudo, or with --user for an agent of your own (rootless)",
            )
        if self.for_user and machine.is_root and machine.environ.get("SUDO_USER"):
            return RefusedError(
                "--user is for the user who calls it, and sudo makes that root",
                remedy="call it without sudo",
            )
        if not machine.path("/run/systemd/system").is_dir():
            return RefusedError(
                "this machine is not run by systemd (there is no /run/systemd/system)",
                remedy="have what starts its services run: fleet-agent run --config FILE",
            )
        text = self.present()
        if text is not None and not is_ours(text) and not force:
            return RefusedError(
                f"{self.unit} was not written by fleet-agent",
                remedy="move it away, or overrule with --force",
            )
        return None
