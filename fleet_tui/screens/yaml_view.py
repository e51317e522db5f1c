"""A Deployment, or all that is stored of a device, as YAML that follows what is stored."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, ClassVar, Final, Self

from textual import work

from fleet_core.errors import FleetError, InvalidInputError, NotFoundError
from fleet_core.operations.inspect import inspect_device
from fleet_core.operations.reports import deployment_record, inspection_record
from fleet_core.operations.yaml_text import to_yaml
from fleet_tui.locations import Location
from fleet_tui.screens.text_screen import TextScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fleet_core.operations.reports import Record
    from fleet_tui.table.source import Cell

KINDS: Final = ("device", "deployment")
_READ_AGAIN_S: Final = 1.0
"""What changes all the time is read once a second, no more."""
_RETRY_S: Final = 5.0
_KEY: Final = re.compile(r"(\s*(?:- )*)([^\s:'\"|][^:]*|'[^']*'|\"[^\"]*\")(:)(?=\s|$)")


class YamlScreen(TextScreen):
    """``yaml device ID`` or ``yaml deployment [NAMESPACE/]NAME``; `/` searches it."""

    view_name: ClassVar[str] = "yaml"

    def __init__(self, kind: str, name: str, search: str = "") -> None:
        super().__init__()
        self._kind = kind
        self._what = name
        self._first_search = search
        self._shown = ""
        self._failed = False
        self._seen: object = None
        """What the read model had when it was read last; something else means to read again."""
        self._read_at_s = 0.0
        """Of the monotonic clock."""
        self._reading = False

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view; raises InvalidInputError where it is not told what to show."""
        kind, _, name = location.argument.partition(" ")
        if kind not in KINDS or not name.strip():
            raise InvalidInputError(
                "yaml: expected what to show", remedy="yaml device ID, or yaml deployment NAME"
            )
        return cls(kind, name.strip(), location.filter)

    @property
    def location(self) -> Location:
        """What is shown."""
        return Location(self.view_name, f"{self._kind} {self._what}", self.filter_text())

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return what is shown, and how many lines hold what is searched."""
        left, _ = super().title_cells()
        lines = len(self.text.lines)
        right: list[Cell] = [(f"{lines:,} lines ", "dim")]
        if self.text.search:
            found = self.text.matches
            right.insert(0, (f"{found:,} found  ", "accent" if found else "warning"))
        return [(f" {self._kind} {self._what}", "title"), *left[1:]], right

    def on_mount(self) -> None:
        """Read it."""
        self.text.paint_row = yaml_cells
        super().on_mount()
        self.focus_body()

    def tick(self) -> None:
        """Read it again where it has changed."""
        now, waited_s = self._now_seen(), time.monotonic() - self._read_at_s
        if not self._reading and (
            (now != self._seen and waited_s >= _READ_AGAIN_S)
            or (self._failed and waited_s >= _RETRY_S)
        ):
            self._reading = True
            self._read(now)
        super().tick()

    def _now_seen(self) -> object:
        """Return what differs whenever the read model has heard of a change."""
        if self._kind == "deployment":
            row = self.view.deployments.get(self._key)
            return (self.fleet_app.fleet is not None, row)
        slot = self.view.devices.slot_of.get(self._what)
        return (self.fleet_app.fleet is not None, slot is not None and self._revision(slot))

    def _revision(self, slot: int) -> int:
        return self.view.devices.revision[slot]

    @property
    def _key(self) -> tuple[str, str]:
        namespace, slash, name = self._what.rpartition("/")
        return (namespace if slash else "default", name)

    @work(group="read")
    async def _read(self, seen: object) -> None:
        """Read what is stored now, and show it."""
        try:
            record = await self._record()
        except FleetError as error:
            self._failed = True
            if not self._shown:
                self.text.set_lines([(f" {error}", "error")])
            else:
                self.fleet_app.complain(error)
        else:
            self._failed = False
            self._show(to_yaml(record))
        finally:
            self._reading = False
            self._seen = seen
            self._read_at_s = time.monotonic()
        self.say_title()

    def _show(self, text: str) -> None:
        if text == self._shown:
            return
        first = not self._shown
        self._shown = text
        self.text.set_lines([(f" {line}", "text") for line in text.splitlines()])
        if first and self._first_search:
            self.apply_filter(self._first_search)

    async def _record(self) -> Record:
        if self._kind == "deployment":
            row = self.view.deployments.get(self._key)
            if row is None:
                raise NotFoundError(f"there is no deployment {self._what}")
            return deployment_record(row)
        fleet = self.fleet_app.fleet
        if fleet is None:
            raise NotFoundError("not connected yet")
        return inspection_record(await inspect_device(fleet, self._what))


def yaml_cells(row: Cell) -> Sequence[Cell]:
    """Return a line of YAML with its key in the accent's colour."""
    text, style = row
    found = _KEY.match(text) if style == "text" else None
    if found is None:
        return (row,)
    return (
        (found[1], "dim"),
        (found[2], "accent"),
        (text[found.end(2) :], "text"),
    )
