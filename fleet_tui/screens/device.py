"""Device: its facts, its deployments with every container, and their last words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final, Self

from textual import on, work
from textual.binding import Binding, BindingType

from fleet_core.contracts.names import is_dns_label
from fleet_core.errors import FleetError, InvalidInputError
from fleet_core.operations.inspect import inspect_device
from fleet_core.operations.plans import Request
from fleet_core.view import Health
from fleet_tui.locations import Location
from fleet_tui.screens.fleet_screen import FleetScreen
from fleet_tui.sources.device_facts import GLYPHS, device_facts
from fleet_tui.sources.device_report import ReportRow, last_words, observed, report_rows
from fleet_tui.sources.exec_places import Place
from fleet_tui.sources.heartbeat_strip import HeartbeatStrip
from fleet_tui.table import Column, StaticSource, VirtualTable
from fleet_tui.widgets.facts import Fact, Facts
from fleet_tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from fleet_core.operations.inspect import Inspection
    from fleet_tui.table.source import Cell

COLUMNS: Final = (
    Column("name", "DEPLOYMENT / CONTAINER", 14, flex=2, max_width=44),
    Column("state", "STATE", 22, flex=1, max_width=44),
    Column("restarts", "RST", 4, align="right"),
    Column("started", "SINCE", 5, align="right"),
    Column("finished", "ENDED", 5, align="right"),
    Column("detail", "DETAIL", 16, flex=5),
)
_READ_AGAIN_S: Final = 1.0
"""A device that changes all the time is read once a second, no more."""
_RETRY_S: Final = 5.0


class DeviceScreen(FleetScreen):
    """One device. What the read model does not keep is read from the buckets when it changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "ping", "Ping", id="device.ping"),
        Binding("l", "logs", "Logs", id="device.logs"),
        Binding("r", "redeploy", "Redeploy", id="device.redeploy"),
        Binding("x", "exec", "Exec", id="device.exec"),
        Binding("y", "yaml", "YAML", id="device.yaml"),
    ]

    view_name = "device"
    body_widgets = (VirtualTable,)

    def __init__(self, device_id: str) -> None:
        super().__init__()
        self.device_id = device_id
        self.found: Inspection | None = None
        """What was read of it last."""
        self.problem = ""
        """Why it could not be read."""
        self._strip = HeartbeatStrip()
        self._source = StaticSource(COLUMNS)
        self._rows: dict[str, ReportRow] = {}
        self._read_revision: int | None = None
        self._read_at_s = 0.0
        """Of the monotonic clock."""
        self._reading = False

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view of a device; raises InvalidInputError where its id is none."""
        if not is_dns_label(location.argument):
            raise InvalidInputError(
                "device: expected a device's id", remedy=":device ID, completed by tab"
            )
        return cls(location.argument)

    @property
    def location(self) -> Location:
        """The device."""
        return Location(self.view_name, self.device_id)

    @property
    def table(self) -> VirtualTable:
        """The deployments, containers and events."""
        return self.query_one("#body", VirtualTable)

    def compose_body(self) -> Iterable[Widget]:
        """Return the facts, the table, and what the deployment under the cursor says."""
        yield Facts(id="facts")
        yield VirtualTable(self._source, id="body")
        yield TextPane(id="detail")

    def focus_body(self) -> None:
        """Give the focus to the table."""
        self.table.focus()

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return the device, its health, and how many of its deployments are well."""
        left: list[Cell] = [(" device ", "dim"), (self.device_id, "title")]
        slot = self._slot
        if slot is None:
            return left, []
        devices = self.view.devices
        health = Health(devices.health[slot])
        left.append((f"  {GLYPHS[health].value} {health.word}", health.word))
        ok, total = devices.ok[slot], devices.total[slot]
        right: list[Cell] = [(f"deployments {ok}/{total} ok ", "ok" if ok == total else "warning")]
        if not self._is_there(slot):
            right = [(f"deployments ?/{total}, as last told ", "dim")]
        if self.problem:
            right.insert(0, ("details may be old  ", "warning"))
        return left, right

    def tick(self) -> None:
        """Follow the read model, and read what it does not keep when the device has changed."""
        slot = self._slot
        facts = [Fact("", f"nothing is known of {self.device_id}", "warning", wide=True)]
        rows: list[ReportRow] = []
        if slot is not None:
            self._read_if_changed(slot)
            found = self.found
            info = found.info if found is not None else None
            beats = self._beats(slot)
            facts = device_facts(self.view, slot, info, self._problems(), beats)
            rows = report_rows(self.view, slot, found)
        self.query_one("#facts", Facts).show(facts, stale=self.fleet_app.is_stale)
        self._rows = {row.key: row for row in rows}
        self._source.replace((row.key, row.cells) for row in rows)
        # What a device said before it went away is no news either.
        self.table.stale = self.fleet_app.is_stale or not self._is_there(slot)
        self.table.tick()
        self._show_last_words(slot)
        self.say_title()

    @property
    def row_under_cursor(self) -> ReportRow | None:
        """The deployment, container or event under the cursor."""
        key = self.table.cursor_key
        return self._rows.get(key) if key is not None else None

    def _beats(self, slot: int) -> str:
        devices = self.view.devices
        return self._strip.look(self.view.now_s, devices.seen_s[slot], devices.interval_s[slot])

    def _is_there(self, slot: int | None) -> bool:
        return slot is not None and self.view.devices.health[slot] <= Health.STALE

    def _problems(self) -> list[Fact]:
        told = [("NOT READ", self.problem)] if self.problem else []
        told += [("REFUSED", each) for each in (self.found.problems if self.found else ())]
        return [Fact(name, text, "warning", wide=True) for name, text in told]

    @property
    def _slot(self) -> int | None:
        return self.view.devices.slot_of.get(self.device_id)

    def _show_last_words(self, slot: int | None) -> None:
        row = self.row_under_cursor
        said: tuple[str, tuple[str, ...]] = ("", ())
        if row is not None and slot is not None:
            for each in observed(self.view, slot, self.found):
                if each.name == row.deployment:
                    said = last_words(each)
        self.query_one("#detail", TextPane).show(*said)

    # What the read model does not keep

    def _read_if_changed(self, slot: int) -> None:
        revision = self.view.devices.revision[slot]
        waited_s = time.monotonic() - self._read_at_s
        if self._reading or waited_s < (_RETRY_S if self.problem else _READ_AGAIN_S):
            return
        if revision != self._read_revision or self.problem:
            self._reading = True
            self._read(revision)

    @work(group="read")
    async def _read(self, revision: int) -> None:
        fleet = self.fleet_app.fleet
        try:
            if fleet is not None:
                self.found = await inspect_device(fleet, self.device_id)
                self.problem = ""
        except FleetError as error:
            self.problem = f"containers and inventory: {error}"
        finally:
            self._reading = False
            self._read_revision = revision
            self._read_at_s = time.monotonic()
        self.fleet_app.paint(self)

    # Keys

    @on(VirtualTable.CursorMoved)
    def _cursor_moved(self) -> None:
        self._show_last_words(self._slot)

    @on(VirtualTable.RowOpened)
    def _row_opened(self, event: VirtualTable.RowOpened) -> None:
        event.stop()
        self.action_logs()

    def action_ping(self) -> None:
        """Ping it."""
        self.fleet_app.start("ping", Request(devices=(self.device_id,)))

    def action_logs(self) -> None:
        """Read the log of the container under the cursor, or of the deployment's."""
        row = self.row_under_cursor
        if row is None or not row.deployment:
            self.fleet_app.choose_logs((self.device_id,))
            return
        words = ("logs", self.device_id, row.deployment, row.container)
        self.fleet_app.go(" ".join(word for word in words if word))

    def action_redeploy(self) -> None:
        """Run the deployment under the cursor again from its start, on this device."""
        row, devices = self.row_under_cursor, (self.device_id,)
        if row is not None and row.deployment:
            self.fleet_app.start("redeploy", Request(deployment=row.deployment, devices=devices))
        else:
            self.fleet_app.choose_and_start(devices, "redeploy")

    def action_exec(self) -> None:
        """Run a shell line in the container under the cursor, or in one that is asked for."""
        row, devices = self.row_under_cursor, (self.device_id,)
        place = Place(devices, row.deployment, row.container) if row else Place(devices)
        self.fleet_app.ask_exec(place)

    def action_yaml(self) -> None:
        """Show all that is stored of it."""
        self.fleet_app.go(f"yaml device {self.device_id}")
