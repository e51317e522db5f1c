"""The table of events: what was seen to change while this session looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fleet_core.operations.record_filters import matching_events
from fleet_core.view import complete
from fleet_tui.sources.live_source import LiveSource
from fleet_tui.table import Column, span_text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from fleet_core.view import Event, Filter, FleetView
    from fleet_tui.table.source import Cell

_COLUMNS: Final = (
    Column("age", "AGE", 5, align="right"),
    Column("device", "DEVICE", 16, flex=1, max_width=44),
    Column("deployment", "DEPLOYMENT", 10, flex=1, max_width=30),
    Column("event", "EVENT", 20, flex=4),
)
_BAD: Final = ("offline", "Error", "BackOff", "Failed", "OOMKilled", "Timeout", "Invalid")
_ODD: Final = ("stale", "unknown", "Pending", "Init:")
_GOOD: Final = ("online", "Running")


class EventSource(LiveSource):
    """Events, the newest first; an event's row is its number, counted from the session's start."""

    def __init__(self, view: FleetView, *, clock: Callable[[], float]) -> None:
        super().__init__(view, clock=clock)
        self._events: dict[int, Event] = {}
        """Those that are kept, by number, the oldest first."""
        self._next = 1

    @property
    def columns(self) -> Sequence[Column]:
        """The columns."""
        return _COLUMNS

    @property
    def sortable(self) -> Sequence[str]:
        """The order is that of time."""
        return ()

    @property
    def total(self) -> int:
        """How many events are kept."""
        return len(self.view.events)

    def record(self, key: str) -> Event | None:
        """Return an event that is kept."""
        return self._events.get(int(key))

    def key(self, row: int, /) -> str:
        """Return the event's number."""
        return str(row)

    def row(self, key: str, /) -> int | None:
        """Return the row of an event that is kept."""
        return int(key) if int(key) in self._events else None

    def cells(self, row: int, /) -> Sequence[Cell]:
        """Return the cells of an event."""
        event = self._events[row]
        return (
            (span_text(max(0.0, self.view.now_s - event.at_s)), "dim"),
            (event.device_id, "text"),
            (event.deployment, "text"),
            (event.text, _style(event.text)),
        )

    def fingerprint(self, row: int, /) -> Hashable:
        """Return what differs whenever the cells do: only the age ever changes."""
        return (row, span_text(max(0.0, self.view.now_s - self._events[row].at_s)))

    def state_of_view(self) -> Hashable:
        """Return what differs when there are more events."""
        events = self.view.events
        return (len(events), id(events[-1]) if events else 0)

    def look(self, parsed: Filter) -> list[int]:
        """Return the events that match, the newest first."""
        self._number()
        matching = {id(event) for event in matching_events(parsed, self._shown(), self.view)}
        return [row for row, event in reversed(self._events.items()) if id(event) in matching]

    def completions(self, text: str) -> Sequence[str]:
        """Return what the last word of a filter could become."""
        return complete(text, self.view.devices)

    def _shown(self) -> Iterator[Event]:
        for event in self._events.values():
            if not self.faults_only or _style(event.text) == "failed":
                yield event

    def _number(self) -> None:
        """Give numbers to the events that are new, and forget those that the view let go."""
        last = next(reversed(self._events.values()), None)
        fresh: list[Event] = []
        for event in reversed(self.view.events):
            if event is last:
                break
            fresh.append(event)
        for event in reversed(fresh):
            self._events[self._next] = event
            self._next += 1
        for number in list(self._events)[: len(self._events) - len(self.view.events)]:
            del self._events[number]


def _style(text: str) -> str:
    """Return the style of an event: a change of health is told by where it went."""
    now = text.rpartition("→")[2]
    for words, style in ((_BAD, "failed"), (_ODD, "pending"), (_GOOD, "ok")):
        if any(word in now for word in words):
            return style
    return "text"
