"""A Deployment, or all that is stored of a device, as YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

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

KINDS = ("device", "deployment")


class YamlScreen(TextScreen):
    """``yaml device ID`` or ``yaml deployment [NAMESPACE/]NAME``, as it was when opened."""

    view_name: ClassVar[str] = "yaml"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__()
        self._kind = kind
        self._what = name

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view; raises InvalidInputError where it is not told what to show."""
        kind, _, name = location.argument.partition(" ")
        if kind not in KINDS or not name:
            raise InvalidInputError(
                "yaml: expected what to show", remedy="yaml device ID, or yaml deployment NAME"
            )
        return cls(kind, name.strip())

    @property
    def location(self) -> Location:
        """What is shown."""
        return Location(self.view_name, f"{self._kind} {self._what}")

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return what is shown."""
        left, right = super().title_cells()
        return [(f" {self._kind} {self._what}", "title"), *left[1:]], right

    def on_mount(self) -> None:
        """Read it."""
        super().on_mount()
        self.focus_body()
        self.read()

    @work(exclusive=True)
    async def read(self) -> None:
        """Read what is stored now, and show it."""
        try:
            record = await self._record()
        except FleetError as error:
            self.text.set_lines([(str(error), "error")])
            return
        lines = to_yaml(record).splitlines()
        self.text.set_lines([(f" {line}", "text") for line in lines])

    async def _record(self) -> Record:
        if self._kind == "deployment":
            namespace, slash, name = self._what.rpartition("/")
            row = self.view.deployments.get((namespace if slash else "default", name))
            if row is None:
                raise NotFoundError(f"there is no deployment {self._what}")
            return deployment_record(row)
        fleet = self.fleet_app.fleet
        if fleet is None:
            raise NotFoundError("not connected yet")
        return inspection_record(await inspect_device(fleet, self._what))
