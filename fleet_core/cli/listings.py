"""Tables of devices, deployments and failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fleet_core.contracts.text import printable
from fleet_core.operations.durations import duration_text
from fleet_core.operations.rollouts.words import phase_words
from fleet_core.view import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fleet_core.view import DeploymentRow, FailureGroup, FleetView

DEVICE_HEADERS: Final = ("DEVICE", "STATUS", "AGENT", "DEPLOY", "RESTARTS", "SEEN", "REASON")
DEVICE_WIDE_HEADERS: Final = (*DEVICE_HEADERS[:-1], "LABELS", "REASON")
DEPLOYMENT_HEADERS: Final = (
    "NAMESPACE",
    "DEPLOYMENT",
    "MATCHED",
    "OK",
    "PENDING",
    "FAILED",
    "OFFLINE",
    "ROLLOUT",
    "GEN",
    "AGE",
    "SELECTOR",
)
DEPLOYMENT_WIDE_HEADERS: Final = (*DEPLOYMENT_HEADERS, "LAST ERROR")
FAILURE_HEADERS: Final = ("DEPLOYMENT", "CONTAINER", "HOW", "DEVICES", "SINCE", "WHERE")
FAILURE_WIDE_HEADERS: Final = (*FAILURE_HEADERS, "LAST WORDS")
_NOTHING: Final = "-"


def device_row(view: FleetView, slot: int, *, wide: bool) -> tuple[str, ...]:
    """Return a device's cells."""
    devices = view.devices
    seen_s = devices.seen_s[slot]
    cells = (
        devices.ids[slot],
        Health(devices.health[slot]).word,
        devices.versions[slot] or _NOTHING,
        f"{devices.ok[slot]}/{devices.total[slot]}",
        str(devices.restarts[slot]),
        duration_text(view.now_s - seen_s) if seen_s else "never",
    )
    labels = " ".join(f"{name}={value}" for name, value in devices.labels[slot].items())
    return (*cells, *([labels or _NOTHING] if wide else []), devices.reasons[slot])


def deployment_row(row: DeploymentRow, now_s: float, *, wide: bool) -> tuple[str, ...]:
    """Return a deployment's cells."""
    counts = row.aggregate
    generation = str(row.resource.metadata.generation)
    if row.observed_generation != row.resource.metadata.generation:
        # The counts are those of an older generation.
        generation += "*"
    created = row.resource.metadata.creation_timestamp
    error = counts.last_error
    cells = (
        row.namespace,
        row.name,
        str(counts.matched_device_count),
        str(counts.succeeded),
        str(counts.pending),
        str(counts.failed),
        str(counts.offline),
        phase_words(row.status.rollout) or _NOTHING,
        generation,
        duration_text(now_s - created.timestamp()) if created else _NOTHING,
        row.selector,
    )
    told = f"{error.device_id}: {printable(error.message, 200)}" if error else ""
    return (*cells, told) if wide else cells


def failure_row(group: FailureGroup, now_s: float, *, wide: bool) -> tuple[str, ...]:
    """Return the cells of a group of failures."""
    container = f"{group.container} (init)" if group.init else group.container
    last = group.devices[0].log[-1] if group.devices and group.devices[0].log else ""
    cells = (
        group.deployment,
        container or _NOTHING,
        group.how,
        str(len(group.devices)),
        duration_text(now_s - group.since_s),
        " · ".join(f"{printable(value, 64)} {count}" for value, count in group.spread[:4]),
    )
    return (*cells, last) if wide else cells


def sorted_deployments(rows: Iterable[DeploymentRow]) -> Sequence[DeploymentRow]:
    """Return them by namespace and name."""
    return sorted(rows, key=lambda row: (row.namespace, row.name))
