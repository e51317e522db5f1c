"""Where a program is run: on which devices, in which container or in none. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fleet_core.contracts.commands import EXEC_DEADLINE_S
from fleet_core.operations.plans import Request, counted
from fleet_tui.sources.log_choice import containers_of, deployments_on

if TYPE_CHECKING:
    from fleet_core.view import FleetView

HOST: Final = "the device itself"
"""No container is called so."""
_SERVICE: Final = "service"


@dataclass(frozen=True, slots=True)
class Place:
    """Devices, and one of their containers."""

    devices: tuple[str, ...]
    deployment: str = ""
    """Empty for the device itself."""
    container: str = ""
    """Empty for the deployment's first service."""

    @property
    def name(self) -> str:
        """The container, as ``web/main``, or the device itself."""
        return "/".join(filter(None, (self.deployment, self.container))) or HOST

    @property
    def about(self) -> str:
        """What it is."""
        if not self.deployment:
            return "where its own configuration allows it"
        return _SERVICE if self.container else "its first service"

    def __str__(self) -> str:
        """Return where it is, as a person is told: ``in web/main on kiosk-1``."""
        alone = len(self.devices) == 1
        whom = self.devices[0] if alone else counted(len(self.devices), "device")
        if not self.deployment:
            return f"on {whom} {'itself' if alone else 'themselves'}"
        return f"in {self.name} on {whom}"

    def choices(self, view: FleetView) -> list[Place]:
        """Return this place where it is a container, else those that may be meant, at least one."""
        if self.container:
            return [self]
        if self.deployment:
            return self._services(view)
        deployments = sorted(deployments_on(view, self.devices))
        found = [
            each for name in deployments for each in replace(self, deployment=name).choices(view)
        ]
        return found if len(found) == 1 else [*found, self]

    def request(self, line: str) -> Request:
        """Return what asks for a shell line to be run here."""
        return Request(
            devices=self.devices,
            deployment=self.deployment,
            container=self.container,
            shell_line=line,
            timeout_s=EXEC_DEADLINE_S,
        )

    def _services(self, view: FleetView) -> list[Place]:
        """Return the services of the deployment; itself where none is known."""
        kinds = containers_of(view, self.deployment)
        services = [name for name, kind in kinds.items() if kind == _SERVICE]
        return [replace(self, container=name) for name in services] or [self]
