"""What podman is told to create: a pure function of a container's spec.

The body is podman's SpecGenerator (libpod API, ``POST /containers/create``). Hardened unless the
spec says otherwise: no new privileges, no capabilities but those asked for, a limit of processes,
a read-only root; podman itself never restarts anything and never checks health.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any, Final

from fleet_agent.runtime.contract import ContainerConfigError
from fleet_core.contracts.containers import Network, Service
from fleet_core.contracts.quantities import quantity

if TYPE_CHECKING:
    from fleet_agent.runtime.contract import ContainerSpec
    from fleet_core.contracts.containers import InitContainer, Resources

DEFAULT_PIDS: Final = 2_048
"""As podman's own default."""
LOG_MAX_BYTES: Final = 10 * 1024 * 1024
"""Of one container; conmon then begins the file anew. A device's disk is small."""
CPU_PERIOD_US: Final = 100_000
"""The kernel's default period of a CPU quota."""
_SIGNAL: Final = re.compile(r"(?P<base>SIG[A-Z0-9]+)(?P<offset>[+-]\d{1,2})?")
_PORT: Final = re.compile(
    r"(?:(?P<ip>\d+(?:\.\d+){3}):)?(?:(?P<host>\d+):)?(?P<port>\d+)(?:/(?P<proto>\w+))?"
)


def network_name(deployment: str) -> str:
    """Return the name of the deployment's network."""
    return f"fleet-{deployment}"


def volume_name(deployment: str, name: str) -> str:
    """Return the name of a volume: each deployment has its own."""
    return f"fleet-{deployment}.{name}"


def create_body(spec: ContainerSpec) -> dict[str, Any]:
    """Return what is posted to create the container."""
    container = spec.container
    body: dict[str, Any] = {
        "name": spec.key.runtime_name,
        "hostname": spec.key.container,
        "image": container.image,
        "labels": spec.labels,
        "env": container.env,
        "restart_policy": "no",
        "healthconfig": {"Test": ["NONE"]},
        "sdnotifyMode": "ignore",
        "log_configuration": {"driver": "k8s-file", "size": LOG_MAX_BYTES},
        "resource_limits": _limits(container.resources),
        **_program(container),
        **_security(container),
        **_mounts(spec.key.deployment, container),
        **_networking(spec),
    }
    if isinstance(container, Service) and container.stop_signal:
        body["stop_signal"] = signal_number(container.stop_signal)
    return body


def _program(container: InitContainer | Service) -> dict[str, Any]:
    asked = {
        "entrypoint": container.entrypoint,
        "command": container.args or None,
        "user": container.user,
        "work_dir": container.working_dir,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _security(container: InitContainer | Service) -> dict[str, Any]:
    if container.privileged:
        return {"privileged": True, "read_only_filesystem": container.read_only_root}
    return {
        "no_new_privileges": True,
        **_capabilities(container.cap_add),
        "read_only_filesystem": container.read_only_root,
        "read_write_tmpfs": False,
    }


def _capabilities(asked: list[str]) -> dict[str, Any]:
    """Return those asked for and no others; podman takes no adding of all beside dropping all."""
    if "ALL" in asked:
        return {"cap_add": ["ALL"]}
    return {"cap_drop": ["all"], "cap_add": [f"CAP_{name}" for name in asked]}


def _limits(resources: Resources) -> dict[str, Any]:
    limits: dict[str, Any] = {"pids": {"limit": resources.pids or DEFAULT_PIDS}}
    if resources.memory is not None:
        limits["memory"] = {"limit": int(quantity(resources.memory))}
    if resources.cpu is not None:
        quota = int(quantity(resources.cpu) * CPU_PERIOD_US)
        limits["cpu"] = {"quota": quota, "period": CPU_PERIOD_US}
    return limits


def _mounts(deployment: str, container: InitContainer | Service) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = []
    volumes: list[dict[str, Any]] = []
    for volume in container.volumes:
        source, _, rest = volume.partition(":")
        target, _, written = rest.partition(":")
        options = written.split(",") if written else []
        if source.startswith("/"):
            mounts.append(_mount("bind", target, ["rbind", *options], source))
        else:
            name = volume_name(deployment, source)
            volumes.append({"Name": name, "Dest": target, "Options": options})
    for tmpfs in container.tmpfs:
        target, _, size = tmpfs.partition(":")
        mounts.append(_mount("tmpfs", target, [size] if size else [], "tmpfs"))
    return {"mounts": mounts, "volumes": volumes}


def _mount(kind: str, target: str, options: list[str], source: str) -> dict[str, Any]:
    return {"type": kind, "destination": target, "source": source, "options": options}


def _networking(spec: ContainerSpec) -> dict[str, Any]:
    container = spec.container
    if container.network is not Network.DEPLOYMENT:
        return {"netns": {"nsmode": container.network.value}}
    ports = container.ports if isinstance(container, Service) else []
    return {
        "netns": {"nsmode": "bridge"},
        "networks": {network_name(spec.key.deployment): {"aliases": [spec.key.container]}},
        "portmappings": [port_mapping(port) for port in ports],
        # In the container's own network, so that it needs no capability for port 80.
        "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0"},
    }


def signal_number(name: str) -> int:
    """Return the number of a signal, which is how podman's API takes it; also ``SIGRTMIN+3``.

    Raises:
        ContainerConfigError: there is no such signal.
    """
    found = _SIGNAL.fullmatch(name)
    try:
        number = signal.Signals[found["base"]] + int(found["offset"] or 0) if found else 0
    except KeyError:
        number = 0
    if not 0 < number < signal.NSIG:
        raise ContainerConfigError(f"stop signal {name}: there is no such signal")
    return number


def port_mapping(port: str) -> dict[str, Any]:
    """Return a published port as podman takes it; without a host port podman chooses one."""
    found = _PORT.fullmatch(port)
    if found is None:
        raise ValueError(f"not a port: {port}")
    mapping: dict[str, Any] = {
        "container_port": int(found["port"]),
        "protocol": found["proto"] or "tcp",
    }
    if found["host"]:
        mapping["host_port"] = int(found["host"])
    if found["ip"]:
        mapping["host_ip"] = found["ip"]
    return mapping
