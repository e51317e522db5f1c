"""The container runtime that a device's configuration chooses."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_agent.runtime.contract import RuntimeUnavailableError

if TYPE_CHECKING:
    from fleet_agent.config_model import AgentConfig, RegistrySection
    from fleet_agent.runtime.contract import ContainerRuntime
    from fleet_agent.runtime.podman.images import Registry

_log = logging.getLogger(__name__)


def chosen_runtime(config: AgentConfig) -> ContainerRuntime | None:
    """Return the runtime; None where the device runs no containers."""
    if not config.agent.runtime_enabled:
        return None
    if config.agent.runtime == "simulated":
        from fleet_agent.runtime.simulated import SimulatedRuntime  # noqa: PLC0415 - podman's is not paid for

        return SimulatedRuntime()
    from fleet_agent.runtime.podman import PodmanRuntime, PodmanSettings  # noqa: PLC0415 - as above
    from fleet_agent.runtime.policy import DevicePolicy  # noqa: PLC0415 - as above

    allowed = config.containers
    policy = DevicePolicy(
        privileged=allowed.allow_privileged,
        host_network=allowed.allow_host_network,
        host_paths=tuple(allowed.allow_host_paths),
        capabilities=frozenset(allowed.allow_capabilities),
    )
    socket = config.podman.socket
    return PodmanRuntime(
        PodmanSettings(
            socket=None if socket is None else Path(socket),
            executable=config.podman.executable,
            parallel_calls=config.podman.parallel_calls,
            policy=policy,
            registries={host: _registry(each) for host, each in config.registries.items()},
        )
    )


async def describe(runtime: ContainerRuntime | None) -> str | None:
    """Return the runtime's name and version, as far as it answers."""
    if runtime is None:
        return None
    try:
        return await runtime.describe()
    except RuntimeUnavailableError as error:
        _log.error("no containers yet: %s", error)
        return None


def _registry(section: RegistrySection) -> Registry:
    from fleet_agent.runtime.podman.images import Registry  # noqa: PLC0415 - as above

    password = section.password
    return Registry(
        username=section.username,
        password=None if password is None else password.get_secret_value(),
        password_file=None if section.password_file is None else Path(section.password_file),
        insecure=section.insecure,
    )
