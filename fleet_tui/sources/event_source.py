"""The table of events: what was seen to change while this session looked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_core.view import Event
from fleet_tui.sources.record_source import RecordSource
from fleet_tui.table import Column, span_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from fleet_core.view import Filter, FleetView
    from fleet_tui.table.source import Cell


class EventSource(RecordSource[Event]):
    """Events, the newest first."""

    COLUMNS = (
        Column("age", "AGE", 5, align="right"),
        Column("device", "DEVICE", 16, flex=1, max_width=44),
        Column("deployment", "DEPLOYMENT", 10, flex=1, max_width=30),
        Column("event", "EVENT", 20, flex=4),
    )

    def __init__(self, view: FleetView, *, clock: Callable[[], float]) -> None:
        super().__init__(view, clock=clock)

    @property
    def total(self) -> int:
        """How many events are kept."""
        return len(self.view.events)

    def state_of_view(self) -> Hashable:
        """Return what differs when there are more events."""
        events = self.view.events
        return (len(events), id(events[-1]) if events else 0)

    def find(self, parsed: Filter) -> dict[str, Event]:
        """Return the events that hold the filter's words."""
        wanted = str(parsed).lower()
        found = {}
        for event in reversed(self.view.events):
            if wanted in f"{event.device_id} {event.deployment} {event.text}".lower():
                found[f"{event.at_s:.6f} {event.device_id} {event.deployment}"] = event
        return found

    def cells_of(self, record: Event) -> Sequence[Cell]:
        """Return the cells of an event."""
        return (
            (span_text(self.view.now_s - record.at_s), "dim"),
            (record.device_id, "text"),
            (record.deployment, "text"),
            (record.text, "text"),
        )
