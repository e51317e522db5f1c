"""The read model: an indexed picture of the fleet in memory, without I/O."""

from fleet_core.view.devices import DeviceColumns
from fleet_core.view.filters import Filter, FilterError, complete, parse_filter
from fleet_core.view.fleet import FleetView
from fleet_core.view.health import OFFLINE_AFTER, STALE_AFTER, Health, coarse_age, health
from fleet_core.view.rows import (
    DeploymentRow,
    DesiredRow,
    Event,
    FailedDevice,
    FailureGroup,
    StateRow,
)

__all__ = [
    "OFFLINE_AFTER",
    "STALE_AFTER",
    "DeploymentRow",
    "DesiredRow",
    "DeviceColumns",
    "Event",
    "FailedDevice",
    "FailureGroup",
    "Filter",
    "FilterError",
    "FleetView",
    "Health",
    "StateRow",
    "coarse_age",
    "complete",
    "health",
    "parse_filter",
]
