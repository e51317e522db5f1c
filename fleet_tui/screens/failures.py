"""Failures: what fails, in which way, on how many devices, and its last words."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.binding import Binding, BindingType

from fleet_core.operations.plans import Request, counted
from fleet_tui.screens.table_screen import TableScreen
from fleet_tui.sources.failure_source import FailureRow, FailureSource
from fleet_tui.table import VirtualTable
from fleet_tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from fleet_tui.sources.live_source import LiveSource
    from fleet_tui.table.source import Cell


class FailuresScreen(TableScreen):
    """Failures grouped by cause, over the last lines of the log of the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "unfold", "Unfold", id="failure.unfold"),
        Binding("l", "logs", "Logs", id="failure.logs"),
        Binding("p", "ping", "Ping", id="failure.ping"),
        Binding("r", "redeploy", "Redeploy", id="failure.redeploy"),
    ]

    view_name = "failures"
    noun = "failures"

    def make_source(self) -> LiveSource:
        """Return the source of the table."""
        return FailureSource(self.view, clock=self.fleet_app.clock)

    @property
    def failures(self) -> FailureSource:
        """The source of the table."""
        return cast("FailureSource", self.rows)

    def compose_body(self) -> Iterable[Widget]:
        """Return the table, and the log beneath it."""
        yield from super().compose_body()
        yield TextPane(id="detail")

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return the name, the filter, and how much fails."""
        left, right = super().title_cells()
        causes = counted(len(self.failures.groups), "cause")
        devices = counted(self.failures.failing_devices, "device")
        return left, [(f"{causes} · {devices} ", "text"), *right[1:]]

    def tick(self) -> None:
        """Follow the read model, and the log of the row under the cursor."""
        super().tick()
        row = self.row_under_cursor
        lines: tuple[str, ...] = ()
        title = ""
        if row is not None and (row.device is not None or row.group.devices):
            device = row.device or row.group.devices[0]
            title = f"{device.device_id}  {row.group.deployment} / {row.group.container or '-'}"
            lines = (device.message, *(f"| {line}" for line in device.log))
        self.query_one("#detail", TextPane).show(title, lines)

    @property
    def row_under_cursor(self) -> FailureRow | None:
        """The group or device under the cursor."""
        key = self.table.cursor_key
        return self.failures.record(key) if key is not None else None

    @on(VirtualTable.CursorMoved)
    def _cursor_moved(self) -> None:
        self.tick()

    def open_row(self, key: str) -> None:
        """Unfold a group; open a device."""
        row = self.failures.record(key)
        if row is not None and row.device is not None:
            self.fleet_app.go(f"device {row.device.device_id}")
        else:
            self.action_unfold()

    def action_unfold(self) -> None:
        """Show the devices of the group under the cursor, or hide them."""
        row = self.row_under_cursor
        if row is not None:
            self.failures.toggle(row.group.key)
            self.table.set_cursor(row.group.key)
            self.tick()

    def action_logs(self) -> None:
        """Read the log of the container that failed."""
        row = self.row_under_cursor
        if row is None or not (row.device or row.group.devices):
            return
        device = row.device or row.group.devices[0]
        words = ("logs", device.device_id, row.group.deployment, row.group.container)
        self.fleet_app.go(" ".join(word for word in words if word))

    def action_ping(self) -> None:
        """Ping the device, or all devices of the group."""
        devices = self._devices()
        if devices:
            self.fleet_app.start("ping", Request(devices=devices))

    def action_redeploy(self) -> None:
        """Run the deployment again on the device, or on all devices of the group."""
        devices = self._devices()
        # Of what is marked: the cursor may stand on another deployment's failure.
        deployments = sorted({row.group.deployment for row in self._rows_meant()})
        if len(deployments) > 1:
            self.fleet_app.say(
                f"marks of several deployments: {', '.join(deployments)}; redeploy one at a time",
                "warning",
            )
        elif devices:
            self.fleet_app.start("redeploy", Request(deployment=deployments[0], devices=devices))

    def _rows_meant(self) -> list[FailureRow]:
        """Return what a key is meant for: what is marked, else what the cursor is on."""
        found = (self.failures.record(key) for key in self.table.target_keys())
        return [row for row in found if row is not None]

    def _devices(self) -> tuple[str, ...]:
        """Return the devices that a key is meant for."""
        found: dict[str, None] = {}
        for row in self._rows_meant():
            some = (row.device,) if row.device is not None else row.group.devices
            found.update(dict.fromkeys(device.device_id for device in some))
        return tuple(found)
