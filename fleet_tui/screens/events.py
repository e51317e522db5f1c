"""Events: what was seen to change while this session looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.sources.event_source import EventSource

if TYPE_CHECKING:
    from fleet_tui.sources.live_source import LiveSource


class EventsScreen(TableScreen):
    """The last changes of health and phase."""

    view_name = "events"
    noun = "events"

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        return EventSource(self.view, clock=self.fleet_app.clock)

    def open_row(self, key: str) -> None:
        """Open the device."""
        event = cast("EventSource", self.rows).record(key)
        if event is not None:
            self.fleet_app.go(f"device {event.device_id}")
