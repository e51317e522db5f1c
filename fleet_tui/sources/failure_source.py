"""The table of failures: groups of devices on which the same container failed in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fleet_core.operations.record_filters import matching_failures
from fleet_tui.sources.record_source import SEPARATOR, FoldingSource
from fleet_tui.table import Column, Sort, span_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from fleet_core.view import FailedDevice, FailureGroup, Filter, FleetView
    from fleet_tui.table.source import Cell

SHOWN_PLACES: Final = 4


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A group, or one of its devices."""

    group: FailureGroup
    device: FailedDevice | None = None


class FailureSource(FoldingSource[FailureRow]):
    """Groups by key; the devices of those that are open stand beneath them."""

    COLUMNS = (
        Column("failure", "FAILURE", 20, flex=2, max_width=44),
        Column("how", "HOW", 14, flex=1, max_width=24),
        Column("devices", "DEVICES", 8, align="right"),
        Column("where", "WHERE", 10, flex=2, max_width=44),
        Column("since", "SINCE", 5, align="right"),
        Column("generation", "GEN", 4, align="right"),
        Column("words", "LAST WORDS", 16, flex=4),
    )

    def __init__(self, view: FleetView, *, clock: Callable[[], float]) -> None:
        super().__init__(view, clock=clock, sort=Sort("devices", descending=True))
        self.open_groups: set[str] = set()
        self.groups: dict[str, FailureGroup] = {}
        """All groups that match, by key."""

    @property
    def total(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    @property
    def failing_devices(self) -> int:
        """How many devices fail in any way; one that fails twice counts twice."""
        return sum(len(group.devices) for group in self.groups.values())

    def state_of_view(self) -> Hashable:
        """Anything but a heartbeat may have changed a failure."""
        return self.view.changes

    def toggle(self, key: str) -> None:
        """Open a group, or close it."""
        self.open_groups ^= {key}
        self.refresh(now=True)

    def find(self, parsed: Filter) -> dict[str, FailureRow]:
        """Return the groups that match, and the devices of the open ones."""
        self.groups = {
            group.key: group for group in matching_failures(parsed, self.view.failures(), self.view)
        }
        found = {}
        for key, group in self.groups.items():
            found[key] = FailureRow(group)
            if key in self.open_groups:
                for device in group.devices:
                    found[f"{key}{SEPARATOR}{device.device_id}"] = FailureRow(group, device)
        return found

    def sort_keys(self) -> Mapping[str, Callable[[FailureRow], Any]]:
        """Return what groups are sorted by; devices stay beneath theirs."""
        return {
            "devices": lambda row: len(row.group.devices),
            "failure": lambda row: (row.group.deployment, row.group.container),
            "since": lambda row: row.group.since_s,
        }

    def cells_of(self, record: FailureRow) -> Sequence[Cell]:
        """Return the cells of a group, or of a device."""
        return self._group(record.group) if record.device is None else self._device(record.device)

    def _group(self, group: FailureGroup) -> Sequence[Cell]:
        fold = "▾" if group.key in self.open_groups else "▸"
        kind = " (init)" if group.init else ""
        container = f" / {group.container}{kind}" if group.container else ""
        places = " · ".join(f"{place} {count}" for place, count in group.spread[:SHOWN_PLACES])
        more = " · …" if len(group.spread) > SHOWN_PLACES else ""
        return (
            (f"{fold} {group.deployment}{container}", "strong"),
            (group.how, "failed"),
            (f"{len(group.devices):,}", "text"),
            (places + more, "text"),
            (span_text(self.view.now_s - group.since_s), "dim"),
            (str(group.generation), "dim"),
            (_last_words(group.devices[0]) if group.devices else "", "dim"),
        )

    def _device(self, device: FailedDevice) -> Sequence[Cell]:
        return (
            (f"    {device.device_id}", "text"),
            ("", "dim"),
            ("", "dim"),
            ("", "dim"),
            (span_text(self.view.now_s - device.at_s), "dim"),
            ("", "dim"),
            (_last_words(device), "text"),
        )


def _last_words(device: FailedDevice) -> str:
    lines = [line for line in device.log if line.strip()]
    return lines[-1].strip() if lines else device.message
