"""Logs: of one container, or of the same container on several devices, followed as they grow."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from textual import work
from textual.binding import Binding, BindingType

from fleet_core.errors import FleetError, InvalidInputError
from fleet_core.operations.following import follow_logs
from fleet_core.operations.plans import Request
from fleet_tui.locations import Location
from fleet_tui.screens.text_screen import TextScreen
from fleet_tui.widgets.text_view import TextView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from fleet_core.operations.following import LogChunk
    from fleet_tui.table.source import Cell

MAX_DEVICES: Final = 10
"""Several logs at once are read side by side; more than these nobody follows."""
RETRY_S: Final = 3.0
"""A device that went away is asked again after this."""
DEVICE_STYLES: Final = ("accent", "ok", "warning", "text")


class LogsScreen(TextScreen):
    """A followed log. `/` searches, ``&`` keeps only the lines that match."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ampersand", "only", "Only", key_display="&", id="logs.only"),
        Binding("t", "timestamps", "Times", id="logs.timestamps"),
        Binding("P", "previous", "Previous run", id="logs.previous"),
        Binding("F", "follow", "Follow", id="logs.follow"),
        Binding("ctrl+w", "save", "Save", show=False, id="logs.save"),
    ]

    view_name = "logs"

    def __init__(self, devices: tuple[str, ...], deployment: str, container: str) -> None:
        super().__init__()
        self._devices = devices
        self._request = Request(
            devices=devices, deployment=deployment, container=container, tail=500
        )
        self._missed = 0
        self._notes: dict[str, str] = {}
        """What is to be told of a device's log: that it ended, that the device is offline."""

    @classmethod
    def at(cls, location: Location) -> Self:
        """Return the view; raises InvalidInputError where the device or deployment is missing."""
        devices, _, rest = location.argument.partition(" ")
        deployment, _, container = rest.strip().partition(" ")
        if not devices or not deployment:
            raise InvalidInputError(
                "logs: expected a device and a deployment",
                remedy="logs DEVICE[,DEVICE…] DEPLOYMENT [CONTAINER]",
            )
        names = tuple(dict.fromkeys(devices.split(",")))
        if len(names) > MAX_DEVICES:
            raise InvalidInputError(f"logs of {len(names)} devices are too many at once")
        return cls(names, deployment, container.strip())

    @property
    def location(self) -> Location:
        """Whose log of what."""
        request = self._request
        words = (",".join(self._devices), request.deployment, request.container)
        return Location(self.view_name, " ".join(word for word in words if word))

    def compose_body(self) -> Iterable[Widget]:
        """Return the text, wrapped: what a log says stands at the end of its lines."""
        text = TextView(id="body", wrap=True)
        text.follow = True
        yield text

    def on_mount(self) -> None:
        """Begin to read."""
        super().on_mount()
        self.focus_body()
        self.read()

    def title_cells(self) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """Return whose log it is, and how complete."""
        request, text = self._request, self.text
        what = (
            f"{request.deployment}/{request.container}" if request.container else request.deployment
        )
        whose = self._devices[0] if len(self._devices) == 1 else f"{len(self._devices)} devices"
        left: list[Cell] = [(f" logs {whose}  {what}", "title")]
        left += [("  previous run", "warning")] if request.previous else []
        left += [("  /", "dim"), (text.search, "accent")] if text.search else []
        left += [("  only ", "dim"), (text.only, "accent")] if text.only else []
        left += [(f"  {name}: {note}", "warning") for name, note in self._notes.items()]
        dropped = f"{text.dropped:,} lines dropped  " if text.dropped else ""
        missed = f"{self._missed:,} chunks missed  " if self._missed else ""
        mode = "following" if text.follow and not request.previous else "F follows"
        return left, [
            (f"{dropped}{missed}", "warning"),
            (f"{len(text.lines):,} lines  ", "dim"),
            (f"{mode} ", "accent" if text.follow else "dim"),
        ]

    @work(exclusive=True, group="logs")
    async def read(self) -> None:
        """Read the logs of all devices from the start, side by side."""
        self.text.set_lines([])
        self._missed, self._notes = 0, {}
        async with asyncio.TaskGroup() as group:
            for device in self._devices:
                group.create_task(self._follow(device), name=f"logs-{device}")

    async def _follow(self, device: str) -> None:
        """Follow one device's log, and take it up again when the device is back."""
        while True:
            fleet = self.fleet_app.fleet
            try:
                if fleet is not None:
                    chunks = follow_logs(fleet, device, self._request)
                    async with aclosing(chunks) as following:
                        async for chunk in following:
                            self._take(device, chunk)
                    return
            except FleetError as error:
                self._note(device, str(error))
                if error.kind not in {"offline", "timeout", "cannot-connect", "retry-later"}:
                    return
            await asyncio.sleep(RETRY_S)

    def _take(self, device: str, chunk: LogChunk) -> None:
        self._missed += chunk.missed
        if chunk.end is not None:
            self._note(device, f"ended: {chunk.end}" if chunk.end else "ended")
        elif device in self._notes:
            del self._notes[device]
        lines: list[Cell] = []
        if chunk.truncated:
            lines.append(("… older lines were left out", "dim"))
        if chunk.missed:
            lines.append((f"… {chunk.missed:,} chunks were missed here", "warning"))
        if chunk.restarted:
            lines.append((f"… {device} began anew", "warning"))
        several = len(self._devices) > 1
        prefix = f"{device}  " if several else ""
        style = DEVICE_STYLES[self._devices.index(device) % len(DEVICE_STYLES)]
        lines += [(f"{prefix}{line}", style if several else "text") for line in chunk.lines]
        self.text.add(lines)
        self.say_title()

    def _note(self, device: str, note: str) -> None:
        self._notes[device] = note
        self.say_title()

    # Keys

    def action_only(self) -> None:
        """Keep only the lines that hold what is searched; again shows all."""
        text = self.text
        if not text.only and not text.search:
            self.fleet_app.say("search first (/), then & keeps only the matching lines", "dim")
            return
        text.show_only("" if text.only else text.search)
        self.say_title()

    def action_timestamps(self) -> None:
        """Begin each line with its time, or not; the log is read again."""
        self._change(timestamps=not self._request.timestamps)

    def action_previous(self) -> None:
        """Read the run before this one, or this one again."""
        self._change(previous=not self._request.previous)

    def _change(self, **changes: bool) -> None:
        self._request = replace(self._request, **changes)  # type: ignore[arg-type]  # two flags
        self.read()

    def action_follow(self) -> None:
        """Go to the end, and stay there."""
        self.text.action_last()
        self.text.follow = True
        self.say_title()

    def action_save(self) -> None:
        """Write what is shown to a file in the working directory."""
        if self.fleet_app.options.restricted:
            self.fleet_app.say("this session writes no files", "error")
            return
        request = self._request
        name = "-".join(("logs", self._devices[0], request.deployment, request.container)).rstrip(
            "-"
        )
        path = Path(f"{name}.log")
        lines = [line for line, _ in self.text.lines]
        try:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        except OSError as error:
            self.fleet_app.say(f"cannot write {path}: {error.strerror}", "error")
            return
        self.fleet_app.say(f"{len(lines):,} lines saved in {path}", "ok")

    def back(self) -> bool:
        """Show all lines again, else end the search."""
        if self.text.only:
            self.action_only()
            return True
        return super().back()
