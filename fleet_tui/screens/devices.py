"""Devices: the table of the whole fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from fleet_core.operations.plans import Request
from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.sources.device_source import DeviceSource
from fleet_tui.sources.exec_places import Place

if TYPE_CHECKING:
    from fleet_tui.sources.live_source import LiveSource


class DevicesScreen(TableScreen):
    """All devices; marks and the cursor say which of them a key is meant for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "ping", "Ping", id="device.ping"),
        Binding("l", "logs", "Logs", id="device.logs"),
        Binding("r", "redeploy", "Redeploy", id="device.redeploy"),
        Binding("x", "exec", "Exec", id="device.exec"),
        Binding("d", "describe", "Describe", id="device.describe"),
        Binding("P", "ping_shown", "Ping all shown", show=False, id="device.ping-shown"),
    ]

    view_name = "devices"
    noun = "devices"

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        return DeviceSource(self.view, clock=self.fleet_app.clock)

    def open_row(self, key: str) -> None:
        """Open the device."""
        self.fleet_app.go(f"device {key}")

    def action_ping(self) -> None:
        """Ping the marked devices, else the one under the cursor."""
        keys = self.table.target_keys()
        if keys:
            self.fleet_app.start("ping", Request(devices=keys))

    def action_ping_shown(self) -> None:
        """Ping every device that the filter leaves."""
        rows = self.rows
        keys = tuple(rows.key(row) for row in rows.rows)
        if keys:
            self.fleet_app.start("ping", Request(devices=keys))

    def action_redeploy(self) -> None:
        """Redeploy on the marked devices; which deployment is asked for."""
        keys = self.table.target_keys()
        if keys:
            self.fleet_app.choose_and_start(keys, "redeploy")

    def action_exec(self) -> None:
        """Run a shell line on the marked devices, else on the one under the cursor."""
        keys = self.table.target_keys()
        if keys:
            self.fleet_app.ask_exec(Place(keys))

    def action_logs(self) -> None:
        """Follow logs of the marked devices, else of the one under the cursor."""
        keys = self.table.target_keys()
        if keys:
            self.fleet_app.choose_logs(keys)

    def action_describe(self) -> None:
        """Open the device under the cursor."""
        key = self.table.cursor_key
        if key is not None:
            self.open_row(key)
