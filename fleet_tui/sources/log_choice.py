"""Which logs there are to choose from, as the read model knows it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fleet_core.view import FleetView


def deployments_on(view: FleetView, devices: Iterable[str]) -> dict[str, int]:
    """Return what devices should run, or say that they do, and on how many of them."""
    columns = view.devices
    found: dict[str, int] = {}
    for device in devices:
        slot = columns.slot_of.get(device)
        if slot is None:
            continue
        for name in {*(columns.desired[slot] or ()), *columns.states[slot]}:
            found[name] = found.get(name, 0) + 1
    return found


def containers_of(view: FleetView, deployment: str) -> dict[str, str]:
    """Return the containers of a deployment with what they are; the services come first."""
    for (_, name), row in sorted(view.deployments.items()):
        if name == deployment:
            score = row.resource.spec.score.data
            return {
                **{each.name: "service" for each in score.services},
                **{each.name: "init container" for each in score.init_containers},
            }
    return {}
