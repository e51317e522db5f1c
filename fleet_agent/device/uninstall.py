"""``fleet-agent uninstall``: the service goes; the workloads and what the agent knows stay."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fleet_agent.device.steps import Plan
from fleet_agent.device.unit import UNIT_NAME
from fleet_agent.runtime.contract import LABEL_PREFIX

if TYPE_CHECKING:
    from fleet_agent.device.service import Service


def plan_uninstall(service: Service) -> Plan:
    """Return what is to be done so that the service is no longer there.

    Raises:
        BrokenError: the present unit cannot be read.
    """
    plan = Plan()
    systemd, unit = service.systemd, service.unit
    if service.present() is None:
        plan.kept.append(f"{unit} is not there: nothing to uninstall")
        return plan
    disable = ("disable", "--now", UNIT_NAME)
    plan.add(" ".join(systemd.words(*disable)), partial(systemd.control, *disable))
    plan.add(f"remove {unit}", partial(unit.unlink, missing_ok=True))
    plan.add(" ".join(systemd.words("daemon-reload")), partial(systemd.control, "daemon-reload"))
    machine, for_user = service.machine, service.for_user
    plan.kept += [
        f"the containers, which go on running: podman ps --filter label={LABEL_PREFIX}/deployment",
        f"{machine.state_folder(for_user=for_user)}, what the agent knows",
        f"{machine.config_file(for_user=for_user)}, the configuration",
    ]
    return plan
