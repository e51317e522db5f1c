"""The plans of `Apply` and `Delete`: what is stored against what will be, and on which devices."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fleet_core.errors import NotFoundError
from fleet_core.operations import targets
from fleet_core.operations.changes import Change, merged, read_stored
from fleet_core.operations.manifests import read_manifests
from fleet_core.operations.plans import Plan, Request, counted, friction_of, new_operation_id
from fleet_core.operations.yaml_text import yaml_diff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_core.contracts.resources import Deployment
    from fleet_core.operations.live import LiveFleet
    from fleet_core.operations.manifests import Manifest


async def plan_apply(fleet: LiveFleet, request: Request) -> Plan:
    """Return the plan of `Apply`."""
    await fleet.deployments.check()
    source = request.source or "-"
    # Two megabytes of YAML take most of a second: not on the event loop.
    manifests = await asyncio.to_thread(read_manifests, request.manifest, source)
    now = datetime.now(UTC)
    changes = []
    for manifest in manifests:
        namespace, name = manifest.deployment.key
        stored = await read_stored(fleet, namespace, name)
        old = stored.deployment if stored is not None else None
        changes.append(Change(namespace, name, stored, merged(manifest.deployment, old, now)))
    needed = [change for change in changes if change.is_needed]
    devices = _touched(fleet, needed)
    wording = _Wording(
        "apply",
        title=_apply_title(changes, needed, devices),
        words=("apply", "-f", source),
        warnings=_warnings(fleet, manifests, changes),
    )
    return _plan(fleet, needed, devices, wording)


async def plan_delete(fleet: LiveFleet, request: Request) -> Plan:
    """Return the plan of `Delete`; raises NotFoundError where nothing is stored."""
    await fleet.deployments.check()
    name = targets.deployment_name(request)
    stored = await read_stored(fleet, request.namespace, name)
    if stored is None:
        raise NotFoundError(
            f"there is no deployment {request.namespace}/{name}",
            remedy="fleet get deployments lists them",
        )
    change = Change(request.namespace, name, stored, None)
    devices = _touched(fleet, [change])
    wording = _Wording(
        "delete",
        title=f"delete {change.target} from {counted(len(devices), 'device')}",
        words=("delete", "deployment", name, *targets.namespace_words(request)),
        warnings=() if change.old else (f"{change.target} as stored cannot be read",),
    )
    return _plan(fleet, [change], devices, wording)


@dataclass(frozen=True, slots=True)
class _Wording:
    """How a plan is told."""

    operation: str
    title: str
    words: tuple[str, ...]
    warnings: tuple[str, ...]


def _plan(
    fleet: LiveFleet, changes: Sequence[Change], devices: tuple[str, ...], wording: _Wording
) -> Plan:
    friction, confirmation = friction_of(
        devices=len(devices), production=targets.production_name(fleet)
    )
    return Plan(
        operation=wording.operation,
        title=wording.title,
        targets=tuple(change.target for change in changes),
        devices=devices,
        offline=targets.offline_among(fleet, devices),
        command=targets.command(fleet, Request(), *wording.words),
        friction=friction,
        confirmation=confirmation,
        diff=tuple(line for change in changes for line in _diff(change)),
        warnings=wording.warnings,
        changes=bool(changes),
        id=new_operation_id(),
        audit_target=", ".join(change.target for change in changes),
        work=tuple(changes),
    )


def _diff(change: Change) -> tuple[str, ...]:
    return yaml_diff(_shown(change.old), _shown(change.after), change.target)


def _shown(deployment: Deployment | None) -> Any | None:
    return None if deployment is None else deployment.model_dump(mode="json", by_alias=True)


def _touched(fleet: LiveFleet, changes: Sequence[Change]) -> tuple[str, ...]:
    """Return the devices that run something else afterwards, or stop running it."""
    touched: set[str] = set()
    for change in changes:
        for deployment in (change.old, change.after):
            if deployment is not None:
                touched.update(targets.selected(fleet, deployment.spec.target_selector))
    return tuple(sorted(touched))


def _apply_title(
    changes: Sequence[Change], needed: Sequence[Change], devices: Sequence[str]
) -> str:
    if not needed:
        names = ", ".join(change.target for change in changes)
        return f"nothing to change: {names} is stored like this already"
    new = [change.target for change in needed if change.before is None]
    old = [change.target for change in needed if change.before is not None]
    parts = [f"create {', '.join(new)}" if new else "", f"change {', '.join(old)}" if old else ""]
    return f"{' and '.join(filter(None, parts))} on {counted(len(devices), 'device')}"


def _warnings(
    fleet: LiveFleet, manifests: Sequence[Manifest], changes: Sequence[Change]
) -> tuple[str, ...]:
    found = []
    for manifest, change in zip(manifests, changes, strict=True):
        found += [
            f"{change.target}: the field {path} is not known, and has no effect"
            for path in manifest.unknown
        ]
        if change.before is not None and change.old is None:
            found.append(f"{change.target} as stored cannot be read, and is replaced")
        new = set(targets.selected(fleet, manifest.deployment.spec.target_selector))
        if not new:
            found.append(f"{change.target} matches no device")
        if change.old is not None:
            gone = set(targets.selected(fleet, change.old.spec.target_selector)) - new
            if gone:
                found.append(f"{change.target} is removed from {counted(len(gone), 'device')}")
    return tuple(found)
