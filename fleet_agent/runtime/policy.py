"""What a device lets containers do: its own configuration decides, not the control plane."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fleet_agent.runtime.contract import ContainerConfigError
from fleet_core.contracts.containers import Network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_core.contracts.containers import InitContainer, Service

VOLUME_OPTIONS: Final = frozenset(
    ("ro", "rw", "z", "Z", "U", "nocopy", "noexec", "nosuid", "nodev", "copy")
)


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    """What is allowed here; by default nothing that reaches out of a container."""

    privileged: bool = False
    host_network: bool = False
    host_paths: tuple[str, ...] = ()
    """With all that is below them."""
    capabilities: frozenset[str] = frozenset()

    def check(self, container: InitContainer | Service) -> None:
        """See that the container asks for nothing that this device does not allow.

        Reads symbolic links: not for an event loop.

        Raises:
            ContainerConfigError: it does; the sentence says what, and which key would allow it.
        """
        if container.privileged and not self.privileged:
            raise _refusal("privileged", "allow_privileged = true")
        if container.network is Network.HOST and not self.host_network:
            raise _refusal("the device's network", "allow_host_network = true")
        for capability in container.cap_add:
            if capability not in self.capabilities and not self.privileged:
                raise _refusal(f"the capability {capability}", "allow_capabilities")
        for volume in container.volumes:
            self._check_volume(volume)

    def _check_volume(self, volume: str) -> None:
        source, _, rest = volume.partition(":")
        _, _, options = rest.partition(":")
        unknown = sorted(set(options.split(",") if options else ()) - VOLUME_OPTIONS)
        if unknown:
            raise ContainerConfigError(
                f"volume {volume}: option {unknown[0]} is not known",
                remedy=f"one of {', '.join(sorted(VOLUME_OPTIONS))}",
            )
        if source.startswith("/") and not self._allows(source):
            raise _refusal(f"the device's path {source}", "allow_host_paths")

    def _allows(self, path: str) -> bool:
        """Tell whether a host path is allowed, both as it is written and where its links lead."""
        return _is_below(path, self.host_paths) and _is_below(
            os.path.realpath(path), [os.path.realpath(allowed) for allowed in self.host_paths]
        )


def _is_below(path: str, folders: Iterable[str]) -> bool:
    if ".." in PurePosixPath(path).parts:
        return False
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def _refusal(what: str, key: str) -> ContainerConfigError:
    return ContainerConfigError(
        f"it asks for {what}, which this device does not allow",
        remedy=f"only [containers] {key} in the device's own configuration does",
    )
