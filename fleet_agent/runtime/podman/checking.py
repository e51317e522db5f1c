"""Health checks that the device does of a container, at where its ports are reached."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fleet_agent.health.checks import CheckResult, check_http, check_tcp
from fleet_agent.runtime.podman.seeing import address_of, unreachable

if TYPE_CHECKING:
    from fleet_core.contracts.probes import Probe


async def check_from_device(inspected: Any, probe: Probe) -> CheckResult:
    """Do an HTTP or TCP check of a container as podman tells of it: None where it is gone."""
    check = probe.http or probe.tcp
    if check is None or inspected is None:
        return CheckResult(False, "the container is gone")
    if not inspected["State"].get("Running"):
        return CheckResult(False, "the container does not run")
    address = address_of(inspected, rootless=os.geteuid() != 0, port=check.port)
    if address is None:
        return CheckResult(False, unreachable(inspected, check.port))
    if probe.http is not None:
        return await check_http(*address, probe.http, probe.timeout_s)
    return await check_tcp(*address, probe.timeout_s)
